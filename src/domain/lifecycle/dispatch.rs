//! Claimed, sent, settled: what the worker does, and what a restart finds.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::{Change, DispatchReport, Next, OutcomeUpdate, Reevaluation, Refusal, Transition};
use crate::domain::{
    Time,
    actor::Actor,
    audit::{
        AuditDetail,
        detail::{
            dispatch::{
                AnswerFacts, AnsweredCallFacts, CallFacts, ClaimFacts, FoundCallFacts,
                FoundCallsFacts, HoldFacts, OutcomesFacts, ResumeFacts,
            },
            outcome::EndpointOutcome,
            request::{DecisionFacts, LeftOutFacts},
        },
    },
    digest::Digest,
    endpoint::EndpointId,
    evidence::FoundCall,
    id::AttemptId,
    permit::{ExecutionPermit, Order},
    request::{Attempt, Outcome, Request, State, StateName, Target},
};

impl Request {
    /// The worker cannot claim it yet, and says why. None when that is known already.
    pub fn hold(mut self, why: String) -> Option<Transition> {
        if self.state.name() != StateName::Approved || self.held_because.as_ref() == Some(&why) {
            return None;
        }
        self.held_because = Some(why.clone());
        let facts = HoldFacts { why, state: self.state.name() };
        Some(self.moved(Change::State, Actor::System, AuditDetail::DispatchHeld(facts)))
    }

    /// The worker claims it and records the first attempt. `lost` are endpoints that were
    /// connected when they were frozen and no longer are: nothing is sent to them.
    pub fn claim(
        mut self,
        order: Order,
        lost: &[(EndpointId, String)],
        fresh: Reevaluation,
        frozen: bool,
    ) -> Result<(Transition, ExecutionPermit), Refusal> {
        let State::Approved { use_by } = self.state else {
            return Err(Refusal::wrong_state(&self, "be claimed"));
        };
        let Reevaluation { run, now, .. } = fresh;
        self.state = State::Dispatching { use_by };
        self.held_because = None;
        for (endpoint, why) in lost {
            self.set_outcome(
                endpoint,
                Outcome::NotSent { why: why.clone() },
                OutcomeUpdate::at(now),
            );
        }
        let attempt = self.open_attempt(&order, now)?;
        let permit = ExecutionPermit::issue(&self, order, &run, frozen, now)?;
        let left_out = |(endpoint, why): &(EndpointId, String)| LeftOutFacts {
            endpoint: endpoint.clone(),
            why: why.clone(),
        };
        let detail = AuditDetail::DispatchClaimed(ClaimFacts {
            attempt: CallFacts::of(&self, &attempt),
            decision: DecisionFacts::from(&run),
            digest: self.digest,
            not_sent: lost.iter().map(left_out).collect(),
            state: self.state.name(),
        });
        self.decision = run;
        Ok((self.moved(Change::Attempt(attempt), Actor::System, detail), permit))
    }

    /// All endpoints were lost before the claim: settled with nothing sent, or waiting for them.
    pub fn end_disconnected(
        mut self,
        lost: &[(EndpointId, String)],
        now: Time,
    ) -> Result<Transition, Refusal> {
        if self.state.name() != StateName::Approved {
            return Err(Refusal::wrong_state(&self, "be claimed"));
        }
        for (endpoint, why) in lost {
            self.set_outcome(
                endpoint,
                Outcome::NotSent { why: why.clone() },
                OutcomeUpdate::at(now),
            );
        }
        self.settle("no endpoint can be reached any more", now);
        let facts = AnswerFacts::AllDisconnected(self.all_outcomes());
        Ok(self.moved(Change::State, Actor::System, AuditDetail::DispatchAnswered(facts)))
    }

