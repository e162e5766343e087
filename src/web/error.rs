//! What is said when something cannot be done: a title, a sentence, a way onward.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    broker::{BrokerError, queries::StoreError},
    domain::{halt::Halt, lifecycle::Refusal, public_url::PublicUrl},
};

/// Why a page cannot be shown or a form not be taken.
#[derive(Debug, Clone)]
pub(super) struct PageError {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) sentence: String,
    /// For the log alone.
    pub(super) cause: Option<String>,
    /// In how many seconds it may work; none where waiting does not help.
    pub(super) retry_after: Option<u64>,
    /// The address and the words of a way onward.
    pub(super) onward: (&'static str, &'static str),
    /// The identity provider is to be asked first whether it is them.
    pub(super) needs_confirmation: bool,
}

const INBOX: (&str, &str) = ("/", "Go to the inbox");
/// In this time the queue of passwords is worked off, however slow the machine.
const PASSWORDS_BUSY_SECONDS: u64 = 5;

impl PageError {
    pub(super) fn new(
        status: StatusCode,
        title: &'static str,
        sentence: impl Into<String>,
    ) -> Self {
        let sentence = sentence.into();
        Self {
            status,
            title,
            sentence,
            cause: None,
            retry_after: None,
            onward: INBOX,
            needs_confirmation: false,
        }
    }

    /// A `Host` that is not on the list.
    pub(super) fn wrong_host() -> Self {
        let sentence = "This server does not answer to the name in your browser's address bar.";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "Wrong address", sentence)
    }

    /// A change that none of our own pages asked for.
    pub(super) fn foreign_origin(public_url: &PublicUrl) -> Self {
        let sentence = format!(
            "The form was not sent from a page of Countersign, or your browser did not say where \
             it came from. Nothing was changed. Open {public_url} and try again there."
        );
        Self::new(StatusCode::FORBIDDEN, "Request blocked", sentence)
    }

    /// A form whose session is over.
    pub(super) fn signed_out() -> Self {
        let sentence = "Your session has ended. Nothing was changed. Sign in and try again.";
        let onward = ("/sign-in", "Sign in");
        Self { onward, ..Self::new(StatusCode::UNAUTHORIZED, "Signed out", sentence) }
    }

    /// A form without the token of its session.
    pub(super) fn form_expired() -> Self {
        let sentence = "The form belongs to another session, perhaps because you have signed in \
                        again since the page was loaded. Nothing was changed. Load the page again \
                        before you decide.";
        Self::new(StatusCode::FORBIDDEN, "This form has expired", sentence)
    }

    /// A form that takes the identity provider's word for who sends it.
    pub(super) fn unconfirmed() -> Self {
        let sentence = "It takes a fresh proof that it is you. Nothing was changed.";
        let error = Self::new(StatusCode::UNAUTHORIZED, "Confirm that it is you", sentence);
        Self { needs_confirmation: true, ..error }
    }

    /// A form that says that it was confirmed, and was not, or not any more.
    pub(super) fn not_confirmed() -> Self {
        let sentence = "Nothing waits to be confirmed in this browser, or not any more. Nothing was \
                        changed. Do it again on its page.";
        Self::new(StatusCode::CONFLICT, "Not confirmed", sentence)
    }

    /// A form that cannot be read.
    pub(super) fn unreadable() -> Self {
        let sentence = "The form could not be read. Nothing was changed.";
        Self::new(StatusCode::BAD_REQUEST, "Not understood", sentence)
    }

    /// A form that is too large.
    pub(super) fn too_large() -> Self {
        let sentence = "The form is larger than 64 KiB. Nothing was changed.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Too large", sentence)
    }

    /// A person who must change their password sent something else.
    pub(super) fn password_first() -> Self {
        let sentence = "Your password was set by somebody else. Change it before you do anything \
                        else. Nothing was changed.";
        let onward = ("/password", "Change your password");
        Self { onward, ..Self::new(StatusCode::FORBIDDEN, "Change your password first", sentence) }
    }

    /// Something that is not there, or not for these eyes.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", "There is nothing at this address.")
    }

    /// An address that exists, but not for this method.
    pub(super) fn wrong_method() -> Self {
        let sentence = "This address does not accept this kind of request. Nothing was changed.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Not possible here", sentence)
    }

    fn wait(status: StatusCode, words: &str) -> Self {
        Self::new(status, "Please wait", format!("{words}. Nothing was changed."))
    }

    /// A page that could not be made.
    pub(super) fn internal(cause: &dyn std::error::Error) -> Self {
        let sentence = "Countersign could not do this. Try again. If it fails again, give the \
                        reference to the person who runs Countersign.";
        let error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", sentence);
        Self { cause: Some(cause.to_string()), ..error }
    }
}

