//! Reads about endpoints and groups. Sources: framework/wazuh/agent.py, captures 10-21.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::Simulator;
use crate::api::answer::{AgentError, Answer, Outcome, Problem, Sentences};
use crate::api::login::Session;
use crate::api::params::Params;
use crate::api::query::{self, Condition};
use crate::clock;
use crate::endpoint::{Endpoint, Os, Status};
use crate::fault::Fault;
use crate::rights::Rights;
use crate::world::World;

const LISTED: Sentences = Sentences(
    "All selected agents information was returned",
    "Some agents information was not returned",
    "No agents information was returned",
);

/// `GET /agents`.
pub(crate) async fn list(
    State(sim): State<Simulator>,
    session: Session,
    params: Params,
    request: Request,
) -> Answer {
    params.only(&[
        "select",
        "q",
        "agents_list",
        "status",
        "limit",
        "offset",
        "sort",
        "group",
        "name",
    ])?;
    let named = params.ids()?;
    let world = sim.world();
    let mut outcome = Outcome::default();
    let ids = match &named {
        Some(named) => readable(&world, &session.rights, named, &mut outcome)?,
        None => everyone(&world, &session.rights),
    };
    let mut listed = filtered(&world, &ids, &params, outcome)?;
    if let Some(Fault::Strangers(ids)) = request.extensions().get() {
        let select = params.list("select");
        let items = listed.affected.len();
        let strangers =
            ids.iter().map(|id| Endpoint::new(id, &format!("stranger-{id}"), Os::DEBIAN));
        let shown = strangers.map(|one| selected(endpoint_shown(&world, &one), select.as_deref()));
        listed.affected.extend(shown);
        listed.total = listed.total.map(|total| total + listed.affected.len() - items);
    }
    Ok(Json(listed.shown(&LISTED)))
}

/// `GET /groups/{group}/agents`.
pub(crate) async fn of_group(
    State(sim): State<Simulator>,
    session: Session,
    Path(group): Path<String>,
    params: Params,
) -> Answer {
    params.only(&["select", "q", "status", "limit", "offset", "sort"])?;
    let world = sim.world();
    if !members(&world).contains_key(&group) {
        let detail = "The group does not exist";
        let problem = Problem::new(StatusCode::NOT_FOUND, detail).code(1710);
        return Err(problem.said_by_node(&world.settings.node, detail));
    }
    let mut ids = everyone(&world, &session.rights);
    ids.retain(|id| world.endpoint(id).is_some_and(|known| known.groups.contains(&group)));
    Ok(Json(filtered(&world, &ids, &params, Outcome::default())?.shown(&LISTED)))
}

/// The ids that a user sees without naming any. The others are hidden silently.
fn everyone(world: &World, rights: &Rights) -> Vec<String> {
    let mut ids = vec!["000".to_owned()];
    ids.extend(world.ids());
    ids.retain(|id| rights.allows_on("agent:read", id, world.endpoint(id)));
    ids
}

/// The named ids that exist and may be read; the others become failed items.
fn readable(
    world: &World,
    rights: &Rights,
    named: &[String],
    outcome: &mut Outcome,
) -> Result<Vec<String>, Problem> {
    let (allowed, denied): (Vec<String>, Vec<String>) = named
        .iter()
        .cloned()
        .partition(|id| rights.allows_on("agent:read", id, world.endpoint(id)));
    if allowed.is_empty() {
        return Err(Problem::denied("agent:id"));
    }
    outcome.fail_all(AgentError::Denied, &denied);
    let (known, unknown): (Vec<String>, Vec<String>) =
        allowed.into_iter().partition(|id| id == "000" || world.endpoint(id).is_some());
    outcome.fail_all(AgentError::Unknown, &unknown);
    Ok(known)
}

