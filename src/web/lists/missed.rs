//! Which endpoints did not get a response because they were away.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use super::{fields::read, link};
use crate::{
    broker::queries::{MissedEndpoint, view::PAGE_ROWS},
    domain::{endpoint::EndpointId, id::RequestId},
    text::request::non_empty,
    web::{
        AppState,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::page::{Layout, NextPage, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/missed.html")]
struct MissedPage {
    layout: Layout,
    asked: MissedQuery,
    problem: Option<String>,
    several_managers: bool,
    rows: Vec<MissedEndpoint>,
    older: Option<NextPage>,
}

/// The filter as it was typed.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(in crate::web) struct MissedQuery {
    target: String,
    /// Request and endpoint of the last row before this page.
    before: String,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(asked): QueryParams<MissedQuery>,
) -> Result<Response, PageError> {
    let layout = Layout::new(&app, &session, "Missed").await?.section("/in-force");
    let several_managers = app.broker.several_managers();
    let (status, problem, rows) = match read(&asked.before, "page", place) {
        Err(problem) => (StatusCode::BAD_REQUEST, Some(problem), Vec::new()),
        Ok(after) => {
            let target = non_empty(&asked.target).unwrap_or_default();
            let rows = app.broker.missed(&session.who, &target, after).await?;
            (StatusCode::OK, None, rows)
        }
    };
    let full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= PAGE_ROWS);
    let older = rows.last().filter(|_| full).map(|last| NextPage {
        action: "/missed",
        fields: vec![("target", asked.target.clone())],
        before: format!("{}/{}", last.request, last.endpoint),
    });
    page(status, &MissedPage { layout, asked, problem, several_managers, rows, older })
}

impl MissedPage {
    /// The active responses to the same target.
    fn in_force(&self) -> String {
        link("/in-force?search", &self.asked.target)
    }
}

fn place(text: &str) -> Option<(RequestId, EndpointId)> {
    let (request, endpoint) = text.split_once('/')?;
    Some((request.parse().ok()?, EndpointId::parse(endpoint)?))
}
