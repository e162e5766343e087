//! What happened to each endpoint of a request, from its audit entries alone.
//!
//! An endpoint's story has the facts about the request as a whole and those about this endpoint,
//! and never those about another. What was said about the whole, such as the comment of a vote,
//! is not repeated for each endpoint.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::audit::{flag, number, ruling, text};
use crate::domain::{
    Time,
    audit::{AuditEntry, EventKind},
    endpoint::{Endpoint, EndpointId},
    evidence::Evidence,
    request::{Outcome, OutcomeParts, Proof, Request},
};

mod severity;

pub use severity::Mark;

/// So many digits of a body's hash are told.
const HASH_DIGITS: usize = 12;

/// What happened to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Which.
    pub endpoint: EndpointId,
    /// Its name: text from outside.
    pub name: String,
    /// What happened, oldest first.
    pub lines: Vec<Line>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was written down.
    pub at: Time,
    /// What happened, in our words.
    pub what: String,
    /// What somebody else said, or a reason; may be empty.
    pub words: String,
    /// What proves it.
    pub evidence: Option<Evidence>,
    /// What it means for the response.
    pub mark: Mark,
}

/// The story of every endpoint that was asked for: those that take part, then those left out.
/// `timeline` are the request's audit entries, oldest first.
pub fn stories(request: &Request, timeline: &[AuditEntry]) -> Vec<Story> {
    let taking = request.targets.iter().map(|target| Teller::new(&target.endpoint, false));
    let skipped = request.skipped.iter().map(|skipped| Teller::new(&skipped.endpoint, true));
    let mut tellers: Vec<_> = taking.chain(skipped).collect();
    for entry in timeline {
        let Some(kind) = EventKind::parse(&entry.kind) else { continue };
        let detail = serde_json::from_str(&entry.detail).unwrap_or_default();
        let event = Event::read(kind, entry, &detail);
        for teller in &mut tellers {
            teller.hear(&event);
        }
    }
    tellers.into_iter().map(|teller| teller.story).collect()
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
    fn said(&self, teller: &Teller) -> Option<&Value> {
        self.said.get(teller.story.endpoint.as_str()).copied()
    }

    /// Whether the call that it writes down is for an endpoint.
    fn calls(&self, teller: &Teller) -> bool {
        self.call.contains(teller.story.endpoint.as_str())
    }
}

/// The call that an event writes down.
fn call(kind: EventKind, detail: &Value) -> Option<&Value> {
    let key = if kind == EventKind::DispatchAnswered { "next" } else { "attempt" };
    detail.get(key).filter(|call| call.is_object())
}

/// Writes one endpoint's story.
struct Teller {
    story: Story,
    skipped: bool,
    /// The call that was written down for it and is not answered.
    open_call: Option<String>,
    outcome: Option<Outcome>,
    doubt: String,
}

