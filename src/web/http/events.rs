//! News for pages whose script runs: that something changed, never what.
//!
//! An answer is held until something changed or some seconds passed, and ends with the one event;
//! the browser's `EventSource` then asks again and names the last one that it had. So every event
//! passes the session's check, no stream has to be closed, and nothing waits long at a shutdown.

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;

use super::session::{self, QueryParams};
use crate::{
    domain::digest::Digest,
    web::{AppState, error::PageError},
};

/// How long an answer is held: shorter than proxies usually wait.
const HOLD: Duration = Duration::from_secs(25);
/// How long a browser waits before it asks again, in milliseconds. Bursts of changes become one.
const RETRY_MS: u32 = 2000;

/// How long a session that the command line ended may still listen: this process is told of its
/// own writes alone.
const RECHECK: Duration = Duration::from_secs(2);

/// In so many seconds a page beyond that may ask again: the others have asked again by then.
const TRY_LATER: HeaderValue = HeaderValue::from_static("30");

/// What the page shows already.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct EventQuery {
    after: Option<u64>,
}

/// Answers once something changed. No session, or one that ended: the browser stops asking. This
/// is no use of the session, which would otherwise never be idle.
pub(in crate::web) async fn wait(
    State(app): State<AppState>,
    QueryParams(EventQuery { after }): QueryParams<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let Some(token) = session::token(&headers, &app.settings) else { return Ok(close_stream()) };
    if !app.broker.session_is_active(&token).await? {
        return Ok(close_stream());
    }
    let session = Digest::of(token.as_bytes());
    let Some(_place) = app.listeners.acquire(session) else { return Ok(try_later()) };
    let mut changes = app.broker.changes();
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let known = last.or(after);
    if known.is_none_or(|known| known == *changes.borrow_and_update()) {
        let clock = app.broker.clock();
        tokio::select! {
            // Something changed, or the broker stops: either way the page may reload.
            _ = changes.changed() => {}
            () = clock.reach(clock.now() + HOLD) => {}
            () = app.stop.cancelled() => {}
            () = ended(&app, &token) => {}
        }
        // What changed may be that the session is over.
        if !app.broker.session_is_active(&token).await? {
            return Ok(close_stream());
        }
    }
    let now = *changes.borrow();
    let event = match known {
        Some(known) if known != now => format!("retry: {RETRY_MS}\nid: {now}\ndata: changed\n\n"),
        Some(_) | None => format!("retry: {RETRY_MS}\nid: {now}\nevent: nothing\ndata:\n\n"),
    };
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], event).into_response())
}

/// Ends when the session does, or cannot be looked at.
async fn ended(app: &AppState, token: &str) {
    let clock = app.broker.clock();
    while matches!(app.broker.session_is_active(token).await, Ok(true)) {
        clock.reach(clock.now() + RECHECK).await;
    }
}

/// The answer after which our script comes again later. `EventSource` itself would not.
fn try_later() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, TRY_LATER)]).into_response()
}

/// The answer after which an `EventSource` does not come again.
fn close_stream() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
