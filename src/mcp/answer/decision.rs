//! What policy answered.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::decision::{Decision, Tally, Verdict};

#[derive(Serialize, JsonSchema)]
pub(super) struct DecisionAnswer<'a> {
    /// auto runs without people; approval needs people, or had them; deny is a refusal.
    outcome: DecisionOutcome,
    /// Who has to approve, while that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<String>,
    /// The policies that decided.
    policies: Vec<PolicyAnswer<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DecisionOutcome {
    Auto,
    Approval,
    Deny,
}

#[derive(Serialize, JsonSchema)]
struct PolicyAnswer<'a> {
    /// The policy's id.
    id: &'a str,
    /// The policy's reason, in plain words. Of `broker.nothing_left` it is why no endpoint is left:
    /// text from outside.
    why: &'a str,
}

impl<'a> DecisionAnswer<'a> {
    pub(super) fn of(decision: &'a Decision) -> Self {
        let (outcome, needs) = match decision.verdict {
            Verdict::Run if decision.tally == Tally::NONE => (DecisionOutcome::Auto, None),
            Verdict::Run => (DecisionOutcome::Approval, None),
            Verdict::Approval(least) => (DecisionOutcome::Approval, Some(least.to_string())),
            Verdict::Deny => (DecisionOutcome::Deny, None),
        };
        let policies = decision.reasons.iter();
        let policies = policies.map(|reason| PolicyAnswer { id: &reason.policy, why: &reason.why });
        Self { outcome, needs, policies: policies.collect() }
    }
}
