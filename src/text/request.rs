//! Plain words for what the page shows: time that is left, states, outcomes.

use std::{collections::BTreeMap, time::Duration};

use crate::domain::{
    Time,
    action::with_count,
    decision::{Decision, Verdict},
    request::{Counts, Outcome, Request, State, StateName, Target},
};

/// How long something takes: "43 seconds", "12 minutes", "2 h 5 min", "3 days".
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => with_count(seconds, "second"),
        60..3600 => with_count(seconds / 60, "minute"),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => with_count(seconds / 86_400, "day"),
    }
}

/// How long it is until a moment: "12 minutes left", "no time left".
pub(crate) fn time_left(until: Time, now: Time) -> String {
    match (until - now).to_std() {
        Ok(time) if time.as_secs() > 0 => format!("{} left", duration(time)),
        Ok(_) | Err(_) => "no time left".to_owned(),
    }
}

/// Where a request stands, in one sentence.
pub(crate) fn status(request: &Request) -> String {
    match &request.state {
        State::Pending => "It is waiting for people. Nothing has been sent.".to_owned(),
        State::Approved { .. } => {
            "It may run and is waiting for the worker. Nothing has been sent.".to_owned()
        }
        State::Dispatching { .. } => "It is being sent to the manager.".to_owned(),
        State::Waiting { .. } if request.parent().is_some() => {
            "Its endpoint is away. It is decided again, and sent, once the endpoint is back."
                .to_owned()
        }
        State::Waiting { .. } => format!(
            "Some endpoints were away; a request for each waits until they are back. {}.",
            outcomes(request.targets.iter().map(known))
        ),
        State::Settled { .. } => {
            format!(
                "Nothing further will be sent. {}.",
                outcomes(request.targets.iter().map(known))
            )
        }
        State::Denied { .. } => "Policy denied it. Nothing was sent.".to_owned(),
        State::Rejected { by, .. } => format!("{by} rejected it. Nothing was sent."),
        State::Cancelled { by, .. } => format!("{by} cancelled it. Nothing was sent."),
        State::Expired { .. } => "Its time ran out. Nothing was sent.".to_owned(),
        State::Withdrawn { .. } => {
            "Policy or facts changed and no longer allow it. Nothing was sent.".to_owned()
        }
    }
}

/// A state in a word or two.
pub(crate) const fn state_words(state: StateName) -> &'static str {
    match state {
        StateName::Pending => "waits for people",
        StateName::Approved => "approved, not sent yet",
        StateName::Dispatching => "being sent",
        StateName::Waiting => "waits for endpoints",
        StateName::Settled => "done",
        StateName::Denied => "denied by policy",
        StateName::Rejected => "rejected",
        StateName::Cancelled => "taken back",
        StateName::Expired => "time ran out",
        StateName::Withdrawn => "no longer allowed",
    }
}

/// What was said when it ended, in words that may be from outside; empty where nothing was said.
pub(crate) fn ending(state: &State) -> &str {
    match state {
        State::Pending
        | State::Approved { .. }
        | State::Dispatching { .. }
        | State::Waiting { .. }
        | State::Settled { .. }
        | State::Denied { .. } => "",
        State::Rejected { reason, .. }
        | State::Cancelled { reason, .. }
        | State::Expired { reason, .. }
        | State::Withdrawn { reason, .. } => reason,
    }
}

/// When it came into a state that ends it, or until when it may stay in this one.
pub(crate) fn ended_at(state: &State) -> Option<Time> {
    match state {
        State::Pending
        | State::Approved { .. }
        | State::Dispatching { .. }
        | State::Waiting { .. } => None,
        State::Settled { at }
        | State::Denied { at }
        | State::Rejected { at, .. }
        | State::Cancelled { at, .. }
        | State::Expired { at, .. }
        | State::Withdrawn { at, .. } => Some(*at),
    }
}

/// What policy says, in one sentence: the outcome for the request as it is.
pub(crate) fn verdict(decision: &Decision) -> String {
    match decision.verdict {
        Verdict::Run if decision.break_glass => format!(
            "The glass was broken: it runs without the missing approvals. It has {}.",
            decision.tally
        ),
        Verdict::Run if decision.tally.people == 0 => "Policy lets it run without approval.".into(),
        Verdict::Run => "Policy lets it run with the approvals that it has.".to_owned(),
        Verdict::Approval(least) => format!("Policy lets it run once approved by {least}."),
        Verdict::Deny => "Policy does not let it run, even with approval.".to_owned(),
    }
}

