//! What an audit event says of one endpoint's outcome.

use serde::{Deserialize, Serialize};

use super::stored_form::milliseconds;
use crate::domain::{
    Time,
    endpoint::EndpointId,
    evidence::Evidence,
    id::RequestId,
    request::{Outcome, OutcomeParts, Target},
};

/// The outcome of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredOutcome", into = "StoredOutcome")]
pub struct EndpointOutcome {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// What is known.
    pub outcome: Outcome,
    /// What speaks against its effect.
    pub doubt: Option<String>,
}

impl EndpointOutcome {
    /// An outcome without a doubt.
    pub const fn new(endpoint: EndpointId, outcome: Outcome) -> Self {
        Self { endpoint, outcome, doubt: None }
    }

    /// What is known of a target, without its doubt; none while nothing is.
    pub fn of(target: &Target) -> Option<Self> {
        Some(Self::new(target.endpoint.id.clone(), target.outcome.clone()?))
    }

    /// What is known of a target, with its doubt; none while nothing is.
    pub fn with_doubt(target: &Target) -> Option<Self> {
        Some(Self { doubt: target.doubt.clone(), ..Self::of(target)? })
    }
}

/// An [`EndpointOutcome`] as it is stored: each fact in a field of its own.
#[derive(Serialize, Deserialize)]
struct StoredOutcome {
    endpoint: EndpointId,
    outcome: String,
    code: Option<u32>,
    detail: String,
    evidence: Option<StoredEvidence>,
    reverted_by: Option<RequestId>,
    doubt: Option<String>,
}

/// [`Evidence`] as it is stored, with a time in words.
#[derive(Serialize, Deserialize)]
struct StoredEvidence {
    index: String,
    alert: String,
    rule: String,
    #[serde(with = "milliseconds")]
    at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of_request: Option<RequestId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

impl From<EndpointOutcome> for StoredOutcome {
    fn from(EndpointOutcome { endpoint, outcome, doubt }: EndpointOutcome) -> Self {
        Self {
            endpoint,
            outcome: outcome.name().to_owned(),
            code: outcome.code(),
            detail: outcome.detail().to_owned(),
            evidence: outcome.evidence().cloned().map(StoredEvidence::from),
            reverted_by: outcome.reverted_by(),
            doubt,
        }
    }
}

impl TryFrom<StoredOutcome> for EndpointOutcome {
    type Error = String;

    fn try_from(stored: StoredOutcome) -> Result<Self, String> {
        let StoredOutcome { endpoint, outcome, code, detail, evidence, reverted_by, doubt } =
            stored;
        let wrong = format!("`{outcome}` is not an outcome with these facts");
        let evidence = evidence.map(Evidence::from);
        let parts = OutcomeParts { name: outcome, code, detail, evidence, reverted_by };
        let outcome = Outcome::from_parts(parts).ok_or(wrong)?;
        Ok(Self { endpoint, outcome, doubt })
    }
}

impl From<Evidence> for StoredEvidence {
    fn from(Evidence { index, alert, rule, at, of_request, version }: Evidence) -> Self {
        Self { index, alert, rule, at, of_request, version }
    }
}

impl From<StoredEvidence> for Evidence {
    fn from(
        StoredEvidence { index, alert, rule, at, of_request, version }: StoredEvidence,
    ) -> Self {
        Self { index, alert, rule, at, of_request, version }
    }
}
