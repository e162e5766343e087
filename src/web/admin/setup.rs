//! The first admin: a page that exists only while nobody exists.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::sign_in::sentence;
use crate::{
    broker::BrokerError,
    domain::actor::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN},
    web::{
        AppState,
        error::PageError,
        http::session::CsrfForm,
        layout::page::{Layout, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/setup.html")]
pub(in crate::web) struct SetupPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) problem: Option<String>,
    /// What was typed, so that it is not lost.
    pub(in crate::web) code: String,
    pub(in crate::web) name: String,
    pub(in crate::web) chars_min: usize,
    pub(in crate::web) chars_max: usize,
}

/// The form.
pub(in crate::web) async fn show(State(app): State<AppState>) -> Result<Response, PageError> {
    if !app.broker.setup_is_open().await? {
        return Err(PageError::not_found());
    }
    set_up_page(StatusCode::OK, None, (String::new(), "admin".to_owned()))
}

/// What the server printed, and who the first admin is.
#[derive(Deserialize)]
pub(in crate::web) struct SetupForm {
    code: String,
    name: String,
    new: String,
    again: String,
}

/// Makes the first admin.
pub(in crate::web) async fn create_admin(
    State(app): State<AppState>,
    CsrfForm(form): CsrfForm<SetupForm>,
) -> Result<Response, PageError> {
    let SetupForm { code, name, new, again } = form;
    if !app.broker.setup_is_open().await? {
        return Err(PageError::not_found());
    }
    let (status, problem) = if new == again {
        match app.broker.set_up(&code, name.trim(), &new).await {
            Ok(()) => return Ok(Redirect::to("/sign-in?after=set-up").into_response()),
            Err(BrokerError::SignInRefused) => {
                (StatusCode::UNAUTHORIZED, "The code is wrong. Nothing was changed.".to_owned())
            }
            Err(BrokerError::SignInThrottled) => {
                let problem = "Too many wrong codes. Start Countersign again: it prints a new one.";
                (StatusCode::TOO_MANY_REQUESTS, problem.to_owned())
            }
            Err(BrokerError::Invalid(invalid)) => {
                (StatusCode::BAD_REQUEST, format!("{invalid} Nothing was changed."))
            }
            Err(weak @ BrokerError::WeakPassword) => (StatusCode::BAD_REQUEST, sentence(&weak)),
            Err(other) => return Err(other.into()),
        }
    } else {
        let problem = "The password was typed in two different ways. Nothing was changed.";
        (StatusCode::BAD_REQUEST, problem.to_owned())
    };
    set_up_page(status, Some(problem), (code, name))
}

fn set_up_page(
    status: StatusCode,
    problem: Option<String>,
    (code, name): (String, String),
) -> Result<Response, PageError> {
    let shown = SetupPage {
        layout: Layout::anonymous("First set-up"),
        problem,
        code,
        name,
        chars_min: PASSWORD_CHARS_MIN,
        chars_max: PASSWORD_CHARS_MAX,
    };
    page(status, &shown)
}
