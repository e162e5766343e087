//! Asking for the password again, for what wants a recent one.

use axum::http::StatusCode;

use super::sign_in::sentence;
use crate::{
    broker::{BrokerError, SignedIn, queries::view::Permission},
    domain::facts::Verb,
    web::{AppState, error::PageError, http::session::PageSession},
};

/// Whether the password is recent enough for what is wanted.
pub(in crate::web) enum Reauth {
    /// It is, or nothing wants it to be.
    Recent(SignedIn),
    /// It is not: what to tell the person. Nothing was changed.
    Problem(String),
}

/// Takes the password where it was given; asks for it where policy wants a recent one.
pub(in crate::web) async fn require_recent_password(
    app: &AppState,
    session: &PageSession,
    access: &Permission,
    password: &str,
) -> Result<Reauth, PageError> {
    if password.is_empty() && *access == Permission::WithPassword {
        let problem = "Give your password: this wants it given within the last minutes. Nothing \
                       was changed.";
        return Ok(Reauth::Problem(problem.to_owned()));
    }
    if password.is_empty() {
        return Ok(Reauth::Recent(session.who.clone()));
    }
    match app.broker.authenticate_again(&session.who, password).await {
        Ok(who) => Ok(Reauth::Recent(who)),
        Err(BrokerError::SignInRefused) => {
            Ok(Reauth::Problem("The password is wrong. Nothing was changed.".to_owned()))
        }
        Err(error @ BrokerError::SignInThrottled) => Ok(Reauth::Problem(sentence(&error))),
        Err(other) => Err(other.into()),
    }
}

/// What a form came to: what it did, or what to say on its page so that it can be mended.
pub(in crate::web) type FormResult<T> = Result<T, (StatusCode, String)>;

/// Does to the system what a form wants, with a password that is recent enough for it.
pub(in crate::web) async fn with_reauth<T, F>(
    app: &AppState,
    session: &PageSession,
    (verb, password): (Verb, &str),
    act: impl FnOnce(SignedIn) -> F,
) -> Result<FormResult<T>, PageError>
where
    F: Future<Output = Result<T, BrokerError>>,
{
    let access = app.broker.system_permission(&session.who, verb);
    let who = match require_recent_password(app, session, &access, password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => return Ok(Err((StatusCode::UNAUTHORIZED, problem))),
    };
    match act(who).await {
        Ok(done) => Ok(Ok(done)),
        Err(BrokerError::Invalid(invalid)) => {
            Ok(Err((StatusCode::BAD_REQUEST, format!("{invalid} Nothing was changed."))))
        }
        Err(other) => Err(other.into()),
    }
}
