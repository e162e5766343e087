//! What the model is told: what happened, and what to do next.

use std::collections::BTreeMap;

use chrono::SecondsFormat;

use super::{active_response::already_text, halt::for_agents};
use crate::domain::{
    action::{ActionKind, with_count},
    active_response::AlreadyActive,
    decision::{Decision, NOTHING_LEFT, Tally, Verdict},
    endpoint::{EndpointId, SkipReason},
    halt::HaltCause,
    id::RequestId,
    request::{Outcome, Proof, Request, State},
};

/// More endpoints than this are counted instead of listed.
pub const LISTED_ENDPOINTS_MAX: usize = 50;
/// What is active on more endpoints than this is left to the structured part.
const SAID_MAX: usize = 3;
const WAIT: &str = "Do not ask again; call wait_for_decision.";

const AWAY: &str = "Endpoints that were away get it once they are back, until expires_at; when_back \
                    names the request of each.";
const LATER: &str = "Do not ask again and do not wait; tell the user, and call get_request later.";

/// What comes before the message of a request that was answered for another ask.
pub(crate) const STANDS: &str = "What you ask for is active already and rests on this earlier \
                                 request of yours. Nothing was stored or sent now: it would add \
                                 nothing.";

/// What keeps a request that may run from being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The kill switch stops it.
    KillSwitch,
    /// Nothing is sent.
    Halt(HaltCause),
    /// Its manager is not called at the moment.
    Outage,
}

/// The same without the addresses of outside systems, which are none of an agent's business: what
/// says that the manager main at such an address does not answer names the manager alone.
pub fn without_addresses(text: &str) -> String {
    let mut parts = text.split(" at http");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, rest| {
        let end = rest.find(|c: char| c.is_whitespace() || ";,".contains(c)).unwrap_or(rest.len());
        shown + rest.get(end..).unwrap_or_default()
    })
}

impl Obstacle {
    /// What it is and how it ends.
    const fn text(self) -> &'static str {
        match self {
            Self::KillSwitch => {
                "The kill switch keeps it from being sent; people release it, or nothing is sent \
                 before its time runs out. Tell the user."
            }
            Self::Halt(cause) => for_agents(cause),
            Self::Outage => {
                "Something keeps Countersign from sending at the moment; troubles says what. It \
                 goes on by itself: nothing needs to be asked again."
            }
        }
    }
}

/// `looks`: whether somebody looks for the endpoints' own alerts.
pub(crate) fn message(request: &Request, looks: bool, obstacle: Option<Obstacle>) -> String {
    match &request.state {
        State::Pending => pending(request, obstacle),
        State::Approved { .. } => format!("{}{}", approved(request, obstacle), skipped(request)),
        State::Dispatching { .. } => match obstacle {
            None => format!("It is being sent to the manager now. {WAIT}"),
            Some(obstacle) => format!(
                "Its sending has begun; some of it may have been sent. {} {WAIT}",
                obstacle.text()
            ),
        },
        State::Waiting { .. } if request.parent().is_some() => format!(
            "Its endpoint is away. Once it is back, policy is asked again and it is sent, until \
             expires_at. {LATER}"
        ),
        State::Waiting { .. } => format!("{} {AWAY} {LATER}", settled(request, looks)),
        State::Settled { .. } => settled(request, looks),
        State::Denied { .. } => denied(request),
        State::Rejected { .. } => "An analyst rejected it; ended.reason has the analyst's words. \
                                   Nothing was sent. Do not ask again; tell the user."
            .to_owned(),
        State::Cancelled { .. } => "It was taken back. Nothing was sent.".to_owned(),
        State::Expired { .. } => "Its time ran out before it was sent; ended.reason says which. \
                                  Nothing was sent. Tell the user; ask again only if the user \
                                  still wants it."
            .to_owned(),
        State::Withdrawn { .. } => "Policy or the endpoints changed while it was open, and it may \
                                    no longer run; ended.reason says why. Nothing was sent. Do \
                                    not ask again; tell the user."
            .to_owned(),
    }
}

/// What would become of a proposal that was not asked for, or the open request that it repeats.
pub(crate) fn dry_run(request: &Request, repeats: Option<RequestId>) -> String {
    let decision = &request.decision;
    let nothing_left = decision.reasons.iter().any(|reason| reason.policy == NOTHING_LEFT);
    let answer = match decision.verdict {
        Verdict::Run => "Policy would let it run without people.".to_owned(),
        Verdict::Approval(least) => format!("It would wait for people: {least}."),
        Verdict::Deny if nothing_left => {
            "There is no endpoint that it could run on; decision.policies says why.".to_owned()
        }
        Verdict::Deny => format!("Policy would refuse it: {}.", why(decision)),
    };
    format!(
        "Dry run: nothing was asked, stored or sent, and it does not count as a refusal. {answer}{}{} \
         {}",
        limited(request),
        skipped(request),
        match repeats {
            None => "To ask, call again without dry_run.".to_owned(),
            Some(open) =>
                format!("You asked for this already: an ask would give you {open} again."),
        },
    )
}

