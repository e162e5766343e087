//! An outcome of one endpoint in our words.

use super::Severity;
use crate::domain::{
    actor::Role,
    request::{Outcome, Proof},
};

/// How an outcome was learnt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// From a call, evidence or another request.
    Broker,
    /// From an undo that it counted as taken back by before.
    Again,
    /// From the end of a wait for evidence.
    Wait {
        /// Whether evidence was looked for.
        looked: bool,
    },
    /// From a restart in the middle of a call.
    Restart,
    /// From a person who checked.
    Person {
        /// Who.
        name: &'a str,
        /// The person's role.
        role: Role,
        /// What the person saw.
        reason: &'a str,
    },
}

impl Source<'_> {
    fn checker(self) -> String {
        match self {
            Self::Person { name, role, .. } => format!("{name} ({role})"),
            Self::Broker | Self::Again | Self::Wait { .. } | Self::Restart => "a person".to_owned(),
        }
    }
}

/// An outcome in our words, and what it means.
pub(super) fn outcome_text(source: Source<'_>, outcome: &Outcome) -> (String, Severity) {
    let (what, severity) = match outcome {
        Outcome::Sent => ("the manager queued it for this endpoint".to_owned(), Severity::Plain),
        Outcome::Refused { code: Some(code), .. } => {
            let what = format!("the manager refused it for this endpoint, code {code}");
            (what, Severity::Bad)
        }
        Outcome::Refused { code: None, .. } => {
            (format!("{} checked: it was not done", source.checker()), Severity::Bad)
        }
        Outcome::NotSent { .. } => ("nothing was sent to it".to_owned(), Severity::Bad),
        Outcome::Unknown { .. } => ("it may or may not have been sent".to_owned(), Severity::Doubt),
        Outcome::Confirmed(Proof::Alert(_)) => {
            let what = "its own alert shows that the script started on this endpoint";
            (what.to_owned(), Severity::Good)
        }
        Outcome::Verified(_) => {
            let what = "its own alert shows that the script did it and read back that it is so";
            (what.to_owned(), Severity::Good)
        }
        Outcome::Confirmed(Proof::Person(_)) => {
            (format!("{} checked: it was done", source.checker()), Severity::Good)
        }
        Outcome::Unconfirmed { .. } if outcome.nobody_looked() => {
            ("nobody could look whether it started".to_owned(), Severity::Doubt)
        }
        Outcome::Unconfirmed { .. } if outcome.undo_failed() => {
            ("it may still be there: its start is looked for again".to_owned(), Severity::Doubt)
        }
        Outcome::Unconfirmed { .. } => {
            ("nothing shows that it started".to_owned(), Severity::Doubt)
        }
        Outcome::Ended { seen: Some(_) } => {
            let what = "its own alert shows that the endpoint started to take it back";
            (what.to_owned(), Severity::Good)
        }
        Outcome::Ended { seen: None } => over(source),
        Outcome::Reverted { by, seen: Some(_) } => {
            let what = "its own alert shows that the endpoint started to take it back";
            (format!("{what}, as {by} requested"), Severity::Good)
        }
        Outcome::Reverted { by, seen: None } if matches!(source, Source::Again) => {
            let what = format!("it counts as taken back by {by} again; nothing was sent");
            (what, Severity::Plain)
        }
        Outcome::Reverted { by, seen: None } => {
            let what = format!("{by}, which takes it back, was sent to this endpoint");
            (what, Severity::Plain)
        }
    };
    match source {
        Source::Restart => (format!("after a restart: {what}"), severity),
        Source::Broker | Source::Again | Source::Wait { .. } | Source::Person { .. } => {
            (what, severity)
        }
    }
}

/// Its time is over, and no evidence shows that it ended.
fn over(source: Source<'_>) -> (String, Severity) {
    match source {
        Source::Wait { looked: true } => (
            "its time is over: it should have ended, and nothing shows that it did".to_owned(),
            Severity::Doubt,
        ),
        Source::Wait { looked: false }
        | Source::Broker
        | Source::Again
        | Source::Restart
        | Source::Person { .. } => (
            "its time is over: it should have ended; no evidence source is configured".to_owned(),
            Severity::Plain,
        ),
    }
}
