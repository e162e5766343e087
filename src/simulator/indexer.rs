//! The searches of the indexer that a broker needs, in the words of `OpenSearch`.
//!
//! A query of any other shape is refused with 400: a test must not pass because a condition was
//! silently ignored.

use std::cmp::Ordering;

use axum::Json;
use axum::body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::Problem;
use super::world::Stored;
use super::{Simulator, clock, effects, login};

/// More than any query needs.
const BODY_BYTES_MAX: usize = 1_048_576;
/// What a search returns when it names no size.
const HITS: usize = 10;

/// Why a search was not answered.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No login, or a wrong one.
    Login,
    /// The query is not one that the simulator understands.
    Query(String),
    /// The same path asked as the manager's API.
    Manager(Problem),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Manager(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Login => {
                let asks = [(header::WWW_AUTHENTICATE, "Basic realm=\"OpenSearch Security\"")];
                (StatusCode::UNAUTHORIZED, asks, "Unauthorized").into_response()
            }
            Self::Query(reason) => {
                let cause = json!({"type": "parsing_exception", "reason": reason});
                let body = json!({"error": cause, "status": 400});
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
            Self::Manager(problem) => problem.into_response(),
        }
    }
}

/// `GET /` with a name and password.
pub(super) fn info(sim: &Simulator, headers: &HeaderMap) -> Result<Json<Value>, Refusal> {
    check_login(sim, headers)?;
    Ok(Json(json!({
        "name": "simulator",
        "cluster_name": "wazuh-cluster",
        "version": {"distribution": "opensearch", "number": "2.19.4"},
        "tagline": "The OpenSearch Project: https://opensearch.org/",
    })))
}

/// `GET` or `POST /{index}/_search`.
pub(super) async fn search(
    State(sim): State<Simulator>,
    Path(index): Path<String>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    check_login(&sim, request.headers())?;
    let body = body::to_bytes(request.into_body(), BODY_BYTES_MAX)
        .await
        .map_err(|error| Refusal::Query(error.to_string()))?;
    let body: Value = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(&body).map_err(|error| Refusal::Query(error.to_string()))?
    };
    let mut world = sim.world();
    effects::end_blocks(&mut world);
    let mut found: Vec<&Stored> = Vec::new();
    for stored in world.alerts.iter().filter(|stored| is_named(&stored.index, &index)) {
        if body.get("query").map_or(Ok(true), |query| matches(query, stored))? {
            found.push(stored);
        }
    }
    let total = found.len();
    sort(&mut found, body.get("sort"))?;
    found.truncate(whole(&body, "size")?.unwrap_or(HITS));
    let hits: Vec<Value> = found
        .into_iter()
        .map(|hit| json!({"_index": hit.index, "_id": hit.id, "_source": hit.source}))
        .collect();
    Ok(Json(json!({
        "took": 1,
        "timed_out": false,
        "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        "hits": {"total": {"value": total, "relation": "eq"}, "max_score": null, "hits": hits},
    })))
}

fn check_login(sim: &Simulator, headers: &HeaderMap) -> Result<(), Refusal> {
    let right = login::is_login_of(&sim.world().settings.indexer, headers);
    if right { Ok(()) } else { Err(Refusal::Login) }
}

/// Whether a comma list of names, each perhaps ending in `*`, names this index.
fn is_named(index: &str, list: &str) -> bool {
    list.split(',').any(|name| match name.strip_suffix('*') {
        Some(start) => index.starts_with(start),
        None => index == name,
    })
}

