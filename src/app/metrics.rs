//! The port of `/metrics` for Prometheus alone, without a token.

use std::{net::TcpListener, sync::Arc};

use axum::{
    Router, extract::State, middleware::from_fn_with_state, response::Response, routing::get,
};
use axum_server::Handle;
use tokio::task::JoinHandle;

use super::{
    front_door::{self, ConnectionLimits, DoorListener, FrontDoor, Peer},
    request_log,
};
use crate::{broker::Broker, web::answer_metrics};

/// Whoever scrapes has one or two.
const CONNECTIONS_MAX: usize = 16;

/// Serves until the handle stops it. Its connections count for themselves: they take no place of people
/// and agents.
pub(super) fn serve(
    listener: TcpListener,
    broker: &Broker,
    handle: &Handle<Peer>,
) -> JoinHandle<()> {
    let limits = ConnectionLimits {
        connections_max: CONNECTIONS_MAX,
        per_address_max: CONNECTIONS_MAX,
        ..ConnectionLimits::default()
    };
    let clock = broker.clock().clone();
    let door = FrontDoor::new(clock.clone(), limits, Arc::default());
    let router = Router::new()
        .route("/metrics", get(metrics))
        .with_state(broker.for_pages())
        .layer(from_fn_with_state(clock, request_log::log_request))
        .layer(from_fn_with_state(door.clone(), front_door::watch));
    let listener = DoorListener::new(listener, door);
    tokio::spawn(front_door::serve(listener, None, handle.clone(), router))
}

async fn metrics(State(broker): State<Broker>) -> Response {
    answer_metrics(&broker).await
}
