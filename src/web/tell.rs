//! Audit entries in plain words. What people and agents wrote stays apart from our own words, so
//! that nobody can make an entry say something else.

use serde_json::Value;

use crate::domain::{
    Time,
    action::counted,
    audit::{AuditEntry, EventKind},
};

/// An audit entry as a person reads it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Its place in the chain.
    pub(super) seq: u64,
    /// When.
    pub(super) at: Time,
    /// [`EventKind::name`].
    pub(super) kind: String,
    /// What the actor is, where the name does not say.
    pub(super) actor_kind: &'static str,
    /// Who.
    pub(super) actor: String,
    /// The request.
    pub(super) request: Option<String>,
    /// What was acted on.
    pub(super) target: Option<String>,
    /// What happened.
    pub(super) what: String,
    /// What somebody wrote, or a reason.
    pub(super) words: String,
    /// Everything else, as stored.
    pub(super) detail: String,
}

/// Puts an entry into words.
pub(super) fn tell(entry: AuditEntry) -> Told {
    let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
    let (what, words) = match EventKind::parse(&entry.kind) {
        Some(kind) => (what(kind, &detail), words(kind, &detail)),
        None => (entry.kind.clone(), String::new()),
    };
    let actor_kind = match entry.actor_kind.as_str() {
        "agent" => "agent",
        "unknown" => "somebody who said",
        _ => "",
    };
    Told {
        seq: entry.seq,
        at: Time::from_timestamp_micros(entry.at_us).unwrap_or_default(),
        kind: entry.kind,
        actor_kind,
        actor: entry.actor_name,
        request: entry.request,
        target: entry.target,
        what,
        words,
        detail: entry.detail,
    }
}

fn what(kind: EventKind, detail: &Value) -> String {
    let state = text(detail, "state");
    match kind {
        EventKind::ProposalRefused => "sent a proposal that was refused".to_owned(),
        EventKind::RequestAsked => format!("asked: {}, now {state}", ruling(detail)),
        EventKind::VoteApproved => format!("approved, now {state}"),
        EventKind::RequestRejected => "rejected it".to_owned(),
        EventKind::VoteRetracted => format!("took the approval back, now {state}"),
        EventKind::VoteRefused => format!("tried to {} and was refused", text(detail, "verb")),
        EventKind::RequestCancelled => "cancelled it".to_owned(),
        EventKind::RequestExpired => "its time ran out".to_owned(),
        EventKind::RequestRedecided => {
            format!("asked policy again: {}, now {state}", ruling(detail))
        }
        EventKind::RequestWithdrawn => "withdrew it".to_owned(),
        EventKind::DispatchClaimed | EventKind::DispatchResumed => attempt(detail),
        EventKind::DispatchHeld => "cannot send it yet".to_owned(),
        EventKind::DispatchAnswered => format!("the call ended{}, now {state}", outcomes(detail)),
        EventKind::DispatchRecovered => {
            format!("started again and closed what was under way{}", outcomes(detail))
        }
        EventKind::SignedIn if flag(detail, "password_given_again") => {
            "gave the password again".to_owned()
        }
        EventKind::SignedIn => "signed in".to_owned(),
        EventKind::SignInRefused => "could not sign in".to_owned(),
        EventKind::SignedOut => "signed out".to_owned(),
        EventKind::PersonAdded => format!("added a person as {}", text(detail, "role")),
        EventKind::PersonDisabled => "disabled a person".to_owned(),
        EventKind::PasswordReset => "set a person's password".to_owned(),
        EventKind::PasswordChanged => "changed the own password".to_owned(),
        EventKind::AgentAdded => format!("added an agent of {}", text(detail, "owner")),
        EventKind::AgentRevoked => "revoked an agent's token".to_owned(),
        EventKind::Frozen => "threw the kill switch".to_owned(),
        EventKind::Unfrozen => "released the kill switch".to_owned(),
        EventKind::PolicyActivated => "made a policy set the active one".to_owned(),
        EventKind::PolicyRefused => "tried a policy set that was refused".to_owned(),
        EventKind::Started => "started".to_owned(),
        EventKind::AuditRead => format!("read the audit, {} rows", number(detail, "rows")),
    }
}

