//! The door for agents: the Model Context Protocol over HTTP, and the bridge for clients that
//! start a program.
//!
//! A call passes `auth` (who calls), `server` (which tool), `arguments` (is its form valid), one
//! verb of the broker, and [`answer`] (what the model reads).
//!
//! Deliberately absent: sessions, which belong to anyone who knows their id; elicitation, whose answer
//! comes from the side that asks; any tool that approves.

use std::{sync::Arc, time::Duration};

use axum::{Router, middleware};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    clock::Clock,
    domain::public_url::{Authority, PublicUrl},
};
use server::McpServer;

pub mod answer;
mod arguments;
mod auth;
pub mod bridge;
mod call;
mod error;
mod server;
pub mod tools;

/// The longest message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// How long calls that do not wait may go on after the stop.
const GRACE: Duration = Duration::from_secs(2);

/// Where agents reach the broker.
#[derive(Debug, Clone)]
pub struct McpSettings {
    /// The address that people type.
    pub public_url: PublicUrl,
    /// The values of `Host` that are answered beside the public one.
    pub hosts: Vec<Authority>,
}

impl McpSettings {
    /// Never empty: rmcp takes an empty list for "all".
    fn all_hosts(&self) -> Vec<String> {
        self.hosts.iter().map(ToString::to_string).chain([self.public_url.host()]).collect()
    }
}

/// The door, at `/mcp`. `stop` makes every wait answer at once; whatever has not answered a little
/// later is cut off.
pub fn router(broker: Broker, settings: McpSettings, stop: CancellationToken) -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MESSAGE_BYTES_MAX)
        .with_allowed_hosts(settings.all_hosts())
        // With its port: rmcp takes an origin without one for any port.
        .with_allowed_origins([settings.public_url.origin_with_port()])
        .enforce_origin_validation()
        .with_cancellation_token(later(broker.clock().clone(), stop.clone()));
    let guard = middleware::from_fn_with_state(broker.clone(), auth::check);
    let door = McpServer::new(broker, settings.public_url, stop);
    let sessions = Arc::new(NeverSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(door.clone()), sessions, config);
    Router::new().route_service("/mcp", service).route_layer(guard)
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
