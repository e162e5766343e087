//! The request at a glance: how far it reaches, who has approved, and how far its life is.

use std::{cmp::Reverse, fmt::Write as _};

use super::RequestPage;
use crate::{
    domain::{
        Time,
        action::with_count,
        decision::Verdict,
        len_u64,
        request::{Outcome, Proof, Request, State, Target, Vote},
    },
    text::{endpoint, request},
};

/// So many endpoints have a square each that can be focused; more are drawn.
const FOCUSED_MAX: usize = 40;
/// So many squares are drawn.
const DRAWN_MAX: usize = 2000;
/// So many squares stand in one row of the drawing.
const ROW: usize = 50;
/// How far squares stand from one another; each is two less wide.
const STEP: usize = 10;

/// One endpoint in the strip.
#[derive(Debug)]
pub(in crate::web::request) struct Square {
    pub(in crate::web::request) criticality: u8,
    pub(in crate::web::request) name: String,
}

/// All squares of one look, as one path of an SVG.
#[derive(Debug)]
pub(in crate::web::request) struct SquarePath {
    pub(in crate::web::request) class: String,
    pub(in crate::web::request) path: String,
    pub(in crate::web::request) words: String,
}

/// One of the people that are needed.
#[derive(Debug)]
pub(in crate::web::request) struct Seat {
    pub(in crate::web::request) initials: String,
    pub(in crate::web::request) words: String,
    pub(in crate::web::request) taken: bool,
}

/// One step of a request's life.
#[derive(Debug)]
pub(in crate::web::request) struct LifeStep {
    pub(in crate::web::request) words: String,
    pub(in crate::web::request) at: Option<Time>,
    pub(in crate::web::request) done: bool,
    /// Whether it is the last that is done.
    pub(in crate::web::request) now: bool,
}

impl RequestPage {
    /// The squares of endpoints that are few: those that take part, the most critical first.
    pub(in crate::web::request) fn squares(&self) -> Vec<Square> {
        let asked = &self.view.request;
        if asked.targets.len() + asked.skipped.len() > FOCUSED_MAX {
            return Vec::new();
        }
        let mut taking: Vec<_> = asked.targets.iter().collect();
        taking.sort_by_key(|target| (Reverse(target.criticality), &target.endpoint.id));
        let square = |criticality, name| Square { criticality, name };
        let taking =
            taking.into_iter().map(|one| square(one.criticality, endpoint::named(&one.endpoint)));
        let left_out = asked.skipped.iter().map(|one| square(0, endpoint::named(&one.endpoint)));
        taking.chain(left_out).collect()
    }

    /// The same where they are many: one path for each criticality, the highest first, and the left-out
    /// ones last.
    pub(in crate::web::request) fn drawn_squares(&self) -> Vec<SquarePath> {
        let asked = &self.view.request;
        if asked.targets.len() + asked.skipped.len() <= FOCUSED_MAX {
            return Vec::new();
        }
        let with = |level| asked.targets.iter().filter(|one| one.criticality == level).count();
        let levels = (1..=5).rev().map(|level| (level, with(level)));
        let mut place = 0;
        let mut paths = Vec::new();
        for (level, number) in levels.chain([(0, asked.skipped.len())]) {
            if number == 0 {
                continue;
            }
            let count = with_count(len_u64(number), "endpoint");
            let words = match level {
                0 => format!("{count} left out"),
                level => format!("{count} of criticality {level}"),
            };
            let mut path = String::new();
            for at in place..(place + number).min(DRAWN_MAX) {
                let (x, y) = (at % ROW * STEP + 1, at / ROW * STEP + 1);
                let side = STEP - 2;
                // Writing to a string never fails.
                let _written = write!(path, "M{x} {y}h{side}v{side}h-{side}z");
            }
            place += number;
            paths.push(SquarePath { class: format!("c{level}"), path, words });
        }
        paths
    }

    /// Width and height of the drawing.
    pub(in crate::web::request) fn drawing(&self) -> (usize, usize) {
        let asked = &self.view.request;
        let all = (asked.targets.len() + asked.skipped.len()).min(DRAWN_MAX);
        (ROW * STEP, all.div_ceil(ROW) * STEP)
    }

    /// Who has approved, and the places that are free.
    pub(in crate::web::request) fn seats(&self) -> Vec<Seat> {
        let asked = &self.view.request;
        let counted = asked.counted(&self.view.agent);
        let broke_glass = |name: &str| {
            asked.votes.iter().any(|vote| vote.break_glass && vote.person.name == name)
        };
        let mut seats: Vec<_> = counted
            .iter()
            .map(|name| Seat {
                initials: initials(name),
                words: format!("{name} {}", let_through(broke_glass(name))),
                taken: true,
            })
            .collect();
        if let Verdict::Approval(least) = asked.decision.verdict {
            for _free in seats.len()..usize::from(least.people) {
                let words = "one more person is needed".to_owned();
                seats.push(Seat { initials: "?".to_owned(), words, taken: false });
            }
        }
        seats
    }