/// Which part of the detail are words that somebody wrote, or a reason.
fn words(kind: EventKind, detail: &Value) -> String {
    let decision = detail.get("decision").unwrap_or(&Value::Null);
    match kind {
        EventKind::RequestAsked => text(decision, "why"),
        EventKind::VoteApproved => text(detail, "comment"),
        EventKind::RequestRedecided => text(detail, "cause"),
        EventKind::DispatchAnswered => text(detail, "answer"),
        EventKind::RequestRejected
        | EventKind::RequestCancelled
        | EventKind::RequestExpired
        | EventKind::Frozen
        | EventKind::Unfrozen => text(detail, "reason"),
        EventKind::RequestWithdrawn => {
            let reason = text(detail, "reason");
            if reason.is_empty() { text(decision, "why") } else { reason }
        }
        EventKind::ProposalRefused
        | EventKind::VoteRefused
        | EventKind::DispatchHeld
        | EventKind::DispatchResumed
        | EventKind::PolicyRefused => text(detail, "why"),
        EventKind::VoteRetracted
        | EventKind::DispatchClaimed
        | EventKind::DispatchRecovered
        | EventKind::SignedIn
        | EventKind::SignInRefused
        | EventKind::SignedOut
        | EventKind::PersonAdded
        | EventKind::PersonDisabled
        | EventKind::PasswordReset
        | EventKind::PasswordChanged
        | EventKind::AgentAdded
        | EventKind::AgentRevoked
        | EventKind::PolicyActivated
        | EventKind::Started
        | EventKind::AuditRead => String::new(),
    }
}

/// What policy answered: "policy wants 2 people, one of them a senior or lead".
fn ruling(detail: &Value) -> String {
    let decision = detail.get("decision").unwrap_or(&Value::Null);
    match text(decision, "verdict").as_str() {
        "run" => "policy lets it run".to_owned(),
        "approval" => format!("policy wants {}", text(decision, "needs")),
        _ => "policy does not let it run".to_owned(),
    }
}

fn attempt(detail: &Value) -> String {
    match detail.get("attempt") {
        Some(attempt) if attempt.is_object() => {
            let endpoints = attempt.get("endpoints").and_then(Value::as_array).map_or(0, Vec::len);
            let endpoints = counted(u64::try_from(endpoints).unwrap_or(0), "endpoint");
            let before = number(attempt, "number");
            format!("wrote down call {before} for {endpoints}, then made it")
        }
        Some(_) | None => "gave up waiting; nothing more is sent".to_owned(),
    }
}

fn outcomes(detail: &Value) -> String {
    let all = ["settled", "outcomes"].into_iter().find_map(|key| detail.get(key)?.as_array());
    let all = all.map(Vec::as_slice).unwrap_or_default();
    let part = |(name, words): (&str, &str)| {
        let number = all.iter().filter(|one| text(one, "outcome") == name).count();
        (number > 0).then(|| format!("{number} {words}"))
    };
    let parts: Vec<_> = [
        ("sent", "sent"),
        ("refused", "refused by the manager"),
        ("not_sent", "not sent"),
        ("unknown", "unknown"),
    ]
    .into_iter()
    .filter_map(part)
    .collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

fn text(detail: &Value, key: &str) -> String {
    detail.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(detail: &Value, key: &str) -> u64 {
    detail.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn flag(detail: &Value, key: &str) -> bool {
    detail.get(key).and_then(Value::as_bool).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn our_words_and_those_of_others_stay_apart() {
        let detail = json!({ "reason": "approved, now settled", "state": "rejected" });
        assert_eq!(what(EventKind::RequestRejected, &detail), "rejected it");
        assert_eq!(words(EventKind::RequestRejected, &detail), "approved, now settled");
    }

    #[test]
    fn an_answered_call_says_what_became_of_its_endpoints() {
        let outcome = |name: &str| json!({ "endpoint": "001", "outcome": name });
        let detail = json!({
            "outcomes": [outcome("sent"), outcome("sent"), outcome("refused")],
            "settled": null, "state": "dispatching",
        });
        let told = "the call ended: 2 sent, 1 refused by the manager, now dispatching";
        assert_eq!(what(EventKind::DispatchAnswered, &detail), told);
    }
}
