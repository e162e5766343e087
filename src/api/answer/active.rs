//! What is active now.

use serde::Serialize;
use utoipa::ToSchema;

use super::spoken;
use crate::broker::queries::active_responses::{ActiveRequest, ActiveResponse, UndoState};

/// A page of what is active or may be, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ActivePage {
    /// The responses: one for each endpoint and target.
    pub(in crate::api) items: Vec<ActiveItem>,
    /// The `after` of the next page; null where there is none.
    pub(in crate::api) next: Option<String>,
}

/// A response that is active on an endpoint, or may be.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ActiveItem {
    /// The manager of the endpoint.
    manager: String,
    /// The endpoint's id at that manager.
    endpoint: String,
    /// The endpoint's name. Text from outside.
    name: String,
    /// The response.
    action: &'static str,
    /// What it acts on. Text from outside.
    target: String,
    /// Since when (RFC 3339, UTC).
    since: String,
    /// When it ends; null where it does not end by itself, or where nobody knows.
    ends: Option<String>,
    /// Why nobody could look whether it started. Text from outside.
    not_looked_because: Option<String>,
    /// The requests that it rests on, the oldest first; none where Wazuh did it by its own rules.
    requests: Vec<ActiveRequestItem>,
}

/// A request that it rests on.
#[derive(Debug, Serialize, ToSchema)]
struct ActiveRequestItem {
    /// Its id.
    id: String,
    /// What is known of it there.
    known: &'static str,
    /// Who asked for it. Text from outside.
    asked_by: String,
    /// Why. Text from outside.
    reason: String,
    /// Who approved it.
    approvers: Vec<ApproverAnswer>,
    /// The request that takes it back.
    undo: Option<UndoAnswer>,
}

/// Somebody who approved.
#[derive(Debug, Serialize, ToSchema)]
struct ApproverAnswer {
    /// The name.
    name: String,
    /// Whether they broke the glass.
    break_glass: bool,
}

/// A request that takes another back.
#[derive(Debug, Serialize, ToSchema)]
struct UndoAnswer {
    /// Its id.
    id: String,
    /// Where it stands; `uncertain` where it was sent and nobody knows whether it was done.
    state: &'static str,
}

impl From<ActiveResponse> for ActiveItem {
    fn from(found: ActiveResponse) -> Self {
        let ActiveResponse { row, requests } = found;
        Self {
            manager: row.manager,
            endpoint: row.endpoint.to_string(),
            name: row.name,
            action: row.action.kind().name(),
            target: row.action.argument(),
            since: spoken(row.since),
            ends: row.ends.map(spoken),
            not_looked_because: row.gap,
            requests: requests.into_iter().map(ActiveRequestItem::from).collect(),
        }
    }
}

impl From<ActiveRequest> for ActiveRequestItem {
    fn from(request: ActiveRequest) -> Self {
        let approver = |(name, break_glass)| ApproverAnswer { name, break_glass };
        let undo = request.undo.map(|(id, state)| UndoAnswer {
            id: id.to_string(),
            state: match state {
                UndoState::Open(state) => state.name(),
                UndoState::Uncertain => "uncertain",
            },
        });
        Self {
            id: request.id.to_string(),
            known: request.known.into_str(),
            asked_by: request.origin.asked_by,
            reason: request.origin.reason,
            approvers: request.approvers.into_iter().map(approver).collect(),
            undo,
        }
    }
}
