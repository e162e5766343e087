//! What the model is told: what happened, and what to do next.

use std::collections::BTreeMap;

use super::LISTED_ENDPOINTS_MAX;
use crate::{
    broker::submit::NOTHING_LEFT,
    domain::{
        action::counted,
        decision::{Decision, Tally, Verdict},
        endpoint::{EndpointId, SkipReason},
        request::{Outcome, Request, State},
    },
};

const WAIT: &str = "Do not ask again; call wait_for_decision.";

pub(super) fn of(request: &Request) -> String {
    match &request.state {
        State::Pending => pending(request),
        State::Approved { .. } => approved(request),
        State::Dispatching { .. } => format!("It is being sent to the manager now. {WAIT}"),
        State::Settled { .. } => settled(request),
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

fn pending(request: &Request) -> String {
    let needed = match request.decision.verdict {
        Verdict::Approval(least) => {
            format!(" Needed: {least}; approved so far: {}.", request.decision.tally)
        }
        Verdict::Run | Verdict::Deny => String::new(),
    };
    let skipped = skipped(request);
    format!("Waiting for an analyst. {WAIT}{needed} Nothing was sent so far.{skipped}")
}

fn approved(request: &Request) -> String {
    let by = if request.decision.tally == Tally::NONE {
        "Policy lets it run without people"
    } else {
        "People approved it"
    };
    let held = if request.held_because.is_some() {
        " It cannot be sent at the moment; held_because says why."
    } else {
        ""
    };
    format!("{by}; it is about to be sent. {WAIT}{held}{}", skipped(request))
}

fn denied(request: &Request) -> String {
    let skipped = skipped(request);
    let decision = &request.decision;
    let nothing_left = decision.reasons.iter().any(|reason| reason.policy == NOTHING_LEFT);
    if nothing_left && decision.errors.is_empty() {
        return format!(
            "There is no endpoint that it could run on. Nothing was sent. Do not ask again before \
             that has changed; tell the user.{skipped}"
        );
    }
    let why = why(decision);
    format!(
        "Policy refuses it: {why}. Nothing was sent. Do not ask again, in these or other words; \
         tell the user.{skipped}"
    )
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

fn settled(request: &Request) -> String {
    let has = |wanted: fn(&Outcome) -> bool| {
        request.targets.iter().filter_map(|target| target.outcome.as_ref()).any(wanted)
    };
    let sent = has(|outcome| matches!(outcome, Outcome::Sent));
    let unknown = has(|outcome| matches!(outcome, Outcome::Unknown { .. }));
    let mut message = format!("{}: {}.", request.effect(), summary(request));
    if sent {
        message.push_str(" Sent means that the manager queued it, not that it ran.");
    }
    if unknown {
        message.push_str(
            " Unknown means that it may or may not have run: do not repeat it there; tell the \
             user that a person has to check.",
        );
    }
    if !sent && !unknown {
        message.push_str(" Nothing was sent. Tell the user before you ask for anything else.");
    }
    message
}

/// Every endpoint by what became of it: "006, 009 sent; 004, 005 not active".
fn summary(request: &Request) -> String {
    let mut groups = Groups::new();
    for target in &request.targets {
        let key = match &target.outcome {
            Some(Outcome::Sent) => (0, "sent".to_owned()),
            Some(Outcome::Refused { code: Some(code), .. }) => {
                (1, format!("refused by the manager (code {code})"))
            }
            Some(Outcome::Refused { code: None, .. }) => {
                (1, "not done, as a person found".to_owned())
            }
            Some(Outcome::NotSent { .. }) => (2, "not sent".to_owned()),
            Some(Outcome::Unknown { .. }) => (3, "unknown".to_owned()),
            Some(Outcome::Confirmed(_)) => (0, "confirmed".to_owned()),
            Some(Outcome::Unconfirmed { .. }) => (3, "unconfirmed".to_owned()),
            Some(Outcome::Ended { .. }) => (0, "ended".to_owned()),
            Some(Outcome::Reverted { .. }) => (0, "reverted".to_owned()),
            None => (4, "without an outcome".to_owned()),
        };
        groups.entry(key).or_default().push(&target.endpoint.id);
    }
    add_skipped(&mut groups, request);
    said(&groups)
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
            return format!("{} {label}", counted(count, "endpoint"));
        }
        let ids: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
        format!("{} {label}", ids.join(", "))
    };
    groups.iter().map(group).collect::<Vec<_>>().join("; ")
}
