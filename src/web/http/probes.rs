//! For monitoring: is the broker there, can it work, what does it count.

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tokio::time::timeout;

use crate::{
    broker::{Broker, queries::system::METRICS_TYPE},
    domain::{
        audit::installation::{CHALLENGE_HEADER, PROOF_LINE},
        digest::Digest,
    },
    text::halt::for_strangers,
    web::{AppState, error::PageError},
};

/// How long the metrics may take: Prometheus waits for ten seconds unless it is told otherwise.
const METRICS_MAX: Duration = Duration::from_secs(5);

/// The process answers.
pub(in crate::web) async fn healthy() -> &'static str {
    "ok\n"
}

/// The process can do its work. Whoever brings a challenge is shown whose database it serves, if they
/// can read that database.
pub(in crate::web) async fn ready(State(app): State<AppState>, headers: HeaderMap) -> Response {
    let (status, mut text) = match app.broker.readiness().await {
        Ok(()) if app.broker.connections().refused_lately(app.broker.clock().now()) => {
            let text = "not ready: connections are refused, all places are taken\n";
            (StatusCode::SERVICE_UNAVAILABLE, text.to_owned())
        }
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(halt) => {
            tracing::warn!(error = %halt, "not ready");
            // Whoever has no session is told no more of it.
            let text = format!("not ready: {}\n", for_strangers(halt.cause));
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
    };
    let challenge = headers.get(CHALLENGE_HEADER).and_then(|given| given.to_str().ok());
    if let Some(challenge) = challenge.and_then(Digest::parse)
        && let Some(proof) = app.broker.database_proof(challenge).await
    {
        text = format!("{text}{PROOF_LINE}{proof}\n");
    }
    (status, text).into_response()
}

/// The metrics, for whoever has the token.
pub(in crate::web) async fn metrics(State(app): State<AppState>, headers: HeaderMap) -> Response {
    let Some(token) = app.settings.metrics_token else {
        return PageError::not_found().into_response();
    };
    // Digests are compared: how long that takes says nothing of the token.
    if bearer(&headers).map(|given| Digest::of(given.as_bytes())) != Some(token) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    answer_metrics(&app.broker).await
}

/// The metrics as one answer; an error where they cannot be read in time.
pub async fn answer_metrics(broker: &Broker) -> Response {
    let why = match timeout(METRICS_MAX, broker.metrics()).await {
        Ok(Ok(text)) => return ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Ok(Err(error)) => error.to_string(),
        Err(_elapsed) => "the database takes too long".to_owned(),
    };
    tracing::warn!(error = why, "the metrics could not be counted");
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}
