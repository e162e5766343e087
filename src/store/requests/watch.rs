//! The requests whose evidence is waited for, and whose turn it is.

use super::list::ids;
use crate::{
    domain::id::RequestId,
    store::{Read, StoreError, Subject, Tx, row::count, sqlite::query},
};

/// What is looked for in the indexer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Whether a response started on some endpoint: nothing shows it so far.
    Start,
    /// Whether one ended on endpoints where all that was sent is known to have started.
    End,
}

impl Wanted {
    /// In the order in which they are looked for: doubt first.
    pub const ALL: [Self; 2] = [Self::Start, Self::End];
}

/// Requests of a manager whose evidence is waited for, and how many there are in all. First those that
/// were never looked for, then those for which it is longest ago.
pub async fn watched(
    read: &mut impl Read,
    manager: &str,
    wanted: Wanted,
    limit: u32,
) -> Result<(Vec<RequestId>, u64), StoreError> {
    let rows = query(
        "SELECT request.id AS id, min(watch_until) AS due, count(*) OVER () AS number
         FROM request_endpoint INDEXED BY request_endpoint_watched
             CROSS JOIN request ON request.id = request_id
         WHERE watch_until IS NOT NULL AND manager = $1
         GROUP BY request.id
         HAVING max(outcome NOT IN ('confirmed', 'ended', 'reverted')) = $2
         ORDER BY last_look NULLS FIRST, due, request.id LIMIT $3",
    )
    .bind(manager)
    .bind(wanted == Wanted::Start)
    .bind(i64::from(limit))
    .fetch_all(read.connection())
    .await?;
    let number = rows.first().map_or(Ok(0), |row| count(row, "number"))?;
    Ok((ids(&rows)?, number))
}

/// How many requests of a manager wait for evidence of this.
pub async fn watched_count(
    read: &mut impl Read,
    manager: &str,
    wanted: Wanted,
) -> Result<u64, StoreError> {
    Ok(watched(read, manager, wanted, 1).await?.1)
}

/// Notes that it is the turn of these. Looks are counted, so that no clock decides whose turn is next.
pub async fn note_look(tx: &mut Tx<'_>, looked: &[RequestId]) -> Result<(), StoreError> {
    let ids: Vec<_> = looked.iter().map(RequestId::to_string).collect();
    query(
        "UPDATE request SET last_look = 1 + coalesce(
             (SELECT max(last_look) FROM request WHERE last_look IS NOT NULL), 0)
         WHERE id IN (SELECT value FROM json_each($1))",
    )
    .bind(serde_json::json!(ids).to_string())
    .execute(tx.connection())
    .await?;
    tx.effects.touched.push(Subject::Progress);
    Ok(())
}