fn matches(query: &Value, stored: &Stored) -> Result<bool, Refusal> {
    let (kind, inner) = only_entry(query)?;
    match kind {
        "match_all" => Ok(true),
        "bool" => bool_matches(inner, stored),
        "ids" => Ok(list(inner, "values")?.iter().any(|id| *id == stored.id.as_str())),
        "term" => {
            let (field, wanted) = only_entry(inner)?;
            let wanted = wanted.get("value").unwrap_or(wanted);
            Ok(values(stored, field).iter().any(|value| same(value, wanted)))
        }
        "terms" => {
            let (field, wanted) = only_entry(inner)?;
            let wanted = wanted.as_array().ok_or_else(|| refused("terms wants an array"))?;
            let found = values(stored, field);
            Ok(found.iter().any(|value| wanted.iter().any(|one| same(value, one))))
        }
        "range" => {
            let (field, bounds) = only_entry(inner)?;
            let found = values(stored, field);
            for value in found {
                if in_range(value, bounds)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        other => Err(refused(&format!("unknown query [{other}]"))),
    }
}

fn bool_matches(clauses: &Value, stored: &Stored) -> Result<bool, Refusal> {
    let clauses = clauses.as_object().ok_or_else(|| refused("bool wants an object"))?;
    let needs_one = !clauses.contains_key("filter") && !clauses.contains_key("must");
    let mut least = usize::from(needs_one && clauses.contains_key("should"));
    let mut should = 0_usize;
    for (kind, queries) in clauses {
        if kind == "minimum_should_match" {
            least = whole(&json!({"n": queries}), "n")?.unwrap_or(least);
            continue;
        }
        let queries = queries.as_array().map_or(std::slice::from_ref(queries), Vec::as_slice);
        let mut count = 0;
        for query in queries {
            count += usize::from(matches(query, stored)?);
        }
        match kind.as_str() {
            "filter" | "must" if count < queries.len() => return Ok(false),
            "must_not" if count > 0 => return Ok(false),
            "filter" | "must" | "must_not" => {}
            "should" => should = count,
            other => return Err(refused(&format!("unknown clause [{other}]"))),
        }
    }
    Ok(should >= least)
}

fn in_range(value: &Value, bounds: &Value) -> Result<bool, Refusal> {
    let bounds = bounds.as_object().ok_or_else(|| refused("range wants an object"))?;
    for (bound, limit) in bounds {
        let order = compare(value, limit);
        let inside = match bound.as_str() {
            "gte" => order.is_some_and(Ordering::is_ge),
            "gt" => order.is_some_and(Ordering::is_gt),
            "lte" => order.is_some_and(Ordering::is_le),
            "lt" => order.is_some_and(Ordering::is_lt),
            "format" => true,
            other => return Err(refused(&format!("unknown bound [{other}]"))),
        };
        if !inside {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Compares as times where both are times, as numbers where both are, else as text.
fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    if let (Some(one), Some(other)) = (time_ms(one), time_ms(other)) {
        return Some(one.cmp(&other));
    }
    if let (Some(one), Some(other)) = (one.as_f64(), other.as_f64()) {
        return one.partial_cmp(&other);
    }
    Some(text(one).cmp(&text(other)))
}

fn time_ms(value: &Value) -> Option<i64> {
    value.as_str().and_then(clock::read).map(|time| time.timestamp_millis())
}

/// Fields are keywords: `5763` and `"5763"` are the same.
fn same(one: &Value, other: &Value) -> bool {
    text(one) == text(other)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// All values of a dotted field, with arrays laid flat.
fn values<'a>(stored: &'a Stored, field: &str) -> Vec<&'a Value> {
    let mut level = vec![&stored.source];
    for name in field.split('.') {
        level = level.into_iter().filter_map(|value| value.get(name)).flat_map(flat).collect();
    }
    level
}

fn flat(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// Sorts by the given fields, the first one first; without them, in the order of arrival.
fn sort(found: &mut [&Stored], order: Option<&Value>) -> Result<(), Refusal> {
    let Some(order) = order else { return Ok(()) };
    for key in flat(order).iter().rev() {
        let (field, direction) = if let Some(field) = key.as_str() {
            (field, "asc")
        } else {
            let (field, how) = only_entry(key)?;
            (field, how.get("order").unwrap_or(how).as_str().unwrap_or("asc"))
        };
        found.sort_by(|one, other| {
            let (one, other) = (values(one, field), values(other, field));
            let order = match (one.first(), other.first()) {
                (Some(one), Some(other)) => compare(one, other).unwrap_or(Ordering::Equal),
                (one, other) => other.is_some().cmp(&one.is_some()),
            };
            if direction == "desc" { order.reverse() } else { order }
        });
    }
    Ok(())
}

fn only_entry(value: &Value) -> Result<(&str, &Value), Refusal> {
    let mut entries = value.as_object().into_iter().flatten();
    match (entries.next(), entries.next()) {
        (Some((name, inner)), None) => Ok((name.as_str(), inner)),
        _ => Err(refused(&format!("exactly one field expected in {value}"))),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>, Refusal> {
    value
        .get(name)
        .and_then(Value::as_array)
        .ok_or_else(|| refused(&format!("[{name}] is missing")))
}

fn whole(value: &Value, name: &str) -> Result<Option<usize>, Refusal> {
    let Some(number) = value.get(name) else { return Ok(None) };
    let number = number.as_u64().and_then(|number| usize::try_from(number).ok());
    number.map(Some).ok_or_else(|| refused(&format!("[{name}] is no number")))
}

fn refused(reason: &str) -> Refusal {
    Refusal::Query(reason.to_owned())
}
