//! Why a verb was not carried out.

use std::time::Duration;

use super::signed_in::ticket::SecondFactorTicket;
use crate::{
    connector::ConnectorError,
    domain::{
        action::with_count,
        actor::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, api_token::TokenScope},
        halt::Halt,
        lifecycle::Refusal,
        proposal::InvalidField,
    },
    policy::PolicyError,
    store::StoreError,
};

/// Why the broker did not do it.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A field is not as it must be.
    #[error(transparent)]
    Invalid(#[from] InvalidField),
    /// The life cycle does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such thing, or it is not theirs to know.
    #[error("not found")]
    NotFound,
    /// The session that the act rests on ended before it was carried out.
    #[error("your session has ended; sign in and try again")]
    SessionOver,
    /// The token that the act rests on opens nothing any more.
    #[error("the token opens nothing any more")]
    TokenOver,
    /// The token is not for this.
    #[error("the token is not for this: it lacks the scope {0}")]
    ScopeMissing(TokenScope),
    /// Policy does not let them.
    #[error("policy does not allow it: {0}")]
    NotAllowed(String),
    /// An agent has as much open, or asks as often, as it may.
    #[error("you ask for too much: {0}. Nothing was stored. Where it is urgent, tell the user")]
    RateLimited(String),
    /// Name or password is wrong, or neither is known.
    #[error("name or password is wrong")]
    SignInRefused,
    /// The password is right, and alone does not sign this person in.
    #[error("a passkey or a recovery code is missing")]
    SecondFactorMissing(SecondFactorTicket),
    /// Too many sign-ins failed.
    #[error("too many sign-ins failed; wait {}", wait_text(*.0))]
    SignInThrottled(Duration),
    /// More passwords wait to be checked than this machine can check soon.
    #[error("too many passwords are being checked; try again in a few seconds")]
    PasswordsBusy,
    /// A password that cannot be one.
    #[error("a password has {} to {} characters", PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX)]
    WeakPassword,
    /// A password that is guessed first.
    #[error(
        "this password would be guessed: it is a usual one, repeats itself, or is mostly your name"
    )]
    UsualPassword,
    /// A password could not be hashed; nothing was stored.
    #[error("the password could not be hashed: {0}")]
    Hashing(String),
    /// The manager could not be asked; nothing was stored.
    #[error("{0}. Nothing was stored; ask again later.")]
    Manager(#[from] ConnectorError),
    /// The identity provider cannot be asked at the moment.
    #[error(transparent)]
    ProviderUnavailable(ConnectorError),
    /// The identity provider does not say, or not so that it holds, who somebody is.
    #[error("{0}")]
    ProviderRefused(String),
    /// A policy set cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Nothing is sent, so nothing is approved either.
    #[error("{0}")]
    Halted(Halt),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// "40 seconds", "15 minutes": never less than the wait.
fn wait_text(wait: Duration) -> String {
    let seconds = wait.as_millis().div_ceil(1000);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    if seconds < 60 {
        return with_count(seconds, "second");
    }
    with_count(seconds.div_ceil(60), "minute")
}
