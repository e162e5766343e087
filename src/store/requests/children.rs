//! Requests that wait for one endpoint each, their parents, and what endpoints missed.

use super::{AskKey, advance, insert, list::ids, load, load::action_alone};
use crate::{
    domain::{
        Time,
        action::Action,
        endpoint::EndpointId,
        id::RequestId,
        request::{Request, StateName, Target},
    },
    store::{
        Read, StoreError, Tx,
        row::{At, count, text},
        sqlite::{Row, query},
    },
};

/// A child beside its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildSummary {
    /// Its id.
    pub id: RequestId,
    /// The endpoint that it is for.
    pub endpoint: EndpointId,
    /// The name of the endpoint: text from outside.
    pub name: String,
    /// Where it stands.
    pub state: StateName,
    /// What is known on the endpoint, by name; none until something is.
    pub outcome: Option<String>,
}

/// What follows from a move in the same transaction: who begins to wait has children, and who waits
/// for children ends with the last of them.
pub(super) async fn follow(
    tx: &mut Tx<'_>,
    request: &Request,
    was: StateName,
    now: Time,
) -> Result<(), StoreError> {
    if was != StateName::Waiting {
        for child in request.begin_children(now) {
            let digest = child.request().digest;
            let key = AskKey { proposal: digest, ask: digest, idempotency_key: None };
            insert(tx, &child, key, now).await?;
        }
    }
    let Some(parent) = request.parent().filter(|_| request.state.name().terminal()) else {
        return Ok(());
    };
    if open_count(tx, parent.id).await? > 0 {
        return Ok(());
    }
    let waiting = load(tx, parent.id).await?.ok_or(StoreError::Conflict)?;
    if waiting.waits_for_children() {
        let over = waiting.end_wait(now).map_err(|_ended| StoreError::Conflict)?;
        Box::pin(advance(tx, over, now)).await?;
    }
    Ok(())
}

async fn open_count(read: &mut impl Read, parent: RequestId) -> Result<u64, StoreError> {
    let row = query(
        "SELECT count(*) AS number FROM request INDEXED BY request_by_parent
         WHERE parent = $1 AND state IN ('approved', 'dispatching', 'waiting')",
    )
    .bind(parent.to_string())
    .fetch_one(read.connection())
    .await?;
    count(&row, "number")
}

/// For how many endpoints a request was asked, those that were left out included.
pub async fn scope(read: &mut impl Read, id: RequestId) -> Result<u64, StoreError> {
    let row = query("SELECT count(*) AS number FROM request_endpoint WHERE request_id = $1")
        .bind(id.to_string())
        .fetch_one(read.connection())
        .await?;
    count(&row, "number")
}

/// The children of a request that have not come to an end.
pub async fn open_children(
    read: &mut impl Read,
    parent: RequestId,
) -> Result<Vec<RequestId>, StoreError> {
    let rows = query(
        "SELECT id FROM request INDEXED BY request_by_parent
         WHERE parent = $1 AND state IN ('approved', 'dispatching', 'waiting') ORDER BY id",
    )
    .bind(parent.to_string())
    .fetch_all(read.connection())
    .await?;
    ids(&rows)
}

/// The children that wait for endpoints of a manager, and for which.
pub async fn waiting(
    read: &mut impl Read,
    manager: &str,
) -> Result<Vec<(RequestId, EndpointId)>, StoreError> {
    let rows = query(
        "SELECT request.id AS id, endpoint_id
         FROM request INDEXED BY request_that_waits
             CROSS JOIN request_endpoint ON request_id = request.id
         WHERE manager = $1 AND state = 'waiting' AND parent IS NOT NULL
         ORDER BY use_by, request.id",
    )
    .bind(manager)
    .fetch_all(read.connection())
    .await?;
    let one = |row: &Row| {
        let id = text(row, "id")?;
        let row = At { table: "request", id: &id }.columns(row);
        Ok((row.parse("id")?, row.read("endpoint_id", EndpointId::parse)?))
    };
    rows.iter().map(one).collect()
}

