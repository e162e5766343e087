//! Asking for the password again, for what wants a recent one.

use axum::http::StatusCode;

use super::sign_in::sentence;
use crate::{
    broker::{BrokerError, admin::sessions::SignedIn, queries::request::Access},
    domain::facts::Verb,
    web::{Site, error::Failure, http::session::Session},
};

/// Whether the password is recent enough for what is wanted.
pub(in crate::web) enum Given {
    /// It is, or nothing wants it to be.
    Recent(SignedIn),
    /// It is not: what to tell the person. Nothing was changed.
    Problem(String),
}

/// Takes the password where it was given; asks for it where policy wants a recent one.
pub(in crate::web) async fn recent(
    site: &Site,
    session: &Session,
    access: &Access,
    password: &str,
) -> Result<Given, Failure> {
    if password.is_empty() && *access == Access::WithPassword {
        let problem = "Give your password: this wants it given within the last minutes. Nothing \
                       was changed.";
        return Ok(Given::Problem(problem.to_owned()));
    }
    if password.is_empty() {
        return Ok(Given::Recent(session.who.clone()));
    }
    match site.broker.authenticate_again(&session.who, password).await {
        Ok(who) => Ok(Given::Recent(who)),
        Err(BrokerError::SignInRefused) => {
            Ok(Given::Problem("The password is wrong. Nothing was changed.".to_owned()))
        }
        Err(error @ BrokerError::SignInThrottled) => Ok(Given::Problem(sentence(&error))),
        Err(other) => Err(other.into()),
    }
}

/// What a form came to: what it did, or what to say on its page so that it can be mended.
pub(in crate::web) type Tried<T> = Result<T, (StatusCode, String)>;

/// Does to the system what a form wants, with a password that is recent enough for it.
pub(in crate::web) async fn try_with<T, F>(
    site: &Site,
    session: &Session,
    (verb, password): (Verb, &str),
    act: impl FnOnce(SignedIn) -> F,
) -> Result<Tried<T>, Failure>
where
    F: Future<Output = Result<T, BrokerError>>,
{
    let access = site.broker.access_to_system(&session.who, verb);
    let who = match recent(site, session, &access, password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => return Ok(Err((StatusCode::UNAUTHORIZED, problem))),
    };
    match act(who).await {
        Ok(done) => Ok(Ok(done)),
        Err(BrokerError::Invalid(invalid)) => {
            Ok(Err((StatusCode::BAD_REQUEST, format!("{invalid} Nothing was changed."))))
        }
        Err(other) => Err(other.into()),
    }
}
