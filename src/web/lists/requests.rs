//! All requests, newest first, with filters.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use crate::{
    broker::queries::{RequestFilter, RequestSummary, view::PAGE_ROWS},
    domain::{
        action::{ActionKind, with_count},
        request::StateName,
    },
    text::request::{non_empty, outcome_counts},
    web::{
        AppState,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::page::{Layout, NextPage, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/requests.html")]
pub(in crate::web) struct RequestsPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) asked: RequestFilters,
    /// What can be asked for now.
    pub(in crate::web) actions: Vec<ActionKind>,
    pub(in crate::web) problem: Option<String>,
    pub(in crate::web) rows: Vec<RequestRow>,
    pub(in crate::web) older: Option<NextPage>,
}

/// The filter as it was typed.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(in crate::web) struct RequestFilters {
    state: String,
    agent: String,
    action: String,
    target: String,
    endpoint: String,
    before: String,
}

/// A request in the list.
#[derive(Debug)]
pub(in crate::web) struct RequestRow {
    summary: RequestSummary,
    effect: String,
    outcomes: String,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(asked): QueryParams<RequestFilters>,
) -> Result<Response, PageError> {
    let layout = Layout::new(&app, &session, "Requests").await?.section("/requests");
    let actions = app.broker.engine().catalogue().all().to_vec();
    let agent = match non_empty(&asked.agent) {
        None => Ok(None),
        Some(name) => {
            let mut agents = app.broker.agents(&session.who).await?.into_iter();
            let found = agents.find(|agent| agent.name == name).map(|agent| Some(agent.id));
            found.ok_or_else(|| format!("There is no agent “{name}”."))
        }
    };
    let filter = agent.and_then(|agent| Ok(RequestFilter { agent, ..asked.read()? }));
    match filter {
        Ok(filter) => {
            let found = app.broker.requests_of_person(&session.who, &filter).await?;
            page(StatusCode::OK, &RequestsPage::new(layout, (asked, actions), found))
        }
        Err(problem) => {
            let empty = RequestsPage::new(layout, (asked, actions), Vec::new());
            page(StatusCode::BAD_REQUEST, &RequestsPage { problem: Some(problem), ..empty })
        }
    }
}

impl RequestsPage {
    pub(in crate::web) fn new(
        layout: Layout,
        (asked, actions): (RequestFilters, Vec<ActionKind>),
        found: Vec<RequestSummary>,
    ) -> Self {
        let full = u32::try_from(found.len()).is_ok_and(|rows| rows >= PAGE_ROWS);
        let last = found.last().filter(|_| full).map(|last| last.id.to_string());
        let older = last.map(|before| NextPage {
            action: "/requests",
            fields: vec![
                ("state", asked.state.clone()),
                ("agent", asked.agent.clone()),
                ("action", asked.action.clone()),
                ("target", asked.target.clone()),
                ("endpoint", asked.endpoint.clone()),
            ],
            before,
        });
        Self {
            layout,
            asked,
            actions,
            problem: None,
            rows: found.into_iter().map(RequestRow::new).collect(),
            older,
        }
    }
}

impl RequestFilters {
    fn read(&self) -> Result<RequestFilter, String> {
        let state = read(&self.state, "state", StateName::parse)?;
        let action = read(&self.action, "action", ActionKind::parse)?;
        let before = read(&self.before, "page", |id| id.parse().ok())?;
        let (argument, endpoint) = (non_empty(&self.target), non_empty(&self.endpoint));
        Ok(RequestFilter { state, action, argument, endpoint, before, ..RequestFilter::default() })
    }
}

/// Reads a field that may be left out.
pub(in crate::web) fn read<T>(
    text: &str,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, String> {
    match non_empty(text) {
        None => Ok(None),
        Some(text) => parse(&text).map(Some).ok_or_else(|| format!("There is no {what} “{text}”.")),
    }
}

impl RequestRow {
    fn new(summary: RequestSummary) -> Self {
        let targets = with_count(summary.counts.targets, "endpoint");
        let effect = format!("{} on {targets}", summary.action.phrase());
        let effect = if summary.action.kind().is_undo() {
            effect
        } else {
            format!("{effect} {}", summary.term)
        };
        let outcomes = outcome_counts(&summary.counts);
        Self { summary, effect, outcomes }
    }
}
