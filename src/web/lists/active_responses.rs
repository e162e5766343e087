//! What is blocked or disabled now, where, until when, who allowed it, and what would lift it.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use super::requests::read;
use crate::{
    broker::queries::{ActiveTarget, active_responses::ActiveResponse, view::PAGE_ROWS},
    domain::{Time, action::with_count, request::Outcome},
    text::request,
    web::{
        AppState,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::page::{Layout, NextPage, page},
    },
};

/// The most endpoints of one request that are listed; the request's own page has them all.
const PLACES_MAX: usize = 100;
/// Up to this many are shown unfolded where something is in doubt.
const UNFOLDED_MAX: usize = 25;

#[derive(Debug, Template)]
#[template(path = "pages/active_responses.html")]
pub(in crate::web) struct ActiveResponsesPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) effects: Vec<ActiveResponseCard>,
    /// Whether newer ones are on another page.
    pub(in crate::web) later: bool,
    pub(in crate::web) older: Option<NextPage>,
}

/// The active responses of one request.
#[derive(Debug)]
pub(in crate::web) struct ActiveResponseCard {
    request: String,
    /// The manager, where there is more than one.
    manager: Option<String>,
    what: String,
    reach: String,
    /// The names of the endpoints, or of the first few.
    names: String,
    /// When the last of it ends by itself, and how long that is from now.
    ends: Option<(Time, String)>,
    /// The names of those who approved it or broke the glass; empty where no approval was required.
    approvers: String,
    /// The open request that would lift it, and its state.
    undo: Option<(String, &'static str)>,
    /// On how many endpoints what is known.
    known: Vec<(&'static str, usize)>,
    /// How many endpoints there are beside those listed.
    more: usize,
    endpoints: Vec<ActiveEndpoint>,
}

/// A response on one endpoint.
#[derive(Debug)]
pub(in crate::web) struct ActiveEndpoint {
    id: String,
    name: String,
    outcome: &'static str,
    since: Time,
    until: Option<(Time, String)>,
}

/// Which page of the list: what is older than this request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct ActiveResponsesQuery {
    before: String,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(pages): QueryParams<ActiveResponsesQuery>,
) -> Result<Response, PageError> {
    let before = read(&pages.before, "page", |id| id.parse().ok())
        .map_err(|_unreadable| PageError::not_found())?;
    let found = app.broker.active_responses(&session.who, before).await?;
    let layout = Layout::new(&app, &session, "Active responses").await?.section("/in-force");
    let (several, now) = (app.broker.several_managers(), app.broker.clock().now());
    let later = before.is_some();
    page(
        StatusCode::OK,
        &ActiveResponsesPage { later, ..ActiveResponsesPage::new(layout, &found, several, now) },
    )
}

impl ActiveResponsesPage {
    /// `several`: there is more than one manager, so each is named.
    pub(in crate::web) fn new(
        layout: Layout,
        found: &[ActiveResponse],
        several: bool,
        now: Time,
    ) -> Self {
        let effects: Vec<_> =
            found.iter().filter_map(|one| ActiveResponseCard::new(one, several, now)).collect();
        let full = u32::try_from(found.len()).is_ok_and(|rows| rows >= PAGE_ROWS);
        let last = effects.last().filter(|_| full).map(|last| last.request.clone());
        let older = last.map(|before| NextPage { action: "/in-force", fields: Vec::new(), before });
        Self { layout, effects, later: false, older }
    }
}

impl ActiveResponseCard {
    fn new(standing: &ActiveResponse, several: bool, now: Time) -> Option<Self> {
        let places = &standing.places;
        let first = places.first()?;
        let count = |outcome| places.iter().filter(|one| one.outcome == outcome).count();
        let known = Outcome::NAMES.map(|name| (name, count(name)));
        let reach = with_count(u64::try_from(places.len()).unwrap_or(0), "endpoint");
        Some(Self {
            request: first.request.to_string(),
            manager: several.then(|| first.manager.clone()),
            what: first.action.phrase(),
            reach: format!("on {reach} {}", first.term),
            names: request::some(places.iter().map(|one| one.name.as_str())),
            ends: until(places.iter().filter_map(|one| one.ends).max(), now),
            approvers: approvers(&standing.approvers),
            undo: standing.undo.map(|(id, state)| (id.to_string(), state.name())),
            known: known.into_iter().filter(|(_, number)| *number > 0).collect(),
            more: places.len().saturating_sub(PLACES_MAX),
            endpoints: places
                .iter()
                .take(PLACES_MAX)
                .map(|one| ActiveEndpoint::new(one, now))
                .collect(),
        })
    }

    /// Whether its endpoints are shown at once: where a person must check some of them.
    fn unfolded(&self) -> bool {
        let doubtful = self.number("unknown") + self.number("unconfirmed") > 0;
        doubtful && self.endpoints.len() <= UNFOLDED_MAX
    }

    fn number(&self, outcome: &str) -> usize {
        let found = self.known.iter().find(|(name, _)| *name == outcome);
        found.map_or(0, |(_, number)| *number)
    }
}

impl ActiveEndpoint {
    fn new(one: &ActiveTarget, now: Time) -> Self {
        Self {
            id: one.endpoint.to_string(),
            name: one.name.clone(),
            outcome: one.outcome,
            since: one.since,
            until: until(one.ends, now),
        }
    }
}

fn approvers(people: &[(String, bool)]) -> String {
    let words = |(name, broke): &(String, bool)| {
        if *broke { format!("{name} (broke the glass)") } else { name.clone() }
    };
    people.iter().map(words).collect::<Vec<_>>().join(", ")
}

fn until(ends: Option<Time>, now: Time) -> Option<(Time, String)> {
    ends.map(|ends| (ends, request::time_left(ends, now)))
}
