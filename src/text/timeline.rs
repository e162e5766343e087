//! What happened to each endpoint of a request, from its audit entries alone.
//!
//! An endpoint's timeline has the facts about the request as a whole and those about this endpoint,
//! and never those about another. What was said about the whole, such as the comment of a vote,
//! is not repeated for each endpoint.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::audit::{flag, number, text, verdict_text};
use crate::domain::{
    Time,
    audit::{AuditEntry, EventKind},
    endpoint::{Endpoint, EndpointId},
    evidence::Evidence,
    request::{Outcome, OutcomeParts, Proof, Request},
};

mod severity;

pub use severity::Severity;

/// So many digits of a body's hash are told.
const HASH_DIGITS: usize = 12;

/// What happened to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointTimeline {
    /// Which.
    pub endpoint: EndpointId,
    /// Its name: text from outside.
    pub name: String,
    /// What happened, oldest first.
    pub entries: Vec<TimelineEntry>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// When it was written down.
    pub at: Time,
    /// What happened, in our words.
    pub summary: String,
    /// What somebody else said, or a reason; may be empty.
    pub quote: String,
    /// What proves it.
    pub evidence: Option<Evidence>,
    /// What it means for the response.
    pub severity: Severity,
}

/// The timeline of every endpoint that was asked for: those that take part, then those left out.
/// `timeline` are the request's audit entries, oldest first.
pub fn timelines(request: &Request, timeline: &[AuditEntry]) -> Vec<EndpointTimeline> {
    let taking = request.targets.iter().map(|target| TimelineBuilder::new(&target.endpoint, false));
    let skipped =
        request.skipped.iter().map(|skipped| TimelineBuilder::new(&skipped.endpoint, true));
    let mut builders: Vec<_> = taking.chain(skipped).collect();
    for entry in timeline {
        let Some(kind) = EventKind::parse(&entry.kind) else { continue };
        let detail = serde_json::from_str(&entry.detail).unwrap_or_default();
        let event = Event::read(kind, entry, &detail);
        for builder in &mut builders {
            builder.apply(&event);
        }
    }
    builders.into_iter().map(|builder| builder.timeline).collect()
}

/// An audit entry, taken apart once for all endpoints.
struct Event<'a> {
    kind: EventKind,
    at: Time,
    actor: &'a str,
    by_agent: bool,
    detail: &'a Value,
    /// What it says of endpoints.
    said: BTreeMap<&'a str, &'a Value>,
    /// The endpoints of the call that it writes down.
    call: BTreeSet<&'a str>,
}

impl<'a> Event<'a> {
    fn read(kind: EventKind, entry: &'a AuditEntry, detail: &'a Value) -> Self {
        let named = |one: &'a Value| Some((one.get("endpoint")?.as_str()?, one));
        let lists = ["outcomes", "settled", "not_sent", "skipped"];
        let lists = lists.into_iter().filter_map(|key| detail.get(key)?.as_array());
        let said = lists.flatten().filter_map(named).collect();
        let endpoints = call(kind, detail).and_then(|call| call.get("endpoints")?.as_array());
        Self {
            kind,
            at: Time::from_timestamp_micros(entry.at_us).unwrap_or_default(),
            actor: &entry.actor_name,
            by_agent: entry.actor_kind == "agent",
            detail,
            said,
            call: endpoints.into_iter().flatten().filter_map(Value::as_str).collect(),
        }
    }
}

impl Event<'_> {
    /// What it says of an endpoint.
    fn said(&self, builder: &TimelineBuilder) -> Option<&Value> {
        self.said.get(builder.timeline.endpoint.as_str()).copied()
    }

    /// Whether the call that it writes down is for an endpoint.
    fn calls(&self, builder: &TimelineBuilder) -> bool {
        self.call.contains(builder.timeline.endpoint.as_str())
    }
}

/// The call that an event writes down.
fn call(kind: EventKind, detail: &Value) -> Option<&Value> {
    let key = if kind == EventKind::DispatchAnswered { "next" } else { "attempt" };
    detail.get(key).filter(|call| call.is_object())
}

/// Writes one endpoint's timeline.
struct TimelineBuilder {
    timeline: EndpointTimeline,
    skipped: bool,
    /// The call that was written down for it and is not answered.
    open_call: Option<String>,
    outcome: Option<Outcome>,
    doubt: String,
}

