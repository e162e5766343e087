//! The door for people: server-rendered pages that need no script.
//!
//! `http` holds what every request must pass and every answer carries, and the session behind it;
//! `layout` what surrounds every page and how text is shown; `error` what is said when something
//! cannot be done. Then one file for each page, which parses, calls one verb of the broker and shows
//! the result. Forms go through `admin::reauthenticate`, which asks for the password.
//!
//! Deliberately absent: a change by GET, anything fetched from elsewhere, a page that decides what
//! a person may do. The broker is asked every time.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};
use tokio_util::sync::CancellationToken;

use crate::{broker::Broker, slots::Slots};

mod address;
mod admin;
mod drafts;
mod error;
#[cfg(test)]
mod gallery;
mod help;
mod http;
pub(crate) mod layout;
mod lists;
mod profiles;
mod request;
mod state;

pub use http::probes::answer_metrics;
use state::{AppState, BODY_BYTES_MAX, LISTENERS_MAX};
pub use state::{Proxies, WebSettings};

/// Everything but `/mcp`. What waits for news ends with `stop`.
pub fn router(broker: Broker, settings: WebSettings, stop: CancellationToken) -> Router {
    let listeners = Slots::new(LISTENERS_MAX);
    let app = AppState {
        broker,
        settings: Arc::new(settings),
        listeners,
        drafts: drafts::Drafts::default(),
        confirmations: drafts::confirmations::Confirmations::default(),
        stop,
    };
    session_routes(&app)
        .merge(open_routes())
        .fallback(layout::error_page::not_found)
        .method_not_allowed_fallback(layout::error_page::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), http::origin_check::check))
        .layer(from_fn_with_state(app.clone(), layout::error_page::render))
        .layer(from_fn_with_state(app.clone(), layout::moment::remember))
        .layer(from_fn_with_state(app.clone(), http::origin_check::add_headers))
        .layer(http::compression::layer())
        .layer(from_fn(http::compression::only_what_is_read))
        .with_state(app)
}

/// Puts the page's check of host and origin in front of another door, one that programs come in by.
pub fn guard(door: Router, settings: WebSettings) -> Router {
    let check = http::origin_check::check_program;
    door.route_layer(from_fn_with_state(Arc::new(settings), check))
}

/// What needs a session, and for a change the form's token.
fn session_routes(app: &AppState) -> Router<AppState> {
    Router::new()
        .route("/", get(lists::inbox::show))
        .route("/inbox", post(lists::inbox::bulk::act))
        .route("/reject", get(lists::reject::show).post(lists::reject::reject))
        .route("/views/save", post(lists::views::save))
        .route("/views/delete", post(lists::views::delete))
        .route("/in-force", get(lists::active_responses::show))
        .route("/missed", get(lists::missed::show))
        .route("/next", get(request::page::next))
        .route("/requests", get(lists::requests::show))
        .route("/requests/{id}", get(request::page::show))
        .route("/requests/{id}/approve", post(request::decide::approve))
        .route("/requests/{id}/passkey", post(request::decide::ask_passkey))
        .route("/requests/{id}/reject", post(request::decide::reject))
        .route("/requests/{id}/retract", post(request::decide::retract))
        .route("/requests/{id}/cancel", post(request::decide::cancel))
        .route("/requests/{id}/undo", post(request::decide::undo))
        .route("/requests/{id}/resolve", post(request::resolve::resolve))
        .route("/requests/{id}/break-glass", post(request::break_glass::break_glass))
        .route("/requests/{id}/review", post(request::break_glass::review))
        .route("/requests/{id}/comment", post(request::break_glass::comment))
        .route(
            "/together",
            get(request::approve_identical::show).post(request::approve_identical::approve),
        )
        .route("/plans/{id}", get(request::plan::show))
        .route("/plans/{id}/approve", post(request::plan::approve))
        .route("/plans/{id}/cancel", post(request::plan::cancel))
        .route("/audit", get(lists::audit::show))
        .route("/overview", get(profiles::overview::show))
        .route("/endpoints/{manager}/{id}", get(profiles::endpoint::show))
        .route("/targets", get(lists::target::show))
        .route("/help", get(help::show))
        .route("/policy", get(admin::policy::show))
        .route("/policy/activate", post(admin::policy::activate))
        .route("/system", get(admin::system::show))
        .route("/freeze", post(admin::system::freeze))
        .route("/unfreeze", post(admin::system::unfreeze))
        .merge(admin_routes())
        .route("/password", get(admin::password::show).post(admin::password::change))
        .route("/account", get(admin::account::show))
        .route("/account/provider", post(admin::provider::link))
        .route("/account/sessions/end-others", post(admin::account::own::end_others))
        .route("/account/sessions/{id}/end", post(admin::account::own::end))
        .route("/account/quiet-hours", post(admin::account::own::quiet_hours))
        .route("/account/passkeys", post(admin::account::add))
        .route("/account/passkeys/ask", post(admin::account::ask))
        .route("/account/passkeys/{id}/remove", post(admin::account::remove))
        .route("/account/second-factor", post(admin::account::second_factor::switch_on))
        .route("/account/second-factor/off", post(admin::account::second_factor::switch_off))
        .route("/account/second-factor/codes", post(admin::account::second_factor::renew))
        .route(
            "/account/tokens",
            get(admin::account::tokens::show).post(admin::account::tokens::create),
        )
        .route("/account/tokens/services", post(admin::account::tokens::create_service))
        .route("/account/tokens/{id}/revoke", post(admin::account::tokens::revoke))
        .route("/sign-out", post(admin::sign_in::sign_out))
        .route_layer(from_fn_with_state(app.clone(), admin::provider::confirm_forms))
        .route_layer(from_fn_with_state(app.clone(), http::session::require_session))
}