impl Teller {
    fn new(endpoint: &Endpoint, skipped: bool) -> Self {
        let (endpoint, name) = (endpoint.id.clone(), endpoint.name.clone());
        let story = Story { endpoint, name, lines: Vec::new() };
        Self { story, skipped, open_call: None, outcome: None, doubt: String::new() }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
    fn hear(&mut self, event: &Event<'_>) {
        if self.skipped && event.kind != EventKind::RequestAsked {
            return;
        }
        let (actor, detail) = (event.actor, event.detail);
        let state = text(detail, "state");
        match event.kind {
            EventKind::RequestAsked => self.asked(event),
            EventKind::VoteApproved => {
                let role = text(detail, "role");
                self.whole(event, format!("{actor} ({role}) approved, now {state}"));
            }
            EventKind::GlassBroken => {
                self.whole(event, format!("{actor} broke the glass, now {state}"));
            }
            EventKind::VoteRetracted => {
                self.whole(event, format!("{actor} took the approval back, now {state}"));
            }
            EventKind::RequestRejected => self.over(event, &format!("{actor} rejected it")),
            EventKind::RequestCancelled => self.over(event, &format!("{actor} cancelled it")),
            EventKind::RequestExpired => self.over(event, "its time ran out"),
            EventKind::RequestWithdrawn => {
                self.over(event, "policy or facts no longer allow it");
            }
            EventKind::RequestRedecided => {
                self.whole(event, format!("{}, asked again; now {state}", ruling(detail)));
            }
            EventKind::DispatchHeld => {
                let what = "it could not be sent yet".to_owned();
                self.add(event, what, text(detail, "why"), Mark::Plain);
            }
            EventKind::DispatchClaimed
            | EventKind::DispatchAnswered
            | EventKind::DispatchResumed
            | EventKind::DispatchRecovered => self.sent(event),
            EventKind::EvidenceSeen
            | EventKind::EvidenceMissed
            | EventKind::ResponseReverted
            | EventKind::OutcomeResolved => self.seen(event),
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
    fn asked(&mut self, event: &Event<'_>) {
        let who = if event.by_agent { "agent " } else { "" };
        let what = match event.detail.get("undoes").and_then(Value::as_str) {
            Some(undone) => format!("{who}{} asked to take {undone} back", event.actor),
            None => format!("{who}{} asked for it", event.actor),
        };
        self.whole(event, what);
        match event.said(self) {
            Some(skipped) => {
                let what = "left out; it never joins later".to_owned();
                self.add(event, what, text(skipped, "why"), Mark::Bad);
            }
            None => self.whole(event, ruling(event.detail)),
        }
    }

    /// What a call, or the lack of one, did here; then the next call.
    fn sent(&mut self, event: &Event<'_>) {
        let answers = event.detail.get("attempt").and_then(Value::as_str);
        let answered = answers.is_some() && self.open_call.as_deref() == answers;
        match event.said(self) {
            Some(lost) if event.kind == EventKind::DispatchClaimed => {
                let outcome = Outcome::NotSent { why: text(lost, "why") };
                self.learn(event, outcome);
            }
            Some(said) => {
                if let Some(outcome) = outcome(said) {
                    self.learn(event, outcome);
                }
            }
            // A report that names others and not this one: see `Request::answered`.
            None if answered && !event.said.is_empty() => {
                let why = "the report of the call does not mention it".to_owned();
                self.learn(event, Outcome::Unknown { why });
            }
            None if answered => {
                let what = "the call ended, and surely nothing was sent".to_owned();
                self.add(event, what, text(event.detail, "answer"), Mark::Plain);
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
            self.whole(
                event,
                format!("call {number} written down before it is made, body {hash}…"),
            );
        }
    }

    /// What was learnt after the call.
    fn seen(&mut self, event: &Event<'_>) {
        let Some(said) = event.said(self) else { return };
        let doubt = text(said, "doubt");
        let doubts = !doubt.is_empty() && doubt != self.doubt;
        let before = self.story.lines.len();
        if let Some(outcome) = outcome(said) {
            self.learn(event, outcome);
        }
        let told = self.story.lines.len() > before;
        match self.story.lines.last_mut().filter(|_| told && doubts) {
            Some(line) => {
                line.what.push_str("; but something speaks against its effect");
                line.words.clone_from(&doubt);
                line.mark = Mark::Doubt;
            }
            None if doubts => {
                let what = "something speaks against its effect".to_owned();
                self.add(event, what, doubt.clone(), Mark::Doubt);
            }
            None if !told && event.kind == EventKind::EvidenceMissed => {
                self.whole(event, "the wait for traces of it is over".to_owned());
            }
            None => {}
        }
        self.doubt = doubt;
    }

    /// An outcome that is new gives a line.
    fn learn(&mut self, event: &Event<'_>, outcome: Outcome) {
        let known = |outcome: &Outcome| (outcome.name(), outcome.evidence().is_some());
        if self.outcome.as_ref().map(known) == Some(known(&outcome)) {
            return;
        }
        let (what, mark) = told(event, &outcome);
        let words = if event.kind == EventKind::OutcomeResolved {
            text(event.detail, "reason")
        } else {
            outcome.detail().to_owned()
        };
        let evidence = outcome.evidence().cloned();
        self.story.lines.push(Line { at: event.at, what, words, evidence, mark });
        self.outcome = Some(outcome);
    }

    /// A fact about the whole request.
    fn whole(&mut self, event: &Event<'_>, what: String) {
        self.add(event, what, String::new(), Mark::Plain);
    }

    /// The request ended before anything was sent.
    fn over(&mut self, event: &Event<'_>, what: &str) {
        self.add(event, format!("{what}: nothing is sent"), String::new(), Mark::Bad);
    }

    fn add(&mut self, event: &Event<'_>, what: String, words: String, mark: Mark) {
        self.story.lines.push(Line { at: event.at, what, words, evidence: None, mark });
    }
}

/// An outcome in our words, and what it means.
fn told(event: &Event<'_>, outcome: &Outcome) -> (String, Mark) {
    let by_hand = || format!("{} ({}) looked", event.actor, text(event.detail, "role"));
    let looked = flag(event.detail, "looked");
    let (what, mark) = match outcome {
        Outcome::Sent => ("the manager put it into its queue for this endpoint", Mark::Plain),
        Outcome::Refused { code: Some(code), .. } => {
            return (format!("the manager refused it for this endpoint, code {code}"), Mark::Bad);
        }
        Outcome::Refused { code: None, .. } => {
            return (format!("{}: it was not done", by_hand()), Mark::Bad);
        }
        Outcome::NotSent { .. } => ("nothing was sent to it", Mark::Bad),
        Outcome::Unknown { .. } => ("it may or may not have been sent", Mark::Doubt),
        Outcome::Confirmed(Proof::Alert(_)) => {
            ("its own alert shows: the script started on this endpoint", Mark::Good)
        }
        Outcome::Confirmed(Proof::Person(_)) => {
            return (format!("{}: it was done", by_hand()), Mark::Good);
        }
        Outcome::Unconfirmed { .. } => ("nothing shows that it started", Mark::Doubt),
        Outcome::Ended { seen: Some(_) } => {
            ("its own alert shows: the endpoint started to take it back", Mark::Good)
        }
        Outcome::Ended { seen: None } if looked => {
            ("its time is over: it should have ended, and nothing shows that it did", Mark::Doubt)
        }
        Outcome::Ended { seen: None } => {
            ("its time is over: it should have ended; nobody looked", Mark::Plain)
        }
        Outcome::Reverted { by, seen: Some(_) } => {
            let what = "its own alert shows: the endpoint started to take it back";
            return (format!("{what}, as {by} asked"), Mark::Good);
        }
        Outcome::Reverted { by, seen: None } => {
            return (format!("{by}, which takes it back, was sent to this endpoint"), Mark::Plain);
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
