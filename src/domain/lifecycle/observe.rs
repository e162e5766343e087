//! After a call: what endpoints left behind, what time says, what people and undos do to outcomes.
//!
//! The state does not move any more; only outcomes do, and none of them ever leads to a call.

use std::collections::HashSet;

use chrono::TimeDelta;

use super::{Change, Finding, OutcomeUpdate, Refusal, Transition};
use crate::domain::{
    Time,
    action::duration_text,
    actor::{Actor, Person},
    audit::{
        AuditDetail,
        detail::{
            dispatch::{
                EndMovedFacts, EndpointEnd, EvidenceMissedFacts, OutcomesFacts, ResolutionFacts,
                RevertFacts,
            },
            outcome::EndpointOutcome,
            request::AllowedBy,
        },
    },
    decision::Authorization,
    endpoint::EndpointId,
    evidence::{Sighting, Sign},
    id::RequestId,
    printable::is_blank,
    request::{NOBODY_LOOKED, Outcome, Proof, Request, Target, UNDO_FAILED, Watch},
};

impl Request {
    /// Evidence was seen. None when it says nothing new. Evidence counts for the endpoint and the
    /// call that it names, and for no other.
    pub fn observed(
        mut self,
        sightings: &[Sighting],
        confirm_within: Option<TimeDelta>,
        now: Time,
    ) -> Option<Transition> {
        let mut changed = Vec::new();
        let id = self.id;
        for sighting in sightings.iter().filter(|sighting| sighting.request == id) {
            let part = |target: &&mut Target| target.attempt == Some(sighting.attempt);
            let Some(target) = self.target_mut(&sighting.endpoint).filter(part) else { continue };
            let (outcome, doubt) = (outcome_shown_by(target, sighting), sighting.doubt.as_ref());
            let doubtful = doubt.is_some() && target.doubt.as_ref() != doubt;
            if doubtful {
                target.doubt = doubt.cloned();
            }
            let mut late = None;
            if let (
                Some(Outcome::Unconfirmed { .. }),
                Some(Outcome::Confirmed(_) | Outcome::Verified(_)),
            ) = (&target.outcome, &outcome)
            {
                late = target.since.max(Some(sighting.evidence.at));
            }
            if outcome.is_none() && !doubtful {
                continue;
            }
            if let Some(since) = late {
                self.began_at(&sighting.endpoint, since);
            }
            changed.push(sighting.endpoint.clone());
            if let Some(outcome) = outcome {
                self.set_outcome(
                    &sighting.endpoint,
                    outcome,
                    OutcomeUpdate { now, since: now, confirm_within },
                );
            }
        }
        if changed.is_empty() {
            return None;
        }
        let outcomes = self.outcomes_of(&changed);
        let facts = OutcomesFacts { outcomes, state: self.state.name() };
        Some(self.moved(Change::State, Actor::System, AuditDetail::EvidenceSeen(facts)))
    }

    /// The wait for evidence is over on some endpoints: the conclusion is drawn. So it is where
    /// nobody could look before and somebody can now. `gap` says why nobody can; what is not seen
    /// then says nothing. None when there is nothing to conclude anywhere.
    pub fn evidence_missed(
        mut self,
        confirm_within: Option<TimeDelta>,
        gap: Option<&str>,
        now: Time,
    ) -> Option<Transition> {
        let late = |target: &Target| target.watch_until.is_some_and(|until| until <= now);
        let again = |target: &Target| {
            let unseen = target.outcome.as_ref().is_some_and(Outcome::nobody_looked);
            gap.is_none() && unseen && target.watch_until.is_some()
        };
        let due = |target: &&Target| late(target) || again(target);
        let ids: Vec<_> = self.targets.iter().filter(due).map(|t| t.endpoint.id.clone()).collect();
        for id in &ids {
            if let Some(target) = self.target_mut(id) {
                target.watch_until = target.watch_until.filter(|until| *until > now);
            }
            let Some(target) = self.target(id) else { continue };
            if let Some(outcome) = self.conclude(target, (confirm_within, gap), now) {
                self.set_outcome(id, outcome, OutcomeUpdate { now, since: now, confirm_within });
            }
        }
        if ids.is_empty() {
            return None;
        }
        let (looked, outcomes) = (confirm_within.is_some(), self.outcomes_of(&ids));
        let (gap, state) = (gap.map(str::to_owned), self.state.name());
        let facts = EvidenceMissedFacts { looked, gap, outcomes, state };
        Some(self.moved(Change::State, Actor::System, AuditDetail::EvidenceMissed(facts)))
    }

