//! How far each feed has come.

use crate::store::{
    Read, StoreError, Tx,
    row::{At, integer},
    sqlite::query,
};

/// The place of the last entry that the receiver of a feed has; none for a new feed.
pub async fn position(read: &mut impl Read, feed: &str) -> Result<Option<u64>, StoreError> {
    let row = query("SELECT seq FROM feed WHERE name = $1")
        .bind(feed)
        .fetch_optional(read.connection())
        .await?;
    let at = At { table: "feed", id: feed };
    row.map(|row| at.number(integer(&row, "seq")?)).transpose()
}

/// Gives a new feed its place; one that has a place keeps it.
pub async fn begin(tx: &mut Tx<'_>, feed: &str, seq: u64) -> Result<(), StoreError> {
    query("INSERT INTO feed (name, seq) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(feed)
        .bind(At { table: "feed", id: feed }.integer(seq)?)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Notes that the receiver of a feed has all up to this place.
pub async fn reached(tx: &mut Tx<'_>, feed: &str, seq: u64) -> Result<(), StoreError> {
    query("UPDATE feed SET seq = $2 WHERE name = $1")
        .bind(feed)
        .bind(At { table: "feed", id: feed }.integer(seq)?)
        .execute(tx.connection())
        .await?;
    Ok(())
}
