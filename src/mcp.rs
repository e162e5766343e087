//! The door for agents: the Model Context Protocol over HTTP, and the bridge for clients that
//! start a program.
//!
//! A call passes `auth` (who calls), `server` (which tool), `arguments` (is its form valid), one
//! verb of the broker, and [`answer`] (what the model reads).
//!
//! Deliberately absent: sessions, which belong to anyone who knows their id; elicitation, whose answer
//! comes from the side that asks; any tool that approves.

use std::{sync::Arc, time::Duration};

use axum::{Router, middleware, routing::any};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use tokio_util::sync::CancellationToken;

use crate::{broker::Broker, clock::Clock, domain::public_url::PublicUrl};
use server::McpServer;

pub mod answer;
mod arguments;
mod auth;
pub mod bridge;
mod call;
mod distinct_keys;
mod door;
mod error;
pub mod reading;
mod server;
pub mod tools;

/// The longest message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Where clients look for OAuth or for a transport of old: JSON says that there is none.
const BESIDE: [&str; 8] = [
    "/mcp/",
    "/mcp/{*rest}",
    "/.well-known/{*rest}",
    "/register",
    "/authorize",
    "/token",
    "/sse",
    "/messages",
];
/// How long calls that do not wait may go on after the stop.
const GRACE: Duration = Duration::from_secs(2);

/// The door, at `/mcp`, for requests whose `Host` and `Origin` are those of `public_url` to the
/// letter: `app` puts `web::guard` in front, which reads them. `stop` makes every wait answer at once; whatever has not answered a little
/// later is cut off.
pub fn router(broker: Broker, public_url: PublicUrl, stop: CancellationToken) -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MESSAGE_BYTES_MAX)
        .with_allowed_hosts([public_url.host()])
        .with_allowed_origins([public_url.origin()])
        .enforce_origin_validation()
        .with_cancellation_token(later(broker.clock().clone(), stop.clone()));
    let guard = middleware::from_fn_with_state(broker.clone(), auth::check);
    let door = McpServer::new(broker, public_url, stop);
    let sessions = Arc::new(NeverSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(door.clone()), sessions, config);
    let door = Router::new()
        .route_service("/mcp", service)
        .route_layer(middleware::from_fn(door::check_message))
        .route_layer(guard);
    BESIDE.iter().fold(door, |all, path| all.route(path, any(door::nothing_here)))
}

/// Has everything that a door refuses, guards in front of it included, said in JSON.
pub fn in_json(door: Router) -> Router {
    door.layer(middleware::from_fn(door::refuse_in_json))
}

/// A token that is cancelled a little after `stop`: rmcp's own would turn a wait into an error.
fn later(clock: Clock, stop: CancellationToken) -> CancellationToken {
    let cut = CancellationToken::new();
    let cutting = cut.clone();
    tokio::spawn(async move {
        stop.cancelled().await;
        clock.reach(clock.now() + GRACE).await;
        cutting.cancel();
    });
    cut
}
