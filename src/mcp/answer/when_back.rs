//! What waits for endpoints that are away.

use schemars::JsonSchema;
use serde::Serialize;

use super::spoken;
use crate::{
    broker::queries::ChildSummary,
    domain::request::{Request, StateName},
};

#[derive(Serialize, JsonSchema)]
pub(super) struct WhenBackAnswer {
    /// The last moment at which endpoints are waited for (RFC 3339, UTC).
    until: String,
    /// Endpoints that were away when it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    away: Vec<String>,
    /// Of a request for one endpoint that was away: the request that it was approved with.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    /// The requests that wait, or waited, each for one endpoint. Ask `get_request` about each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    requests: Vec<ChildAnswer>,
}

#[derive(Serialize, JsonSchema)]
struct ChildAnswer {
    /// Its name in all further calls.
    request_id: String,
    /// The id of its endpoint.
    endpoint: String,
    /// Where it stands.
    #[schemars(extend("enum" = StateName::ALL.map(StateName::name)))]
    state: &'static str,
    /// What is known there. Absent: nothing so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
}

impl WhenBackAnswer {
    pub(super) fn of(request: &Request, children: &[ChildSummary]) -> Option<Self> {
        let away = request.targets.iter().filter(|target| target.away);
        let child = |child: &ChildSummary| ChildAnswer {
            request_id: child.id.to_string(),
            endpoint: child.endpoint.to_string(),
            state: child.state.name(),
            outcome: child.outcome.clone(),
        };
        Some(Self {
            until: spoken(request.wait_until()?),
            away: away.map(|target| target.endpoint.id.to_string()).collect(),
            parent: request.parent().map(|parent| parent.id.to_string()),
            requests: children.iter().map(child).collect(),
        })
    }
}
