//! Which part of a long request one page of it shows: some endpoints, the calls for them, some
//! events. Everything is on one of the pages, and no page weighs much.

use std::{collections::BTreeSet, ops::Range};

use serde::Deserialize;

use crate::{
    domain::{
        audit::AuditEntry,
        id::{AttemptId, RequestId},
        request::{Attempt, Outcome, Request, Target},
    },
    text::timeline::{self, EndpointTimeline},
};

/// How many endpoints one page shows: with its timeline, one weighs about two kilobytes.
const ENDPOINTS: usize = 25;
/// How many events one page shows.
const EVENTS: usize = 50;
/// How many pages before and after this one are linked.
const NEIGHBOURS: usize = 2;

/// The pages as an address names them. Empty is the first page of endpoints, and of events the
/// last, which has the newest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::web) struct ShownQuery {
    pub(in crate::web) endpoints: String,
    pub(in crate::web) events: String,
}

impl ShownQuery {
    /// The address of a request's page with these pages.
    pub(in crate::web) fn url(&self, id: RequestId) -> String {
        let fields = [("endpoints", &self.endpoints), ("events", &self.events)];
        let named = fields.into_iter().filter(|(_, page)| !page.is_empty());
        let query: Vec<_> = named.map(|(name, page)| format!("{name}={page}")).collect();
        if query.is_empty() {
            return format!("/requests/{id}");
        }
        format!("/requests/{id}?{}", query.join("&"))
    }
}

impl ShownQuery {
    /// The same after a form that was not carried out: which one, by the last part of its address.
    pub(in crate::web) fn refused_url(&self, id: RequestId, form: &str) -> String {
        // What a form says of itself is any text.
        let page = self.endpoints.parse::<usize>().ok();
        let page = page.map(|page| format!("&endpoints={page}")).unwrap_or_default();
        format!("/requests/{id}?form={form}{page}#problem")
    }
}

/// One page of a list, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) struct PageNumber {
    pub(in crate::web) number: usize,
    pub(in crate::web) pages: usize,
    rows: usize,
    rows_per_page: usize,
}

impl PageNumber {
    /// The page of that name; none where there is no such page.
    fn read(
        text: &str,
        unnamed: impl FnOnce(usize) -> usize,
        list: (usize, usize),
    ) -> Option<Self> {
        let (rows, rows_per_page) = list;
        let pages = rows.div_ceil(rows_per_page).max(1);
        let number = if text.is_empty() { unnamed(pages) } else { text.parse().ok()? };
        let page = Self { number, pages, rows, rows_per_page };
        (1..=pages).contains(&number).then_some(page)
    }

    /// The places of its rows, counted from 0.
    fn range(&self) -> Range<usize> {
        let start = (self.number - 1) * self.rows_per_page;
        start..(start + self.rows_per_page).min(self.rows)
    }

    /// Whether there are others.
    pub(in crate::web) fn is_one_of_several(&self) -> bool {
        self.pages > 1
    }

    /// "26 to 50 of 1080".
    pub(in crate::web) fn words(&self) -> String {
        let Range { start, end } = self.range();
        format!("{} to {end} of {}", start + 1, self.rows)
    }

    /// The pages that are linked: the first, the last, and those around this one.
    pub(in crate::web) fn links(&self) -> BTreeSet<usize> {
        let near = self.number.saturating_sub(NEIGHBOURS).max(1)..=self.number + NEIGHBOURS;
        near.filter(|number| *number <= self.pages).chain([1, self.pages]).collect()
    }
}

/// What one page shows.
#[derive(Debug)]
pub(in crate::web) struct Shown {
    pub(in crate::web) endpoints: PageNumber,
    pub(in crate::web) events: PageNumber,
    /// The places of the endpoints that take part, in the order in which they are shown: those
    /// that need a person first, then by id.
    pub(in crate::web) targets: Vec<usize>,
    /// The places of those left out. They come after the others.
    pub(in crate::web) skipped: Vec<usize>,
}

impl Shown {
    /// What a query asks for of a request with that many events; none where there is no such page.
    pub(in crate::web) fn of(request: &Request, events: usize, query: &ShownQuery) -> Option<Self> {
        let (taking, left_out) = (request.targets.len(), request.skipped.len());
        let endpoints = PageNumber::read(&query.endpoints, |_| 1, (taking + left_out, ENDPOINTS))?;
        let events = PageNumber::read(&query.events, |last| last, (events, EVENTS))?;
        let mut order: Vec<_> = request.targets.iter().enumerate().collect();
        order.sort_by_key(|(_, target)| (!needs_attention(target), target.doubt.is_none()));
        let range = endpoints.range();
        let targets = order.into_iter().map(|(place, _)| place);
        let targets = targets.skip(range.start).take(range.len()).collect();
        let skipped = range.start.max(taking)..range.end.max(taking);
        Some(Self { endpoints, events, targets, skipped: skipped.map(|at| at - taking).collect() })
    }

    /// The timelines of the endpoints that are shown, in their order.
    pub(in crate::web) fn timelines(
        &self,
        request: &Request,
        written: &[AuditEntry],
    ) -> Vec<EndpointTimeline> {
        let targets = self.targets.iter().filter_map(|place| request.targets.get(*place));
        let skipped = self.skipped.iter().filter_map(|place| request.skipped.get(*place));
        timeline::timelines(
            targets.map(|target| &target.endpoint),
            skipped.map(|skipped| &skipped.endpoint),
            written,
        )
    }

    /// The events that are shown, by their places.
    pub(in crate::web) fn events(&self) -> Range<usize> {
        self.events.range()
    }

    /// The calls for the endpoints that are shown, oldest first. A call after which nothing was
    /// known has no endpoints any more: it stands before the one that repeated it.
    pub(in crate::web) fn attempts<'a>(&self, request: &'a Request) -> Vec<&'a Attempt> {
        let all: BTreeSet<_> = request.targets.iter().filter_map(|t| t.attempt).collect();
        let here: BTreeSet<_> = self.calls(request).collect();
        let (mut shown, mut repeated) = (Vec::new(), Vec::new());
        for attempt in &request.attempts {
            repeated.push(attempt);
            if here.contains(&attempt.id) {
                shown.append(&mut repeated);
            } else if all.contains(&attempt.id) {
                repeated.clear();
            }
        }
        if self.endpoints.number == self.endpoints.pages {
            shown.append(&mut repeated);
        }
        shown
    }

    /// Whether the bytes of this attempt are for an endpoint that is shown; of no attempt: before
    /// the claim they are for all.
    pub(in crate::web) fn has_call(&self, request: &Request, attempt: Option<AttemptId>) -> bool {
        attempt.is_none_or(|attempt| self.calls(request).any(|call| call == attempt))
    }

    /// The latest call for each of the endpoints that are shown.
    fn calls(&self, request: &Request) -> impl Iterator<Item = AttemptId> {
        let targets = self.targets.iter().filter_map(|place| request.targets.get(*place));
        targets.filter_map(|target| target.attempt)
    }
}

/// Whether a person must find out what happened there.
pub(in crate::web) fn needs_attention(target: &Target) -> bool {
    target.outcome.as_ref().is_some_and(Outcome::needs_person)
}
