//! Audit entries in plain words: the same sentence on the page, in the terminal, in the demo.

use serde_json::Value;

use super::{
    action::counted,
    audit::{AuditEntry, EventKind},
};

impl AuditEntry {
    /// What happened, without the time: "alice approved: pending".
    ///
    /// It holds text from outside, so whoever shows it must make it visible first.
    pub fn sentence(&self) -> String {
        let Some(kind) = EventKind::parse(&self.kind) else { return self.kind.clone() };
        let detail: Value = serde_json::from_str(&self.detail).unwrap_or(Value::Null);
        let what = Words { entry: self, detail: &detail };
        format!("{} {}", self.actor_name, what.of(kind))
    }
}

struct Words<'a> {
    entry: &'a AuditEntry,
    detail: &'a Value,
}

impl Words<'_> {
    fn of(&self, kind: EventKind) -> String {
        let target = self.entry.target.as_deref().unwrap_or("");
        let (state, why, reason) = (self.text("/state"), self.text("/why"), self.text("/reason"));
        match kind {
            EventKind::ProposalRefused => format!("sent no sound proposal: {why}"),
            EventKind::RequestAsked => self.asked(state),
            EventKind::VoteApproved => format!("approved{}: {state}", self.said("/comment")),
            EventKind::RequestRejected => format!("rejected{}", self.said("/reason")),
            EventKind::VoteRetracted => format!("took the approval back: {state}"),
            EventKind::VoteRefused => {
                format!("tried to {} and was refused: {why}", self.text("/verb"))
            }
            EventKind::RequestCancelled => format!("cancelled{}", self.said("/reason")),
            EventKind::RequestExpired => format!("let it expire: {reason}"),
            EventKind::RequestRedecided => {
                format!("asked policy again ({}): {state}", self.text("/cause"))
            }
            EventKind::RequestWithdrawn => {
                format!("withdrew it: {reason}{}", self.text("/decision/why"))
            }
            EventKind::DispatchClaimed => format!(
                "claimed it; attempt {} for {}",
                self.number("/attempt/number"),
                self.endpoints("/attempt/endpoints")
            ),
            EventKind::DispatchHeld => format!("cannot send it yet: {why}"),
            EventKind::DispatchAnswered => self.answered(),
            EventKind::DispatchResumed if why.is_empty() => {
                format!("goes on; attempt {}", self.number("/attempt/number"))
            }
            EventKind::DispatchResumed => format!("gave up: {why}"),
            EventKind::DispatchRecovered => {
                format!("found it half sent after a restart: {}", self.outcomes("/outcomes"))
            }
            EventKind::SignedIn => "signed in".to_owned(),
            EventKind::SignInRefused => "could not sign in".to_owned(),
            EventKind::SignedOut => "signed out".to_owned(),
            EventKind::PersonAdded => format!("added {target} as {}", self.text("/role")),
            EventKind::PersonDisabled => format!("disabled {target}"),
            EventKind::PasswordReset => format!("reset the password of {target}"),
            EventKind::PasswordChanged => "changed the password".to_owned(),
            EventKind::AgentAdded => format!("added the agent {target} of {}", self.text("/owner")),
            EventKind::AgentRevoked => format!("revoked the token of the agent {target}"),
            EventKind::Frozen => format!("threw the kill switch: {reason}"),
            EventKind::Unfrozen => format!("released the kill switch: {reason}"),
            EventKind::PolicyActivated => self.activated(target),
            EventKind::PolicyRefused => format!("was refused a policy set: {why}"),
            EventKind::Started => format!("started, version {}", self.text("/version")),
            EventKind::AuditRead => "read the audit".to_owned(),
        }
    }

    fn asked(&self, state: &str) -> String {
        let why = match self.text("/decision/needs") {
            "" => self.text("/decision/why").to_owned(),
            needs => format!("needs {needs}"),
        };
        format!("asked: {}: {state}: {why}", self.text("/effect"))
    }

    fn answered(&self) -> String {
        let settled = self.detail.get("settled").is_some_and(Value::is_array);
        match self.outcomes(if settled { "/settled" } else { "/outcomes" }).as_str() {
            "" => format!("had an answer: {}", self.text("/answer")),
            outcomes => format!("had an answer: {outcomes}"),
        }
    }

    fn activated(&self, hash: &str) -> String {
        let prefix: String = hash.chars().take(12).collect();
        format!("activated the policy set {prefix}: {}", counted(self.number("/policies"), "rule"))
    }

    fn number(&self, pointer: &str) -> u64 {
        self.detail.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
    }

    fn text(&self, pointer: &str) -> &str {
        self.detail.pointer(pointer).and_then(Value::as_str).unwrap_or("")
    }

    fn said(&self, pointer: &str) -> String {
        let text = self.text(pointer);
        if text.is_empty() { String::new() } else { format!(" (“{text}”)") }
    }

    fn endpoints(&self, pointer: &str) -> String {
        let list = self.detail.pointer(pointer).and_then(Value::as_array);
        let ids: Vec<_> = list.into_iter().flatten().filter_map(Value::as_str).collect();
        if ids.len() > 12 { format!("{} endpoints", ids.len()) } else { ids.join(", ") }
    }

    /// "001, 002 sent; 009 refused (1750)".
    fn outcomes(&self, pointer: &str) -> String {
        let list = self.detail.pointer(pointer).and_then(Value::as_array);
        let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
        for item in list.into_iter().flatten() {
            let part = |name| item.get(name).and_then(Value::as_str).unwrap_or("");
            let word = part("outcome").replace('_', " ");
            let outcome = match item.get("code").and_then(Value::as_u64) {
                Some(code) => format!("{word} ({code})"),
                None => word,
            };
            match groups.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, ids)) => ids.push(part("endpoint")),
                None => groups.push((outcome, vec![part("endpoint")])),
            }
        }
        let spoken = groups.iter().map(|(outcome, ids)| match ids.len() {
            0..=12 => format!("{} {outcome}", ids.join(", ")),
            many => format!("{many} endpoints {outcome}"),
        });
        spoken.collect::<Vec<_>>().join("; ")
    }
}