/// What is still needed: "Needs 2 people, one of them a senior or lead; has 1 (alice)."
pub(crate) fn needed(decision: &Decision, names: &[&str]) -> String {
    let has = match names {
        [] => "has none yet".to_owned(),
        names => format!("has {} ({})", names.len(), names.join(", ")),
    };
    match decision.verdict {
        Verdict::Approval(least) => format!("Needs {least}; {has}."),
        Verdict::Run if names.is_empty() => "Needs no approval.".to_owned(),
        Verdict::Run if decision.break_glass => {
            format!("Needs no further approval: the glass was broken; {has}.")
        }
        Verdict::Run => format!("Needs no further approval; {has}."),
        Verdict::Deny => "It cannot be approved.".to_owned(),
    }
}

/// What is known of a target.
pub(crate) const fn known(target: &Target) -> Option<&Outcome> {
    target.outcome.as_ref()
}

/// Outcomes, counted, in the order of a life: "10 sent, 1 refused by the manager, 1 unknown".
pub(crate) fn outcomes<'a>(known: impl Iterator<Item = Option<&'a Outcome>>) -> String {
    let mut counts: BTreeMap<(usize, &str), u64> = BTreeMap::new();
    for outcome in known.flatten() {
        let place = Outcome::NAMES.iter().position(|name| *name == outcome.name());
        *counts.entry((place.unwrap_or(usize::MAX), outcome_word(outcome))).or_default() += 1;
    }
    let parts = counts.iter().map(|((_, word), count)| format!("{count} {word}"));
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { "No endpoint has an outcome yet".to_owned() } else { parts.join(", ") }
}

/// [`outcomes`] where only their numbers are known.
pub(crate) fn outcome_counts(counts: &Counts) -> String {
    let word = |name| match name {
        "refused" => "refused or not done",
        "not_sent" => "not sent",
        "reverted" => "taken back",
        other => other,
    };
    let parts = counts.reached().map(|(name, count)| format!("{count} {}", word(name)));
    parts.collect::<Vec<_>>().join(", ")
}

/// An outcome in plain words.
const fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Refused { code: Some(_), .. } => "refused by the manager",
        Outcome::Refused { code: None, .. } => "not done (a person checked)",
        Outcome::NotSent { .. } => "not sent",
        Outcome::Reverted { seen: None, .. } => "taken back, not seen",
        Outcome::Reverted { seen: Some(_), .. } => "taken back",
        Outcome::Sent
        | Outcome::Unknown { .. }
        | Outcome::Confirmed(_)
        | Outcome::Verified(_)
        | Outcome::Unconfirmed { .. }
        | Outcome::Ended { .. } => outcome.name(),
    }
}

/// Some of many names: "web-01, web-02, web-03 and 9 more".
pub(crate) fn some<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const NAMES_MAX: usize = 3;
    let more = names.len().saturating_sub(NAMES_MAX);
    let named = names.take(NAMES_MAX).collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

/// The first characters of a text, at most this many, and whether there are more.
pub(crate) fn start(text: &str, chars_max: usize) -> (&str, bool) {
    let end = text.char_indices().nth(chars_max).and_then(|(end, _)| text.get(..end));
    end.map_or((text, false), |start| (start, true))
}

/// Text of a form's field; blank is absent.
pub(crate) fn non_empty(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{actor::Role, decision::Tally, digest::Digest};

    #[test]
    fn time_reads_as_plain_words() {
        let say = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(say(1), "1 second");
        assert_eq!(say(125), "2 minutes");
        assert_eq!(say(7500), "2 h 5 min");
        assert_eq!(say(200_000), "2 days");
    }

    #[test]
    fn counted_outcomes_say_who_refused_and_what_was_seen() {
        let person = || Outcome::Refused { code: None, message: String::new() };
        let manager = Outcome::Refused { code: Some(1750), message: String::new() };
        let by = crate::domain::id::RequestId::from(uuid::Uuid::nil());
        let known = [person(), Outcome::Reverted { by, seen: None }, manager, Outcome::Sent];
        let said = outcomes(known.iter().map(Some).chain([None]));
        let refused = "1 not done (a person checked), 1 refused by the manager";
        assert_eq!(said, format!("1 sent, {refused}, 1 taken back, not seen"));
    }

    #[test]
    fn missing_approvals_name_people_who_approved() {
        let decision = Decision {
            verdict: Verdict::Approval(Tally::NONE.and(Role::Senior).and(Role::Analyst)),
            reasons: Vec::new(),
            errors: Vec::new(),
            kept_out: Vec::new(),
            policy_hash: Digest::ZERO,
            tally: Tally::NONE,
            break_glass: false,
            at: Time::UNIX_EPOCH,
        };
        let needs = "Needs 2 people, one of them a senior or lead; ";
        assert_eq!(needed(&decision, &[]), format!("{needs}has none yet."));
        assert_eq!(needed(&decision, &["alice"]), format!("{needs}has 1 (alice)."));
    }
}
