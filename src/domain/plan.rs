//! Several requests under one heading and one reason, in an order.
//!
//! A plan gives no right: each step is a request with its own digest, decision and votes. The plan adds
//! an order, and what happens to the steps after one that failed.

pub mod proposal;

use std::time::Duration;

use super::{
    Time,
    digest::{Canonical, Digest},
    id::{AgentId, PlanId, RequestId},
    lifecycle::Transition,
    request::{FailureRule, Outcome, Request, State, StateName},
};

/// The version of the canonical bytes that [`Plan::digest`] is taken over.
pub const PLAN_DIGEST_VERSION: u8 = 1;
/// The fewest steps of a plan.
pub const STEPS_MIN: usize = 2;
/// The most steps of a plan.
pub const STEPS_MAX: usize = 10;
/// The longest heading, in characters.
pub const HEADING_CHARS_MAX: usize = 120;

/// What an agent put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The name of the plan everywhere.
    pub id: PlanId,
    /// Who asked.
    pub agent: AgentId,
    /// The agent's name then.
    pub agent_name: String,
    /// What it is about, in the agent's words: 1 to [`HEADING_CHARS_MAX`] characters.
    pub heading: String,
    /// Why, in the agent's words.
    pub reason: String,
    /// What happens after a step that failed.
    pub on_failure: FailureRule,
    /// What people approve, beside the digest of each step.
    pub digest: Digest,
    /// When it was asked.
    pub asked_at: Time,
    /// How long a step may be used once its turn has come.
    pub use_within: Duration,
    /// The requests, in their order.
    pub steps: Vec<Request>,
}

/// Whether a step may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Now,
    /// Once the steps before it are over.
    Later,
    /// Never: why.
    Never(String),
}

/// What a step is to those after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepStanding {
    /// It is not over.
    Open,
    /// It was sent, or is known to have run, on every endpoint that takes part.
    Done,
    /// It is over and was not: why, as a sentence goes on after "step 2 of its plan".
    Failed(String),
}

impl Plan {
    /// Whether nothing further will be sent for any step.
    pub fn is_over(&self) -> bool {
        self.steps.iter().all(|step| step.state.name().terminal())
    }

    /// The digest over the plan and its steps, in their order, computed again from the fields.
    pub fn computed_digest(&self) -> Digest {
        Canonical::new(PLAN_DIGEST_VERSION, "plan")
            .text(&self.id.to_string())
            .text(&self.agent.to_string())
            .text(&self.heading)
            .text(&self.reason)
            .text(self.on_failure.name())
            .list(self.steps.iter(), |canonical, step| {
                canonical.bytes(step.computed_digest().bytes())
            })
            .digest()
    }

    /// Whether this step may be sent. The digest is computed again: people approved this order of these
    /// steps and no other.
    pub fn turn(&self, id: RequestId) -> Turn {
        if self.computed_digest() != self.digest {
            return Turn::Never("the stored plan is not the one that was asked for".to_owned());
        }
        for step in self.steps.iter().take_while(|step| step.id != id) {
            match (step.standing(), self.on_failure) {
                (StepStanding::Open, _) => return Turn::Later,
                (StepStanding::Failed(why), FailureRule::Stop) => {
                    return Turn::Never(because(step, &why));
                }
                (StepStanding::Failed(_), FailureRule::Continue) | (StepStanding::Done, _) => {}
            }
        }
        Turn::Now
    }

    /// What follows for the other steps once something became of one of them. `over`: it just ended.
    pub fn what_follows(&self, moved: RequestId, (over, now): (bool, Time)) -> Vec<Transition> {
        let steps = &self.steps;
        let Some(at) = steps.iter().position(|step| step.id == moved) else { return Vec::new() };
        let (before, after) = steps.split_at(at + 1);
        let standing = before.last().map_or(StepStanding::Open, Request::standing);
        match (standing, self.on_failure) {
            (StepStanding::Open, _) => Vec::new(),
            (StepStanding::Failed(why), FailureRule::Stop) => {
                let why = before.last().map(|step| because(step, &why)).unwrap_or_default();
                let waits = |step: &&Request| {
                    matches!(step.state.name(), StateName::Pending | StateName::Approved)
                };
                let withdrawn = |step: &Request| step.clone().withdraw(why.clone(), now).ok();
                after.iter().filter(waits).filter_map(withdrawn).collect()
            }
            (StepStanding::Failed(_), FailureRule::Continue) | (StepStanding::Done, _) => {
                let next = steps.iter().find(|step| !step.state.name().terminal());
                let due = next.filter(|next| over && after.iter().any(|step| step.id == next.id));
                let begun = due.and_then(|step| step.clone().begin_turn(now + self.use_within));
                begun.into_iter().collect()
            }
        }
    }
}

/// "step 2 of its plan was rejected".
fn because(step: &Request, why: &str) -> String {
    let number = step.plan.map_or(0, |step| step.number);
    format!("step {number} of its plan {why}")
}

impl Request {
    /// What it is to the steps after it, as far as it is known now. Doubt is a failure: whoever put the
    /// steps in an order did not want the next one to rest on it.
    pub fn standing(&self) -> StepStanding {
        let failed = |why: String| StepStanding::Failed(why);
        match &self.state {
            State::Pending
            | State::Approved { .. }
            | State::Dispatching { .. }
            | State::Waiting { .. } => StepStanding::Open,
            State::Settled { .. } => self.settled_standing(),
            State::Denied { .. } => failed("was denied by policy".to_owned()),
            State::Rejected { .. }
            | State::Cancelled { .. }
            | State::Expired { .. }
            | State::Withdrawn { .. } => failed(format!("was {}", self.state.name())),
        }
    }

    fn settled_standing(&self) -> StepStanding {
        let amiss = self.targets.iter().find_map(|target| match &target.outcome {
            Some(
                Outcome::Sent
                | Outcome::Confirmed(_)
                | Outcome::Verified(_)
                | Outcome::Ended { .. },
            ) => None,
            Some(
                other @ (Outcome::Refused { .. }
                | Outcome::NotSent { .. }
                | Outcome::Unknown { .. }
                | Outcome::Unconfirmed { .. }
                | Outcome::Reverted { .. }),
            ) => Some((target, other.name())),
            None => Some((target, "not sent")),
        });
        match amiss {
            None => StepStanding::Done,
            Some((target, outcome)) => {
                StepStanding::Failed(format!("is {outcome} on endpoint {}", target.endpoint.id))
            }
        }
    }

    /// The latest use-by of a step whose turn has not come: each step before it ends by a time of its
    /// own, so its turn comes before that or never. Any of them may wait for endpoints that are away,
    /// for as long as `wait_within`.
    pub fn latest_use_by(&self, use_within: Duration, wait_within: Duration) -> Time {
        let number = self.plan.map_or(1, |step| step.number);
        self.deadline.max(self.asked_at + wait_within) + use_within * u32::from(number)
    }
}
