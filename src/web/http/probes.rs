//! For monitoring: is the broker there, can it work, what does it count.

use std::fmt::Write as _;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};

use crate::{
    broker::queries::system::NamedCounts, domain::request::StateName, text::halt::for_strangers,
    web::AppState,
};

const OUTCOMES: [&str; 4] = ["sent", "refused", "not_sent", "unknown"];

/// The process answers.
pub(in crate::web) async fn healthy() -> &'static str {
    "ok\n"
}

/// The process can do its work.
pub(in crate::web) async fn ready(State(app): State<AppState>) -> Response {
    match app.broker.readiness().await {
        Ok(()) if app.settings.connections.refused_lately(app.broker.clock().now()) => {
            let text = "not ready: connections are refused, all places are taken\n";
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
        Ok(()) => "ready\n".into_response(),
        Err(halt) => {
            tracing::warn!(error = %halt, "not ready");
            // Whoever has no session is told no more of it.
            let text = format!("not ready: {}\n", for_strangers(halt.cause));
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

/// Counts in the text format of Prometheus. They name nobody and nothing, so they need no session.
pub(in crate::web) async fn metrics(State(app): State<AppState>) -> Response {
    match app.broker.counts().await {
        Ok((states, outcomes)) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            let connections = app.settings.connections.metrics_text();
            (kind, metrics_text(&states, &outcomes) + &connections).into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "the metrics could not be counted");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn metrics_text(states: &NamedCounts, outcomes: &NamedCounts) -> String {
    let mut text =
        "# These numbers name nobody: no agent, no person, no endpoint, no target.\n".to_owned();
    let names = StateName::ALL.map(StateName::name);
    family(&mut text, ("requests", "state"), &names, states);
    family(&mut text, ("request_endpoints", "outcome"), &OUTCOMES, outcomes);
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
        assert_eq!(text.lines().count(), 1 + 2 + 9 + 2 + 4);
    }
}
