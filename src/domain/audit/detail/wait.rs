//! The facts of a wait for endpoints that are away.

use serde::{Deserialize, Serialize};

use super::{request::DecisionFacts, stored_form::milliseconds};
use crate::domain::{
    Time, digest::Digest, endpoint::EndpointId, id::RequestId, request::StateName,
};

/// A child began to wait for its endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitFacts {
    /// The request that people approved it with.
    pub parent: RequestId,
    /// The endpoint that is away.
    pub endpoint: EndpointId,
    /// The last moment at which it waits.
    #[serde(with = "milliseconds")]
    pub until: Time,
    /// The child's own digest.
    pub digest: Digest,
    /// The state after it.
    pub state: StateName,
}

/// The endpoint of a child is back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnFacts {
    /// Policy's answer with the approvals that stand.
    pub decision: DecisionFacts,
    /// The state after it.
    pub state: StateName,
}

/// The last child of a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitOverFacts {
    /// The state after it.
    pub state: StateName,
}
