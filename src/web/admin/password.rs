//! One's own password: another one, or the first after a one-time password.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use super::sign_in::{lead_in, sentence, with_cookie};
use crate::{
    broker::BrokerError,
    domain::actor::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, password_length_allowed},
    web::{
        AppState,
        error::PageError,
        http::{
            client::Origin,
            session::{FormBody, PageSession},
        },
        layout::page::{Layout, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/password.html")]
struct PasswordPage {
    layout: Layout,
    problem: Option<String>,
    must: bool,
    /// Whether the one that is now must be entered: whoever came with a one-time password just did.
    asks_old: bool,
    /// Whether there are passkeys, a second factor or tokens to keep.
    has_factors: bool,
    chars_min: usize,
    chars_max: usize,
}

/// The form for a new password.
pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    password_page(&app, &session, None).await
}

/// The old password and the new one.
#[derive(Deserialize)]
pub(in crate::web) struct NewPassword {
    #[serde(default)]
    old: String,
    new: String,
    /// `yes` where the box is ticked.
    #[serde(default)]
    keep_passkeys: String,
}

impl NewPassword {
    fn keep(&self) -> bool {
        self.keep_passkeys == "yes"
    }
}

/// Changes the password of the person who is signed in, which ends all their sessions.
pub(in crate::web) async fn change(
    State(app): State<AppState>,
    session: PageSession,
    Origin(origin): Origin,
    FormBody(form): FormBody<NewPassword>,
) -> Result<Response, PageError> {
    let who = &session.who;
    let done = if form.old.is_empty() && who.chooses_first_password(app.broker.clock().now()) {
        let chosen = app.broker.choose_first_password(who, &form.new, &origin).await;
        chosen.map(|session| lead_in(&app, &session, "/"))
    } else {
        let changed = app.broker.change_password(who, (&form.old, &form.new), form.keep()).await;
        changed.map(|()| with_cookie(&app, "", "/sign-in?after=password"))
    };
    let problem = match done {
        Ok(response) => return Ok(response),
        Err(BrokerError::SignInRefused) => {
            "The current password is wrong. Nothing was changed.".to_owned()
        }
        Err(BrokerError::WeakPassword) if password_length_allowed(&form.new) => {
            "The new password is the same as the old one. Nothing was changed.".to_owned()
        }
        Err(
            problem @ (BrokerError::WeakPassword
            | BrokerError::UsualPassword
            | BrokerError::SignInThrottled(_)),
        ) => sentence(&problem),
        Err(other) => return Err(other.into()),
    };
    password_page(&app, &session, Some(problem)).await
}

async fn password_page(
    app: &AppState,
    session: &PageSession,
    problem: Option<String>,
) -> Result<Response, PageError> {
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let passkeys = app.broker.passkeys(&session.who).await?;
    let second_factor = app.broker.second_factor(&session.who).await?;
    let tokens = app.broker.own_api_tokens(&session.who).await?;
    let must = session.who.profile().must_change_password;
    let title = if must { "Choose your password" } else { "Change your password" };
    let shown = PasswordPage {
        layout: Layout::new(app, session, title).await?.without_refresh(),
        problem,
        must,
        asks_old: !session.who.chooses_first_password(app.broker.clock().now()),
        has_factors: !passkeys.is_empty()
            || second_factor.is_some()
            || tokens.iter().any(|listed| !listed.token.service),
        chars_min: PASSWORD_CHARS_MIN,
        chars_max: PASSWORD_CHARS_MAX,
    };
    page(status, &shown)
}
