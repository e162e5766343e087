//! The first admin: a page that exists only while there are no accounts.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{
    reauthenticate::{FormError, FormProblem},
    sign_in::sentence,
};
use crate::{
    broker::BrokerError,
    domain::actor::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN},
    web::{
        AppState,
        error::PageError,
        http::{client::Origin, session::FormBody},
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

pub(in crate::web) async fn show(State(app): State<AppState>) -> Result<Response, PageError> {
    if !app.broker.setup_is_open().await? {
        return Err(PageError::not_found());
    }
    set_up_page(None, String::new(), "admin".to_owned())
}

/// What the server printed, and who the first admin is.
#[derive(Deserialize)]
pub(in crate::web) struct SetupForm {
    code: String,
    name: String,
    new: String,
}

/// Creates the first admin.
pub(in crate::web) async fn create_admin(
    State(app): State<AppState>,
    Origin(origin): Origin,
    FormBody(form): FormBody<SetupForm>,
) -> Result<Response, PageError> {
    let SetupForm { code, name, new } = form;
    if !app.broker.setup_is_open().await? {
        return Err(PageError::not_found());
    }
    let problem = match app.broker.set_up(&code, name.trim(), &new, &origin).await {
        Ok(()) => return Ok(Redirect::to("/sign-in?after=set-up").into_response()),
        Err(BrokerError::SignInRefused) => {
            let sentence = "The code is wrong. Nothing was changed.";
            FormProblem::new(StatusCode::UNAUTHORIZED, sentence)
        }
        Err(throttled @ BrokerError::SignInThrottled(_)) => {
            FormProblem::new(StatusCode::TOO_MANY_REQUESTS, sentence(&throttled))
        }
        Err(weak @ (BrokerError::WeakPassword | BrokerError::UsualPassword)) => {
            FormProblem::new(StatusCode::BAD_REQUEST, sentence(&weak))
        }
        Err(other) => FormError::from(other).for_page()?,
    };
    set_up_page(Some(problem), code, name)
}

fn set_up_page(
    problem: Option<FormProblem>,
    code: String,
    name: String,
) -> Result<Response, PageError> {
    let (status, problem) = FormProblem::split(problem);
    let shown = SetupPage {
        layout: Layout::anonymous("Set up Countersign"),
        problem,
        code,
        name,
        chars_min: PASSWORD_CHARS_MIN,
        chars_max: PASSWORD_CHARS_MAX,
    };
    page(status, &shown)
}
