//! Audit entries in plain words. What people and agents wrote stays apart from our own words, so
//! that nobody can make an entry say something else.

use std::fmt;

use serde_json::Value;

use super::visible::visible;
use crate::domain::{
    Time,
    action::with_count,
    audit::{AuditEntry, EventKind},
};

/// So many endpoints are named; more are counted.
const NAMED_MAX: usize = 12;

/// An audit entry as a person reads it.
#[derive(Debug, PartialEq, Eq)]
pub struct AuditText {
    /// Its place in the chain.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// [`EventKind::name`].
    pub kind: String,
    /// What the actor is, where the name does not say.
    pub actor_kind: &'static str,
    /// Who.
    pub actor: String,
    /// The request.
    pub request: Option<String>,
    /// What was acted on.
    pub target: Option<String>,
    /// What happened.
    pub summary: String,
    /// What somebody wrote, or a reason.
    pub quote: String,
    /// Everything else, as stored.
    pub detail: String,
}

impl fmt::Display for AuditText {
    /// One line for a terminal: what others wrote stands in quotes, and all of it can be seen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actor = [self.actor_kind, &self.actor].into_iter().filter(|part| !part.is_empty());
        let actor = actor.collect::<Vec<_>>().join(" ");
        write!(f, "{} {}", visible(&actor), visible(&self.summary))?;
        if let Some(target) = self.target.as_ref().filter(|_| self.request.is_none()) {
            write!(f, " ({})", visible(target))?;
        }
        if self.quote.is_empty() { Ok(()) } else { write!(f, ": “{}”", visible(&self.quote)) }
    }
}