/// What is active already, a sentence for each of the first endpoints; none where nothing is.
pub(crate) fn already_active(kind: ActionKind, met: &[AlreadyActive]) -> Option<String> {
    let mut sentences: Vec<String> = Vec::new();
    for met in met {
        let sentence = already_text(kind, met);
        if sentences.len() >= SAID_MAX {
            sentences.push("already_active has the other endpoints.".to_owned());
            break;
        }
        sentences.push(sentence);
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn pending(request: &Request, obstacle: Option<Obstacle>) -> String {
    let needed = match request.decision.verdict {
        Verdict::Approval(least) => {
            format!(" Needed: {least}; approved so far: {}.", request.decision.tally)
        }
        Verdict::Run | Verdict::Deny => String::new(),
    };
    let skipped = skipped(request);
    let limited = limited(request);
    let stopped = obstacle.map(|obstacle| format!(" {}", obstacle.text())).unwrap_or_default();
    format!(
        "Waiting for an analyst. {WAIT}{needed}{limited} Nothing was sent so far.{stopped}{skipped}"
    )
}

fn approved(request: &Request, obstacle: Option<Obstacle>) -> String {
    let by = if request.decision.tally == Tally::NONE {
        "Policy lets it run without people"
    } else {
        "People approved it"
    };
    let next = match obstacle {
        Some(obstacle) => obstacle.text(),
        None if request.held_because.is_some() => {
            "It cannot be sent at the moment; held_because says why. It is tried again by itself."
        }
        None => return format!("{by}; it is about to be sent. {WAIT}"),
    };
    format!("{by}. {next} {WAIT}")
}

fn denied(request: &Request) -> String {
    let skipped = skipped(request);
    let decision = &request.decision;
    let nothing_left = decision.reasons.iter().any(|reason| reason.policy == NOTHING_LEFT);
    if nothing_left && decision.errors.is_empty() && request.undoes.is_some() {
        return format!(
            "It cannot be undone through Wazuh on any endpoint at the moment; decision.policies \
             says why, and what to do by hand. Nothing was sent. Tell the user; do not ask again \
             before that has changed.{skipped}"
        );
    }
    if nothing_left && decision.errors.is_empty() {
        return format!(
            "There is no endpoint that it could run on; decision.policies says why. Nothing was \
             sent. Do not ask again before that has changed; tell the user.{skipped}"
        );
    }
    let (why, limited) = (why(decision), limited(request));
    let again = if limited.is_empty() { "" } else { " before that" };
    format!(
        "Policy refuses it: {why}.{limited} Nothing was sent. Do not ask again{again}, in these or \
         other words; tell the user.{skipped}"
    )
}

/// That policy answers more strictly for what the agent did before, and until when.
fn limited(request: &Request) -> String {
    let Some(limit) = request.history.as_ref().and_then(|history| history.limit) else {
        return String::new();
    };
    let ends = limit.ends.map_or_else(
        || "ends when people have decided what you have open".to_owned(),
        |ends| {
            format!(
                "ends at {} if nothing is added",
                ends.to_rfc3339_opts(SecondsFormat::Secs, true)
            )
        },
    );
    format!(" This rests on what was asked for and refused before; it {ends}.")
}

/// The policies' reasons. What a failed evaluation says may repeat text from outside, and is the
/// auditor's to read.
fn why(decision: &Decision) -> String {
    if !decision.errors.is_empty() {
        return "policy could not be evaluated, and that means no".to_owned();
    }
    let reasons = decision.reasons.iter().map(|reason| reason.why.trim_end_matches('.'));
    match reasons.collect::<Vec<_>>().as_slice() {
        [] => "no policy allows it".to_owned(),
        reasons => reasons.join("; "),
    }
}

fn settled(request: &Request, looks: bool) -> String {
    let mut message = format!("{}: {}.", request.effect(), summary(request));
    let mut told = Vec::new();
    for outcome in request.targets.iter().filter_map(|target| target.outcome.as_ref()) {
        let meaning = meaning(outcome, looks);
        if !meaning.is_empty() && !told.contains(&meaning) {
            told.push(meaning);
        }
    }
    for meaning in &told {
        message.push(' ');
        message.push_str(meaning);
    }
    if told.is_empty() {
        message.push_str(" Nothing was sent. Tell the user before you ask for anything else.");
    }
    if request.targets.iter().any(|target| target.doubt.is_some()) {
        message.push_str(
            " Something speaks against its effect; doubt of the endpoint says what: tell the user.",
        );
    }
    message
}

/// What an outcome says and does not say; empty where surely nothing was sent.
fn meaning(outcome: &Outcome, looks: bool) -> &'static str {
    match outcome {
        Outcome::Refused { code: Some(_), .. } | Outcome::NotSent { .. } => "",
        Outcome::Refused { code: None, .. } => {
            "A person found that it was not done; detail has that person's words. Tell the user \
             before you ask for anything else."
        }
        Outcome::Sent if looks => {
            "Sent means that the manager queued it, not that it ran. The endpoint's own alert is \
             still looked for: call get_request later."
        }
        Outcome::Sent => {
            "Sent means that the manager queued it, not that it ran. Nothing checked whether it ran: \
             Countersign has no indexer to look in."
        }
        Outcome::Unknown { .. } => {
            "Unknown means that it may or may not have run: do not repeat it there; tell the user \
             that a person has to check."
        }
        Outcome::Confirmed(Proof::Alert(_)) => {
            "Confirmed means that the endpoint's own alert shows that the script started there, not \
             that it had its effect."
        }
        Outcome::Verified(_) => {
            "Verified means that the endpoint's own script did it and read back that it is so."
        }
        Outcome::Confirmed(Proof::Person(_)) => {
            "Confirmed by a person means that somebody looked; detail has that person's words."
        }
        Outcome::Unconfirmed { .. } if outcome.nobody_looked() => {
            "WARNING: unconfirmed means here that it was sent and nobody could look whether it \
             started; detail says why. Do not rely on it. Tell the user now that a person has to \
             check; do not repeat it."
        }
        Outcome::Unconfirmed { .. } => {
            "WARNING: unconfirmed means that it was sent and nobody saw it start: do not rely on \
             it. Tell the user now that a person has to check; do not repeat it."
        }
        Outcome::Ended { seen: Some(_) } => {
            "Ended (seen) means that its time is over and the endpoint's own alert shows that it \
             was taken back."
        }
        Outcome::Ended { seen: None } => {
            "Ended (not seen) means that its time is over and it should have ended; nobody saw it."
        }
        Outcome::Reverted { seen: Some(_), .. } => {
            "Reverted (seen) means that an undo was sent and the endpoint's own alert shows that it \
             was taken back."
        }
        Outcome::Reverted { seen: None, .. } => {
            "Reverted (not seen) means that an undo was sent; nobody saw it work."
        }
    }
}

/// Every endpoint by what became of it: "006, 009 sent; 004, 005 not active".
fn summary(request: &Request) -> String {
    let mut groups = Groups::new();
    for target in &request.targets {
        let (rank, label) = target.outcome.as_ref().map_or((4, "without an outcome"), label);
        let label = match target.outcome.as_ref().and_then(Outcome::code) {
            Some(code) => format!("{label} (code {code})"),
            None => label.to_owned(),
        };
        groups.entry((rank, label)).or_default().push(&target.endpoint.id);
    }
    add_skipped(&mut groups, request);
    said(&groups)
}

const fn label(outcome: &Outcome) -> (u8, &'static str) {
    match outcome {
        Outcome::Sent => (0, "sent"),
        Outcome::Confirmed(Proof::Alert(_)) => (0, "confirmed"),
        Outcome::Confirmed(Proof::Person(_)) => (0, "confirmed by a person"),
        Outcome::Verified(_) => (0, "verified"),
        Outcome::Ended { seen: Some(_) } => (0, "ended (seen)"),
        Outcome::Ended { seen: None } => (0, "ended (not seen)"),
        Outcome::Reverted { seen: Some(_), .. } => (0, "reverted (seen)"),
        Outcome::Reverted { seen: None, .. } => (0, "reverted (not seen)"),
        Outcome::Refused { code: Some(_), .. } => (1, "refused by the manager"),
        Outcome::Refused { code: None, .. } => (1, "not done, as a person found"),
        Outcome::NotSent { .. } => (2, "not sent"),
        Outcome::Unknown { .. } => (3, "unknown"),
        Outcome::Unconfirmed { .. } => (3, "UNCONFIRMED"),
    }
}

fn skipped(request: &Request) -> String {
    let mut groups = Groups::new();
    add_skipped(&mut groups, request);
    if groups.is_empty() { String::new() } else { format!(" Left out: {}.", said(&groups)) }
}

/// Ids by rank and label.
type Groups<'a> = BTreeMap<(u8, String), Vec<&'a EndpointId>>;

fn add_skipped<'a>(groups: &mut Groups<'a>, request: &'a Request) {
    for skipped in &request.skipped {
        let (rank, label) = match &skipped.reason {
            SkipReason::NotActive(_) => (5, "not active"),
            SkipReason::Unreadable(_) => (5, "whose row at the manager cannot be read"),
            SkipReason::TooOld(_) => (6, "too old for responses"),
            SkipReason::SwitchedOff(_) => (6, "with responses switched off"),
            SkipReason::NoCommand(_) => (7, "without a command for this"),
            SkipReason::NotConfigured(_) => (7, "whose manager lacks the command"),
            SkipReason::Policy(_) => (8, "kept out by policy"),
        };
        groups.entry((rank, label.to_owned())).or_default().push(&skipped.endpoint.id);
    }
}

fn said(groups: &Groups<'_>) -> String {
    let group = |((_, label), ids): (&(u8, String), &Vec<&EndpointId>)| {
        if ids.len() > LISTED_ENDPOINTS_MAX {
            let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
            return format!("{} {label}", with_count(count, "endpoint"));
        }
        let ids: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
        format!("{} {label}", ids.join(", "))
    };
    groups.iter().map(group).collect::<Vec<_>>().join("; ")
}
