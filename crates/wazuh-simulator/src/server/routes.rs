//! The path of each call: count it, apply a fault, answer it, log it.

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};

use crate::api::answer::Problem;
use crate::api::{active_response, agents, cluster, login, manager, ruleset};
use crate::fault::{Calls, Fault, Work};
use crate::server::edit;
use crate::server::wire::{Ending, Wire};
use crate::{Simulator, clock, indexer};

pub(crate) fn all(sim: Simulator) -> Router {
    Router::new()
        .route("/", get(manager::root))
        .route(
            "/security/user/authenticate",
            get(login::login).post(login::login).delete(login::logout),
        )
        .route("/security/config", get(manager::security_config))
        .route("/security/users/me/policies", get(manager::my_policies))
        .route("/manager/info", get(manager::info))
        .route("/manager/configuration/analysis/{section}", get(manager::analysis))
        .route("/rules", get(ruleset::rules))
        .route("/decoders", get(ruleset::decoders))
        .route("/cluster/status", get(cluster::status))
        .route("/cluster/nodes", get(cluster::nodes))
        .route("/cluster/{node}/configuration/analysis/{section}", get(cluster::analysis))
        .route("/agents", get(agents::list))
        .route("/agents/summary/status", get(agents::summary))
        .route("/agents/{id}/config/com/active-response", get(agents::active_response))
        .route("/groups", get(agents::groups))
        .route("/groups/{group}/agents", get(agents::of_group))
        .route("/active-response", put(active_response::put))
        .route("/{index}/_search", get(indexer::search).post(indexer::search))
        .fallback(|| async { refused(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { refused(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(middleware::from_fn_with_state(sim.clone(), conduct))
        .with_state(sim)
}

fn refused(status: StatusCode) -> Problem {
    Problem::new(
        status,
        format!("{}: {}", status.as_u16(), status.canonical_reason().unwrap_or("")),
    )
}

/// Runs a call independently of its connection. As in the real API, a call continues when its
/// client disconnects.
async fn conduct(
    State(sim): State<Simulator>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // Before the work begins, which wakes up whoever waits for the number.
    if Calls::of(&method, &path) == Calls::Search {
        sim.world().searches += 1;
    }
    let busy = sim.begin();
    let call = tokio::spawn({
        let wire = wire.clone();
        async move {
            let _busy = busy;
            attend(&sim, &wire, request, next).await
        }
    });
    let response = tokio::select! {
        biased;
        answer = call => answer.unwrap_or_else(|_| lost()),
        () = wire.down.cancelled() => {
            wire.end(Ending::Cut);
            lost()
        }
    };
    tracing::info!(%method, path, status = response.status().as_u16(), "call");
    response
}

/// A placeholder for an answer that never reaches the client.
fn lost() -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

async fn attend(sim: &Simulator, wire: &Wire, request: Request, next: Next) -> Response {
    let kind = Calls::of(request.method(), request.uri().path());
    if matches!(kind, Calls::Reads | Calls::ActiveResponse) {
        sim.world().calls += 1;
    }
    if kind != Calls::Search && !sim.world().admits() {
        return Problem::too_many_requests().into_response();
    }
    let gone = gone_in_5(request.method(), request.uri().path());
    if let Some(status) = gone.filter(|_| sim.world().settings.is_version_5()) {
        return refused(status).into_response();
    }
    let fault = sim.world().faults.strike(kind, request.uri().path());
    if let Some(Fault::Delay(length)) = fault {
        clock::pause(length).await;
    }
    if kind == Calls::Reads
        && let Err(problem) = sim.until_worker_is_free().await
    {
        return problem.into_response();
    }
    match fault {
        Some(fault) => sabotage(sim, wire, fault, request, next).await,
        None => next.run(request).await,
    }
}

/// How version 5 of the API refuses a call that it no longer has.
fn gone_in_5(method: &Method, path: &str) -> Option<StatusCode> {
    if path == "/security/user/authenticate" && method == Method::GET {
        return Some(StatusCode::METHOD_NOT_ALLOWED);
    }
    let gone = ["/active-response", "/events"].contains(&path) || path.starts_with("/manager/");
    gone.then_some(StatusCode::NOT_FOUND)
}

/// Answers a call with a fault.
async fn sabotage(
    sim: &Simulator,
    wire: &Wire,
    fault: Fault,
    mut request: Request,
    next: Next,
) -> Response {
    let node = sim.world().settings.node.clone();
    let (work, answer) = match fault {
        Fault::Delay(_) => return next.run(request).await,
        Fault::NothingAffected
        | Fault::LeaveOut(..)
        | Fault::Undelivered
        | Fault::EveryAgent(_)
        | Fault::Strangers(_)
        | Fault::ShardsFail(_)
        | Fault::SearchTimesOut
        | Fault::NodeFails { .. } => {
            // These take effect inside the work.
            request.extensions_mut().insert(fault);
            return next.run(request).await;
        }
        Fault::Drop(work) => {
            wire.end(Ending::Cut);
            (work, lost())
        }
        Fault::Flood => {
            wire.end(Ending::Flood);
            (Work::NotDone, lost())
        }
        Fault::Drip => {
            wire.end(Ending::Drip);
            (Work::NotDone, lost())
        }
        Fault::Edit { pointer, value, .. } => {
            return edit::answer(next.run(request).await, &pointer, value).await;
        }
        Fault::Answer { status, body } => (Work::NotDone, verbatim(status, body)),
        Fault::Fail(outage, work) => (work, outage.problem(&node).into_response()),
        Fault::NoJson(work) => (work, "<html>It works!</html>".into_response()),
        Fault::Unauthorized => {
            (Work::NotDone, Problem::unauthorized("Invalid token").into_response())
        }
        Fault::Gateway(status, work) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            (work, (status, format!("<html>{status}</html>")).into_response())
        }
        Fault::Forbidden => (Work::NotDone, Problem::denied("agent:id").into_response()),
        Fault::TooManyRequests => (Work::NotDone, Problem::too_many_requests().into_response()),
    };
    match work {
        Work::Done => drop(next.run(request).await),
        Work::NotDone => {}
    }
    answer
}

fn verbatim(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let form = if status.is_success() { "application/json" } else { "application/problem+json" };
    (status, [(header::CONTENT_TYPE, form)], body).into_response()
}