/// The people and agents that admins manage.
fn admin_routes() -> Router<AppState> {
    Router::new()
        .route("/security-review", get(admin::security_review::show))
        .route("/people", get(admin::people::show))
        // A person may be called `add`.
        .route("/people/add", get(admin::people::show_add).post(admin::people::add))
        .route("/people/{name}", get(admin::people::show_one))
        .route("/people/{name}/role", post(admin::people::role))
        .route("/people/{name}/on-call", post(admin::people::on_call))
        .route("/people/{name}/teams", post(admin::people::teams))
        .route("/people/{name}/mail", post(admin::people::mail))
        .route("/people/{name}/password", post(admin::people::password))
        .route("/people/{name}/sessions", post(admin::people::sessions))
        .route("/people/{name}/passkeys", post(admin::people::passkeys))
        .route("/people/{name}/disable", post(admin::people::disable))
        .route("/agents", get(admin::agents::show))
        .route("/agents/add", get(admin::agents::show_add).post(admin::agents::add))
        .route("/agents/{name}", get(admin::agents::show_one))
        .route("/agents/{name}/scopes", post(admin::agents::scopes))
        .route("/agents/{name}/rotate", post(admin::agents::rotate))
        .route("/agents/{name}/revoke", post(admin::agents::revoke))
        .route("/agents/{name}/lift", post(admin::agents::lift))
}

/// What needs no session. `/events` checks the session without using it.
fn open_routes() -> Router<AppState> {
    Router::new()
        .route("/set-up", get(admin::setup::show).post(admin::setup::create_admin))
        .route(
            "/sign-in/first",
            get(admin::sign_in::first::show).post(admin::sign_in::first::sign_in),
        )
        .route("/sign-in", get(admin::sign_in::show).post(admin::sign_in::sign_in))
        .route("/sign-in/passkey", post(admin::sign_in::sign_in_with_passkey))
        .route("/sign-in/passkey/ask", post(admin::sign_in::ask_passkey))
        .route("/sign-in/provider", get(admin::provider::begin))
        .route("/sign-in/provider/back", get(admin::provider::back))
        .route("/sign-in/second-factor", post(admin::sign_in::second_factor::finish))
        .route("/sign-in/second-factor/ask", post(admin::sign_in::second_factor::ask))
        .route("/events", get(http::events::wait))
        .route("/static/{name}", get(http::assets::serve))
        .route("/healthz", get(http::probes::healthy))
        .route("/readyz", get(http::probes::ready))
        .route("/metrics", get(http::probes::metrics))
}