    /// Before the claim, endpoints show calls for it that this database does not know: a newer copy
    /// of it made them. Nothing is sent, and what happened on any of the endpoints is unknown.
    pub fn calls_found(mut self, calls: &[FoundCall], now: Time) -> Result<Transition, Refusal> {
        if self.state.name() != StateName::Approved {
            return Err(Refusal::wrong_state(&self, "be claimed"));
        }
        let first = calls.iter().map(|call| call.at).min().unwrap_or(now);
        let ids: Vec<_> = self.targets.iter().map(|target| target.endpoint.id.clone()).collect();
        for id in ids {
            let shown = calls.iter().filter(|call| call.endpoints.contains(&id));
            let since = shown.map(|call| call.at).min();
            let why = match since {
                Some(_) => "its alert shows a call that this database does not know",
                None => "another endpoint shows a call that this database does not know",
            };
            let learnt = OutcomeUpdate { now, since: since.unwrap_or(first), confirm_within: None };
            self.set_outcome(&id, Outcome::Unknown { why: why.to_owned() }, learnt);
        }
        self.settle("", now);
        let OutcomesFacts { outcomes, state } = self.all_outcomes();
        let facts = FoundCallsFacts {
            manager: self.manager.clone(),
            calls: calls.iter().map(FoundCallFacts::from).collect(),
            outcomes,
            state: Some(state),
        };
        Ok(self.moved(Change::State, Actor::System, AuditDetail::CallsFound(facts)))
    }

    /// An attempt ended. With a next order, its attempt is recorded in the same transition and its
    /// permit returned. Without one, or where the permit is refused, nothing more is sent:
    /// everything that is still open becomes `not_sent`.
    pub fn answered(
        mut self,
        attempt: AttemptId,
        report: &DispatchReport,
        next: Next,
        now: Time,
    ) -> Result<(Transition, Option<ExecutionPermit>), Refusal> {
        if self.state.name() != StateName::Dispatching {
            return Err(Refusal::wrong_state(&self, "be answered"));
        }
        self.close_attempt(attempt, report, now)?;
        let (attempt_next, permit) = match next {
            Next::Order { order, run, frozen } => {
                match ExecutionPermit::issue(&self, order, &run, frozen, now) {
                    Ok(permit) => (Some(self.open_attempt(permit.order(), now)?), Some(permit)),
                    Err(refusal) => {
                        self.settle(&refusal.to_string(), now);
                        (None, None)
                    }
                }
            }
            Next::Wait => (None, None),
            Next::Stop { why } => {
                self.settle(&why, now);
                (None, None)
            }
        };
        let reported = |(endpoint, outcome): &(EndpointId, Outcome)| {
            EndpointOutcome::new(endpoint.clone(), outcome.clone())
        };
        let settled = self.state.name() == StateName::Settled || self.waits_for_children();
        let facts = AnswerFacts::Call(AnsweredCallFacts {
            attempt,
            answer: report.summary.clone(),
            outcomes: report.outcomes.iter().map(reported).collect(),
            next: attempt_next.as_ref().map(|next| CallFacts::of(&self, next)),
            settled: settled.then(|| self.all_outcomes().outcomes),
            state: self.state.name(),
        });
        let change = Change::Answered(attempt, attempt_next);
        let detail = AuditDetail::DispatchAnswered(facts);
        Ok((self.moved(change, Actor::System, detail), permit))
    }

    /// The next call after a wait: [`Next::Wait`] is over. Where the permit is refused, or
    /// nothing is to be sent any more, everything that is still open becomes `not_sent`.
    pub fn resume(
        mut self,
        next: Next,
        now: Time,
    ) -> Result<(Transition, Option<ExecutionPermit>), Refusal> {
        if self.state.name() != StateName::Dispatching {
            return Err(Refusal::wrong_state(&self, "be sent"));
        }
        if self.attempts.iter().any(|attempt| attempt.answered_at.is_none()) {
            return Err(Refusal::NoSuchAttempt);
        }
        let permit = match next {
            Next::Order { order, run, frozen } => {
                ExecutionPermit::issue(&self, order, &run, frozen, now)
                    .map_err(|refusal| refusal.to_string())
            }
            Next::Wait => return Err(Refusal::TooEarly),
            Next::Stop { why } => Err(why),
        };
        let (change, permit, facts) = match permit {
            Ok(permit) => {
                let attempt = self.open_attempt(permit.order(), now)?;
                let call = CallFacts::of(&self, &attempt);
                let facts = ResumeFacts::Call { attempt: call, state: self.state.name() };
                (Change::Attempt(attempt), Some(permit), facts)
            }
            Err(why) => {
                self.settle(&why, now);
                let OutcomesFacts { outcomes: settled, state } = self.all_outcomes();
                (Change::State, None, ResumeFacts::Stopped { why, settled, state })
            }
        };
        let detail = AuditDetail::DispatchResumed(facts);
        Ok((self.moved(change, Actor::System, detail), permit))
    }