    /// Its life so far and to come.
    pub(in crate::web::request) fn life(&self) -> Vec<LifeStep> {
        let asked = &self.view.request;
        let mut steps =
            vec![(true, "asked".to_owned(), Some(asked.asked_at)), self.decision_step()];
        let over = request::ended_at(&asked.state);
        let sent = asked.sent_at().min();
        if sent.is_some() || over.is_none() {
            steps.push((sent.is_some(), "sent".to_owned(), sent));
            steps.push(seen_step(asked));
            steps.push(self.end_step());
        }
        let last = steps.iter().rposition(|(done, _, _)| *done);
        let step =
            |(place, (done, words, at))| LifeStep { words, at, done, now: Some(place) == last };
        steps.into_iter().enumerate().map(step).collect()
    }

    fn decision_step(&self) -> (bool, String, Option<Time>) {
        let asked = &self.view.request;
        let has = asked.votes.len();
        let last = asked.votes.iter().map(|vote| vote.at).max();
        let ended = request::ended_at(&asked.state);
        match (&asked.state, asked.decision.verdict) {
            (State::Pending, Verdict::Approval(least)) => {
                (has > 0, format!("approved {has} of {}", least.people), last)
            }
            (State::Denied { .. }, _) => (true, "denied by policy".to_owned(), ended),
            (State::Rejected { by, .. }, _) => (true, format!("rejected by {by}"), ended),
            (State::Cancelled { by, .. }, _) => (true, format!("cancelled by {by}"), ended),
            (State::Expired { .. }, _) => (true, "expired".to_owned(), ended),
            (State::Withdrawn { .. }, _) => (true, "withdrawn".to_owned(), ended),
            (_, _) if has == 0 => (true, "no approval was needed".to_owned(), None),
            (_, _) if asked.votes.iter().any(|vote| vote.break_glass) => {
                (true, "glass broken".to_owned(), last)
            }
            (_, _) => (true, format!("approved by {has}"), last),
        }
    }

    fn end_step(&self) -> (bool, String, Option<Time>) {
        let asked = &self.view.request;
        if asked.action.kind().is_undo() {
            return (matches!(asked.state, State::Settled { .. }), "done".to_owned(), None);
        }
        let ends = asked.targets.iter().filter_map(|target| asked.ends(target)).max();
        match ends {
            Some(at) => (at <= self.now, "ends".to_owned(), Some(at)),
            None => (false, format!("lasts {}", asked.term), None),
        }
    }

    /// The approvals that it was sent with, once that is over, and what each person did.
    pub(in crate::web::request) fn decided_by(
        &self,
    ) -> impl Iterator<Item = (&Vote, &'static str)> {
        let asked = &self.view.request;
        let sent = !asked.attempts.is_empty() || matches!(asked.state, State::Settled { .. });
        let votes = asked.votes.iter().filter(move |_| sent);
        votes.map(|vote| (vote, let_through(vote.break_glass)))
    }

    /// The places of its entries in the audit: "411 to 419".
    pub(in crate::web::request) fn audit_places(&self) -> String {
        match (self.entries.first(), self.entries.last()) {
            (Some(first), Some(last)) if first.seq < last.seq => {
                format!("{} to {}", first.seq, last.seq)
            }
            (Some(only), _) => only.seq.to_string(),
            (None, _) => "none".to_owned(),
        }
    }
}

/// What a person did who let it through.
const fn let_through(break_glass: bool) -> &'static str {
    if break_glass { "broke the glass" } else { "approved" }
}

/// The strongest sign that was seen, and when it was first; before that, the one that can be.
fn seen_step(asked: &Request) -> (bool, String, Option<Time>) {
    let when = |is: fn(&Outcome) -> bool| {
        let seen = asked.targets.iter().filter(|one| one.outcome.as_ref().is_some_and(is));
        seen.filter_map(|one| one.outcome_at).min()
    };
    let verified = when(|outcome| matches!(outcome, Outcome::Verified(_)));
    let started =
        when(|outcome| matches!(outcome, Outcome::Confirmed(Proof::Alert(_) | Proof::Person(_))));
    match (verified, started) {
        (Some(at), _) => (true, "verified".to_owned(), Some(at)),
        (None, Some(at)) => (true, "confirmed".to_owned(), Some(at)),
        (None, None) => {
            let entry = asked.action.kind().entry();
            let reads_back = |one: &Target| entry.companion_in(&one.command).is_some();
            let best = if asked.targets.iter().any(reads_back) { "verified" } else { "confirmed" };
            (false, best.to_owned(), None)
        }
    }
}

/// "AN" of anna, "DM" of d.miller.
fn initials(name: &str) -> String {
    let parts: Vec<_> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let first = |part: &&str| part.chars().next();
    let letters: String = match parts.as_slice() {
        [only] => only.chars().take(2).collect(),
        several => several.iter().filter_map(first).take(2).collect(),
    };
    letters.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_of_first_two_parts() {
        let said = ["anna", "d.miller", "a", "jean-luc.picard"].map(initials);
        assert_eq!(said, ["AN", "DM", "A", "JL"]);
    }
}
