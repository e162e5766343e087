//! What is said when something cannot be done: a title, a sentence, a way onward. Causes go to the
//! log, once, under a reference that the page shows.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::{
    AppState,
    http::session::{self, PageSession},
    layout::page::{Layout, page},
};
use crate::{
    broker::{BrokerError, queries::StoreError},
    domain::{lifecycle::Refusal, public_url::PublicUrl},
    text::visible::visible,
};

/// Why a page cannot be shown or a form not be taken.
#[derive(Debug, Clone)]
pub(super) struct PageError {
    status: StatusCode,
    title: &'static str,
    sentence: String,
    /// For the log alone.
    cause: Option<String>,
    /// The address and the words of a way onward.
    onward: (&'static str, &'static str),
}

const INBOX: (&str, &str) = ("/", "Go to the inbox");

impl PageError {
    fn new(status: StatusCode, title: &'static str, sentence: impl Into<String>) -> Self {
        Self { status, title, sentence: sentence.into(), cause: None, onward: INBOX }
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

    /// A page that could not be made.
    pub(super) fn internal(cause: &dyn std::error::Error) -> Self {
        let sentence = "Countersign could not do this. Try again. If it fails again, give the \
                        reference to the person who runs Countersign.";
        let error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", sentence);
        Self { cause: Some(cause.to_string()), ..error }
    }
}

impl From<BrokerError> for PageError {
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
                "The name or the password is wrong. Nothing was changed.",
            ),
            BrokerError::SignInThrottled | BrokerError::RateLimited(_) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Please wait",
                format!("{words}. Nothing was changed."),
            ),
            BrokerError::Store(StoreError::Busy | StoreError::Conflict) => Self::new(
                StatusCode::CONFLICT,
                "Not done",
                format!("Nothing was changed: {words}."),
            ),
            BrokerError::Manager(_) | BrokerError::Policy(_) | BrokerError::Store(_) => {
                Self::internal(&error)
            }
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
        | Refusal::PolicyWithdrawn { .. }
        | Refusal::NoSuchAttempt
        | Refusal::NothingToUndo { .. }
        | Refusal::NoReviewDue
        | Refusal::NotTogether { .. }
        | Refusal::NotOpen { .. } => StatusCode::CONFLICT,
    }
}

impl IntoResponse for PageError {
    /// Carries the error to [`present`].
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Debug, Template)]
#[template(path = "pages/error.html")]
struct ErrorPage {
    layout: Layout,
    error: PageError,
    reference: Option<String>,
}

/// Gives an error its page: the one place that does.
pub(super) async fn render(app: &AppState, mut response: Response) -> Response {
    let Some(error) = response.extensions_mut().remove::<PageError>() else { return response };
    let reference = error.cause.as_ref().map(|cause| {
        let reference: [u8; 4] = app.broker.clock().random();
        let reference = format!("{:08x}", u32::from_be_bytes(reference));
        tracing::error!(%reference, cause = %visible(cause), "a page could not be shown");
        reference
    });
    let layout = match response.extensions_mut().remove::<PageSession>() {
        None => None,
        // What it says stays true, and the address may be that of a form: nothing to reload.
        Some(session) => {
            let layout = Layout::new(app, &session, error.title).await;
            layout.map(Layout::without_refresh).ok()
        }
    };
    let layout = layout.unwrap_or_else(|| Layout::anonymous(error.title));
    let status = error.status;
    page(status, &ErrorPage { layout, error, reference }).unwrap_or(response)
}

/// For an address that does not exist.
pub(super) async fn not_found(State(app): State<AppState>, headers: HeaderMap) -> Response {
    session::attach_session(&app, &headers, PageError::not_found().into_response()).await
}

/// For an address that exists, but not for this method.
pub(super) async fn wrong_method(State(app): State<AppState>, headers: HeaderMap) -> Response {
    let sentence = "This address does not accept this kind of request. Nothing was changed.";
    let error = PageError::new(StatusCode::METHOD_NOT_ALLOWED, "Not possible here", sentence);
    session::attach_session(&app, &headers, error.into_response()).await
}
