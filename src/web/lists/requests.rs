//! All requests, newest first, with filters.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use crate::{
    broker::queries::request::{Filter, PAGE_ROWS, Summary},
    domain::{
        action::{ActionKind, counted},
        request::StateName,
    },
    text::request::{given, outcomes},
    web::{
        Site,
        error::Failure,
        http::session::{Asked, Session},
        layout::page::{Frame, Older, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/requests.html")]
pub(in crate::web) struct RequestsPage {
    pub(in crate::web) frame: Frame,
    pub(in crate::web) asked: Filters,
    pub(in crate::web) problem: Option<String>,
    pub(in crate::web) rows: Vec<Row>,
    pub(in crate::web) older: Option<Older>,
}

/// The filter as it was typed.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Filters {
    state: String,
    action: String,
    target: String,
    endpoint: String,
    before: String,
}

/// A request in the list.
#[derive(Debug)]
pub(in crate::web) struct Row {
    summary: Summary,
    effect: String,
    outcomes: String,
}

/// The page.
pub(in crate::web) async fn show(
    State(site): State<Site>,
    session: Session,
    Asked(asked): Asked<Filters>,
) -> Result<Response, Failure> {
    let frame = Frame::new(&site, &session, "Requests").await?.at("/requests");
    match asked.read() {
        Ok(filter) => {
            let found = site.broker.requests_of_person(&session.who, &filter).await?;
            page(StatusCode::OK, &RequestsPage::new(frame, asked, found))
        }
        Err(problem) => {
            let empty = RequestsPage::new(frame, asked, Vec::new());
            page(StatusCode::BAD_REQUEST, &RequestsPage { problem: Some(problem), ..empty })
        }
    }
}

impl RequestsPage {
    pub(in crate::web) fn new(frame: Frame, asked: Filters, found: Vec<Summary>) -> Self {
        let full = u32::try_from(found.len()).is_ok_and(|rows| rows >= PAGE_ROWS);
        let last = found.last().filter(|_| full).map(|last| last.id.to_string());
        let older = last.map(|before| Older {
            action: "/requests",
            fields: vec![
                ("state", asked.state.clone()),
                ("action", asked.action.clone()),
                ("target", asked.target.clone()),
                ("endpoint", asked.endpoint.clone()),
            ],
            before,
        });
        Self { frame, asked, problem: None, rows: found.into_iter().map(Row::new).collect(), older }
    }
}

impl Filters {
    fn read(&self) -> Result<Filter, String> {
        let state = read(&self.state, "state", StateName::parse)?;
        let action = read(&self.action, "action", ActionKind::parse)?;
        let before = read(&self.before, "page", |id| id.parse().ok())?;
        let (argument, endpoint) = (given(&self.target), given(&self.endpoint));
        Ok(Filter { state, action, argument, endpoint, before, ..Filter::default() })
    }
}

/// Reads a field that may be left out.
pub(in crate::web) fn read<T>(
    text: &str,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, String> {
    match given(text) {
        None => Ok(None),
        Some(text) => parse(&text).map(Some).ok_or_else(|| format!("There is no {what} “{text}”.")),
    }
}

impl Row {
    fn new(summary: Summary) -> Self {
        let targets = counted(summary.counts.targets, "endpoint");
        let effect = format!("{} on {targets}", summary.action.phrase());
        let effect = if summary.action.kind().is_undo() {
            effect
        } else {
            format!("{effect} {}", summary.term)
        };
        let counts = &summary.counts;
        let known = counts.met().next().is_some();
        let outcomes = if known { outcomes(counts) } else { String::new() };
        Self { summary, effect, outcomes }
    }
}
