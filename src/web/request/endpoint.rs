//! One endpoint on a request's page: what is known of it in plain words, and its timeline.

use chrono::TimeDelta;

use super::shown::{Shown, needs_attention};
use crate::{
    domain::{
        Time,
        request::{Outcome, Proof, Request, Skipped, Target},
    },
    text::{request, timeline::EndpointTimeline},
    web::address,
};

/// Up to this many endpoints are shown with their timelines open.
const OPEN_MAX: usize = 3;

/// A conclusion that is so late was not drawn because the indexer could not be asked.
const OVERDUE: TimeDelta = TimeDelta::minutes(1);

/// An endpoint that takes part.
#[derive(Debug)]
pub(in crate::web) struct EndpointRow<'a> {
    pub(in crate::web) target: &'a Target,
    pub(in crate::web) timeline: &'a EndpointTimeline,
    /// In a word, for a badge; empty while nothing is known.
    pub(in crate::web) word: &'static str,
    /// In a sentence; empty where the word is enough.
    pub(in crate::web) means: &'static str,
    /// When it ends by itself, where that is still to come or is to be expected.
    pub(in crate::web) until: Option<Countdown>,
    /// Whether its timeline is shown at once.
    pub(in crate::web) open: bool,
    /// The address of the endpoint's own page.
    pub(in crate::web) page: String,
}

/// When a response ends by itself.
#[derive(Debug)]
pub(in crate::web) struct Countdown {
    pub(in crate::web) at: Time,
    pub(in crate::web) left: String,
}

/// An endpoint that was left out.
#[derive(Debug)]
pub(in crate::web) struct SkippedRow<'a> {
    pub(in crate::web) skipped: &'a Skipped,
    pub(in crate::web) timeline: &'a EndpointTimeline,
}

/// Those of the endpoints that take part which are shown, with their timelines.
pub(in crate::web) fn endpoint_rows<'a>(
    request: &'a Request,
    shown: &Shown,
    timelines: &'a [EndpointTimeline],
    now: Time,
) -> Vec<EndpointRow<'a>> {
    let few = request.targets.len() <= OPEN_MAX;
    let part = |(target, timeline): (&'a Target, &'a EndpointTimeline)| {
        let (word, means) = known(request, target, now);
        let ends = request.ends(target).filter(|_| target.outcome.as_ref().is_some_and(stands));
        let until = ends.map(|at| Countdown { at, left: request::time_left(at, now) });
        let open = few || needs_attention(target) || target.doubt.is_some();
        let page = address::endpoint(&request.manager, target.endpoint.id.as_str());
        EndpointRow { target, timeline, word, means, until, open, page }
    };
    let targets = shown.targets.iter().filter_map(|place| request.targets.get(*place));
    targets.zip(timelines).map(part).collect()
}

/// Those of the endpoints that were left out which are shown.
pub(in crate::web) fn skipped_rows<'a>(
    request: &'a Request,
    shown: &Shown,
    timelines: &'a [EndpointTimeline],
) -> Vec<SkippedRow<'a>> {
    let timelines = timelines.iter().skip(shown.targets.len());
    let skipped = shown.skipped.iter().filter_map(|place| request.skipped.get(*place));
    skipped.zip(timelines).map(|(skipped, timeline)| SkippedRow { skipped, timeline }).collect()
}

fn stands(outcome: &Outcome) -> bool {
    outcome.may_be_active()
}

/// What is known of an endpoint: a word, and a sentence that claims no more than is known.
fn known(request: &Request, target: &Target, now: Time) -> (&'static str, &'static str) {
    let Some(outcome) = &target.outcome else { return ("", "") };
    match outcome {
        Outcome::Sent if target.watch_until == request.ends(target) => {
            ("sent", "not checked: no indexer is configured")
        }
        Outcome::Sent if target.watch_until.is_some_and(|until| until + OVERDUE < now) => (
            "sent",
            "nobody could look for the endpoint's own alert so far: the indexer does not answer",
        ),
        Outcome::Sent => ("sent", "waiting for the endpoint's own alert"),
        Outcome::Refused { code: Some(_), .. } => ("refused by the manager", ""),
        Outcome::Refused { code: None, .. } => ("not done", "a person checked"),
        Outcome::NotSent { .. } => ("not sent", ""),
        Outcome::Unknown { .. } => ("unknown", "it may or may not have been sent"),
        // The script is one and the same, and so is the rule of the alert.
        Outcome::Confirmed(Proof::Alert(_)) if request.undoes.is_some() => (
            "confirmed",
            "the undo's command started on this endpoint; whether it lifted anything stands with the request that it takes back",
        ),
        Outcome::Confirmed(Proof::Alert(_)) => {
            ("confirmed", "the script started on this endpoint; whether it worked is not known")
        }
        Outcome::Verified(_) => {
            ("verified", "the endpoint's script did it, and read back that it is so")
        }
        Outcome::Confirmed(Proof::Person(_)) => ("confirmed", "a person checked: it was done"),
        Outcome::Unconfirmed { .. } if outcome.nobody_looked() => {
            ("unconfirmed", "sent, but nobody could look whether it started")
        }
        Outcome::Unconfirmed { .. } if outcome.undo_failed() => {
            ("unconfirmed", "it may still be there: its start is looked for again")
        }
        Outcome::Unconfirmed { .. } => ("unconfirmed", "sent, but nothing shows that it started"),
        Outcome::Ended { seen: Some(_) } => {
            ("ended (seen)", "the endpoint started to take it back")
        }
        Outcome::Ended { seen: None } => ("should have ended (not seen)", "its time is over"),
        Outcome::Reverted { seen: Some(_), .. } => {
            ("taken back (seen)", "the endpoint started to take it back")
        }
        Outcome::Reverted { seen: None, .. } => {
            ("taken back (not seen)", "the undo was sent, but nothing shows that it started")
        }
    }
}
