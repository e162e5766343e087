//! The facts of a plan.

use serde::{Deserialize, Serialize};

use crate::domain::{
    digest::Digest,
    id::{PlanId, RequestId},
    request::{FailureRule, StateName},
};

/// An agent asked for several requests in an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFacts {
    /// The plan.
    pub plan: PlanId,
    /// What it is about, in the agent's words.
    pub heading: String,
    /// Why, in the agent's words.
    pub reason: String,
    /// What happens after a step that failed.
    pub on_failure: FailureRule,
    /// The steps, in their order.
    pub steps: Vec<RequestId>,
    /// What people approve, beside the digest of each step.
    pub digest: Digest,
}

/// The turn of a step came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnFacts {
    /// The plan.
    pub plan: PlanId,
    /// 1 for the first.
    pub step: u8,
    /// The state, which stays as it was.
    pub state: StateName,
}
