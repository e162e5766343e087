//! Writes the timeline of one endpoint, event after event.

use super::{
    EndpointTimeline, Event, Severity, TimelineEntry,
    outcome::{Source, outcome_text},
};
use crate::{
    domain::{
        Time,
        audit::{
            AuditDetail, UnreadableEntry,
            detail::{
                dispatch::{AnswerFacts, AnsweredCallFacts, CallFacts, ClaimFacts, ResumeFacts},
                outcome::EndpointOutcome,
                request::SubmissionFacts,
            },
        },
        endpoint::Endpoint,
        id::{AttemptId, RequestId},
        request::{Outcome, StateName},
    },
    text::{
        active_response::end_text,
        audit::{verdict_text, with_passkey},
    },
};

/// How many digits of a body's hash are shown.
const HASH_DIGITS: usize = 12;

/// Writes one endpoint's timeline.
pub(super) struct TimelineBuilder {
    timeline: EndpointTimeline,
    skipped: bool,
    /// The call that was recorded for it and has no answer yet.
    open_call: Option<AttemptId>,
    outcome: Option<Outcome>,
    /// The undo that it last counted as taken back by.
    undone_by: Option<RequestId>,
    doubt: Option<String>,
}

impl TimelineBuilder {
    pub(super) fn new(endpoint: &Endpoint, skipped: bool) -> Self {
        let (endpoint, name) = (endpoint.id.clone(), endpoint.name.clone());
        let timeline = EndpointTimeline { endpoint, name, entries: Vec::new(), overruled: false };
        Self { timeline, skipped, open_call: None, outcome: None, undone_by: None, doubt: None }
    }

    pub(super) fn finish(self) -> EndpointTimeline {
        self.timeline
    }

