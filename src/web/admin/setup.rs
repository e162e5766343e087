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
    broker::{
        BrokerError,
        admin::sessions::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN},
    },
    web::{
        Site,
        error::Failure,
        http::session::Fields,
        layout::page::{Frame, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/set_up.html")]
pub(in crate::web) struct SetUpPage {
    pub(in crate::web) frame: Frame,
    pub(in crate::web) problem: Option<String>,
    /// What was typed, so that it is not lost.
    pub(in crate::web) code: String,
    pub(in crate::web) name: String,
    pub(in crate::web) chars_min: usize,
    pub(in crate::web) chars_max: usize,
}

/// The form.
pub(in crate::web) async fn show(State(site): State<Site>) -> Result<Response, Failure> {
    if !site.broker.set_up_is_open().await? {
        return Err(Failure::not_found());
    }
    set_up_page(StatusCode::OK, None, (String::new(), "admin".to_owned()))
}

/// What the server printed, and who the first admin is.
#[derive(Deserialize)]
pub(in crate::web) struct First {
    code: String,
    name: String,
    new: String,
    again: String,
}

/// Makes the first admin.
pub(in crate::web) async fn make(
    State(site): State<Site>,
    Fields(form): Fields<First>,
) -> Result<Response, Failure> {
    let First { code, name, new, again } = form;
    if !site.broker.set_up_is_open().await? {
        return Err(Failure::not_found());
    }
    let (status, problem) = if new == again {
        match site.broker.set_up(&code, name.trim(), &new).await {
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
) -> Result<Response, Failure> {
    let shown = SetUpPage {
        frame: Frame::bare("First set-up"),
        problem,
        code,
        name,
        chars_min: PASSWORD_CHARS_MIN,
        chars_max: PASSWORD_CHARS_MAX,
    };
    page(status, &shown)
}
