//! What may be in force now, who let it through, and what takes it back.

use chrono::TimeDelta;
use sqlx::sqlite::SqliteRow;

use super::{id_text, load::action};
use crate::{
    domain::{
        Time,
        action::{Action, Term},
        endpoint::EndpointId,
        id::RequestId,
        request::{Outcome, StateName},
    },
    store::{
        Read, StoreError,
        row::{At, integer, text},
    },
};

/// A response that may be in force on an endpoint now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveTarget {
    /// The request that caused it.
    pub request: RequestId,
    /// The manager of the endpoint.
    pub manager: String,
    /// What.
    pub action: Action,
    /// For how long.
    pub term: Term,
    /// Where.
    pub endpoint: EndpointId,
    /// The endpoint's name.
    pub name: String,
    /// What is known of it there.
    pub outcome: &'static str,
    /// Since when.
    pub since: Time,
    /// Until when, where it ends by itself.
    pub ends: Option<Time>,
}

/// What may be in force now and is not past its term: of at most `limit` requests, the newest
/// first, and where `before` is given only of those asked before it.
pub async fn active(
    read: &mut impl Read,
    now: Time,
    before: Option<RequestId>,
    limit: u32,
) -> Result<Vec<ActiveTarget>, StoreError> {
    let rows = sqlx::query(
        "WITH standing AS (
             SELECT request.id, manager, action, argument, term_seconds, endpoint_id, name,
                 outcome, since
             FROM request_endpoint JOIN request ON request.id = request_id
             WHERE outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed')
               AND action IN ('block_ip', 'disable_account')
               AND (term_seconds IS NULL OR since + term_seconds * 1000000 > $1)
               AND ($2 IS NULL OR request.id < $2)
         )
         SELECT * FROM standing
         WHERE id IN (SELECT DISTINCT id FROM standing ORDER BY id DESC LIMIT $3)
         ORDER BY id DESC, length(endpoint_id), endpoint_id",
    )
    .bind(now.timestamp_micros())
    .bind(id_text(before))
    .bind(i64::from(limit))
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(read_row).collect()
}

fn read_row(row: &SqliteRow) -> Result<ActiveTarget, StoreError> {
    let id = text(row, "id")?;
    let row = At { table: "request_endpoint", id: &id }.columns(row);
    let (action, term) = action(row)?;
    let since = row.time("since")?;
    let known = |name: &str| Outcome::NAMES.into_iter().find(|known| *known == name);
    Ok(ActiveTarget {
        request: row.parse("id")?,
        manager: row.text("manager")?,
        outcome: row.read("outcome", known)?,
        ends: term.seconds().map(|seconds| since + TimeDelta::seconds(seconds.into())),
        since,
        action,
        term,
        endpoint: row.read("endpoint_id", EndpointId::parse)?,
        name: row.text("name")?,
    })
}

/// The names of the people whose approval of a request stands, in the order of their votes, and
/// whether they broke the glass.
pub async fn approvers(
    read: &mut impl Read,
    id: RequestId,
) -> Result<Vec<(String, bool)>, StoreError> {
    let rows = sqlx::query(
        "SELECT person.name AS name, break_glass FROM vote JOIN person ON person.id = person_id
         WHERE request_id = $1 AND retracted_at IS NULL ORDER BY at, person.name",
    )
    .bind(id.to_string())
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(|row| Ok((text(row, "name")?, integer(row, "break_glass")? == 1))).collect()
}

/// The newest request that would take this one back and has not come to an end.
pub async fn open_undo(
    read: &mut impl Read,
    of: RequestId,
) -> Result<Option<(RequestId, StateName)>, StoreError> {
    let row = sqlx::query(
        "SELECT id, state FROM request
         WHERE undoes = $1 AND state IN ('pending', 'approved', 'dispatching')
         ORDER BY id DESC LIMIT 1",
    )
    .bind(of.to_string())
    .fetch_optional(read.connection())
    .await?;
    row.map(|row| {
        let id = text(&row, "id")?;
        let row = At { table: "request", id: &id }.columns(&row);
        Ok((row.parse("id")?, row.parse("state")?))
    })
    .transpose()
}
