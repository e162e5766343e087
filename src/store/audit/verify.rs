//! The walk along the chain.

use super::stored_row::StoredRow;
use crate::{
    domain::digest::Digest,
    store::{Read, StoreError, row::integer},
};

/// How many rows [`verify`] holds in memory at once.
const VERIFY_ROWS: i64 = 1000;

/// What a walk along the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many rows are sound, from the first.
    pub rows: u64,
    /// The hash of the last sound row: note it elsewhere to prove later that nothing was cut off.
    pub head: Digest,
    /// The first bad row, and what is wrong with it.
    pub broken: Option<(i64, String)>,
}

/// Walks the whole chain from the first row.
pub async fn verify(read: &mut impl Read) -> Result<Verified, StoreError> {
    let mut verified = Verified { rows: 0, head: Digest::ZERO, broken: None };
    let mut after = i64::MIN;
    loop {
        let rows = sqlx::query("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(after)
            .bind(VERIFY_ROWS)
            .fetch_all(read.connection())
            .await?;
        if rows.is_empty() {
            if verified.rows == 0 && has_history(read).await? {
                let why = "row 1 is missing: there are people or requests, and each left an entry";
                verified.broken = Some((1, why.to_owned()));
            }
            return Ok(verified);
        }
        for row in &rows {
            after = integer(row, "seq")?;
            let last = (verified.rows, verified.head);
            let (entry, stored) = StoredRow::entry(row)?;
            match entry.check_after(last, stored) {
                Ok(()) => {
                    verified.rows = entry.seq;
                    verified.head = stored;
                }
                Err(why) => {
                    verified.broken = Some((after, why));
                    return Ok(verified);
                }
            }
        }
    }
}

/// Whether something happened that is recorded always.
async fn has_history(read: &mut impl Read) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT EXISTS(SELECT 1 FROM person) OR EXISTS(SELECT 1 FROM request) AS happened",
    )
    .fetch_one(read.connection())
    .await?;
    Ok(integer(&row, "happened")? == 1)
}
