//! Audit entries in plain words. What people and agents wrote stays apart from our own words, so
//! that nobody can make an entry say something else.

use std::fmt;

use crate::domain::{
    Time,
    audit::{AuditEntry, UnreadableEntry, detail::passkey::ProofFacts},
};

mod api_token;
mod endpoints;
mod sentence;
mod sign_in;

pub(crate) use sentence::verdict_text;
use sentence::{Sentence, sentence};

/// What follows the verb where a passkey signed the act.
pub(crate) const fn with_passkey(proof: Option<&ProofFacts>) -> &'static str {
    if proof.is_some() { " with a passkey" } else { "" }
}

/// An audit entry as a person reads it.
#[derive(Debug, PartialEq, Eq)]
pub struct AuditText {
    /// Its place in the chain.
    pub seq: u64,
    /// [`crate::domain::audit::EventKind::name`], as stored.
    pub kind: String,
    /// What the actor is, where the name does not say.
    pub actor_kind: &'static str,
    /// Who.
    pub actor: String,
    /// The request.
    pub request: Option<String>,
    /// What was acted on.
    pub target: Option<String>,
    /// When it happened and what; an error where the row cannot be read.
    pub event: Result<EventText, UnreadableEntry>,
    /// Everything else, as stored.
    pub detail: String,
}

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub struct EventText {
    /// When.
    pub at: Time,
    /// What happened, in our words.
    pub summary: String,
    /// What somebody wrote, or a reason; may be empty.
    pub quote: String,
}

impl fmt::Display for AuditText {
    /// One line: what others wrote stands in quotes. Who prints it makes it visible.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EventText { summary, quote, .. } = match &self.event {
            Ok(event) => event,
            Err(problem) => return write!(f, "{problem}"),
        };
        let actor = [self.actor_kind, &self.actor].into_iter().filter(|part| !part.is_empty());
        let actor = actor.collect::<Vec<_>>().join(" ");
        write!(f, "{actor} {summary}")?;
        if let Some(target) = self.target.as_ref().filter(|_| self.request.is_none()) {
            write!(f, " ({target})")?;
        }
        if quote.is_empty() { Ok(()) } else { write!(f, ": “{quote}”") }
    }
}

/// Puts an entry into words.
pub fn describe(entry: AuditEntry) -> AuditText {
    let event = event_text(&entry);
    let actor_kind = match entry.actor_kind.as_str() {
        "agent" => "agent",
        "service" => "service",
        "unknown" => "somebody claiming to be",
        _ => "",
    };
    AuditText {
        seq: entry.seq,
        kind: entry.kind,
        actor_kind,
        actor: entry.actor_name,
        request: entry.request,
        target: entry.target,
        event,
        detail: entry.detail,
    }
}

fn event_text(entry: &AuditEntry) -> Result<EventText, UnreadableEntry> {
    let at = entry.time()?;
    let Sentence { summary, quote } = sentence(entry.typed_detail()?);
    Ok(EventText { at, summary, quote })
}
