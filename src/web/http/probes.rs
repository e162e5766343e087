//! For monitoring: is the broker there, can it work, what does it count.

use std::fmt::Write as _;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use crate::{
    broker::queries::system::{NamedCounts, SystemCounts},
    domain::{
        audit::installation::{CHALLENGE_HEADER, PROOF_LINE},
        digest::Digest,
        request::{Outcome, StateName},
    },
    text::halt::for_strangers,
    web::{AppState, error::PageError},
};

/// The process answers.
pub(in crate::web) async fn healthy() -> &'static str {
    "ok\n"
}

/// The process can do its work. Whoever brings a challenge is shown whose database it serves, if they
/// can read that database.
pub(in crate::web) async fn ready(State(app): State<AppState>, headers: HeaderMap) -> Response {
    let (status, mut text) = match app.broker.readiness().await {
        Ok(()) if app.settings.connections.refused_lately(app.broker.clock().now()) => {
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

/// Counts in the text format of Prometheus, for whoever has the token. They name nobody and nothing.
pub(in crate::web) async fn metrics(State(app): State<AppState>, headers: HeaderMap) -> Response {
    let Some(token) = app.settings.metrics_token else {
        return PageError::not_found().into_response();
    };
    // Digests are compared: how long that takes says nothing of the token.
    if bearer(&headers).map(|given| Digest::of(given.as_bytes())) != Some(token) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    match app.broker.counts().await {
        Ok(SystemCounts { states, outcomes, over_limit }) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            let connections = app.settings.connections.metrics_text();
            let text = metrics_text(&states, &outcomes) + &over_limit_text(over_limit);
            (kind, text + &connections).into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "the metrics could not be counted");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn over_limit_text(waiting: u64) -> String {
    format!(
        "# HELP countersign_requests_over_limit How many wait for a manager's limit of calls.\n\
         # TYPE countersign_requests_over_limit gauge\n\
         countersign_requests_over_limit {waiting}\n"
    )
}

fn metrics_text(states: &NamedCounts, outcomes: &NamedCounts) -> String {
    let mut text =
        "# These numbers name nobody: no agent, no person, no endpoint, no target.\n".to_owned();
    let names = StateName::ALL.map(StateName::name);
    family(&mut text, ("requests", "state"), &names, states);
    family(&mut text, ("request_endpoints", "outcome"), &Outcome::NAMES, outcomes);
    text
}

/// One line for each name, those that count nothing included: a line that comes and goes is hard
/// to watch.
fn family(text: &mut String, (what, by): (&str, &str), names: &[&str], counted: &NamedCounts) {
    let mut line = |line: String| {
        // Writing to a string cannot fail.
        let _written = writeln!(text, "{line}").is_ok();
    };
    line(format!("# HELP countersign_{what} How many there are now, by {by}."));
    line(format!("# TYPE countersign_{what} gauge"));
    for name in names {
        let number = counted.iter().find(|(other, _)| other == name).map_or(0, |(_, n)| *n);
        line(format!("countersign_{what}{{{by}=\"{name}\"}} {number}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_contain_every_state_and_outcome() {
        let text = metrics_text(&vec![("pending".to_owned(), 3)], &vec![("sent".to_owned(), 7)]);
        assert!(text.contains("countersign_requests{state=\"pending\"} 3\n"));
        assert!(text.contains("countersign_requests{state=\"withdrawn\"} 0\n"));
        assert!(text.contains("countersign_request_endpoints{outcome=\"sent\"} 7\n"));
        assert_eq!(text.lines().count(), 1 + 2 + StateName::ALL.len() + 2 + Outcome::NAMES.len());
    }
}
