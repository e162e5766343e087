//! What the sections of a request's page show of its endpoints, calls and events.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{
    endpoint::{EndpointRow, SkippedRow, endpoint_rows, skipped_rows},
    page::RequestPage,
    shown::needs_attention,
};
use crate::{
    broker::queries::{undos::UndoSummary, view::Body},
    domain::{
        Time,
        active_response::AlreadyActive,
        audit::EventKind,
        digest::Digest,
        id::{AttemptId, RequestId},
        lifecycle::LAPSED,
        request::{Attempt, Outcome, StateName, Target},
    },
    text::{
        active_response::condition,
        audit::AuditText,
        endpoint,
        request::{known, outcomes, some},
    },
};

/// Longer tables are shown folded, with their sum in front.
const ROWS_UNFOLDED_MAX: usize = 25;
/// How many groups a summary names, the largest first.
const GROUPS_MAX: usize = 20;

/// What is known of the endpoints of one group.
#[derive(Debug)]
pub(super) struct GroupSummary {
    pub(super) name: String,
    pub(super) endpoints: usize,
    /// "10 sent, 1 unknown; 2 left out".
    pub(super) known: String,
}

impl RequestPage {
    fn is_folded(rows: usize) -> bool {
        rows > ROWS_UNFOLDED_MAX
    }

    /// Whether the endpoints are shown at once: where they are few, where a person must check some,
    /// and where somebody leafs through them.
    pub(super) fn opens_endpoints(&self) -> bool {
        !Self::is_folded(self.view.request.targets.len())
            || !self.needing_attention().is_empty()
            || self.shown.endpoints.number > 1
    }

    /// The same for those that were left out.
    pub(super) fn opens_skipped(&self) -> bool {
        !Self::is_folded(self.view.request.skipped.len()) || self.shown.endpoints.number > 1
    }

    /// The endpoints that were away when it was asked for.
    pub(super) fn away(&self) -> String {
        let away = self.view.request.targets_away();
        let away: Vec<_> = away.map(|target| endpoint::named(&target.endpoint)).collect();
        away.join(", ")
    }

