//! The door for programs that people run: dashboards, ticketing, a SIEM. JSON over HTTP at `/api/v1`.
//!
//! A call passes `auth` (whose token), `input` (is its form valid), one verb of the broker that takes a
//! token, and `answer` (what is shown). What goes wrong is a `problem`.
//!
//! Deliberately absent: whatever approves, undoes, releases the kill switch, breaks the glass or changes
//! who may. The verbs for it take a person who signed in, and nothing here can make one; so no policy
//! can open them. Absent, too: cookies, and headers that let pages of others read an answer.

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get, post},
};

use crate::{broker::Broker, domain::id::ApiTokenId, slots::Slots};

mod active;
mod answer;
mod audit_chain;
mod auth;
mod cursor;
mod document;
mod endpoints;
mod input;
mod metrics;
mod problem;
mod requests;

pub use document::openapi_json;

/// The longest body, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// So many calls of one token may be under way.
const AT_ONCE_MAX: u32 = 4;

/// What every handler has. Cheap to clone.
#[derive(Debug, Clone)]
struct ApiState {
    broker: Broker,
    /// The calls of each token that are under way.
    under_way: Slots<ApiTokenId>,
}

/// The door, at `/api/v1`, for requests that `web::guard` let through: it says where they come from.
pub fn router(broker: Broker) -> Router {
    let state = ApiState { broker, under_way: Slots::new(AT_ONCE_MAX) };
    let guard = from_fn_with_state(state.clone(), auth::check);
    Router::new()
        .route("/api/v1/openapi.json", get(document::show))
        .route("/api/v1/requests", get(requests::list))
        .route("/api/v1/requests/{id}", get(requests::show))
        .route("/api/v1/requests/{id}/comments", post(requests::add_comment))
        .route("/api/v1/requests/{id}/reject", post(requests::reject_as_read))
        .route("/api/v1/active-responses", get(active::list))
        .route("/api/v1/audit", get(audit_chain::list))
        .route("/api/v1/endpoints", get(endpoints::list))
        .route("/api/v1/metrics", get(metrics::show))
        .route_layer(guard)
        .route("/api", any(problem::nothing_here))
        .route("/api/", any(problem::nothing_here))
        .route("/api/{*rest}", any(problem::nothing_here))
        .with_state(state)
}

/// Has everything that the door refuses, guards in front of it included, said as a problem, and every
/// answer kept nowhere.
pub fn in_json(door: Router) -> Router {
    door.layer(from_fn(problem::refuse_in_json))
}
