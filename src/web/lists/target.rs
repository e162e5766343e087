//! The page of a target: an address, an account or whatever else is acted on.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use super::active_responses::{ActiveResponseRow, rows};
use crate::{
    broker::queries::{ActiveFilter, RecordOf},
    web::{
        AppState, address,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::page::{Layout, page},
        profiles::record::{DaysQuery, RecordPart},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/target.html")]
pub(in crate::web) struct TargetPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) argument: String,
    /// Where it is active now: the first page of it, and whether there is more.
    pub(in crate::web) rows: Vec<ActiveResponseRow>,
    pub(in crate::web) more: bool,
    pub(in crate::web) record: RecordPart,
}

/// Which target, and which days.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct TargetQuery {
    is: String,
    days: String,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(TargetQuery { is: argument, days }): QueryParams<TargetQuery>,
) -> Result<Response, PageError> {
    app.broker.ensure_target_known(&session.who, &argument).await?;
    let of = RecordOf::Target(argument.clone());
    let asked = (&DaysQuery { days }, address::target(&argument));
    let record = RecordPart::load(&app, &session, &of, asked).await?;
    let filter = ActiveFilter { targets: Some(vec![argument.clone()]), ..ActiveFilter::default() };
    let (found, more) = app.broker.active_responses(&session.who, &filter, 0).await?;
    let rows = rows(&found, app.broker.several_managers(), app.broker.clock().now());
    let layout = Layout::new(&app, &session, argument.as_str())
        .await?
        .section("/requests")
        .without_refresh();
    page(StatusCode::OK, &TargetPage { layout, argument, rows, more, record })
}

impl TargetPage {
    /// Where the page is that lists where it is active.
    fn active(&self) -> String {
        format!("/in-force?search={}", address::part(&self.argument))
    }

    /// Where the page is that lists the endpoints that missed it.
    fn missed(&self) -> String {
        format!("/missed?target={}", address::part(&self.argument))
    }
}
