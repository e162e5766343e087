//! Which installation each name of a manager stood for.

use super::{Read, StoreError, Tx, row::text, sqlite::query};
use crate::domain::Time;

/// The installation that a name stood for last; none where nobody could tell.
pub async fn identity(read: &mut impl Read, name: &str) -> Result<Option<String>, StoreError> {
    let row = query("SELECT identity FROM manager_identity WHERE name = $1")
        .bind(name)
        .fetch_optional(read.connection())
        .await?;
    row.map(|row| text(&row, "identity")).transpose()
}

/// Records the installation that a name stands for, which is another one than was known.
pub async fn store_identity(
    tx: &mut Tx<'_>,
    name: &str,
    identity: &str,
    now: Time,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO manager_identity (name, identity) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET identity = excluded.identity, changed_at = $3",
    )
    .bind(name)
    .bind(identity)
    .bind(now.timestamp_micros())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The names under which something was sent that may be active, or of which nobody knows what became
/// of it, and that are not configured or stand for another installation since. Where each name is
/// configured and stands for what it always stood for, this reads a row for each name; else it is
/// bounded by what may be active.
pub async fn unsettled(
    read: &mut impl Read,
    configured: &[&str],
    now: Time,
) -> Result<Vec<String>, StoreError> {
    let rows = query(
        "WITH RECURSIVE known (name) AS (
             SELECT min(manager) FROM request INDEXED BY request_by_manager
             UNION ALL
             SELECT (SELECT min(manager) FROM request INDEXED BY request_by_manager
                     WHERE manager > known.name)
             FROM known WHERE known.name IS NOT NULL
         ), doubtful AS (
             SELECT known.name AS name,
                 CASE WHEN known.name IN (SELECT value FROM json_each($1)) THEN changed_at
                      ELSE 9223372036854775807 END AS until
             FROM known LEFT JOIN manager_identity ON manager_identity.name = known.name
             WHERE known.name NOT IN (SELECT value FROM json_each($1)) OR changed_at IS NOT NULL
         )
         SELECT name FROM doubtful
         WHERE EXISTS (
             SELECT 1 FROM request_endpoint INDEXED BY request_endpoint_active
                 CROSS JOIN request ON request.id = request_id
             WHERE outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed')
               AND (ifnull(ends_at, 9223372036854775807) > $2 OR outcome = 'unknown')
               AND since < until AND manager = doubtful.name)
         ORDER BY 1",
    )
    .bind(serde_json::to_string(configured).unwrap_or_default())
    .bind(now.timestamp_micros())
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(|row| text(row, "name")).collect()
}
