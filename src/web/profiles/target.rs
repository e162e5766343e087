//! The page of a target: an address, an account or whatever else is acted on.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use super::record::{DaysQuery, RecordPart};
use crate::{
    broker::queries::RecordOf,
    web::{
        AppState,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::{
            address,
            page::{Layout, page},
        },
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/target.html")]
pub(in crate::web) struct TargetPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) argument: String,
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
    let layout = Layout::new(&app, &session, argument.as_str())
        .await?
        .section("/requests")
        .without_refresh();
    page(StatusCode::OK, &TargetPage { layout, argument, record })
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
