//! What is said when something cannot be done: problem details as RFC 9457 has them.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    broker::{Broker, BrokerError, queries::StoreError},
    domain::{lifecycle::Refusal, proposal::InvalidField},
    text::{
        halt::for_strangers,
        visible::{visible, visible_json},
    },
};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// So much of a value is repeated where it is refused, in characters.
const REPEATED_CHARS: usize = 80;

/// Why nothing was done, as RFC 9457 has it. Texts show as they show to a person: what would hide is
/// escaped.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The kind of problem: `urn:countersign:problem:` and a word that stays the same.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind in a few words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What is wrong this time, and what to do.
    #[schema(value_type = String)]
    detail: Box<str>,
    /// The part of the address or the body that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    field: Option<Box<str>>,
    /// The beginning of what came there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    value: Option<Box<str>>,
    /// What is allowed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    allowed: Option<Box<str>>,
    /// In how many seconds it may work; told in a header.
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<Box<str>>) -> Self {
        let (kind, title) = kind(status);
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            value: None,
            allowed: None,
            retry_after: None,
        }
    }

    /// A part of the address or of the body is not as it must be.
    pub(super) fn invalid(field: &str, value: &str, allowed: impl Into<Box<str>>) -> Self {
        let detail = format!("`{field}` is not as it must be. Nothing was changed.");
        Self {
            field: Some(field.into()),
            value: Some(start(value)),
            allowed: Some(allowed.into()),
            ..Self::new(StatusCode::BAD_REQUEST, detail)
        }
    }

    /// The body cannot be read at all.
    pub(super) fn unreadable(status: StatusCode, detail: impl Into<Box<str>>) -> Self {
        Self::new(status, detail)
    }

    /// The same for every token that opens nothing: nobody learns which ones there are.
    pub(super) fn no_token() -> Self {
        let detail = "this token opens nothing here: it is missing, wrong, expired or revoked, its owner \
                      may not sign in now, or it is not for the network that you come from. Send \
                      `Authorization: Bearer csapi_…`; people make tokens under Account";
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// To be tried again after so many seconds.
    pub(super) fn too_many(detail: &str, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// There is no such request, or it is not theirs to know.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this address that you may see")
    }

    /// Why the broker did not do it. The cause of a fault goes to the log, under a reference.
    pub(super) fn of(error: &BrokerError, broker: &Broker) -> Self {
        match error {
            BrokerError::Invalid(InvalidField { field, problem, allowed }) => Self {
                field: Some(field.as_str().into()),
                allowed: Some(allowed.as_str().into()),
                ..Self::new(
                    StatusCode::BAD_REQUEST,
                    format!("{field}: {problem}. Nothing was changed."),
                )
            },
            BrokerError::Refused(refusal) => Self::refused(refusal),
            BrokerError::NotFound => Self::not_found(),
            BrokerError::TokenOver => Self::no_token(),
            BrokerError::ScopeMissing(scope) => Self {
                field: Some("scopes".into()),
                allowed: Some(format!("a token with the scope {scope}").into()),
                ..Self::new(StatusCode::FORBIDDEN, format!("{error}. Nothing was changed."))
            },
            BrokerError::NotAllowed(why) => {
                Self::new(StatusCode::FORBIDDEN, format!("policy does not allow it: {why}"))
            }
            BrokerError::RateLimited(_) => Self::too_many(&error.to_string(), 60),
            // Neither where it is nor what it said: that is for people.
            BrokerError::Manager(cause) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, cause.for_agents())
            }
            BrokerError::Halted(halt) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, for_strangers(halt.cause))
            }
            BrokerError::Store(StoreError::Busy | StoreError::Conflict | StoreError::TooLong) => {
                let detail = "Countersign is busy. Nothing was changed; try again in a moment";
                Self { retry_after: Some(2), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
            }
            BrokerError::Store(_)
            | BrokerError::Policy(_)
            | BrokerError::SessionOver
            | BrokerError::SignInRefused
            | BrokerError::SecondFactorMissing(_)
            | BrokerError::SignInThrottled(_)
            | BrokerError::PasswordsBusy
            | BrokerError::WeakPassword
            | BrokerError::UsualPassword
            | BrokerError::ProviderUnavailable(_)
            | BrokerError::ProviderRefused(_)
            | BrokerError::Hashing(_) => {
                let reference: String = broker.clock().secret().chars().take(8).collect();
                tracing::error!(%error, reference, "an API call failed");
                let detail =
                    format!("Countersign failed (reference {reference}; its log has the cause)");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
            }
        }
    }

    fn refused(refusal: &Refusal) -> Self {
        let detail: Box<str> = format!("nothing was changed: {refusal}").into();
        match refusal {
            Refusal::NotAllowed { .. } | Refusal::OwnGlass => {
                Self::new(StatusCode::FORBIDDEN, detail)
            }
            Refusal::ReasonMissing => {
                Self { detail, ..Self::invalid("reason", "", "why it is rejected: not blank") }
            }
            Refusal::PrefixWrong { .. }
            | Refusal::WrongState { .. }
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
            | Refusal::NotOpen { .. } => Self::new(StatusCode::CONFLICT, detail),
        }
    }

    /// The same, which repeats what came in that field.
    pub(super) fn with_value(self, field: &str, value: Option<&str>) -> Self {
        if self.field.as_deref() != Some(field) || self.value.is_some() {
            return self;
        }
        Self { value: value.map(start), ..self }
    }
}

