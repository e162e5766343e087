//! What a security review asks of this set-up.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    broker::queries::Diagnosis,
    web::{
        AppState,
        error::PageError,
        http::session::PageSession,
        layout::page::{Layout, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/security_review.html")]
pub(in crate::web) struct SecurityReviewPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) findings: Vec<Diagnosis>,
}

/// The page.
pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    let findings = app.broker.security_review(&session.who).await?;
    let layout = Layout::new(&app, &session, "Security review").await?.section("/system");
    page(StatusCode::OK, &SecurityReviewPage { layout, findings })
}
