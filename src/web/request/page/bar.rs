//! The bar that stays in sight: what approving does, how risky it is, what was not read, and after a
//! decision where to go.

use chrono::TimeDelta;

use super::{FormState, RequestPage, signs::Tone};
use crate::{
    domain::{
        action::Term,
        decision::Verdict,
        request::{State, StateName},
    },
    text::{
        audit::AuditText,
        endpoint, request,
        visible::{VisibleChar, characters},
    },
    web::layout::escape::Fenced as _,
};

/// So many lines of what the agent wrote are always shown.
const LINES_MAX: usize = 6;
/// And so many characters.
const CHARS_MAX: usize = 600;
/// So long after a decision the page leads to the next request.
const JUST_NOW: TimeDelta = TimeDelta::minutes(15);
/// So many changes are named.
const CHANGES_MAX: u64 = 5;

impl RequestPage {
    /// Whether anything can be decided, or somebody is told why not.
    pub(in crate::web::request) fn has_bar(&self) -> bool {
        let nothing = |form: FormState| form == FormState::Nothing;
        let just = self.decided().is_some() && self.decided_just_now();
        self.is_before_claim() || just || !nothing(self.approve()) || !nothing(self.reject())
    }

    /// Whether this person's decision, which [`RequestPage::decided`] tells, was a moment ago.
    fn decided_just_now(&self) -> bool {
        let rejected = request::ended_at(&self.view.request.state);
        let at = self.mine().map(|vote| vote.at).or(rejected);
        at.is_some_and(|at| self.now - at < JUST_NOW)
    }

    /// "Approve: block on db-01 (003)".
    pub(in crate::web::request) fn approve_label(&self) -> String {
        let short = self.cuts_short();
        let short = if short { ", and cut short what is there" } else { "" };
        let does = endpoint::verb_and_reach(&self.view.request, self.several);
        format!("Approve{short}: {does}")
    }

    /// What makes it risky, a few words each.
    pub(in crate::web::request) fn risks(&self) -> Vec<String> {
        let asked = &self.view.request;
        if asked.action.kind().is_undo() {
            return Vec::new();
        }
        let all = [
            (asked.term == Term::Permanent, "permanent"),
            (asked.fleet_wide, "fleet-wide"),
            (asked.action.kind().undo().is_none(), "not reversible"),
            (self.cuts_short(), "cuts short what is there"),
        ];
        let near = self.view.protected_neighbour;
        let near = near.map(|own| format!("next to {own}, which is protected"));
        let known = all.into_iter().filter(|(is, _)| *is).map(|(_, words)| words.to_owned());
        let hidden = hides(&asked.claim.reason);
        let hidden = hidden.then(|| "hidden characters in what was written".to_owned());
        known.chain(near).chain(hidden).collect()
    }

    /// What makes it risky, and what was found that speaks against it.
    pub(in crate::web::request) fn warnings(&self) -> Vec<String> {
        let bad = self.signs().into_iter().filter(|sign| sign.tone == Tone::Bad);
        self.risks().into_iter().chain(bad.map(|sign| sign.words)).collect()
    }

    /// The start of what was written, where that is long.
    pub(in crate::web::request) fn claim_start(&self) -> Option<String> {
        let text = &self.view.request.claim.reason;
        let lines: Vec<_> = text.split('\n').take(LINES_MAX).collect();
        let start = lines.join("\n");
        let (start, cut) = request::start(&start, CHARS_MAX);
        (cut || start.len() < text.len()).then(|| start.to_owned())
    }

    /// "24 lines, 1800 characters".
    pub(in crate::web::request) fn claim_size(&self) -> String {
        let text = &self.view.request.claim.reason;
        format!("{} lines, {} characters", text.fenced().len(), text.chars().count())
    }

    /// What this person decided, and what is missing now; none where the person did not decide.
    pub(in crate::web::request) fn decided(&self) -> Option<String> {
        let asked = &self.view.request;
        let me = self.layout.person.as_ref()?;
        let rejected = matches!(&asked.state, State::Rejected { by, .. } if *by == me.name);
        if rejected {
            return Some("You rejected it.".to_owned());
        }
        self.mine()?;
        Some(match (asked.state.name(), &asked.decision.verdict) {
            (StateName::Pending, Verdict::Approval(least)) => {
                let has = u64::try_from(asked.counted(&self.view.agent).len()).unwrap_or(0);
                match u64::from(least.people).saturating_sub(has) {
                    0 => "You approved it. Another role is needed.".to_owned(),
                    more => format!("You approved it. {more} more needed."),
                }
            }
            (StateName::Pending, _) => "You approved it.".to_owned(),
            (state, _) => format!("You approved it. It is {state}."),
        })
    }

    /// What happened since the form that was just sent had been opened, oldest first.
    pub(in crate::web::request) fn changes(&self) -> &[AuditText] {
        self.entries.get(self.changed_since.clone()).unwrap_or_default()
    }
}

/// Whether a text has characters that do not print, or that move others about. Spaces are common.
fn hides(text: &str) -> bool {
    let escaped = |shown: VisibleChar| match shown {
        VisibleChar::Escape(c) => !c.is_whitespace(),
        VisibleChar::Plain(_) => false,
    };
    text.lines().flat_map(characters).any(escaped)
}

/// The places of the events after a version, where the request is in another now.
pub(super) fn changed_since(
    displayed: Option<u64>,
    version: u64,
    events: usize,
) -> std::ops::Range<usize> {
    let newer = displayed.map_or(0, |displayed| version.saturating_sub(displayed));
    let newer = usize::try_from(newer.min(CHANGES_MAX)).unwrap_or(0);
    events.saturating_sub(newer)..events
}