    /// A row that cannot be read: nobody can say what it meant for this endpoint.
    pub(super) fn add_problem(&mut self, at: Option<Time>, problem: &UnreadableEntry) {
        let (summary, severity) = (problem.to_string(), Severity::Doubt);
        let (quote, evidence) = (String::new(), None);
        self.timeline.entries.push(TimelineEntry { at, summary, quote, evidence, severity });
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
    pub(super) fn apply(&mut self, event: &Event<'_>) {
        let (actor, at) = (event.actor, event.at);
        if self.skipped && !matches!(event.detail, AuditDetail::RequestAsked(_)) {
            return;
        }
        match &event.detail {
            AuditDetail::RequestAsked(facts) => self.add_submitted(event, facts),
            AuditDetail::VoteApproved(facts) => {
                let with = with_passkey(facts.proof.as_ref());
                let summary =
                    format!("{actor} ({}) approved{with}, now {}", facts.role, facts.state);
                self.add_plain(at, summary);
            }
            AuditDetail::GlassBroken(facts) => {
                let with = with_passkey(facts.proof.as_ref());
                self.add_plain(at, format!("{actor} broke the glass{with}, now {}", facts.state));
            }
            AuditDetail::VoteRetracted(facts) => {
                self.add_plain(
                    at,
                    format!("{actor} took their approval back, now {}", facts.state),
                );
            }
            AuditDetail::RequestRejected(facts) if facts.state != StateName::Waiting => {
                self.add_end(at, &format!("{actor} rejected it"));
            }
            AuditDetail::RequestCancelled(facts) if facts.state != StateName::Waiting => {
                self.add_end(at, &format!("{actor} cancelled it"));
            }
            AuditDetail::RequestExpired(_) => self.add_end(at, "its time ran out"),
            AuditDetail::RequestWithdrawn(_) => {
                self.add_end(at, "policy or facts no longer allow it");
            }
            AuditDetail::RequestRedecided(facts) => {
                let verdict = verdict_text(&facts.decision);
                self.add_plain(at, format!("evaluated again: {verdict}, now {}", facts.state));
            }
            AuditDetail::TurnCame(facts) => {
                self.add_plain(at, format!("step {} is next in its plan", facts.step));
            }
            AuditDetail::DispatchHeld(facts) => {
                let summary = "it could not be sent yet".to_owned();
                self.add(at, summary, facts.why.clone(), Severity::Plain);
            }
            AuditDetail::DispatchClaimed(facts) => self.add_claim(at, facts),
            AuditDetail::DispatchAnswered(facts) => match facts {
                AnswerFacts::Call(facts) => self.add_answer(at, facts),
                AnswerFacts::AllDisconnected(facts) => {
                    self.add_outcomes(at, &facts.outcomes, Source::Broker);
                }
            },
            AuditDetail::DispatchResumed(facts) => match facts {
                ResumeFacts::Call { attempt, .. } => self.add_call(at, attempt),
                ResumeFacts::Stopped { settled, .. } => {
                    self.add_outcomes(at, settled, Source::Broker);
                }
            },
            AuditDetail::DispatchRecovered(facts) => {
                self.add_outcomes(at, &facts.outcomes, Source::Restart);
            }
            AuditDetail::CallsFound(facts) => {
                self.add_outcomes(at, &facts.outcomes, Source::Broker);
            }
            AuditDetail::WaitBegan(facts) => {
                let parent = facts.parent;
                self.add_plain(at, format!("away when {parent} was sent; it is waited for"));
            }
            AuditDetail::EndpointReturned(facts) => {
                let verdict = verdict_text(&facts.decision);
                self.add_plain(at, format!("back: {verdict}, now {}", facts.state));
            }
            AuditDetail::EvidenceSeen(facts) => {
                self.add_evidence(at, &facts.outcomes, Source::Broker);
            }
            AuditDetail::EvidenceMissed(facts) => {
                self.add_evidence(at, &facts.outcomes, Source::Wait { looked: facts.looked });
            }
            AuditDetail::ResponseReverted(facts) => {
                let source = match self.undone_by.replace(facts.by) {
                    Some(before) if before == facts.by => Source::Again,
                    Some(_) | None => Source::Broker,
                };
                self.add_evidence(at, &facts.outcomes, source);
            }
            AuditDetail::UndoFailed(facts) => {
                self.add_evidence(at, &facts.outcomes, Source::Broker);
            }
            AuditDetail::EndMoved(facts) => {
                let mut ends = facts.ends.iter().rev();
                if let Some(own) = ends.find(|end| end.endpoint == self.timeline.endpoint) {
                    let what = end_text(own.ends);
                    let why = format!("{}, for the same target, moved its end", facts.by);
                    self.add_plain(at, format!("{why}: it {what}"));
                }
            }
            AuditDetail::OutcomeResolved(facts) => {
                let (role, reason) = (facts.role, facts.reason.as_str());
                let source = Source::Person { name: actor, role, reason };
                self.add_evidence(at, &facts.outcomes, source);
            }
            // What waits for others ends with them.
            AuditDetail::RequestRejected(_)
            | AuditDetail::RequestCancelled(_)
            | AuditDetail::WaitOver(_)
            | AuditDetail::ProposalRefused(_)
            | AuditDetail::AsksThrottled(_)
            | AuditDetail::ProposalDryRun(_)
            | AuditDetail::PlanAsked(_)
            | AuditDetail::CommentAdded(_)
            | AuditDetail::RequestAssigned(_)
            | AuditDetail::RequestSnoozed(_)
            | AuditDetail::Reviewed(_)
            | AuditDetail::VoteRefused(_)
            | AuditDetail::ClockJumped(_)
            | AuditDetail::ManagerIdentified(_)
            | AuditDetail::ApiTokenCreated(_)
            | AuditDetail::ApiTokenRevoked(_)
            | AuditDetail::ApiTokenRefused(_)
            | AuditDetail::SignedIn(_)
            | AuditDetail::SignInRefused(_)
            | AuditDetail::SignedOut(_)
            | AuditDetail::PersonAdded(_)
            | AuditDetail::PersonDisabled(_)
            | AuditDetail::PersonSuspended(_)
            | AuditDetail::PersonLinked(_)
            | AuditDetail::RoleChanged(_)
            | AuditDetail::OnCallChanged(_)
            | AuditDetail::TeamsChanged(_)
            | AuditDetail::MailChanged(_)
            | AuditDetail::SessionsEnded(_)
            | AuditDetail::QuietHoursChanged(_)
            | AuditDetail::PasswordReset(_)
            | AuditDetail::PasswordChanged(_)
            | AuditDetail::PasskeyAdded(_)
            | AuditDetail::PasskeyRemoved(_)
            | AuditDetail::PasskeyRefused(_)
            | AuditDetail::SecondFactorOn(_)
            | AuditDetail::SecondFactorOff(_)
            | AuditDetail::RecoveryCodesRenewed(_)
            | AuditDetail::AgentAdded(_)
            | AuditDetail::ScopesChanged(_)
            | AuditDetail::TokenRotated(_)
            | AuditDetail::AgentRevoked(_)
            | AuditDetail::LimitLifted(_)
            | AuditDetail::Frozen(_)
            | AuditDetail::ReleaseAsked(_)
            | AuditDetail::Unfrozen(_)
            | AuditDetail::PolicyActivated(_)
            | AuditDetail::PolicyReevaluated(_)
            | AuditDetail::PolicyRefused(_)
            | AuditDetail::Started(_)
            | AuditDetail::Recovered(_)
            | AuditDetail::Resumed(_)
            | AuditDetail::AuditRead(_) => {}
        }
    }

    /// Who requested it, and then why it is left out or what policy said.
    fn add_submitted(&mut self, event: &Event<'_>, facts: &SubmissionFacts) {
        let (actor, at) = (event.actor, event.at);
        let who = if event.by_agent { "agent " } else { "" };
        let summary = match facts.undoes {
            Some(undone) => format!("{who}{actor} asked to take {undone} back"),
            None => format!("{who}{actor} requested it"),
        };
        self.add_plain(at, summary);
        let mut skipped = facts.skipped.iter().rev();
        match skipped.find(|left_out| left_out.endpoint == self.timeline.endpoint) {
            Some(left_out) => {
                let summary = "left out; it will not be added later".to_owned();
                self.add(at, summary, left_out.why.clone(), Severity::Bad);
            }
            None => self.add_plain(at, verdict_text(&facts.decision)),
        }
    }

    /// Nothing is sent to it because it is no longer connected, or a call is about to be made.
    fn add_claim(&mut self, at: Time, facts: &ClaimFacts) {
        let mut lost = facts.not_sent.iter().rev();
        if let Some(lost) = lost.find(|lost| lost.endpoint == self.timeline.endpoint) {
            let outcome = Outcome::NotSent { why: lost.why.clone() };
            self.set_outcome(at, outcome, Source::Broker);
        }
        self.add_call(at, &facts.attempt);
    }

    /// What a call did here; then the next call.
    fn add_answer(&mut self, at: Time, facts: &AnsweredCallFacts) {
        let answered = self.open_call == Some(facts.attempt);
        let settled = facts.settled.as_deref().unwrap_or_default();
        let known = self.own(settled).or_else(|| self.own(&facts.outcomes));
        match known.cloned() {
            Some(known) => self.set_outcome(at, known.outcome, Source::Broker),
            None if !answered => {}
            // A report that names others and not this one: see `Request::answered`.
            None if !settled.is_empty() || !facts.outcomes.is_empty() => {
                let why = "the report of the call does not mention it".to_owned();
                self.set_outcome(at, Outcome::Unknown { why }, Source::Broker);
            }
            None => {
                let summary = "the call ended without sending anything".to_owned();
                self.add(at, summary, facts.answer.clone(), Severity::Plain);
            }
        }
        if answered {
            self.open_call = None;
        }
        if let Some(next) = &facts.next {
            self.add_call(at, next);
        }
    }

    /// A call that is about to be made, where it is for this endpoint.
    fn add_call(&mut self, at: Time, call: &CallFacts) {
        if !call.endpoints.contains(&self.timeline.endpoint) {
            return;
        }
        self.open_call = Some(call.id);
        let hash: String = call.body_sha256.to_string().chars().take(HASH_DIGITS).collect();
        let number = call.number;
        self.add_plain(at, format!("call {number} recorded before it is made, body {hash}…"));
    }

    /// What is known where no call was made or none is open any more.
    fn add_outcomes(&mut self, at: Time, outcomes: &[EndpointOutcome], source: Source<'_>) {
        if let Some(own) = self.own(outcomes).cloned() {
            self.set_outcome(at, own.outcome, source);
        }
    }

    /// What was learnt after the call.
    fn add_evidence(&mut self, at: Time, outcomes: &[EndpointOutcome], source: Source<'_>) {
        let Some(EndpointOutcome { outcome, doubt, .. }) = self.own(outcomes).cloned() else {
            return;
        };
        let new_doubt = doubt.clone().filter(|_| doubt != self.doubt);
        let before = self.timeline.entries.len();
        self.set_outcome(at, outcome, source);
        let added = self.timeline.entries.len() > before;
        match (self.timeline.entries.last_mut().filter(|_| added), new_doubt) {
            (Some(entry), Some(doubt)) => {
                entry.summary.push_str("; but its effect is in doubt");
                entry.quote = doubt;
                entry.severity = Severity::Doubt;
            }
            (None, Some(doubt)) => {
                self.add(at, "its effect is in doubt".to_owned(), doubt, Severity::Doubt);
            }
            (None, None) if matches!(source, Source::Wait { .. }) => {
                self.add_plain(at, "the wait for evidence is over".to_owned());
            }
            (_, None) => {}
        }
        self.doubt = doubt;
    }

    /// What a list says of this endpoint.
    fn own<'o>(&self, outcomes: &'o [EndpointOutcome]) -> Option<&'o EndpointOutcome> {
        outcomes.iter().rev().find(|outcome| outcome.endpoint == self.timeline.endpoint)
    }

    /// An outcome that is new adds an entry.
    fn set_outcome(&mut self, at: Time, outcome: Outcome, source: Source<'_>) {
        let known = |outcome: &Outcome| {
            (outcome.name(), outcome.evidence().is_some(), outcome.nobody_looked())
        };
        if self.outcome.as_ref().map(known) == Some(known(&outcome)) {
            return;
        }
        let (mut summary, severity) = outcome_text(source, &outcome);
        let quote = match source {
            Source::Person { reason, .. } => reason.to_owned(),
            Source::Broker | Source::Again | Source::Wait { .. } | Source::Restart => {
                outcome.detail().to_owned()
            }
        };
        if self.outcome.as_ref().is_some_and(Outcome::found_not_done) {
            summary.push_str(", although a person had found that it was not done");
            self.timeline.overruled = true;
        }
        let (at, evidence) = (Some(at), outcome.evidence().cloned());
        self.timeline.entries.push(TimelineEntry { at, summary, quote, evidence, severity });
        self.outcome = Some(outcome);
    }

    /// A fact about the whole request.
    fn add_plain(&mut self, at: Time, summary: String) {
        self.add(at, summary, String::new(), Severity::Plain);
    }

    /// The request ended before anything was sent.
    fn add_end(&mut self, at: Time, what: &str) {
        let summary = format!("{what}: nothing will be sent");
        self.add(at, summary, String::new(), Severity::Bad);
    }

    fn add(&mut self, at: Time, summary: String, quote: String, severity: Severity) {
        let (at, evidence) = (Some(at), None);
        self.timeline.entries.push(TimelineEntry { at, summary, quote, evidence, severity });
    }
}
