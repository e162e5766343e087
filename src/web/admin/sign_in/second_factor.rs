//! The step after the right password, where that alone does not sign in: a passkey, or a recovery code.

use askama::Template;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;

use super::{SignInPage, answer, sentence};
use crate::{
    broker::{
        BrokerError, admin::passkeys::second_factor::SecondProof,
        signed_in::ticket::SecondFactorTicket,
    },
    web::{
        AppState,
        admin::passkey::{QuestionForBrowser, passkey_answer},
        error::PageError,
        http::{client::Origin, session::FormBody},
        layout::page::{Layout, page},
    },
};

/// What is said to whoever comes too late.
const OVER: &str =
    "Your password was entered more than five minutes ago, or changed since. Sign in again.";
/// What is said of a proof that is none.
const REFUSED: &str =
    "This recovery code or passkey is not yours, or was used already. Nothing was changed.";
/// What is said of a form with nothing in it.
const MISSING: &str =
    "code: it is missing. Allowed: one of your recovery codes, or a passkey in its place.";

#[derive(Debug, Template)]
#[template(path = "pages/second_factor.html")]
pub(in crate::web) struct SecondFactorPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) problem: Option<String>,
    pub(in crate::web) ticket: String,
    pub(in crate::web) next: String,
    /// Whether browsers use passkeys here.
    pub(in crate::web) passkeys: bool,
}

impl SecondFactorPage {
    fn new(app: &AppState, ticket: String, next: String) -> Self {
        Self {
            layout: Layout::anonymous("Confirm that it is you"),
            problem: None,
            ticket,
            next,
            passkeys: app.broker.passkeys_impossible().is_none(),
        }
    }
}

/// The page that asks for it.
pub(super) fn second_factor_page(
    app: &AppState,
    ticket: SecondFactorTicket,
    next: String,
) -> Result<Response, PageError> {
    page(StatusCode::OK, &SecondFactorPage::new(app, ticket.text(), next))
}

/// What the page brings back: one of both.
#[derive(Deserialize)]
pub(in crate::web) struct SecondFactorFields {
    #[serde(default)]
    ticket: String,
    #[serde(default)]
    passkey: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// Asks the passkeys of whoever gave the right password.
pub(in crate::web) async fn ask(
    State(app): State<AppState>,
    FormBody(fields): FormBody<SecondFactorFields>,
) -> Result<Response, PageError> {
    match app.broker.ask_second_factor(&fields.ticket).await {
        Ok(question) => Ok(Json(QuestionForBrowser::new(question, None)).into_response()),
        Err(BrokerError::SessionOver) => {
            Err(PageError::new(StatusCode::UNAUTHORIZED, "Not signed in", OVER))
        }
        Err(other) => Err(other.into()),
    }
}

/// Begins a session.
pub(in crate::web) async fn finish(
    State(app): State<AppState>,
    Origin(origin): Origin,
    FormBody(fields): FormBody<SecondFactorFields>,
) -> Result<Response, PageError> {
    let SecondFactorFields { ticket, passkey, code, next } = fields;
    let read = passkey_answer(&passkey);
    let proof = match &read {
        Ok(answer) => Ok(SecondProof::Passkey(answer)),
        Err(unreadable) if !passkey.is_empty() => Err(unreadable.to_string()),
        Err(_) if !code.trim().is_empty() => Ok(SecondProof::RecoveryCode(&code)),
        Err(_) => Err(MISSING.to_owned()),
    };
    let proof = match proof {
        Ok(proof) => proof,
        Err(problem) => return again(&app, (StatusCode::BAD_REQUEST, problem), (ticket, next)),
    };
    let done = app.broker.sign_in_with_second_factor(&ticket, proof, &origin).await;
    match done {
        Err(BrokerError::SignInRefused) => {
            again(&app, (StatusCode::UNAUTHORIZED, REFUSED.to_owned()), (ticket, next))
        }
        Err(BrokerError::Invalid(invalid)) => {
            again(&app, (StatusCode::BAD_REQUEST, invalid.to_string()), (ticket, next))
        }
        Err(throttled @ BrokerError::SignInThrottled(_)) => {
            let said = sentence(&throttled);
            let PageError { status, retry_after, .. } = throttled.into();
            let mut response = again(&app, (status, said), (ticket, next))?;
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            Ok(response)
        }
        Err(BrokerError::SessionOver) => {
            let problem = Some(OVER.to_owned());
            let shown = SignInPage { problem, ..SignInPage::new(&app, String::new(), next) };
            page(StatusCode::UNAUTHORIZED, &shown)
        }
        done => answer(&app, done, (String::new(), next)),
    }
}

/// The page once more, with what is wrong.
fn again(
    app: &AppState,
    (status, problem): (StatusCode, String),
    (ticket, next): (String, String),
) -> Result<Response, PageError> {
    let problem = Some(problem);
    page(status, &SecondFactorPage { problem, ..SecondFactorPage::new(app, ticket, next) })
}
