//! One log line for each HTTP request: who, what, how it ended, how long it took.
//!
//! Deliberately absent: query, headers, cookies and bodies. Tokens, codes and passwords stand there.

use axum::{
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use tracing::{Instrument as _, field::Empty, info_span};

use crate::clock::Clock;

/// What machines ask for again and again: logged at DEBUG.
const ROUTINE: [&str; 5] = ["/healthz", "/readyz", "/metrics", "/static/", "/events"];

/// Runs a request in a span that session and token checks add `person`, `agent` or `api_token` to.
pub(super) async fn log_request(
    State(clock): State<Clock>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let routine = ROUTINE.iter().any(|start| path.starts_with(start));
    let method = known(request.method());
    let span = info_span!("http", method, path, person = Empty, agent = Empty, api_token = Empty);
    let started = clock.now();
    async {
        let response = next.run(request).await;
        let status = response.status().as_u16();
        let ms = (clock.now() - started).num_milliseconds();
        if routine {
            tracing::debug!(status, ms, "answered");
        } else {
            tracing::info!(status, ms, "answered");
        }
        response
    }
    .instrument(span)
    .await
}

/// The name of a method that HTTP defines. Any other may be a text of whatever length.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "other",
    }
}
