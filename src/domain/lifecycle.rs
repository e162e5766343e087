//! Every way a request can move. Each function consumes the request and returns the next one
//! together with its audit event, or a refusal that a person can read.
//!
//! `decide` holds what comes before the claim, `break_glass` what a lead on call does without the
//! others and the review of it, `dispatch` the claim and the calls, `wait` what happens while endpoints
//! are away, `turn` what a step of a plan waits for, `observe` what is learnt after that.
//!
//! Deliberately absent: a way back into `approved` from `dispatching`.

pub use super::refusal::Refusal;
pub use break_glass::REVIEW_HOURS;
use chrono::TimeDelta;
pub use decide::LAPSED;

use super::{
    Time,
    actor::{Actor, Person, api_token::UsedToken},
    audit::{AuditDetail, AuditEvent, detail::passkey::ProofFacts},
    decision::Decision,
    digest::Digest,
    endpoint::EndpointId,
    id::{AttemptId, PersonId},
    permit::Order,
    request::{Attempt, Outcome, Request, Vote, Watch},
};

mod break_glass;
mod decide;
mod dispatch;
mod observe;
mod turn;
mod wait;

/// What changes beside the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new request.
    Asked,
    /// Nothing but the state, the decision or the outcomes.
    State,
    /// One more approval.
    Approved(Vote),
    /// One less.
    Retracted(PersonId),
    /// Those of these people less, because what they rested on changed.
    Lapsed(Vec<PersonId>),
    /// A new attempt, while no other is open.
    Attempt(Attempt),
    /// An attempt that ended, and perhaps the next one.
    Answered(AttemptId, Option<Attempt>),
}

/// A change of a request with its audit event. The store accepts the two only together.
///
/// Invariant: made in this module alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    request: Request,
    change: Change,
    event: AuditEvent,
}

impl Transition {
    /// The request as it will be.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// What changes beside the state.
    pub const fn change(&self) -> &Change {
        &self.change
    }

    /// What is recorded.
    pub const fn event(&self) -> &AuditEvent {
        &self.event
    }

    /// The request as it will be.
    pub fn into_request(self) -> Request {
        self.request
    }
}

/// What a person had on the screen when deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Displayed {
    /// The version of the request.
    pub version: u64,
    /// The digest.
    pub digest: Digest,
}

/// What a person decides: a vote before it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// Who.
    pub person: Person,
    /// What was on the screen.
    pub shown: Displayed,
    /// What the person adds; the reason of a rejection.
    pub comment: String,
    /// What a passkey signed for it; none where no passkey was asked.
    pub proof: Option<ProofFacts>,
    /// The token for the API that stands for the person; a rejection alone may have one.
    pub token: Option<UsedToken>,
}

impl Ballot {
    /// The vote for what was shown.
    pub fn vote(self, now: Time) -> Vote {
        Vote {
            person: self.person,
            digest: self.shown.digest,
            comment: self.comment,
            at: now,
            break_glass: false,
        }
    }
}

/// Policy's answer, asked just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reevaluation {
    /// The answer.
    pub run: Decision,
    /// Until when an approval that is completed now may be used.
    pub use_by: Time,
    /// Whether the kill switch stops it: then what waits for people goes on waiting for them.
    pub stopped: bool,
    /// Now.
    pub now: Time,
}

/// What is known after a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchReport {
    /// What it means for each endpoint of the attempt; one that is left out is `unknown`. None at
    /// all: surely nothing was sent and the same endpoints may be tried again.
    pub outcomes: Vec<(EndpointId, Outcome)>,
    /// How the call ended, in words.
    pub summary: String,
    /// How long the endpoints' own alerts may take; none where nobody looks for them.
    pub confirm_within: Option<TimeDelta>,
}

/// What a person found out about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The response was done there.
    Done,
    /// It was not.
    NotDone,
}

/// What follows an attempt.
#[derive(Debug)]
pub enum Next {
    /// One more call.
    Order {
        /// The call.
        order: Order,
        /// Policy's answer, asked just now.
        run: Decision,
        /// Whether the kill switch is on.
        frozen: bool,
    },
    /// One more call, but not yet: the manager must answer again first.
    Wait,
    /// No more calls.
    Stop {
        /// Why the endpoints that are still open were not sent to.
        why: String,
    },
}

/// When something was learnt of an endpoint, and what bounds the wait for more.
#[derive(Debug, Clone, Copy)]
struct OutcomeUpdate {
    now: Time,
    /// When it was, or may have been, sent.
    since: Time,
    confirm_within: Option<TimeDelta>,
}

impl OutcomeUpdate {
    /// Of something that leaves no evidence.
    const fn at(now: Time) -> Self {
        Self { now, since: now, confirm_within: None }
    }
}

impl Request {
    /// The one place where an endpoint's outcome changes.
    fn set_outcome(&mut self, endpoint: &EndpointId, outcome: Outcome, learnt: OutcomeUpdate) {
        let OutcomeUpdate { now, since, confirm_within } = learnt;
        let Some(at) = self.position(endpoint) else { return };
        let (own_end, entry) = (self.own_end(since), self.action.kind().entry());
        if let Some(target) = self.targets.get_mut(at) {
            if outcome.may_be_active() && target.since.is_none() {
                (target.since, target.ends) = (Some(since), own_end);
            }
            target.outcome_at = Some(now);
        }
        let ends = self.targets.get(at).and_then(|target| self.ends(target));
        if let Some(target) = self.targets.get_mut(at) {
            let since = target.since.unwrap_or(since);
            let reports = entry.companion_in(&target.command).is_some();
            target.started = match &outcome {
                Outcome::Confirmed(_) | Outcome::Verified(_) => true,
                Outcome::Sent => confirm_within.is_none(),
                Outcome::Refused { .. } | Outcome::NotSent { .. } => false,
                Outcome::Ended { seen: Some(alert) } if alert.of_request.is_none() => true,
                Outcome::Unknown { .. }
                | Outcome::Unconfirmed { .. }
                | Outcome::Ended { .. }
                | Outcome::Reverted { .. } => target.started,
            };
            target.watch_until =
                outcome.watch_until(Watch { since, now, ends, confirm_within, reports });
            target.outcome = Some(outcome);
        }
    }

    /// The transition to the request as it is now. `detail` names the state that it is in now.
    fn moved(self, change: Change, actor: Actor, detail: AuditDetail) -> Transition {
        let event = AuditEvent {
            actor,
            request: Some(self.id),
            action: Some(self.action.kind().name().to_owned()),
            target: Some(self.action.argument()),
            detail,
        };
        Transition { request: self, change, event }
    }
}
