//! The door for people: server-rendered pages that need no script.
//!
//! `guard` holds what every request must pass and every answer carries, `session` who is asking
//! and that a form is ours, `escape` what a person gets to see of a text, `failure` what is said
//! when something cannot be done. Then one file for each page, which parses, calls one verb of the
//! broker and shows what it says.
//!
//! Deliberately absent: a change by GET, anything fetched from elsewhere, a page that decides what
//! somebody may do. That is asked of the broker every time.

use std::{path::PathBuf, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;

mod agents;
mod assets;
mod audit;
mod decide;
mod endpoint;
pub(crate) mod escape;
mod events;
mod failure;
mod frame;
#[cfg(test)]
mod gallery;
mod glass;
mod guard;
mod in_force;
mod inbox;
mod password;
mod people;
mod policy;
mod probes;
mod request;
mod requests;
mod resolve;
mod session;
mod set_up;
mod sign_in;
mod system;
mod together;
mod words;

/// The largest form, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// So many pages may wait for news at once; more do without.
const LISTENERS_MAX: usize = 128;

/// What the page may be told about its surroundings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address that people type, without a slash at its end.
    pub public_url: String,
    /// What the `Host` header may say beside the host of `public_url`.
    pub hosts: Vec<String>,
    /// The folder of the policy set, which an admin may load again.
    pub policies: PathBuf,
}

impl Settings {
    fn https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// What every handler has. Cheap to clone.
#[derive(Debug, Clone)]
struct Site {
    broker: Broker,
    settings: Arc<Settings>,
    listeners: Arc<Semaphore>,
    stop: CancellationToken,
}

/// Everything but `/mcp`. What waits for news ends with `stop`.
pub fn router(broker: Broker, settings: Settings, stop: CancellationToken) -> Router {
    let listeners = Arc::new(Semaphore::new(LISTENERS_MAX));
    let site = Site { broker, settings: Arc::new(settings), listeners, stop };
    signed_in(&site)
        .merge(open())
        .fallback(failure::not_found)
        .method_not_allowed_fallback(failure::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(site.clone(), guard::check))
        .with_state(site)
}

/// What needs a session, and for a change the form's token.
fn signed_in(site: &Site) -> Router<Site> {
    Router::new()
        .route("/", get(inbox::show))
        .route("/in-force", get(in_force::show))
        .route("/requests", get(requests::show))
        .route("/requests/{id}", get(request::show))
        .route("/requests/{id}/approve", post(decide::approve))
        .route("/requests/{id}/reject", post(decide::reject))
        .route("/requests/{id}/retract", post(decide::retract))
        .route("/requests/{id}/cancel", post(decide::cancel))
        .route("/requests/{id}/undo", post(decide::undo))
        .route("/requests/{id}/resolve", post(resolve::resolve))
        .route("/requests/{id}/break-glass", post(glass::break_glass))
        .route("/requests/{id}/review", post(glass::review))
        .route("/requests/{id}/comment", post(glass::comment))
        .route("/together", get(together::show).post(together::approve))
        .route("/audit", get(audit::show))
        .route("/policy", get(policy::show))
        .route("/policy/activate", post(policy::activate))
        .route("/system", get(system::show))
        .route("/freeze", post(system::freeze))
        .route("/unfreeze", post(system::unfreeze))
        .merge(kept())
        .route("/password", get(sign_in::show_password).post(sign_in::change_password))
        .route("/sign-out", post(sign_in::sign_out))
        .route_layer(from_fn_with_state(site.clone(), session::required))
}

/// The people and agents that admins keep.
fn kept() -> Router<Site> {
    Router::new()
        .route("/people", get(people::show))
        // Somebody may be called `add`.
        .route("/people/add", get(people::show_add).post(people::add))
        .route("/people/{name}", get(people::show_one))
        .route("/people/{name}/role", post(people::role))
        .route("/people/{name}/on-call", post(people::on_call))
        .route("/people/{name}/mail", post(people::mail))
        .route("/people/{name}/password", post(people::password))
        .route("/people/{name}/sessions", post(people::sessions))
        .route("/people/{name}/disable", post(people::disable))
        .route("/agents", get(agents::show))
        .route("/agents/add", get(agents::show_add).post(agents::add))
        .route("/agents/{name}", get(agents::show_one))
        .route("/agents/{name}/scopes", post(agents::scopes))
        .route("/agents/{name}/rotate", post(agents::rotate))
        .route("/agents/{name}/revoke", post(agents::revoke))
}

/// What needs none. `/events` looks at the session without using it.
fn open() -> Router<Site> {
    Router::new()
        .route("/set-up", get(set_up::show).post(set_up::make))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/events", get(events::wait))
        .route("/static/{name}", get(assets::serve))
        .route("/healthz", get(probes::healthy))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(probes::metrics))
}
