//! What stands in front of every call to a manager: a budget, and a circuit that opens when the
//! manager is down. It counts by the time that it is given, and makes no calls itself.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::TimeDelta;

use crate::{
    connector::{
        driver::{CircuitOpen, Health},
        http::error::ConnectorError,
        share::{asker, is_approved},
    },
    domain::{Time, id::AgentId},
};

/// The window of the limit: a manager counts by the minute.
const MINUTE: TimeDelta = TimeDelta::seconds(60);
/// This many failures in a row open the circuit.
const FAILURES_MAX: u32 = 3;
/// How long the circuit stays open before one call is let through.
const OPEN: TimeDelta = TimeDelta::seconds(30);

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connector) enum CallPurpose {
    /// A question: it leaves a quarter of the budget alone, or an eighth where it is about what is
    /// approved.
    Ask,
    /// A response: it may use the whole budget.
    Act,
}

#[derive(Debug)]
pub(in crate::connector) struct RateBudget {
    system: String,
    calls_per_minute_max: usize,
    state: Mutex<BudgetState>,
}

#[derive(Debug, Default)]
struct BudgetState {
    /// When, and for which agent; none for what no agent asked.
    calls: VecDeque<(Time, Option<AgentId>)>,
    /// When the manager itself refused a call because there were too many.
    refused_at: Option<Time>,
    failures: u32,
    circuit: Option<CircuitOpen>,
    last_answer_at: Option<Time>,
}

impl RateBudget {
    pub(in crate::connector) fn new(system: String, calls_per_minute_max: u16) -> Self {
        let calls_per_minute_max = calls_per_minute_max.into();
        Self { system, calls_per_minute_max, state: Mutex::default() }
    }

    /// Counts a call that is about to be made, or says why it may not be.
    pub(in crate::connector) fn admit(
        &self,
        purpose: CallPurpose,
        now: Time,
    ) -> Result<(), ConnectorError> {
        let mut state = self.state();
        let system = || self.system.clone();
        if let Some(circuit) = &state.circuit
            && let Some(left) = time_left(circuit.next_try - OPEN, OPEN, now)
        {
            let (why, seconds) = (circuit.why.clone(), left);
            return Err(ConnectorError::CircuitOpen { system: system(), why, seconds });
        }
        if let Some(seconds) = state.refused_at.and_then(|at| time_left(at, MINUTE, now)) {
            return Err(ConnectorError::RateLimited { system: system(), seconds });
        }
        state.forget(now);
        let (calls, asker) = match purpose {
            CallPurpose::Ask if is_approved() => (self.questions_of_approved_max(), None),
            CallPurpose::Ask => ((self.calls_per_minute_max * 3 / 4).max(1), asker()),
            CallPurpose::Act => (self.calls_per_minute_max, None),
        };
        if state.calls.len() >= calls {
            let freed = state.calls.get(state.calls.len() - calls).map(|(at, _)| *at);
            let seconds = freed.and_then(|at| time_left(at, MINUTE, now)).unwrap_or(1);
            return Err(ConnectorError::OverBudget { system: system(), calls, seconds });
        }
        if let Some(freed) = asker.and_then(|agent| state.share_used(agent, calls)) {
            let seconds = time_left(freed, MINUTE, now).unwrap_or(1);
            return Err(ConnectorError::OverShare { system: system(), seconds });
        }
        state.calls.push_back((now, asker));
        // Half open: this call is the only one until it ends, or its time is over too.
        if let Some(circuit) = &mut state.circuit {
            circuit.next_try = now + OPEN;
        }
        Ok(())
    }

    /// The manager answered, whatever it said.
    pub(in crate::connector) fn answered(&self, now: Time) {
        let mut state = self.state();
        state.failures = 0;
        state.circuit = None;
        state.last_answer_at = Some(now);
    }

    /// It answered that there were too many calls.
    pub(in crate::connector) fn refused(&self, now: Time) {
        self.answered(now);
        self.state().refused_at = Some(now);
    }

    /// It did not answer, or answered that it cannot work.
    pub(in crate::connector) fn failed(&self, why: &ConnectorError, now: Time) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_MAX {
            let since = state.circuit.as_ref().map_or(now, |circuit| circuit.since);
            state.circuit = Some(CircuitOpen { since, why: why.to_string(), next_try: now + OPEN });
        }
    }

    pub(in crate::connector) fn health(&self, now: Time) -> Health {
        let mut state = self.state();
        state.forget(now);
        Health {
            circuit_open: state.circuit.clone(),
            calls_last_minute: state.calls.len(),
            at_limit: state.calls.len() >= self.questions_of_approved_max(),
            calls_per_minute_max: self.calls_per_minute_max,
            last_answer_at: state.last_answer_at,
        }
    }

    /// A question about what is approved leaves an eighth of the budget to the responses themselves.
    fn questions_of_approved_max(&self) -> usize {
        (self.calls_per_minute_max * 7 / 8).max(1)
    }

    /// Whether the circuit is open and one call would be let through.
    pub(in crate::connector) fn probe_due(&self, now: Time) -> bool {
        let state = self.state();
        let next = state.circuit.as_ref().map(|circuit| circuit.next_try);
        next.is_some_and(|next| time_left(next - OPEN, OPEN, now).is_none())
    }

    fn state(&self) -> MutexGuard<'_, BudgetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BudgetState {
    fn forget(&mut self, now: Time) {
        self.calls.retain(|(at, _)| time_left(*at, MINUTE, now).is_some());
    }

    /// An agent may make as many calls as it leaves to all others: a burst takes half, and each that
    /// comes after it half of what is left. Where it has made them, the time of the call that has to
    /// be over first.
    fn share_used(&self, agent: AgentId, max: usize) -> Option<Time> {
        let own = self.calls.iter().filter(|(_, asker)| *asker == Some(agent));
        let (used, left) = (own.clone().count(), max - self.calls.len().min(max));
        // Each call that is over gives one back to it and one to all.
        let over = used.checked_sub(left)? / 2;
        own.map(|(at, _)| *at).nth(over)
    }
}

/// The seconds left, counted up, of a time that began at `from`; none when it is over. A clock that
/// was turned back far ends it too: nothing waits for hours because of that.
fn time_left(from: Time, length: TimeDelta, now: Time) -> Option<u32> {
    let passed = now - from;
    if passed < -length || passed >= length {
        return None;
    }
    let left = length - passed;
    let seconds = left.num_seconds() + i64::from(left.subsec_nanos() > 0);
    u32::try_from(seconds).ok()
}
