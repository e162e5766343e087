//! A step of a plan: its turn comes.

use super::{Change, Transition};
use crate::domain::{
    Time,
    actor::Actor,
    audit::{AuditDetail, detail::plan::TurnFacts},
    request::{Request, State},
};

impl Request {
    /// The steps before it are over: from now on its use-by runs. None where it is no step that was
    /// approved before; the use-by of one that is approved later begins then.
    pub fn begin_turn(mut self, use_by: Time) -> Option<Transition> {
        let (Some(step), State::Approved { .. }) = (self.plan, &self.state) else { return None };
        self.state = State::Approved { use_by };
        self.held_because = None;
        let facts = TurnFacts { plan: step.plan, step: step.number, state: self.state.name() };
        Some(self.moved(Change::State, Actor::System, AuditDetail::TurnCame(facts)))
    }
}
