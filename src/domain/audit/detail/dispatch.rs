//! The facts of the calls to the manager, and of what was learnt after them.

use serde::{Deserialize, Serialize};

use super::{
    outcome::EndpointOutcome,
    request::{AllowedBy, DecisionFacts, LeftOutFacts},
    stored_form::{maybe_milliseconds, milliseconds},
};
use crate::domain::{
    Time,
    actor::Role,
    digest::Digest,
    endpoint::EndpointId,
    evidence::FoundCall,
    id::{AttemptId, RequestId},
    request::{Attempt, Request, StateName},
};

/// A call that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFacts {
    /// The attempt.
    pub id: AttemptId,
    /// 1, 2, 3, … within the request.
    pub number: u32,
    /// SHA-256 of the exact body.
    pub body_sha256: Digest,
    /// The endpoints that it is for.
    pub endpoints: Vec<EndpointId>,
}

impl CallFacts {
    /// The call of an attempt, which is part of the request.
    pub fn of(request: &Request, attempt: &Attempt) -> Self {
        let targets = request.targets.iter();
        let endpoints = targets.filter(|target| target.attempt == Some(attempt.id));
        Self {
            id: attempt.id,
            number: attempt.number,
            body_sha256: attempt.body_hash,
            endpoints: endpoints.map(|target| target.endpoint.id.clone()).collect(),
        }
    }
}

/// The worker claimed the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimFacts {
    /// The first call.
    pub attempt: CallFacts,
    /// Policy's answer at the claim.
    pub decision: DecisionFacts,
    /// What is sent.
    pub digest: Digest,
    /// The endpoints that are no longer connected.
    pub not_sent: Vec<LeftOutFacts>,
    /// The state after it.
    pub state: StateName,
}

/// The worker cannot claim the request yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldFacts {
    /// Why.
    pub why: String,
    /// The state, which stays as it was.
    pub state: StateName,
}

/// How a call, or the attempt to make the first one, ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AnswerFacts {
    /// A call ended.
    Call(AnsweredCallFacts),
    /// No call was made: no endpoint was connected any more.
    AllDisconnected(OutcomesFacts),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredCallFacts {
    /// Which call.
    pub attempt: AttemptId,
    /// How it ended, in words.
    pub answer: String,
    /// What it means for the endpoints that the answer names.
    pub outcomes: Vec<EndpointOutcome>,
    /// The next call.
    pub next: Option<CallFacts>,
    /// The outcomes of all endpoints, where nothing further will be sent.
    pub settled: Option<Vec<EndpointOutcome>>,
    /// The state after it.
    pub state: StateName,
}

/// How a wait for the next call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ResumeFacts {
    /// The next call follows.
    Call {
        /// The call.
        attempt: CallFacts,
        /// The state after it.
        state: StateName,
    },
    /// Nothing further will be sent.
    Stopped {
        /// Why.
        why: String,
        /// The outcomes of all endpoints.
        settled: Vec<EndpointOutcome>,
        /// The state after it.
        state: StateName,
    },
}

/// Outcomes changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomesFacts {
    /// The outcomes.
    pub outcomes: Vec<EndpointOutcome>,
    /// The state after it.
    pub state: StateName,
}

/// Calls were found that this database does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundCallsFacts {
    /// The manager that they went to.
    pub manager: String,
    /// The calls of the request.
    pub calls: Vec<FoundCallFacts>,
    /// The outcomes that follow, where the request is known and was still to be sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<EndpointOutcome>,
    /// Its state after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateName>,
}

/// A call that this database does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundCallFacts {
    /// Its attempt.
    pub attempt: AttemptId,
    /// The endpoints whose alerts show it.
    pub endpoints: Vec<EndpointId>,
    /// When the first of them wrote it.
    #[serde(with = "milliseconds")]
    pub at: Time,
}

impl From<&FoundCall> for FoundCallFacts {
    fn from(call: &FoundCall) -> Self {
        let endpoints = call.endpoints.iter().cloned().collect();
        Self { attempt: call.attempt, endpoints, at: call.at }
    }
}

/// The wait for evidence is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceMissedFacts {
    /// Whether an evidence source was configured.
    pub looked: bool,
    /// Why it could not be searched; none where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
    /// The outcomes that follow.
    pub outcomes: Vec<EndpointOutcome>,
    /// The state, which stays as it was.
    pub state: StateName,
}

/// Another request took the response back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevertFacts {
    /// That request.
    pub by: RequestId,
    /// The outcomes that follow.
    pub outcomes: Vec<EndpointOutcome>,
    /// The state, which stays as it was.
    pub state: StateName,
}

/// Another command for the same target moved the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndMovedFacts {
    /// The request of that command.
    pub by: RequestId,
    /// The new ends.
    pub ends: Vec<EndpointEnd>,
    /// The state, which stays as it was.
    pub state: StateName,
}

/// When a response ends on an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointEnd {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// When; none where it does not end by itself.
    #[serde(with = "maybe_milliseconds")]
    pub ends: Option<Time>,
}

/// A person recorded what happened where it was unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolutionFacts {
    /// The person's role.
    pub role: Role,
    /// What the person saw.
    pub reason: String,
    /// The policies that allowed it.
    pub allowed_by: AllowedBy,
    /// The outcomes that follow.
    pub outcomes: Vec<EndpointOutcome>,
    /// The state, which stays as it was.
    pub state: StateName,
}
