//! The first sign-in: the one-time password that somebody was given, and one of their own.

use askama::Template;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::Response,
};
use serde::Deserialize;

use super::{lead_in, sentence};
use crate::{
    broker::BrokerError,
    domain::actor::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, valid_name},
    web::{
        AppState,
        error::PageError,
        http::{
            client::Origin,
            session::{FormBody, QueryParams},
        },
        layout::page::{Layout, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/first_sign_in.html")]
pub(in crate::web) struct FirstSignInPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) problem: Option<String>,
    /// Whose page it is, as its address says; empty where that names nobody.
    pub(in crate::web) name: String,
    pub(in crate::web) chars_min: usize,
    pub(in crate::web) chars_max: usize,
}

/// Whose page it is.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct NameQuery {
    #[serde(default)]
    name: String,
}

/// The form. It says nothing of whether there is somebody of that name.
pub(in crate::web) async fn show(
    QueryParams(NameQuery { name }): QueryParams<NameQuery>,
) -> Result<Response, PageError> {
    first_page(StatusCode::OK, None, name)
}

/// What was typed.
#[derive(Deserialize)]
pub(in crate::web) struct FirstFields {
    name: String,
    password: String,
    new: String,
}

/// Begins the first session.
pub(in crate::web) async fn sign_in(
    State(app): State<AppState>,
    Origin(origin): Origin,
    FormBody(FirstFields { name, password, new }): FormBody<FirstFields>,
) -> Result<Response, PageError> {
    let given = (name.trim(), password.as_str());
    let problem = match app.broker.sign_in_first(given, &new, &origin).await {
        Ok(session) => return Ok(lead_in(&app, &session, "/")),
        Err(BrokerError::SignInRefused) => {
            let problem =
                "The name or the one-time password is wrong, or it was used. Nothing was changed.";
            return first_page(StatusCode::UNAUTHORIZED, Some(problem.to_owned()), name);
        }
        Err(BrokerError::WeakPassword) if password == new => {
            let problem =
                "The new password is the one-time password. Nothing was changed.".to_owned();
            return first_page(StatusCode::BAD_REQUEST, Some(problem), name);
        }
        Err(
            problem @ (BrokerError::WeakPassword
            | BrokerError::UsualPassword
            | BrokerError::SignInThrottled(_)
            | BrokerError::PasswordsBusy),
        ) => problem,
        Err(other) => return Err(other.into()),
    };
    let said = Some(sentence(&problem));
    let PageError { status, retry_after, .. } = problem.into();
    let mut response = first_page(status, said, name)?;
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

fn first_page(
    status: StatusCode,
    problem: Option<String>,
    name: String,
) -> Result<Response, PageError> {
    let shown = FirstSignInPage {
        layout: Layout::anonymous("Your first sign-in"),
        problem,
        name: if valid_name(&name) { name } else { String::new() },
        chars_min: PASSWORD_CHARS_MIN,
        chars_max: PASSWORD_CHARS_MAX,
    };
    page(status, &shown)
}