/// Puts an entry into words.
pub fn describe(entry: AuditEntry) -> AuditText {
    let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
    let (what, words) = match EventKind::parse(&entry.kind) {
        Some(kind) => (summary(kind, &detail), quote(kind, &detail)),
        None => (entry.kind.clone(), String::new()),
    };
    let actor_kind = match entry.actor_kind.as_str() {
        "agent" => "agent",
        "unknown" => "somebody who said",
        _ => "",
    };
    AuditText {
        seq: entry.seq,
        at: Time::from_timestamp_micros(entry.at_us).unwrap_or_default(),
        kind: entry.kind,
        actor_kind,
        actor: entry.actor_name,
        request: entry.request,
        target: entry.target,
        summary: what,
        quote: words,
        detail: entry.detail,
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
fn summary(kind: EventKind, detail: &Value) -> String {
    let state = text(detail, "state");
    match kind {
        EventKind::ProposalRefused => "sent a proposal that was refused".to_owned(),
        EventKind::AsksThrottled => "asks more than it may and is not heard".to_owned(),
        EventKind::RequestAsked => {
            format!("asked: {}; {}, now {state}", text(detail, "effect"), verdict_text(detail))
        }
        EventKind::VoteApproved => format!("approved, now {state}"),
        EventKind::RequestRejected => "rejected it".to_owned(),
        EventKind::GlassBroken => format!("broke the glass, now {state}"),
        EventKind::VoteRetracted => format!("took the approval back, now {state}"),
        EventKind::VoteRefused => {
            let verb = text(detail, "verb").replace("break_glass", "break the glass");
            format!("tried to {verb} and was refused")
        }
        EventKind::CommentAdded => "commented".to_owned(),
        EventKind::Reviewed => "reviewed the broken glass".to_owned(),
        EventKind::RequestCancelled => "cancelled it".to_owned(),
        EventKind::RequestExpired => "ended it when its time ran out".to_owned(),
        EventKind::RequestRedecided => {
            format!("asked policy again: {}, now {state}", verdict_text(detail))
        }
        EventKind::RequestWithdrawn => "withdrew it".to_owned(),
        EventKind::DispatchClaimed | EventKind::DispatchResumed => attempt(detail),
        EventKind::DispatchHeld => "cannot send it yet".to_owned(),
        EventKind::DispatchAnswered => format!("had an answer{}, now {state}", outcomes(detail)),
        EventKind::DispatchRecovered => {
            format!("started again and closed what was under way{}", outcomes(detail))
        }
        EventKind::EvidenceSeen => format!("saw traces{}", outcomes(detail)),
        EventKind::EvidenceMissed if flag(detail, "looked") => {
            format!("looked for traces and saw none{}", outcomes(detail))
        }
        EventKind::EvidenceMissed => format!("has nobody who looks{}", outcomes(detail)),
        EventKind::ResponseReverted => format!("sent what takes it back{}", outcomes(detail)),
        EventKind::OutcomeResolved => format!("said what happened{}", outcomes(detail)),
        EventKind::SignedIn if flag(detail, "password_given_again") => {
            "gave the password again".to_owned()
        }
        EventKind::SignedIn => "signed in".to_owned(),
        EventKind::SignInRefused => "could not sign in".to_owned(),
        EventKind::SignedOut => "signed out".to_owned(),
        EventKind::PersonAdded => format!("added a person as {}", text(detail, "role")),
        EventKind::PersonDisabled => "disabled a person".to_owned(),
        EventKind::RoleChanged => format!("made a person {}", text(detail, "role")),
        EventKind::OnCallChanged if flag(detail, "on_call") => "put a person on call".to_owned(),
        EventKind::OnCallChanged => "took a person off call".to_owned(),
        EventKind::MailChanged => "changed where notices for a person go".to_owned(),
        EventKind::SessionsEnded => "ended a person's sessions".to_owned(),
        EventKind::PasswordReset => "set a person's password".to_owned(),
        EventKind::PasswordChanged => "changed the own password".to_owned(),
        EventKind::AgentAdded => format!("added an agent of {}", text(detail, "owner")),
        EventKind::ScopesChanged => {
            format!("let an agent ask for {}", text(detail, "scopes"))
        }
        EventKind::TokenRotated => "gave an agent a new token".to_owned(),
        EventKind::AgentRevoked => "revoked an agent's token".to_owned(),
        EventKind::Frozen => "threw the kill switch".to_owned(),
        EventKind::ReleaseAsked => "wants the kill switch released".to_owned(),
        EventKind::Unfrozen => "released the kill switch".to_owned(),
        EventKind::PolicyActivated => "made a policy set the active one".to_owned(),
        EventKind::PolicyRefused => "tried a policy set that was refused".to_owned(),
        EventKind::Started => "started".to_owned(),
        EventKind::AuditRead => format!("read the audit, {} rows", number(detail, "rows")),
    }
}

/// Which part of the detail are words that somebody wrote, or a reason.
fn quote(kind: EventKind, detail: &Value) -> String {
    let decision = detail.get("decision").unwrap_or(&Value::Null);
    match kind {
        EventKind::RequestAsked => text(decision, "why"),
        EventKind::VoteApproved | EventKind::CommentAdded => text(detail, "comment"),
        EventKind::Reviewed => text(detail, "finding"),
        EventKind::RequestRedecided => text(detail, "cause"),
        EventKind::DispatchAnswered => text(detail, "answer"),
        EventKind::RequestRejected
        | EventKind::RequestCancelled
        | EventKind::RequestExpired
        | EventKind::OutcomeResolved
        | EventKind::GlassBroken
        | EventKind::Frozen
        | EventKind::ReleaseAsked
        | EventKind::Unfrozen => text(detail, "reason"),
        EventKind::RequestWithdrawn => {
            let reason = text(detail, "reason");
            if reason.is_empty() { text(decision, "why") } else { reason }
        }
        EventKind::ProposalRefused
        | EventKind::AsksThrottled
        | EventKind::VoteRefused
        | EventKind::DispatchHeld
        | EventKind::DispatchResumed
        | EventKind::PolicyRefused => text(detail, "why"),
        EventKind::VoteRetracted
        | EventKind::DispatchClaimed
        | EventKind::DispatchRecovered
        | EventKind::EvidenceSeen
        | EventKind::EvidenceMissed
        | EventKind::ResponseReverted
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
        | EventKind::PolicyActivated
        | EventKind::Started
        | EventKind::AuditRead => String::new(),
    }
}

/// What policy answered: "policy wants 2 people, one of them a senior or lead".
pub(crate) fn verdict_text(detail: &Value) -> String {
    let decision = detail.get("decision").unwrap_or(&Value::Null);
    match text(decision, "verdict").as_str() {
        "run" => "policy lets it run".to_owned(),
        "approval" => format!("policy wants {}", text(decision, "needs")),
        _ => "policy does not let it run".to_owned(),
    }
}

fn attempt(detail: &Value) -> String {
    match detail.get("attempt").filter(|attempt| attempt.is_object()) {
        Some(attempt) => {
            let endpoints = attempt.get("endpoints").and_then(Value::as_array);
            let ids: Vec<_> = endpoints.into_iter().flatten().filter_map(Value::as_str).collect();
            format!(
                "writes down call {} for {} and makes it",
                number(attempt, "number"),
                named(&ids)
            )
        }
        None => "gave up waiting; nothing more is sent".to_owned(),
    }
}

fn named(ids: &[&str]) -> String {
    if ids.len() <= NAMED_MAX {
        return ids.join(", ");
    }
    with_count(u64::try_from(ids.len()).unwrap_or(0), "endpoint")
}

/// ": 001, 002 sent; 014 refused (1750)".
fn outcomes(detail: &Value) -> String {
    let all = ["settled", "outcomes"].into_iter().find_map(|key| detail.get(key)?.as_array());
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for one in all.into_iter().flatten() {
        let mut outcome = text(one, "outcome").replace('_', " ");
        if let Some(code) = one.get("code").and_then(Value::as_u64) {
            outcome = format!("{outcome} ({code})");
        }
        let id = one.get("endpoint").and_then(Value::as_str).unwrap_or_default();
        match groups.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, ids)) => ids.push(id),
            None => groups.push((outcome, vec![id])),
        }
    }
    let parts = groups.iter().map(|(outcome, ids)| format!("{} {outcome}", named(ids)));
    let parts = parts.collect::<Vec<_>>().join("; ");
    if parts.is_empty() { parts } else { format!(": {parts}") }
}

pub(crate) fn text(detail: &Value, key: &str) -> String {
    detail.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(crate) fn number(detail: &Value, key: &str) -> u64 {
    detail.get(key).and_then(Value::as_u64).unwrap_or_default()
}

pub(crate) fn flag(detail: &Value, key: &str) -> bool {
    detail.get(key).and_then(Value::as_bool).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quoted_text_stays_apart_from_summary() {
        let detail = json!({ "reason": "approved, now settled", "state": "rejected" });
        assert_eq!(summary(EventKind::RequestRejected, &detail), "rejected it");
        assert_eq!(quote(EventKind::RequestRejected, &detail), "approved, now settled");
    }

    #[test]
    fn answered_call_says_what_became_of_its_endpoints() {
        let outcome = |id: &str, name: &str, code: Option<u32>| json!({ "endpoint": id, "outcome": name, "code": code });
        let detail = json!({
            "outcomes": [
                outcome("001", "sent", None),
                outcome("002", "sent", None),
                outcome("014", "refused", Some(1750)),
            ],
            "settled": null, "state": "dispatching",
        });
        let told = "had an answer: 001, 002 sent; 014 refused (1750), now dispatching";
        assert_eq!(summary(EventKind::DispatchAnswered, &detail), told);
    }
}
