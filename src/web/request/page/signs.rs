//! Five facts in one row under the title, each as a sign: a colour and its word.

use std::time::Duration;

use super::{RequestPage, evidence::BEFORE_MAX};
use crate::{
    domain::{
        action::with_count,
        facts::{AlertFacts, IndexerState},
        len_u64,
        request::StateName,
    },
    text::{endpoint, request},
};

/// The oldest alert that policies as they ship let count as fresh, in seconds.
const FRESH_SECONDS: u64 = 60 * 60;
/// An older one is of another day.
const STALE_SECONDS: u64 = 24 * 60 * 60;
/// What a sign means for the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web::request) enum Tone {
    /// It speaks for the request.
    Good,
    /// It leaves a question open.
    Open,
    /// It is a warning.
    Bad,
}

/// One fact.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web::request) struct Sign {
    pub(in crate::web::request) tone: Tone,
    pub(in crate::web::request) words: String,
}

impl Tone {
    /// The class that gives the colour.
    pub(in crate::web::request) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Open => "open",
            Self::Bad => "bad",
        }
    }

    /// The same as a character and as a word for those who do not see the colour.
    pub(in crate::web::request) const fn mark(self) -> (&'static str, &'static str) {
        match self {
            Self::Good => ("✓", "yes"),
            Self::Open => ("?", "open"),
            Self::Bad => ("✗", "warning"),
        }
    }
}

impl RequestPage {
    /// The five facts; none of what takes a request back, which names no alert.
    pub(in crate::web::request) fn signs(&self) -> Vec<Sign> {
        let asked = &self.view.request;
        if asked.undoes.is_some() {
            return Vec::new();
        }
        let alert = &asked.alert;
        vec![
            found(alert, asked.claim.alert_id.is_some()),
            names_target(alert),
            self.seen_here(),
            fresh(alert),
            self.asked_before(),
        ]
    }

    fn seen_here(&self) -> Sign {
        let asked = &self.view.request;
        let Some(own) = &asked.alert.endpoint else {
            return open("machine of the alert unknown");
        };
        let named = endpoint::name_and_id(&own.name, &own.id);
        match (asked.target(&own.id), asked.targets.as_slice()) {
            (Some(_), [_only]) => good(format!("seen on {named}")),
            (Some(_), several) => {
                let others = with_count(len_u64(several.len().saturating_sub(1)), "other");
                open(format!("seen on {named}, not on the {others}"))
            }
            (None, _) => {
                let names = endpoint::names(&asked.targets);
                bad(format!("seen on {named}, not on {names}"))
            }
        }
    }

    /// What became of the requests for the same before.
    fn asked_before(&self) -> Sign {
        let before = &self.view.before;
        let in_state = |state| before.iter().filter(|one| one.state == state).count();
        let refused = in_state(StateName::Rejected) + in_state(StateName::Denied);
        let most = before.len() >= BEFORE_MAX;
        let at_least = if most { "at least " } else { "" };
        match (before.len(), refused) {
            (0, _) => good("asked for the first time"),
            (all, 0) => open(format!("asked before: {at_least}{}", times(all))),
            (all, refused) => {
                bad(format!("asked before: {at_least}{}, refused {}", times(all), times(refused)))
            }
        }
    }
}

fn times(number: usize) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

fn good(words: impl Into<String>) -> Sign {
    Sign { tone: Tone::Good, words: words.into() }
}

fn open(words: impl Into<String>) -> Sign {
    Sign { tone: Tone::Open, words: words.into() }
}

fn bad(words: impl Into<String>) -> Sign {
    Sign { tone: Tone::Bad, words: words.into() }
}

fn found(alert: &AlertFacts, claimed: bool) -> Sign {
    let behind = matches!(alert.indexer, IndexerState::Behind(_));
    match (alert.found, claimed, behind) {
        (true, _, _) => good("alert found"),
        (false, true, true) => open("alert not found: nobody could look"),
        (false, true, false) => bad("alert not found"),
        (false, false, _) => open("no alert named"),
    }
}

fn names_target(alert: &AlertFacts) -> Sign {
    match (alert.found, alert.names_target) {
        (true, true) => good("names the target"),
        (true, false) => bad("does not name the target"),
        (false, _) => open("nothing names the target"),
    }
}

fn fresh(alert: &AlertFacts) -> Sign {
    let Some(age) = alert.age_seconds.filter(|_| alert.found) else {
        return open("age unknown");
    };
    let old = format!("{} old when asked", request::duration(Duration::from_secs(age)));
    match age {
        0..=FRESH_SECONDS => good(format!("fresh: {old}")),
        age if age <= STALE_SECONDS => open(old),
        _ => bad(old),
    }
}