    /// What follows for an endpoint from a wait that brought nothing; none where nothing does.
    fn conclude(
        &self,
        target: &Target,
        (confirm_within, gap): (Option<TimeDelta>, Option<&str>),
        now: Time,
    ) -> Option<Outcome> {
        let outcome = target.outcome.as_ref()?;
        let over = self.ends(target).is_some_and(|end| end <= now);
        match (outcome, confirm_within) {
            (Outcome::Sent, Some(window)) => Some(Outcome::Unconfirmed {
                why: gap.map_or_else(|| wait_text(window), |gap| format!("{NOBODY_LOOKED}{gap}")),
            }),
            (Outcome::Unconfirmed { .. }, Some(window))
                if outcome.nobody_looked() && gap.is_none() && !over =>
            {
                Some(Outcome::Unconfirmed { why: wait_text(window) })
            }
            (Outcome::Sent, None)
            | (Outcome::Confirmed(_) | Outcome::Verified(_) | Outcome::Unconfirmed { .. }, _) => {
                self.ends(target).map(|_| Outcome::Ended { seen: None })
            }
            (
                Outcome::Unknown { .. }
                | Outcome::Refused { .. }
                | Outcome::NotSent { .. }
                | Outcome::Ended { .. }
                | Outcome::Reverted { .. },
                _,
            ) => None,
        }
    }

    /// The request that takes this one back was sent to these endpoints. None when it stands on
    /// none of them.
    pub fn reverted(
        mut self,
        by: RequestId,
        endpoints: &[EndpointId],
        confirm_within: Option<TimeDelta>,
        now: Time,
    ) -> Option<Transition> {
        let mut changed = Vec::new();
        for id in endpoints {
            let Some(target) = self.target(id) else {
                continue;
            };
            if !target.outcome.as_ref().is_some_and(Outcome::may_be_active) {
                continue;
            }
            let outcome = Outcome::Reverted { by, seen: None };
            self.set_outcome(id, outcome, OutcomeUpdate { now, since: now, confirm_within });
            changed.push(id.clone());
        }
        if changed.is_empty() {
            return None;
        }
        let facts =
            RevertFacts { by, outcomes: self.outcomes_of(&changed), state: self.state.name() };
        Some(self.moved(Change::State, Actor::System, AuditDetail::ResponseReverted(facts)))
    }

    /// A person found that the request that took this one back was not done on these endpoints:
    /// evidence of it is looked for again. What nobody had seen to start is unknown. None where an
    /// alert shows that it ended.
    pub fn undo_failed(
        mut self,
        by: RequestId,
        endpoints: &[EndpointId],
        confirm_within: Option<TimeDelta>,
        now: Time,
    ) -> Option<Transition> {
        let undone = Outcome::Reverted { by, seen: None };
        let part = |target: &&Target| {
            target.outcome.as_ref() == Some(&undone) && endpoints.contains(&target.endpoint.id)
        };
        let started = |target: &Target| (target.endpoint.id.clone(), target.started);
        let undone: Vec<_> = self.targets.iter().filter(part).map(started).collect();
        for (id, started) in &undone {
            let why = UNDO_FAILED.to_owned();
            let outcome =
                if *started { Outcome::Unconfirmed { why } } else { Outcome::Unknown { why } };
            self.set_outcome(id, outcome, OutcomeUpdate { now, since: now, confirm_within });
        }
        let changed: Vec<_> = undone.into_iter().map(|(id, _)| id).collect();
        if changed.is_empty() {
            return None;
        }
        let facts =
            RevertFacts { by, outcomes: self.outcomes_of(&changed), state: self.state.name() };
        Some(self.moved(Change::State, Actor::System, AuditDetail::UndoFailed(facts)))
    }

    /// It waited on the endpoint: its time began later than thought.
    fn began_at(&mut self, endpoint: &EndpointId, since: Time) {
        let ends = self.own_end(since);
        if let Some(target) = self.target_mut(endpoint) {
            (target.since, target.ends) = (Some(since), ends);
        }
    }

    /// Another command for the same target moved the end on some endpoints. None where nothing
    /// moves.
    pub fn end_moved(
        mut self,
        by: RequestId,
        ends: &[(EndpointId, Option<Time>)],
        confirm_within: Option<TimeDelta>,
        now: Time,
    ) -> Option<Transition> {
        let (mut moved, entry) = (Vec::new(), self.action.kind().entry());
        for (endpoint, ends) in ends {
            let moves = |target: &&mut Target| target.ends != *ends;
            let Some(target) = self.target_mut(endpoint).filter(moves) else { continue };
            target.ends = *ends;
            if let (Some(outcome), Some(since)) = (&target.outcome, target.since) {
                let reports = entry.companion_in(&target.command).is_some();
                let watch = Watch { since, now, ends: *ends, confirm_within, reports };
                target.watch_until = outcome.watch_until(watch);
            }
            moved.push(EndpointEnd { endpoint: endpoint.clone(), ends: *ends });
        }
        if moved.is_empty() {
            return None;
        }
        let facts = EndMovedFacts { by, ends: moved, state: self.state.name() };
        Some(self.moved(Change::State, Actor::System, AuditDetail::EndMoved(facts)))
    }