/// The beginning of a value.
fn start(value: &str) -> Box<str> {
    value.chars().take(REPEATED_CHARS).collect()
}

/// The type and the title of a kind of problem: one for each status.
fn kind(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::BAD_REQUEST => ("urn:countersign:problem:invalid", "Not as it must be"),
        StatusCode::UNAUTHORIZED => {
            ("urn:countersign:problem:unauthorized", "No token that opens something")
        }
        StatusCode::FORBIDDEN => ("urn:countersign:problem:not-allowed", "Not allowed"),
        StatusCode::NOT_FOUND => ("urn:countersign:problem:not-found", "Nothing here"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("urn:countersign:problem:method-not-allowed", "No such method here")
        }
        StatusCode::CONFLICT => ("urn:countersign:problem:conflict", "Not as it is now"),
        StatusCode::PAYLOAD_TOO_LARGE => ("urn:countersign:problem:too-large", "Too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("urn:countersign:problem:unsupported-media-type", "No JSON")
        }
        StatusCode::TOO_MANY_REQUESTS => ("urn:countersign:problem:too-many", "Too many"),
        StatusCode::SERVICE_UNAVAILABLE => {
            ("urn:countersign:problem:unavailable", "Not at the moment")
        }
        _ => ("urn:countersign:problem:failed", "Failed"),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let seen = |text: Option<Box<str>>| text.map(|text| visible(&text).into());
        let retry_after = self.retry_after;
        let shown = Self {
            detail: visible(&self.detail).into(),
            field: seen(self.field),
            value: seen(self.value),
            allowed: seen(self.allowed),
            ..self
        };
        let body = serde_json::to_value(&shown).unwrap_or_default();
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, PROBLEM_JSON)]);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        (status, headers, visible_json(&body)).into_response()
    }
}

/// What stands beside the routes.
pub(super) async fn nothing_here() -> Problem {
    Problem::not_found()
}

/// Gives each refusal that says no problem one, and every answer the headers that it must carry.
pub(super) async fn refuse_in_json(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_problem = response.headers().get(CONTENT_TYPE) == Some(&PROBLEM_JSON);
    let fails = status.is_client_error() || status.is_server_error();
    let mut response = if !fails || is_problem {
        response
    } else {
        let why = match status {
            StatusCode::FORBIDDEN => {
                "Countersign does not answer under this address, or to pages of others: use the address \
                 that people use"
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                "this address has no such method; the OpenAPI document lists those that there are"
            }
            other => other.canonical_reason().unwrap_or("refused"),
        };
        let (mut head, _body) = response.into_parts();
        let told = Problem::new(status, why).into_response();
        head.headers.remove(CONTENT_LENGTH);
        head.headers.extend(told.headers().clone());
        Response::from_parts(head, told.into_body())
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
