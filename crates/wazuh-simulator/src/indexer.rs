//! The indexer searches that a broker needs, in `OpenSearch` syntax.
//!
//! Any other query is refused with 400: a test must not pass because a condition was silently
//! ignored.

mod aggregate;
pub(crate) mod search;

use axum::Json;
use axum::body;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::Simulator;
use crate::api::answer::Refusal;
use crate::api::login;
use crate::endpoint::effects;
use crate::fault::Fault;
use crate::indexer::search::{Found, Search};
use crate::world::Stored;

/// More than any query needs.
const BODY_BYTES_MAX: usize = 1_048_576;

/// `GET /` with a name and password.
pub(crate) fn info(sim: &Simulator, headers: &HeaderMap) -> Result<Json<Value>, Refusal> {
    check_login(sim, headers)?;
    Ok(Json(json!({
        "name": "simulator",
        "cluster_name": "wazuh-cluster",
        "version": {"distribution": "opensearch", "number": "2.19.4"},
        "tagline": "The OpenSearch Project: https://opensearch.org/",
    })))
}

/// `GET` or `POST /{index}/_search`.
pub(crate) async fn search(
    State(sim): State<Simulator>,
    Path(index): Path<String>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    check_login(&sim, request.headers())?;
    if !sim.world().settings.indexer_rights {
        return Err(Refusal::Rights);
    }
    let fault = request.extensions().get::<Fault>().cloned();
    let body = body::to_bytes(request.into_body(), BODY_BYTES_MAX)
        .await
        .map_err(|error| Refusal::Query(error.to_string()))?;
    let body: Value = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(&body).map_err(|error| Refusal::Query(error.to_string()))?
    };
    let search = Search::read(&body)?;
    let mut world = sim.world();
    effects::expire(&mut world);
    let broken = match &fault {
        Some(Fault::ShardsFail(broken)) => Some(broken.as_str()),
        _ => None,
    };
    let whole = |stored: &&Stored| !broken.is_some_and(|broken| is_named(&stored.index, broken));
    let named = || world.alerts.iter().filter(|stored| is_named(&stored.index, &index));
    if let (false, Some(first)) = (world.settings.index_template, named().next()) {
        search.needs_no_keyword(&first.index)?;
    }
    let timed_out = fault == Some(Fault::SearchTimesOut);
    let searched = named().filter(|stored| !timed_out && whole(stored));
    let Found { total, hits, aggregations } = search.run(searched)?;
    let mut answer = json!({
        "took": 1,
        "timed_out": timed_out,
        "_shards": shards(broken),
        "hits": {"total": {"value": total, "relation": "eq"}, "max_score": null, "hits": hits},
    });
    if let (Some(counted), Some(fields)) = (aggregations, answer.as_object_mut()) {
        fields.insert("aggregations".to_owned(), counted);
    }
    Ok(Json(answer))
}

/// What an answer says of its shards: all are well, or one of three is broken. The reason is not
/// from a capture.
fn shards(broken: Option<&str>) -> Value {
    let Some(broken) = broken else {
        return json!({"total": 3, "successful": 3, "skipped": 0, "failed": 0});
    };
    json!({
        "total": 3,
        "successful": 2,
        "skipped": 0,
        "failed": 1,
        "failures": [{
            "shard": 0,
            "index": broken,
            "reason": {
                "type": "circuit_breaking_exception",
                "reason": "[parent] Data too large, data for [indices:data/read/search]",
            },
        }],
    })
}

fn check_login(sim: &Simulator, headers: &HeaderMap) -> Result<(), Refusal> {
    let right = login::is_login_of(&sim.world().settings.indexer, headers);
    if right { Ok(()) } else { Err(Refusal::Login) }
}

/// Whether this comma-separated list matches the index. A name may end in `*`.
fn is_named(index: &str, list: &str) -> bool {
    list.split(',').any(|name| match name.strip_suffix('*') {
        Some(start) => index.starts_with(start),
        None => index == name,
    })
}