/// Applies `q`, `status`, `group`, `name`, sorting, paging and `select`, in this order.
fn filtered(
    world: &World,
    ids: &[String],
    params: &Params,
    mut outcome: Outcome,
) -> Result<Outcome, Problem> {
    let node = &world.settings.node;
    let select = params.list("select");
    check_select(select.as_deref(), node)?;
    let condition = params.get("q").map(|text| Condition::read(text, node)).transpose()?;
    let mut agents: Vec<Value> = ids.iter().map(|id| shown(world, id)).collect();
    agents.retain(|agent| condition.as_ref().is_none_or(|condition| condition.holds(agent)));
    if let Some(status) = params.list("status") {
        let has = |agent: &Value, word: &String| {
            word == "all" || agent.get("status").and_then(Value::as_str) == Some(word)
        };
        agents.retain(|agent| status.iter().any(|word| has(agent, word)));
    }
    for field in ["group", "name"] {
        let Some(value) = params.get(field) else { continue };
        let plain = Condition::Compare {
            field: field.to_owned(),
            operator: query::Operator::Equal,
            value: value.to_owned(),
        };
        agents.retain(|agent| plain.holds(agent));
    }
    sort(&mut agents, params.get("sort").unwrap_or("id"));
    outcome.total = Some(agents.len());
    let page = params.page(agents)?;
    outcome.affected = page.into_iter().map(|agent| selected(agent, select.as_deref())).collect();
    Ok(outcome)
}

fn check_select(select: Option<&[String]>, node: &str) -> Result<(), Problem> {
    let unknown: Vec<&str> = select
        .unwrap_or_default()
        .iter()
        .map(String::as_str)
        .filter(|field| !query::FIELDS.contains(field))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let known = query::available();
    let unknown = unknown.join(", ");
    let detail =
        format!("Not a valid select field: Allowed select fields: {known}. Fields: {unknown}");
    Err(Problem::bad_request(detail.clone())
        .code(1724)
        .remedy("Please, use only allowed select fields")
        .said_by_node(node, &detail))
}

/// Sorts by one field. A leading minus reverses the order.
fn sort(agents: &mut [Value], order: &str) {
    let field = order.trim_start_matches(['+', '-']);
    agents.sort_by_key(|agent| query::dotted(agent, field).map(ToString::to_string));
    if order.starts_with('-') {
        agents.reverse();
    }
}

/// The selected fields and always the id. Missing values are omitted.
fn selected(agent: Value, select: Option<&[String]>) -> Value {
    let Some(select) = select else { return agent };
    let mut kept = Map::new();
    for field in select.iter().map(String::as_str).chain(["id"]) {
        let Some(value) = query::dotted(&agent, field).cloned() else { continue };
        match field.split_once('.') {
            None => {
                kept.insert(field.to_owned(), value);
            }
            Some((outer, inner)) => {
                let group = kept.entry(outer).or_insert_with(|| json!({}));
                if let Some(group) = group.as_object_mut() {
                    group.insert(inner.to_owned(), value);
                }
            }
        }
    }
    Value::Object(kept)
}

/// An agent as the API lists it, with all its fields.
fn shown(world: &World, id: &str) -> Value {
    let mut fields = match world.endpoint(id) {
        Some(endpoint) => endpoint_shown(world, endpoint),
        None => manager_shown(world),
    };
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    fields
}

fn endpoint_shown(world: &World, endpoint: &Endpoint) -> Value {
    let now = world.now();
    let met = endpoint.status != Status::NeverConnected;
    let (seen, lost) = match endpoint.status {
        Status::Active => (Some(now - TimeDelta::seconds(5)), None),
        Status::Disconnected => {
            let seen = now - TimeDelta::days(1);
            (Some(seen), Some(seen + TimeDelta::seconds(100)))
        }
        Status::Pending => (Some(now - TimeDelta::seconds(30)), None),
        Status::NeverConnected => (None, None),
    };
    let seen = endpoint.silent_for.map_or(seen, |time| seen.map(|_| now - time));
    json!({
        "os": endpoint.os.as_ref().filter(|_| met).map(|os| os_shown(os, &endpoint.name)),
        "ip": endpoint.ip,
        "name": endpoint.name,
        "version": met.then(|| format!("Wazuh v{}", endpoint.version)),
        "manager": met.then_some(&world.settings.manager),
        "node_name": if met { world.settings.node_of(endpoint) } else { "unknown" },
        "registerIP": "any",
        "dateAdd": clock::api_form(endpoint.date_added),
        "lastKeepAlive": seen.map(clock::api_form),
        "disconnection_time": lost.map(clock::api_form),
        "group": (!endpoint.groups.is_empty()).then_some(&endpoint.groups),
        "group_config_status": "synced",
        "status": endpoint.status.word(),
        "status_code": 0,
        "id": endpoint.id,
    })
}