/// What is said of approvals while nothing is sent.
pub(super) fn no_approval(halt: &Halt) -> String {
    format!("Nothing can be approved, because {halt}.")
}

impl From<BrokerError> for PageError {
    fn from(error: BrokerError) -> Self {
        let words = error.to_string();
        match error {
            BrokerError::NotFound => Self::not_found(),
            BrokerError::SessionOver => Self::signed_out(),
            BrokerError::Invalid(_) | BrokerError::WeakPassword | BrokerError::UsualPassword => {
                let sentence = format!("{words} Nothing was changed.");
                Self::new(StatusCode::BAD_REQUEST, "Not possible", sentence)
            }
            BrokerError::Refused(refusal) => Self::from(refusal),
            BrokerError::NotAllowed(why) => Self::new(
                StatusCode::FORBIDDEN,
                "Not allowed",
                format!("Policy does not allow it: {why}. Nothing was changed."),
            ),
            BrokerError::Halted(halt) => Self::new(
                StatusCode::CONFLICT,
                "Nothing is sent now",
                format!("{} Nothing was changed.", no_approval(&halt)),
            ),
            BrokerError::SignInRefused => Self::new(
                StatusCode::UNAUTHORIZED,
                "Not signed in",
                "The name or the password is wrong. Nothing was changed.",
            ),
            BrokerError::ProviderUnavailable(_) => Self::wait(StatusCode::BAD_GATEWAY, &words),
            BrokerError::ProviderRefused(_) => Self::new(
                StatusCode::UNAUTHORIZED,
                "Not confirmed",
                format!("{words}. Nothing was changed."),
            ),
            BrokerError::SecondFactorMissing(_) => {
                let sentence = "A passkey or a recovery code is missing. Nothing was changed.";
                Self::new(StatusCode::UNAUTHORIZED, "Not signed in", sentence)
            }
            BrokerError::SignInThrottled(wait) => Self {
                retry_after: Some(wait.as_secs() + 1),
                ..Self::wait(StatusCode::TOO_MANY_REQUESTS, &words)
            },
            BrokerError::RateLimited(_) => Self::wait(StatusCode::TOO_MANY_REQUESTS, &words),
            BrokerError::PasswordsBusy => Self {
                retry_after: Some(PASSWORDS_BUSY_SECONDS),
                ..Self::wait(StatusCode::SERVICE_UNAVAILABLE, &words)
            },
            BrokerError::Store(StoreError::TooLong) => {
                Self::wait(StatusCode::SERVICE_UNAVAILABLE, &words)
            }
            BrokerError::Store(StoreError::Busy | StoreError::Conflict) => Self::new(
                StatusCode::CONFLICT,
                "Not done",
                format!("Nothing was changed: {words}."),
            ),
            BrokerError::Manager(_)
            | BrokerError::TokenOver
            | BrokerError::ScopeMissing(_)
            | BrokerError::Policy(_)
            | BrokerError::Hashing(_)
            | BrokerError::Store(_) => Self::internal(&error),
        }
    }
}

impl From<Refusal> for PageError {
    fn from(refusal: Refusal) -> Self {
        let sentence = format!("Nothing was changed: {refusal}.");
        Self::new(status_of(&refusal), "Not done", sentence)
    }
}

/// The status of a page that says why a request did not move.
pub(super) const fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NotAllowed { .. } | Refusal::OwnGlass => StatusCode::FORBIDDEN,
        Refusal::ReasonMissing | Refusal::PrefixWrong { .. } => StatusCode::BAD_REQUEST,
        Refusal::WrongState { .. }
        | Refusal::VersionChanged
        | Refusal::DigestChanged
        | Refusal::AlreadyVoted
        | Refusal::NotVoted
        | Refusal::TooLate { .. }
        | Refusal::TooEarly
        | Refusal::Frozen
        | Refusal::SecondPersonMissing
        | Refusal::PolicyChanged
        | Refusal::PolicyWithdrawn { .. }
        | Refusal::NoSuchAttempt
        | Refusal::NothingToUndo { .. }
        | Refusal::NoReviewDue
        | Refusal::NotTogether { .. }
        | Refusal::NotOpen { .. } => StatusCode::CONFLICT,
    }
}

impl IntoResponse for PageError {
    /// Carries the error to the layer that makes a page of it.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
