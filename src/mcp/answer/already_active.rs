//! What is active already on the endpoints of a request that is not sent yet.

use schemars::JsonSchema;
use serde::Serialize;

use super::spoken;
use crate::{
    domain::{active_response::AlreadyActive, id::AgentId},
    text::{active_response::effect_text, agent_message::LISTED_ENDPOINTS_MAX},
};

#[derive(Serialize, JsonSchema)]
pub(super) struct AlreadyActiveAnswer {
    /// The endpoint's id.
    endpoint: String,
    /// When it began (RFC 3339, UTC); absent where only a timer is left of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// When it ends by itself (RFC 3339, UTC); absent where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Your own requests that it rests on. Those of others are not named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    request_ids: Vec<String>,
    /// Since when Wazuh's own active response has it active too, or alone (RFC 3339, UTC): nobody
    /// knows until when. Absent where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_response_since: Option<String>,
    /// What sending this request would do to it.
    effect: String,
}

impl AlreadyActiveAnswer {
    /// As the agent hears it: of its own requests with their names, of the first endpoints only.
    pub(super) fn all(active: &[AlreadyActive], agent: AgentId) -> Vec<Self> {
        let answer = |met: &AlreadyActive| {
            let own = met.rests_on.iter().filter(|one| one.agent == agent);
            Self {
                endpoint: met.endpoint.to_string(),
                since: met.since.map(spoken),
                until: met.ends.map(spoken),
                request_ids: own.map(|one| one.request.to_string()).collect(),
                rule_response_since: met.rule_response.map(spoken),
                effect: effect_text(met),
            }
        };
        active.iter().take(LISTED_ENDPOINTS_MAX).map(answer).collect()
    }
}
