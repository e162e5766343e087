//! The facts of a request's life before the manager is called, and of what people do with it.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use super::{passkey::ProofFacts, stored_form::milliseconds};
use crate::domain::{
    Time,
    actor::{Role, api_token::UsedToken},
    decision::{Authorization, Decision, Verdict},
    digest::Digest,
    endpoint::EndpointId,
    facts::Verb,
    id::RequestId,
    proposal::Claim,
    request::StateName,
};

/// An endpoint to which nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutFacts {
    /// Which.
    pub endpoint: EndpointId,
    /// Why.
    pub why: String,
}

/// Something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalFacts {
    /// Why.
    pub why: String,
}

/// An agent asked what would become of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRunFacts {
    /// What it would do and where, in one line that is short for any number of endpoints.
    pub effect: String,
    /// The manager of the endpoints.
    pub manager: String,
    /// What policy said.
    pub decision: DecisionFacts,
    /// Which step of a plan it would be, 1 for the first; none where it was tried alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u8>,
}

/// A proposal became a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionFacts {
    /// What it does and how far it reaches, as a sentence.
    pub effect: String,
    /// The name of the manager.
    pub manager: String,
    /// The request that it takes back.
    pub undoes: Option<RequestId>,
    /// Where it acts.
    pub endpoints: Vec<EndpointId>,
    /// Where it does not, and why.
    pub skipped: Vec<LeftOutFacts>,
    /// How long it lasts; none where it is permanent.
    pub term_seconds: Option<u32>,
    /// What the agent says.
    pub claim: Claim,
    /// Whether the broker found the alert.
    pub alert_found: bool,
    /// What people approve.
    pub digest: Digest,
    /// Policy's answer.
    pub decision: DecisionFacts,
    /// The state after it.
    pub state: StateName,
}

/// Policy's answer, in the words of that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionFacts {
    /// The answer.
    pub verdict: VerdictName,
    /// Who has to approve, in words; only where people have to.
    pub needs: Option<String>,
    /// How many people had approved.
    pub people: u8,
    /// Whether a break-glass approval stood in for people who were missing.
    #[serde(default)]
    pub break_glass: bool,
    /// The ids of the policies that decided.
    pub policies: Vec<String>,
    /// Their reasons, in one line.
    pub why: String,
    /// What went wrong during the evaluation.
    pub errors: Vec<String>,
    /// The policy set that answered.
    pub policy_hash: Digest,
}

/// [`Verdict`] without the least tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum VerdictName {
    /// See [`Verdict::Run`].
    Run,
    /// See [`Verdict::Approval`].
    Approval,
    /// See [`Verdict::Deny`].
    Deny,
}

impl VerdictName {
    /// Its word.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

impl From<&Decision> for DecisionFacts {
    fn from(decision: &Decision) -> Self {
        let (verdict, needs) = match decision.verdict {
            Verdict::Run => (VerdictName::Run, None),
            Verdict::Approval(least) => (VerdictName::Approval, Some(least.to_string())),
            Verdict::Deny => (VerdictName::Deny, None),
        };
        Self {
            verdict,
            needs,
            people: decision.tally.people,
            break_glass: decision.break_glass,
            policies: decision.policies().into_iter().map(str::to_owned).collect(),
            why: decision.why(),
            errors: decision.errors.clone(),
            policy_hash: decision.policy_hash,
        }
    }
}

/// The ids of the policies that allowed a person or an agent to act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllowedBy(pub Vec<String>);

impl From<&Authorization> for AllowedBy {
    fn from(answer: &Authorization) -> Self {
        Self(answer.reasons.iter().map(|reason| reason.policy.clone()).collect())
    }
}

/// A person approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalFacts {
    /// The person's role.
    pub role: Role,
    /// What the person added; may be empty.
    pub comment: String,
    /// What was approved.
    pub digest: Digest,
    /// The policies that allowed the vote.
    pub allowed_by: AllowedBy,
    /// Policy's answer with this vote counted.
    pub decision: DecisionFacts,
    /// The state after it.
    pub state: StateName,
    /// What a passkey signed; none where no passkey was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofFacts>,
}

/// A lead on call approved in place of the people who were missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakGlassFacts {
    /// The person's role.
    pub role: Role,
    /// Why.
    pub reason: String,
    /// What was approved.
    pub digest: Digest,
    /// Until when somebody else has to review it.
    #[serde(with = "milliseconds")]
    pub review_due_at: Time,
    /// The policies that allowed it.
    pub allowed_by: AllowedBy,
    /// Policy's answer with this vote counted.
    pub decision: DecisionFacts,
    /// The state after it.
    pub state: StateName,
    /// What a passkey signed; none where no passkey was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofFacts>,
}

/// A person rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionFacts {
    /// The person's role.
    pub role: Role,
    /// Why.
    pub reason: String,
    /// The policies that allowed it.
    pub allowed_by: AllowedBy,
    /// What was rejected.
    pub digest: Digest,
    /// The state after it.
    pub state: StateName,
    /// The token for the API with which it was rejected; none where the person was on the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<UsedToken>,
}

/// A person took an approval back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetractionFacts {
    /// The policies that allowed it.
    pub allowed_by: AllowedBy,
    /// Policy's answer without the vote.
    pub decision: DecisionFacts,
    /// The state after it.
    pub state: StateName,
}

/// What a person tried was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedVoteFacts {
    /// What the person tried.
    pub verb: Verb,
    /// Why it was refused.
    pub why: String,
    /// The token for the API with which it was tried; none where the person was on the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<UsedToken>,
}

/// A person commented without voting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentFacts {
    /// The person's role.
    pub role: Role,
    /// The comment.
    pub comment: String,
    /// The token for the API with which it was written; none where the person was on the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<UsedToken>,
    /// The name that the program gave the comment, so that it is kept once however often it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// To whom a request is assigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignmentFacts {
    /// The name of the person; none where it is nobody.
    pub to: Option<String>,
}

/// Until when a person snoozed a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnoozeFacts {
    /// Until when, in microseconds since 1970; none where it is shown again.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub until: Option<Time>,
}

/// A person reviewed a break-glass approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewFacts {
    /// The person's role.
    pub role: Role,
    /// What was found.
    pub finding: String,
    /// Whether the review came too late.
    pub overdue: bool,
    /// The policies that allowed it.
    pub allowed_by: AllowedBy,
    /// The state, which stays as it was.
    pub state: StateName,
}

/// The agent or its owner ended the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancellationFacts {
    /// Why; may be empty.
    pub reason: String,
    /// The policies that allowed it.
    pub allowed_by: AllowedBy,
    /// The state after it.
    pub state: StateName,
}

/// Time or facts ended the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndFacts {
    /// The state before.
    pub from: StateName,
    /// Why.
    pub reason: String,
    /// The state after it.
    pub state: StateName,
}

/// Policy was evaluated again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedecisionFacts {
    /// The state before.
    pub from: StateName,
    /// What led to it.
    pub cause: String,
    /// Policy's answer.
    pub decision: DecisionFacts,
    /// The state after it.
    pub state: StateName,
}

/// What withdrew a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WithdrawalFacts {
    /// Policy no longer allows it.
    ByPolicy(RedecisionFacts),
    /// The facts that it rests on changed.
    ByFacts(EndFacts),
}
