//! The page of an endpoint: what was asked for on it, and what became of that.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};

use super::record::{DaysQuery, RecordPart};
use crate::{
    broker::queries::RecordOf,
    domain::endpoint::EndpointId,
    web::{
        AppState, address,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::page::{Layout, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/endpoint.html")]
pub(in crate::web) struct EndpointPage {
    pub(in crate::web) layout: Layout,
    /// What it was called when a request last named it.
    pub(in crate::web) name: String,
    pub(in crate::web) manager: String,
    pub(in crate::web) id: EndpointId,
    pub(in crate::web) record: RecordPart,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    Path((manager, id)): Path<(String, String)>,
    QueryParams(asked): QueryParams<DaysQuery>,
) -> Result<Response, PageError> {
    let id = EndpointId::parse(&id).ok_or_else(PageError::not_found)?;
    let name = app.broker.endpoint_name(&session.who, &manager, &id).await?;
    let of = RecordOf::Endpoint(manager.clone(), id.clone());
    let base = address::endpoint(&manager, id.as_str());
    let record = RecordPart::load(&app, &session, &of, (&asked, base)).await?;
    let title = format!("{name} ({id})");
    let layout = Layout::new(&app, &session, title).await?.section("/requests").without_refresh();
    page(StatusCode::OK, &EndpointPage { layout, name, manager, id, record })
}

impl EndpointPage {
    /// Where the page is that lists what is active on it.
    fn active(&self) -> String {
        format!("/in-force?search={}", address::part(&self.name))
    }
}
