//! Waiting for endpoints that are away: children begin, their endpoints come back, the last one ends.

use super::{Change, Reevaluation, Refusal, Transition};
use crate::domain::{
    Time,
    actor::Actor,
    audit::{
        AuditDetail,
        detail::wait::{ReturnFacts, WaitFacts, WaitOverFacts},
    },
    request::{Request, State, StateName},
};

impl Request {
    /// What becomes of a request that has just begun to wait: a child for each endpoint that was away.
    pub fn begin_children(&self, now: Time) -> Vec<Transition> {
        if !self.waits_for_children() {
            return Vec::new();
        }
        self.children(now).filter_map(Self::begin_waiting).collect()
    }

    fn begin_waiting(self) -> Option<Transition> {
        let (parent, until) = (self.parent()?.id, self.wait_until()?);
        let endpoint = self.targets.first()?.endpoint.id.clone();
        let digest = self.digest;
        let facts = WaitFacts { parent, endpoint, until, digest, state: self.state.name() };
        Some(self.moved(Change::Asked, Actor::System, AuditDetail::WaitBegan(facts)))
    }

    /// The endpoint of a child is back. `fresh` is policy's answer with the votes of the parent that
    /// stand: it may be sent, or it is withdrawn.
    pub fn returned(mut self, fresh: Reevaluation) -> Result<Transition, Refusal> {
        let State::Waiting { until } = self.state else {
            return Err(Refusal::wrong_state(&self, "be sent"));
        };
        if self.parent().is_none() {
            return Err(Refusal::wrong_state(&self, "be sent"));
        }
        if fresh.now >= until {
            return Err(Refusal::TooLate { deadline: until });
        }
        let decision = (&fresh.run).into();
        self.decide(fresh);
        let facts = ReturnFacts { decision, state: self.state.name() };
        Ok(self.moved(Change::State, Actor::System, AuditDetail::EndpointReturned(facts)))
    }

    /// The last child of a request has ended: nothing further is sent. Or a child is being sent, and its
    /// parent was ended: whatever comes of this call, no other follows.
    pub fn end_wait(mut self, now: Time) -> Result<Transition, Refusal> {
        let is_sent = self.state.name() == StateName::Dispatching && self.parent().is_some();
        self.state = if self.waits_for_children() {
            State::Settled { at: now }
        } else if is_sent {
            // Over, whatever the clock does by the time that the call is answered.
            State::Dispatching { use_by: self.asked_at }
        } else {
            return Err(Refusal::wrong_state(&self, "stop waiting"));
        };
        let facts = WaitOverFacts { state: self.state.name() };
        Ok(self.moved(Change::State, Actor::System, AuditDetail::WaitOver(facts)))
    }

    /// Whether its own endpoints are done with, and children of it are not.
    pub fn waits_for_children(&self) -> bool {
        self.state.name() == StateName::Waiting && self.parent().is_none()
    }

    /// Where it stands after its last call. The endpoint of a child that was away has no outcome: it is
    /// waited for again.
    pub(super) fn rest(&mut self, now: Time) -> State {
        let Some(until) = self.goes_on_waiting(now) else { return State::Settled { at: now } };
        if self.parent().is_some() {
            for target in &mut self.targets {
                (target.outcome, target.outcome_at) = (None, None);
            }
        }
        State::Waiting { until }
    }
}
