//! The requests that take others back.

use super::list::ids;
use crate::{
    domain::{
        endpoint::EndpointId,
        id::RequestId,
        request::{Request, StateName},
    },
    store::{
        Read, StoreError,
        row::{At, text},
        sqlite::{Row, query},
    },
};

/// The newest request that would take this one back and has not come to an end.
pub async fn open_undo(
    read: &mut impl Read,
    of: RequestId,
) -> Result<Option<(RequestId, StateName)>, StoreError> {
    let row = query(
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

/// The newest request that was to take this one back on an endpoint, where nobody knows whether it
/// was done.
pub async fn uncertain_undo(
    read: &mut impl Read,
    of: RequestId,
    endpoint: &EndpointId,
) -> Result<Option<RequestId>, StoreError> {
    let row = query(
        "SELECT id FROM request INDEXED BY request_by_undone
             JOIN request_endpoint ON request.id = request_id
         WHERE undoes = $1 AND endpoint_id = $2 AND outcome IN ('unknown', 'unconfirmed')
         ORDER BY id DESC LIMIT 1",
    )
    .bind(of.to_string())
    .bind(endpoint.as_str())
    .fetch_optional(read.connection())
    .await?;
    let one = |row: Row| {
        let id = text(&row, "id")?;
        At { table: "request", id: &id }.parse(&id)
    };
    row.map(one).transpose()
}

/// Whether nobody knows whether an undo that was sent to an endpoint was done there.
pub async fn is_uncertain(
    read: &mut impl Read,
    undo: RequestId,
    endpoint: &EndpointId,
) -> Result<bool, StoreError> {
    let row = query(
        "SELECT 1 FROM request_endpoint WHERE request_id = $1 AND endpoint_id = $2
           AND outcome IN ('unknown', 'unconfirmed')",
    )
    .bind(undo.to_string())
    .bind(endpoint.as_str())
    .fetch_optional(read.connection())
    .await?;
    Ok(row.is_some())
}

/// Open requests that take back others for the same target at the same manager.
pub async fn open_undos_beside(
    read: &mut impl Read,
    request: &Request,
) -> Result<Vec<RequestId>, StoreError> {
    let Some(undo) = request.action.undo() else { return Ok(Vec::new()) };
    let rows = query(
        "SELECT id FROM request
         WHERE action = $1 AND argument = $2 AND manager = $3 AND undoes <> $4
           AND state IN ('pending', 'approved', 'dispatching')
         ORDER BY id",
    )
    .bind(undo.kind().name())
    .bind(undo.argument())
    .bind(&request.manager)
    .bind(request.id.to_string())
    .fetch_all(read.connection())
    .await?;
    ids(&rows)
}

/// The requests that an undo lifted.
pub async fn lifted_by(
    read: &mut impl Read,
    undo: RequestId,
) -> Result<Vec<RequestId>, StoreError> {
    let rows = query(
        "SELECT DISTINCT request_id AS id
         FROM request_endpoint INDEXED BY request_endpoint_by_undo
         WHERE outcome = 'reverted' AND reverted_by = $1 ORDER BY id",
    )
    .bind(undo.to_string())
    .fetch_all(read.connection())
    .await?;
    ids(&rows)
}

/// The requests that take this one back, oldest first.
pub async fn undos(read: &mut impl Read, of: RequestId) -> Result<Vec<RequestId>, StoreError> {
    let rows = query("SELECT id FROM request WHERE undoes = $1 ORDER BY id")
        .bind(of.to_string())
        .fetch_all(read.connection())
        .await?;
    ids(&rows)
}