impl TimelineBuilder {
    fn new(endpoint: &Endpoint, skipped: bool) -> Self {
        let (endpoint, name) = (endpoint.id.clone(), endpoint.name.clone());
        let timeline = EndpointTimeline { endpoint, name, entries: Vec::new() };
        Self { timeline, skipped, open_call: None, outcome: None, doubt: String::new() }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
    fn apply(&mut self, event: &Event<'_>) {
        if self.skipped && event.kind != EventKind::RequestAsked {
            return;
        }
        let (actor, detail) = (event.actor, event.detail);
        let state = text(detail, "state");
        match event.kind {
            EventKind::RequestAsked => self.add_submitted(event),
            EventKind::VoteApproved => {
                let role = text(detail, "role");
                self.add_plain(event, format!("{actor} ({role}) approved, now {state}"));
            }
            EventKind::GlassBroken => {
                self.add_plain(event, format!("{actor} broke the glass, now {state}"));
            }
            EventKind::VoteRetracted => {
                self.add_plain(event, format!("{actor} took the approval back, now {state}"));
            }
            EventKind::RequestRejected => self.add_end(event, &format!("{actor} rejected it")),
            EventKind::RequestCancelled => self.add_end(event, &format!("{actor} cancelled it")),
            EventKind::RequestExpired => self.add_end(event, "its time ran out"),
            EventKind::RequestWithdrawn => {
                self.add_end(event, "policy or facts no longer allow it");
            }
            EventKind::RequestRedecided => {
                self.add_plain(
                    event,
                    format!("{}, asked again; now {state}", verdict_text(detail)),
                );
            }
            EventKind::DispatchHeld => {
                let what = "it could not be sent yet".to_owned();
                self.add(event, what, text(detail, "why"), Severity::Plain);
            }
            EventKind::DispatchClaimed
            | EventKind::DispatchAnswered
            | EventKind::DispatchResumed
            | EventKind::DispatchRecovered => self.add_dispatch(event),
            EventKind::EvidenceSeen
            | EventKind::EvidenceMissed
            | EventKind::ResponseReverted
            | EventKind::OutcomeResolved => self.add_evidence(event),
            EventKind::ProposalRefused
            | EventKind::AsksThrottled
            | EventKind::CommentAdded
            | EventKind::Reviewed
            | EventKind::VoteRefused
            | EventKind::SignedIn
            | EventKind::SignInRefused
            | EventKind::SignedOut
            | EventKind::PersonAdded
            | EventKind::PersonDisabled
            | EventKind::RoleChanged
            | EventKind::OnCallChanged
            | EventKind::MailChanged
            | EventKind::SessionsEnded
            | EventKind::PasswordReset
            | EventKind::PasswordChanged
            | EventKind::AgentAdded
            | EventKind::ScopesChanged
            | EventKind::TokenRotated
            | EventKind::AgentRevoked
            | EventKind::Frozen
            | EventKind::ReleaseAsked
            | EventKind::Unfrozen
            | EventKind::PolicyActivated
            | EventKind::PolicyRefused
            | EventKind::Started
            | EventKind::AuditRead => {}
        }
    }

    /// Who asked, and then why it is left out or what policy said.
    fn add_submitted(&mut self, event: &Event<'_>) {
        let who = if event.by_agent { "agent " } else { "" };
        let what = match event.detail.get("undoes").and_then(Value::as_str) {
            Some(undone) => format!("{who}{} asked to take {undone} back", event.actor),
            None => format!("{who}{} asked for it", event.actor),
        };
        self.add_plain(event, what);
        match event.said(self) {
            Some(skipped) => {
                let what = "left out; it never joins later".to_owned();
                self.add(event, what, text(skipped, "why"), Severity::Bad);
            }
            None => self.add_plain(event, verdict_text(event.detail)),
        }
    }

    /// What a call, or the lack of one, did here; then the next call.
    fn add_dispatch(&mut self, event: &Event<'_>) {
        let answers = event.detail.get("attempt").and_then(Value::as_str);
        let answered = answers.is_some() && self.open_call.as_deref() == answers;
        match event.said(self) {
            Some(lost) if event.kind == EventKind::DispatchClaimed => {
                let outcome = Outcome::NotSent { why: text(lost, "why") };
                self.set_outcome(event, outcome);
            }
            Some(said) => {
                if let Some(outcome) = outcome(said) {
                    self.set_outcome(event, outcome);
                }
            }
            // A report that names others and not this one: see `Request::answered`.
            None if answered && !event.said.is_empty() => {
                let why = "the report of the call does not mention it".to_owned();
                self.set_outcome(event, Outcome::Unknown { why });
            }
            None if answered => {
                let what = "the call ended, and surely nothing was sent".to_owned();
                self.add(event, what, text(event.detail, "answer"), Severity::Plain);
            }
            None => {}
        }
        if answered {
            self.open_call = None;
        }
        if let Some(call) = call(event.kind, event.detail).filter(|_| event.calls(self)) {
            self.open_call = Some(text(call, "id"));
            let hash: String = text(call, "body_sha256").chars().take(HASH_DIGITS).collect();
            let number = number(call, "number");
            self.add_plain(
                event,
                format!("call {number} written down before it is made, body {hash}…"),
            );
        }
    }

    /// What was learnt after the call.
    fn add_evidence(&mut self, event: &Event<'_>) {
        let Some(said) = event.said(self) else { return };
        let doubt = text(said, "doubt");
        let doubts = !doubt.is_empty() && doubt != self.doubt;
        let before = self.timeline.entries.len();
        if let Some(outcome) = outcome(said) {
            self.set_outcome(event, outcome);
        }
        let told = self.timeline.entries.len() > before;
        match self.timeline.entries.last_mut().filter(|_| told && doubts) {
            Some(line) => {
                line.summary.push_str("; but something speaks against its effect");
                line.quote.clone_from(&doubt);
                line.severity = Severity::Doubt;
            }
            None if doubts => {
                let what = "something speaks against its effect".to_owned();
                self.add(event, what, doubt.clone(), Severity::Doubt);
            }
            None if !told && event.kind == EventKind::EvidenceMissed => {
                self.add_plain(event, "the wait for traces of it is over".to_owned());
            }
            None => {}
        }
        self.doubt = doubt;
    }

    /// An outcome that is new gives a line.
    fn set_outcome(&mut self, event: &Event<'_>, outcome: Outcome) {
        let known = |outcome: &Outcome| (outcome.name(), outcome.evidence().is_some());
        if self.outcome.as_ref().map(known) == Some(known(&outcome)) {
            return;
        }
        let (what, mark) = outcome_text(event, &outcome);
        let words = if event.kind == EventKind::OutcomeResolved {
            text(event.detail, "reason")
        } else {
            outcome.detail().to_owned()
        };
        let evidence = outcome.evidence().cloned();
        self.timeline.entries.push(TimelineEntry {
            at: event.at,
            summary: what,
            quote: words,
            evidence,
            severity: mark,
        });
        self.outcome = Some(outcome);
    }

    /// A fact about the whole request.
    fn add_plain(&mut self, event: &Event<'_>, what: String) {
        self.add(event, what, String::new(), Severity::Plain);
    }

    /// The request ended before anything was sent.
    fn add_end(&mut self, event: &Event<'_>, what: &str) {
        self.add(event, format!("{what}: nothing is sent"), String::new(), Severity::Bad);
    }

    fn add(&mut self, event: &Event<'_>, what: String, words: String, mark: Severity) {
        self.timeline.entries.push(TimelineEntry {
            at: event.at,
            summary: what,
            quote: words,
            evidence: None,
            severity: mark,
        });
    }
}

/// An outcome in our words, and what it means.
fn outcome_text(event: &Event<'_>, outcome: &Outcome) -> (String, Severity) {
    let by_hand = || format!("{} ({}) looked", event.actor, text(event.detail, "role"));
    let looked = flag(event.detail, "looked");
    let (what, mark) = match outcome {
        Outcome::Sent => ("the manager put it into its queue for this endpoint", Severity::Plain),
        Outcome::Refused { code: Some(code), .. } => {
            return (
                format!("the manager refused it for this endpoint, code {code}"),
                Severity::Bad,
            );
        }
        Outcome::Refused { code: None, .. } => {
            return (format!("{}: it was not done", by_hand()), Severity::Bad);
        }
        Outcome::NotSent { .. } => ("nothing was sent to it", Severity::Bad),
        Outcome::Unknown { .. } => ("it may or may not have been sent", Severity::Doubt),
        Outcome::Confirmed(Proof::Alert(_)) => {
            ("its own alert shows: the script started on this endpoint", Severity::Good)
        }
        Outcome::Confirmed(Proof::Person(_)) => {
            return (format!("{}: it was done", by_hand()), Severity::Good);
        }
        Outcome::Unconfirmed { .. } => ("nothing shows that it started", Severity::Doubt),
        Outcome::Ended { seen: Some(_) } => {
            ("its own alert shows: the endpoint started to take it back", Severity::Good)
        }
        Outcome::Ended { seen: None } if looked => (
            "its time is over: it should have ended, and nothing shows that it did",
            Severity::Doubt,
        ),
        Outcome::Ended { seen: None } => {
            ("its time is over: it should have ended; nobody looked", Severity::Plain)
        }
        Outcome::Reverted { by, seen: Some(_) } => {
            let what = "its own alert shows: the endpoint started to take it back";
            return (format!("{what}, as {by} asked"), Severity::Good);
        }
        Outcome::Reverted { by, seen: None } => {
            return (
                format!("{by}, which takes it back, was sent to this endpoint"),
                Severity::Plain,
            );
        }
    };
    let recovered = event.kind == EventKind::DispatchRecovered;
    let after = if recovered { "after a restart: " } else { "" };
    (format!("{after}{what}"), mark)
}

/// Reads what an event says of an endpoint.
fn outcome(said: &Value) -> Option<Outcome> {
    let evidence = said.get("evidence").filter(|evidence| evidence.is_object());
    let evidence = evidence.map(|evidence| Evidence {
        index: text(evidence, "index"),
        alert: text(evidence, "alert"),
        rule: text(evidence, "rule"),
        at: text(evidence, "at").parse().unwrap_or_default(),
    });
    Outcome::from_parts(OutcomeParts {
        name: text(said, "outcome"),
        code: said.get("code").and_then(Value::as_u64).and_then(|code| u32::try_from(code).ok()),
        detail: text(said, "detail"),
        evidence,
        reverted_by: text(said, "reverted_by").parse().ok(),
    })
}