    pub(super) fn endpoint_rows(&self) -> Vec<EndpointRow<'_>> {
        endpoint_rows(&self.view.request, &self.shown, &self.timelines, self.now)
    }

    pub(super) fn skipped_rows(&self) -> Vec<SkippedRow<'_>> {
        skipped_rows(&self.view.request, &self.shown, &self.timelines)
    }

    /// The endpoints whose outcome a person must find out.
    pub(super) fn needing_attention(&self) -> Vec<&Target> {
        self.view.request.targets.iter().filter(|target| needs_attention(target)).collect()
    }

    /// Those of them that this page shows: what a person ticks stands beside it.
    pub(super) fn attention_shown(&self) -> Vec<&Target> {
        let targets = &self.view.request.targets;
        let shown = self.shown.targets.iter().filter_map(|place| targets.get(*place));
        shown.filter(|target| needs_attention(target)).collect()
    }

    /// How many of them are unknown, how many were not seen to start, and on how many nobody could
    /// look.
    pub(super) fn attention_counts(&self) -> (usize, usize, usize) {
        let loud = self.needing_attention();
        let unknown = |t: &&&Target| matches!(t.outcome, Some(Outcome::Unknown { .. }));
        let unlooked = |t: &&&Target| t.outcome.as_ref().is_some_and(Outcome::nobody_looked);
        let loud: Vec<_> =
            loud.into_iter().filter(|t| !known(t).is_some_and(Outcome::undo_failed)).collect();
        let unknown = loud.iter().filter(unknown).count();
        let unlooked = loud.iter().filter(unlooked).count();
        (unknown, loud.len() - unknown - unlooked, unlooked)
    }

    /// Whether approving it ends earlier what others decided.
    pub(super) fn cuts_short(&self) -> bool {
        self.active.iter().any(|group| group.cuts_short)
    }

    /// Whose approvals lapse before it is sent, and when what it would cut short began.
    pub(super) fn lapsing(&self) -> Option<(String, Time)> {
        let began = self.view.active.iter().filter_map(AlreadyActive::shortens_since).max()?;
        let votes = self.view.request.votes.iter().filter(|vote| vote.at < began);
        let names: Vec<_> = votes.map(|vote| vote.person.name.as_str()).collect();
        (!names.is_empty()).then(|| (names.join(", "), began))
    }

    /// Why approvals lapsed, while it waits for others.
    pub(super) fn lapsed(&self) -> Option<&str> {
        let waits = self.view.request.state.name() == StateName::Pending;
        let kind = EventKind::RequestRedecided.name();
        let again = self.entries.iter().rfind(|entry| entry.kind == kind).filter(|_| waits)?;
        let cause = again.event.as_ref().ok()?.quote.as_str();
        cause.starts_with(LAPSED).then_some(cause)
    }

    /// Where another request for the same target moved its end: when it ends, whether that is
    /// earlier than asked, and on which endpoints.
    pub(super) fn moved_ends(&self) -> Vec<(Option<Time>, bool, String)> {
        let request = &self.view.request;
        let mut moved: BTreeMap<_, Vec<String>> = BTreeMap::new();
        let active = request.active_targets().filter(|_| !request.action.kind().is_undo());
        for (target, since) in active.filter_map(|target| Some((target, target.since?))) {
            let own = request.term.seconds().map(|s| since + TimeDelta::seconds(s.into()));
            if target.ends != own {
                let earlier = match (target.ends, own) {
                    (Some(ends), Some(own)) => ends < own,
                    (ends, _) => ends.is_some(),
                };
                moved
                    .entry((target.ends, earlier))
                    .or_default()
                    .push(endpoint::named(&target.endpoint));
            }
        }
        let words = |((ends, earlier), on): ((_, _), Vec<String>)| {
            (ends, earlier, some(on.iter().map(String::as_str)))
        };
        moved.into_iter().map(words).collect()
    }

    /// What a person may have found: that it was done, and that it was not.
    pub(super) fn findings(&self) -> (String, String) {
        let kind = self.view.request.action.kind();
        let (is, undone) = (condition(kind), kind.is_undo());
        let what = if is == "blocked" { "The target" } else { "The account" };
        let free = if is == "blocked" { "free" } else { "enabled" };
        if undone {
            (format!("{what} is {free}"), format!("{what} is still {is}"))
        } else {
            (format!("{what} is {is}, or was"), format!("{what} never was {is} by this"))
        }
    }

    /// On which endpoints an undo of it was sent without a sign that it was done, by the undo.
    pub(super) fn unseen_undos(&self) -> BTreeMap<RequestId, String> {
        let mut by_undo: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for (id, undo) in &self.view.undos.uncertain {
            let target = self.view.request.target(id);
            let name = target.map_or_else(|| id.to_string(), |one| endpoint::named(&one.endpoint));
            by_undo.entry(*undo).or_default().push(name);
        }
        let words = |names: Vec<String>| some(names.iter().map(String::as_str));
        by_undo.into_iter().map(|(undo, names)| (undo, words(names))).collect()
    }

    /// On how many endpoints a person found that its undo was not done.
    pub(super) fn undos_failed(&self) -> usize {
        let known = self.view.request.targets.iter().filter_map(|t| t.outcome.as_ref());
        known.filter(|known| known.undo_failed()).count()
    }

    /// How far an undo is: its state, and once it was sent what is known of it.
    pub(super) fn undo_status(undo: &UndoSummary) -> (&'static str, String) {
        let uncertain = undo.outcomes.iter().find(|known| known.needs_person());
        let badge = uncertain.map_or_else(|| undo.state.name(), Outcome::name);
        (
            badge,
            if undo.outcomes.is_empty() {
                undo.state.name().replace('_', " ")
            } else {
                outcomes(undo.outcomes.iter().map(Some))
            },
        )
    }

    /// How many were left out, by the reason: "12 not active, 3 no command".
    pub(super) fn skip_reasons(&self) -> String {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for skipped in &self.view.request.skipped {
            *reasons.entry(skipped.reason.code()).or_default() += 1;
        }
        let words = |(code, count): (&&str, &usize)| format!("{count} {}", code.replace('_', " "));
        reasons.iter().map(words).collect::<Vec<_>>().join(", ")
    }

    /// What is known by group, the largest first; an endpoint counts in each of its groups.
    pub(super) fn by_group(&self) -> Vec<GroupSummary> {
        let request = &self.view.request;
        let mut groups: BTreeMap<&str, (Vec<Option<&Outcome>>, u64)> = BTreeMap::new();
        for target in &request.targets {
            for group in &target.endpoint.groups {
                groups.entry(group).or_default().0.push(target.outcome.as_ref());
            }
        }
        for group in request.skipped.iter().flat_map(|skipped| &skipped.endpoint.groups) {
            groups.entry(group).or_default().1 += 1;
        }
        let summary = |(name, (taking, left_out)): (&str, (Vec<Option<&Outcome>>, u64))| {
            let unknown_yet = taking.iter().filter(|outcome| outcome.is_none()).count();
            let reached = (unknown_yet < taking.len()).then(|| outcomes(taking.iter().copied()));
            let open = (unknown_yet > 0).then(|| format!("{unknown_yet} without an outcome"));
            let left_out = (left_out > 0).then(|| format!("{left_out} left out"));
            let known: Vec<_> = [reached, open, left_out].into_iter().flatten().collect();
            GroupSummary { name: name.to_owned(), endpoints: taking.len(), known: known.join(", ") }
        };
        let mut all: Vec<_> = groups.into_iter().map(summary).collect();
        all.sort_by_key(|group| std::cmp::Reverse(group.endpoints));
        all.truncate(GROUPS_MAX);
        all
    }

    /// The calls for the endpoints that are shown.
    pub(super) fn attempts(&self) -> Vec<&Attempt> {
        self.shown.attempts(&self.view.request)
    }

    /// The bytes for the endpoints that are shown.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &Body> {
        let shown = |body: &&Body| self.shown.has_call(&self.view.request, body.attempt);
        self.view.bodies.iter().filter(shown)
    }

    pub(super) fn attempt(&self, id: &AttemptId) -> Option<&Attempt> {
        self.view.request.attempts.iter().find(|attempt| attempt.id == *id)
    }

    /// Whether the bytes shown for an attempt are those that were recorded for it.
    pub(super) fn same_bytes(body: &str, attempt: &Attempt) -> bool {
        Digest::of(body.as_bytes()) == attempt.body_hash
    }

    /// The events that are shown, oldest first.
    pub(super) fn events(&self) -> &[AuditText] {
        self.entries.get(self.shown.events()).unwrap_or_default()
    }

    /// The address of this page with another page of endpoints.
    pub(super) fn endpoints_url(&self, number: usize) -> String {
        format!("/requests/{}?endpoints={number}#endpoints", self.view.request.id)
    }

    /// The address of this page with another page of events.
    pub(super) fn events_url(&self, number: usize) -> String {
        format!("/requests/{}?events={number}#timeline", self.view.request.id)
    }
}