/// The manager lists itself as agent 000.
fn manager_shown(world: &World) -> Value {
    json!({
        "os": os_shown(&Os::DEBIAN, &world.settings.manager),
        "ip": "127.0.0.1",
        "name": world.settings.manager,
        "version": format!("Wazuh v{}", world.settings.api_version),
        "manager": world.settings.manager,
        "node_name": world.settings.node,
        "registerIP": "127.0.0.1",
        "dateAdd": "2025-01-01T00:00:00+00:00",
        "lastKeepAlive": "9999-12-31T23:59:59+00:00",
        "group_config_status": "synced",
        "status": "active",
        "status_code": 0,
        "id": "000",
    })
}

fn os_shown(os: &Os, machine: &str) -> Value {
    let major = os.version.split('.').next();
    json!({
        "name": os.name,
        "platform": os.platform,
        "uname": os.uname(machine),
        "version": os.version,
        "major": major,
    })
}

/// `GET /agents/summary/status`. The manager does not count itself.
pub(crate) async fn summary(State(sim): State<Simulator>, session: Session) -> Answer {
    let world = sim.world();
    let seen: Vec<&Endpoint> = world
        .settings
        .agents
        .iter()
        .filter(|one| session.rights.allows_on("agent:read", &one.id, Some(one)))
        .collect();
    let count = |status| seen.iter().filter(|one| one.status == status).count();
    Ok(Json(json!({
        "data": {
            "connection": {
                "active": count(Status::Active),
                "disconnected": count(Status::Disconnected),
                "never_connected": count(Status::NeverConnected),
                "pending": count(Status::Pending),
                "total": seen.len(),
            },
            "configuration": {"synced": seen.len(), "not_synced": 0, "total": seen.len()},
        },
        "error": 0,
    })))
}

/// `GET /agents/{id}/config/com/active-response`: the question that precedes each response.
pub(crate) async fn active_response(
    State(sim): State<Simulator>,
    session: Session,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    params.only(&[])?;
    let (endpoint, node) = {
        let world = sim.world();
        (world.endpoint(&id).cloned(), world.settings.node.clone())
    };
    if !session.rights.allows_on("agent:read", &id, endpoint.as_ref()) {
        return Err(Problem::denied("agent:id"));
    }
    let Some(endpoint) = endpoint else {
        let error = AgentError::Unknown;
        let problem = Problem::new(StatusCode::NOT_FOUND, error.message()).code(error.code());
        return Err(problem.said_by_node(&node, error.message()));
    };
    if endpoint.status != Status::Active {
        let detail = "Action only available for active agents";
        return Err(Problem::bad_request(detail)
            .code(1740)
            .remedy("Please activate the agent to synchronize it")
            .said_by_node(&node, detail));
    }
    let asking = {
        let sim = sim.clone();
        async move { sim.ask(&endpoint).await }
    };
    let on = sim.in_worker(params.waits_for_completion(), asking).await?.map_err(|error| {
        Problem::bad_request(error.message())
            .code(error.code())
            .said_by_node(&node, error.message())
    })?;
    let disabled = if on { "no" } else { "yes" };
    Ok(Json(json!({"data": {"active-response": {"disabled": disabled}}, "error": 0})))
}

/// `GET /groups`.
pub(crate) async fn groups(
    State(sim): State<Simulator>,
    session: Session,
    params: Params,
) -> Answer {
    params.only(&["select", "limit", "offset", "sort"])?;
    let may_see = |group: &str| {
        session.rights.allows("group:read", "group:id:*")
            || session.rights.allows("group:read", &format!("group:id:{group}"))
    };
    let all: Vec<Value> = members(&sim.world())
        .into_iter()
        .filter(|(name, _)| may_see(name))
        .map(|(name, count)| json!({"name": name, "count": count}))
        .collect();
    let total = all.len();
    let mut outcome = Outcome::of(params.page(all)?);
    outcome.total = Some(total);
    Ok(Json(outcome.shown(&Sentences(
        "All selected groups information was returned",
        "Some groups information was not returned",
        "No group information was returned",
    ))))
}

/// The groups with their number of endpoints; `default` always exists.
fn members(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::from([("default".to_owned(), 0)]);
    for group in world.settings.agents.iter().flat_map(|endpoint| &endpoint.groups) {
        *counts.entry(group.clone()).or_default() += 1;
    }
    counts
}
