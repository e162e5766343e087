//! What is said when something cannot be done: a title, a sentence, a way onward. Causes go to the
//! log, once, under a reference that the page shows.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::{
    Site,
    http::session::{self, Session},
    layout::page::{Frame, page},
};
use crate::{
    broker::{BrokerError, queries::request::StoreError},
    domain::lifecycle::Refusal,
};

/// Why a page cannot be shown or a form not be taken.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    status: StatusCode,
    title: &'static str,
    sentence: String,
    /// For the log alone.
    cause: Option<String>,
    /// The address and the words of a way onward.
    onward: (&'static str, &'static str),
}

const INBOX: (&str, &str) = ("/", "Go to the inbox");

impl Failure {
    fn new(status: StatusCode, title: &'static str, sentence: impl Into<String>) -> Self {
        Self { status, title, sentence: sentence.into(), cause: None, onward: INBOX }
    }

    /// A `Host` that is not on the list.
    pub(super) fn misdirected() -> Self {
        let sentence = "This server does not answer under the name that your browser asked for.";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "Wrong address", sentence)
    }

    /// A change that none of our own pages asked for.
    pub(super) fn foreign(public_url: &str) -> Self {
        let sentence = format!(
            "That form was not sent by a page of Countersign, or your browser does not say so. \
             Nothing was changed. Open {public_url} and try again there."
        );
        Self::new(StatusCode::FORBIDDEN, "Not sent from here", sentence)
    }

    /// A form whose session is over.
    pub(super) fn signed_out() -> Self {
        let sentence = "Your session is over. Nothing was changed. Sign in and look again.";
        let onward = ("/sign-in", "Sign in");
        Self { onward, ..Self::new(StatusCode::UNAUTHORIZED, "Signed out", sentence) }
    }

    /// A form without the token of its session.
    pub(super) fn no_token() -> Self {
        let sentence = "That form does not belong to your session, perhaps because you signed in \
                        again since it was shown. Nothing was changed. Look again before you decide.";
        Self::new(StatusCode::FORBIDDEN, "Not your form", sentence)
    }

    /// A form that cannot be read.
    pub(super) fn unreadable() -> Self {
        let sentence = "That form cannot be read. Nothing was changed.";
        Self::new(StatusCode::BAD_REQUEST, "Not understood", sentence)
    }

    /// A form that is too large.
    pub(super) fn too_large() -> Self {
        let sentence = "That form is larger than 64 KiB. Nothing was changed.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Too large", sentence)
    }

    /// Somebody who must change the password sent something else.
    pub(super) fn password_first() -> Self {
        let sentence = "Your password was set by somebody else. Change it first. Nothing was \
                        changed until now.";
        let onward = ("/password", "Change the password");
        Self { onward, ..Self::new(StatusCode::FORBIDDEN, "Password first", sentence) }
    }

    /// Something that is not there, or not for these eyes.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", "There is nothing at this address.")
    }

    /// A page that could not be made.
    pub(super) fn broken(cause: &dyn std::error::Error) -> Self {
        let sentence = "Countersign could not do this just now. Look again; if that does not \
                        help, give the reference to whoever runs it.";
        let failure = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "That did not work", sentence);
        Self { cause: Some(cause.to_string()), ..failure }
    }
}

impl From<BrokerError> for Failure {
    fn from(error: BrokerError) -> Self {
        let words = error.to_string();
        match error {
            BrokerError::NotFound => Self::not_found(),
            BrokerError::Invalid(_) | BrokerError::WeakPassword => Self::new(
                StatusCode::BAD_REQUEST,
                "Not possible",
                format!("{words} Nothing was changed."),
            ),
            BrokerError::Refused(refusal) => Self::from(refusal),
            BrokerError::NotAllowed(why) => Self::new(
                StatusCode::FORBIDDEN,
                "Not allowed",
                format!("Policy does not allow it: {why}. Nothing was changed."),
            ),
            BrokerError::SignInRefused => Self::new(
                StatusCode::UNAUTHORIZED,
                "Not signed in",
                "Name or password is wrong. Nothing was changed.",
            ),
            BrokerError::SignInThrottled | BrokerError::AsksTooMuch(_) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Wait a little",
                format!("{words}. Nothing was changed."),
            ),
            BrokerError::Store(StoreError::Busy | StoreError::Conflict) => Self::new(
                StatusCode::CONFLICT,
                "Not done",
                format!("Nothing was changed: {words}."),
            ),
            BrokerError::Manager(_) | BrokerError::Policy(_) | BrokerError::Store(_) => {
                Self::broken(&error)
            }
        }
    }
}

impl From<Refusal> for Failure {
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
        | Refusal::PolicyWithdrawn { .. }
        | Refusal::NoSuchAttempt
        | Refusal::NothingToUndo { .. }
        | Refusal::NoReviewDue
        | Refusal::NotTogether { .. }
        | Refusal::NotOpen { .. } => StatusCode::CONFLICT,
    }
}

impl IntoResponse for Failure {
    /// Carries the failure to [`present`].
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Debug, Template)]
#[template(path = "pages/failure.html")]
struct FailurePage {
    frame: Frame,
    failure: Failure,
    reference: Option<String>,
}

/// Gives a failure its page: the one place that does.
pub(super) async fn present(site: &Site, mut response: Response) -> Response {
    let Some(failure) = response.extensions_mut().remove::<Failure>() else { return response };
    let reference = failure.cause.as_ref().map(|cause| {
        let reference: [u8; 4] = site.broker.clock().random();
        let reference = format!("{:08x}", u32::from_be_bytes(reference));
        tracing::error!(%reference, %cause, "a page could not be shown");
        reference
    });
    let frame = match response.extensions_mut().remove::<Session>() {
        None => None,
        // What it says stays true, and the address may be that of a form: nothing to look at again.
        Some(session) => {
            let frame = Frame::new(site, &session, failure.title).await;
            frame.map(Frame::still).ok()
        }
    };
    let frame = frame.unwrap_or_else(|| Frame::bare(failure.title));
    let status = failure.status;
    page(status, &FailurePage { frame, failure, reference }).unwrap_or(response)
}

/// For an address that is none.
pub(super) async fn not_found(State(site): State<Site>, headers: HeaderMap) -> Response {
    session::attach(&site, &headers, Failure::not_found().into_response()).await
}

/// For an address that exists, but not for this method.
pub(super) async fn wrong_method(State(site): State<Site>, headers: HeaderMap) -> Response {
    let sentence = "Nothing can be done this way at this address. Nothing was changed.";
    let failure = Failure::new(StatusCode::METHOD_NOT_ALLOWED, "Not possible here", sentence);
    session::attach(&site, &headers, failure.into_response()).await
}
