//! Asking for the password again, for what wants a recent one.

use super::{Site, failure::Failure, session::Session, sign_in::sentence};
use crate::broker::{BrokerError, look::Access, sign_in::SignedIn};

/// Whether the password is recent enough for what is wanted.
pub(super) enum Given {
    /// It is, or nothing wants it to be.
    Recent(SignedIn),
    /// It is not: what to tell the person. Nothing was changed.
    Problem(String),
}

/// Takes the password where it was given; asks for it where policy wants a recent one.
pub(super) async fn recent(
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