/// The children of a request, in the order of their endpoints.
pub async fn children(
    read: &mut impl Read,
    parent: RequestId,
) -> Result<Vec<ChildSummary>, StoreError> {
    let rows = query(
        "SELECT request.id AS id, endpoint_id, request_endpoint.name AS name, state, outcome
         FROM request INDEXED BY request_by_parent
             CROSS JOIN request_endpoint ON request_id = request.id
         WHERE parent = $1 ORDER BY length(endpoint_id), endpoint_id",
    )
    .bind(parent.to_string())
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(child).collect()
}

fn child(row: &Row) -> Result<ChildSummary, StoreError> {
    let id = text(row, "id")?;
    let row = At { table: "request", id: &id }.columns(row);
    Ok(ChildSummary {
        id: row.parse("id")?,
        endpoint: row.read("endpoint_id", EndpointId::parse)?,
        name: row.text("name")?,
        state: row.parse("state")?,
        outcome: row.maybe_text("outcome")?,
    })
}

/// An endpoint that did not get a response, or not yet, because it was away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedEndpoint {
    /// The request: the one that was asked for, or the child that waits, or waited, for the endpoint.
    pub request: RequestId,
    /// What it did or does.
    pub action: Action,
    /// When it was asked.
    pub asked_at: Time,
    /// Where the request stands.
    pub state: StateName,
    /// The manager of the endpoint.
    pub manager: String,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its name: text from outside.
    pub name: String,
}

/// The endpoints that missed responses for a target, those of the newest requests first, after a place
/// in the list.
pub async fn missed(
    read: &mut impl Read,
    argument: &str,
    after: Option<(RequestId, EndpointId)>,
    limit: u32,
) -> Result<Vec<MissedEndpoint>, StoreError> {
    // No id comes after these.
    let last = || ("~".to_owned(), "~".to_owned());
    let (request, endpoint) =
        after.map_or_else(last, |(request, endpoint)| (request.to_string(), endpoint.to_string()));
    // Of a request that waits, its children tell.
    let rows = query(
        "SELECT request.id AS id, action, action_entry, argument, asked_at, state, manager,
             endpoint_id, request_endpoint.name AS name
         FROM request INDEXED BY request_by_argument
             CROSS JOIN request_endpoint ON request_id = request.id
         WHERE argument = $1 AND request.id <= $2 AND (request.id < $2 OR endpoint_id < $3)
           AND undoes IS NULL
           AND (skip_code = 'not_active'
             OR parent IS NOT NULL AND (outcome IS NULL OR outcome IN ('not_sent', 'refused'))
             OR wait_seconds IS NULL AND outcome IN ('not_sent', 'refused')
               AND outcome_detail GLOB 'not active*')
         ORDER BY request.id DESC, endpoint_id DESC LIMIT $4",
    )
    .bind(argument)
    .bind(request)
    .bind(endpoint)
    .bind(i64::from(limit))
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(missed_row).collect()
}

fn missed_row(row: &Row) -> Result<MissedEndpoint, StoreError> {
    let id = text(row, "id")?;
    let row = At { table: "request", id: &id }.columns(row);
    Ok(MissedEndpoint {
        request: row.parse("id")?,
        action: action_alone(row)?,
        asked_at: row.time("asked_at")?,
        state: row.parse("state")?,
        manager: row.text("manager")?,
        endpoint: row.read("endpoint_id", EndpointId::parse)?,
        name: row.text("name")?,
    })
}

/// A request with what is known of the endpoints that were away: that of its children.
pub async fn with_children(
    read: &mut impl Read,
    mut request: Request,
) -> Result<Request, StoreError> {
    if request.wait.is_none() || request.parent().is_some() {
        return Ok(request);
    }
    for child in children(read, request.id).await? {
        let Some(child) = load(read, child.id).await? else { continue };
        for own in child.targets {
            let same = |target: &&mut Target| target.endpoint.id == own.endpoint.id;
            if let Some(target) = request.targets.iter_mut().find(same) {
                *target = own;
            }
        }
    }
    Ok(request)
}