    /// A person looked and says what happened on endpoints where nobody knew.
    pub fn resolve(
        mut self,
        person: &Person,
        found: (&[EndpointId], Finding, &str),
        may: &Authorization,
        now: Time,
    ) -> Result<Transition, Refusal> {
        let (endpoints, ruling, reason) = found;
        if !may.allowed {
            return Err(Refusal::NotAllowed { why: may.why() });
        }
        if is_blank(reason) {
            return Err(Refusal::ReasonMissing);
        }
        let open = |id: &EndpointId| {
            let target = self.target(id);
            target.and_then(|t| t.outcome.as_ref()).is_some_and(Outcome::needs_person)
        };
        if let Some(wrong) = endpoints.iter().find(|id| !open(id)) {
            return Err(Refusal::NotOpen { endpoint: wrong.to_string() });
        }
        if endpoints.is_empty() {
            return Err(Refusal::NotOpen { endpoint: "(none was named)".to_owned() });
        }
        let words = format!("{}: {reason}", person.name);
        for id in endpoints {
            let outcome = match ruling {
                Finding::Done => Outcome::Confirmed(Proof::Person(words.clone())),
                Finding::NotDone => Outcome::Refused { code: None, message: words.clone() },
            };
            let watched = self.watch_until(id).filter(|_| ruling == Finding::NotDone);
            self.set_outcome(id, outcome, OutcomeUpdate::at(now));
            // The endpoint's own alert, should it still come, knows better.
            if let Some(target) = self.target_mut(id) {
                target.watch_until = target.watch_until.or(watched);
            }
        }
        let detail = AuditDetail::OutcomeResolved(ResolutionFacts {
            role: person.role,
            reason: reason.to_owned(),
            allowed_by: AllowedBy::from(may),
            outcomes: self.outcomes_of(endpoints),
            state: self.state.name(),
        });
        Ok(self.moved(Change::State, Actor::from(person), detail))
    }

    fn watch_until(&self, endpoint: &EndpointId) -> Option<Time> {
        self.target(endpoint)?.watch_until
    }

    fn outcomes_of(&self, endpoints: &[EndpointId]) -> Vec<EndpointOutcome> {
        let endpoints: HashSet<_> = endpoints.iter().collect();
        let part = |target: &&Target| endpoints.contains(&target.endpoint.id);
        self.targets.iter().filter(part).filter_map(EndpointOutcome::with_doubt).collect()
    }
}

/// The outcome that evidence shows; none where it shows nothing new.
fn outcome_shown_by(target: &Target, sighting: &Sighting) -> Option<Outcome> {
    let evidence = || sighting.evidence.clone();
    match (target.outcome.as_ref()?, sighting.seen) {
        // Without a code it was a person who said that nothing was done.
        (
            Outcome::Sent
            | Outcome::Unknown { .. }
            | Outcome::Unconfirmed { .. }
            | Outcome::Refused { code: None, .. },
            Sign::Started,
        ) => Some(Outcome::Confirmed(Proof::Alert(evidence()))),
        (
            Outcome::Sent
            | Outcome::Unknown { .. }
            | Outcome::Unconfirmed { .. }
            | Outcome::Confirmed(_)
            | Outcome::Refused { code: None, .. },
            Sign::Verified,
        ) => Some(Outcome::Verified(evidence())),
        (
            Outcome::Sent
            | Outcome::Unknown { .. }
            | Outcome::Unconfirmed { .. }
            | Outcome::Confirmed(_)
            | Outcome::Verified(_)
            | Outcome::Refused { code: None, .. }
            | Outcome::Ended { seen: None },
            Sign::Ended,
        ) => Some(Outcome::Ended { seen: Some(evidence()) }),
        (Outcome::Reverted { by, seen: None }, Sign::Ended) => {
            Some(Outcome::Reverted { by: *by, seen: Some(evidence()) })
        }
        (Outcome::Confirmed(_), Sign::Started)
        | (
            Outcome::Verified(_) | Outcome::Ended { .. } | Outcome::Reverted { .. },
            Sign::Started | Sign::Verified,
        )
        | (
            Outcome::Refused { code: Some(_), .. }
            | Outcome::NotSent { .. }
            | Outcome::Ended { seen: Some(_) }
            | Outcome::Reverted { seen: Some(_), .. },
            _,
        ) => None,
    }
}

fn wait_text(window: TimeDelta) -> String {
    let seconds = u32::try_from(window.num_seconds()).unwrap_or(u32::MAX);
    format!("the endpoint's own alert did not come within {}", duration_text(seconds))
}