    /// After a restart: an attempt without an answer may have been sent, so its endpoints are
    /// `unknown`; endpoints without an attempt surely were not. Nothing is sent again.
    pub fn recover(
        mut self,
        confirm_within: Option<TimeDelta>,
        now: Time,
    ) -> Result<Transition, Refusal> {
        if self.state.name() != StateName::Dispatching {
            return Err(Refusal::wrong_state(&self, "be recovered"));
        }
        let why = "the broker stopped while the call was under way";
        let mut change = Change::State;
        for at in 0..self.attempts.len() {
            let Some(attempt) = self.attempts.get_mut(at).filter(|a| a.answered_at.is_none())
            else {
                continue;
            };
            attempt.answered_at = Some(now);
            attempt.answer = Some(why.to_owned());
            let (id, started_at) = (attempt.id, attempt.started_at);
            change = Change::Answered(id, None);
            for endpoint in self.ensure_under_way(id) {
                let unknown = Outcome::Unknown { why: why.to_owned() };
                self.set_outcome(
                    &endpoint,
                    unknown,
                    OutcomeUpdate { now, since: started_at, confirm_within },
                );
            }
        }
        self.settle("the broker stopped before it was sent", now);
        let detail = AuditDetail::DispatchRecovered(self.all_outcomes());
        Ok(self.moved(change, Actor::System, detail))
    }

    fn open_attempt(&mut self, order: &Order, now: Time) -> Result<Attempt, Refusal> {
        let number = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX).saturating_add(1);
        for endpoint in &order.endpoints {
            let target = self.target_mut(endpoint).filter(|target| target.outcome.is_none());
            let target = target.ok_or(Refusal::NoSuchAttempt)?;
            target.attempt = Some(order.attempt);
        }
        let attempt = Attempt {
            id: order.attempt,
            number,
            body_hash: Digest::of(&order.body),
            started_at: now,
            answered_at: None,
            answer: None,
        };
        self.attempts.push(attempt.clone());
        Ok(attempt)
    }

    fn close_attempt(
        &mut self,
        id: AttemptId,
        report: &DispatchReport,
        now: Time,
    ) -> Result<(), Refusal> {
        let attempt = self
            .attempts
            .iter_mut()
            .find(|attempt| attempt.id == id && attempt.answered_at.is_none())
            .ok_or(Refusal::NoSuchAttempt)?;
        attempt.answered_at = Some(now);
        attempt.answer = Some(report.summary.clone());
        let learnt = OutcomeUpdate { now, since: now, confirm_within: report.confirm_within };
        let mut under_way: BTreeSet<_> = self.ensure_under_way(id).into_iter().collect();
        for (endpoint, outcome) in &report.outcomes {
            if !under_way.remove(endpoint) {
                return Err(Refusal::NoSuchAttempt);
            }
            self.set_outcome(endpoint, outcome.clone(), learnt);
        }
        if !report.outcomes.is_empty() {
            for forgotten in under_way {
                let why = "the report of the call does not mention it".to_owned();
                self.set_outcome(&forgotten, Outcome::Unknown { why }, learnt);
            }
        }
        Ok(())
    }

    /// The endpoints of an attempt that have no outcome yet.
    fn ensure_under_way(&self, attempt: AttemptId) -> Vec<EndpointId> {
        let part = |t: &&Target| t.attempt == Some(attempt) && t.outcome.is_none();
        self.targets.iter().filter(part).map(|target| target.endpoint.id.clone()).collect()
    }

    fn settle(&mut self, rest: &str, now: Time) {
        for target in self.targets.iter_mut().filter(|target| target.outcome.is_none()) {
            target.outcome = Some(Outcome::NotSent { why: rest.to_owned() });
            target.outcome_at = Some(now);
        }
        self.state = self.rest(now);
        self.held_because = None;
    }

    /// What is known of every endpoint, and the state.
    fn all_outcomes(&self) -> OutcomesFacts {
        let outcomes = self.targets.iter().filter_map(EndpointOutcome::of).collect();
        OutcomesFacts { outcomes, state: self.state.name() }
    }
}
