//! Reads about the manager itself. Sources: captures 7-9, 22, 23, 66.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Simulator;
use crate::api::answer::{Answer, Outcome, Problem, Refusal, Sentences};
use crate::api::command::split_timeout;
use crate::api::login::{Session, authorization};
use crate::settings::Settings;
use crate::world::World;
use crate::{clock, indexer};

/// `GET /`: the manager's API to a token, the indexer to a name and password.
pub(crate) async fn root(
    State(sim): State<Simulator>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let (mut parts, _) = request.into_parts();
    if authorization(&parts.headers, "basic").is_some() {
        return indexer::info(&sim, &parts.headers);
    }
    Session::from_request_parts(&mut parts, &sim).await?;
    let world = sim.world();
    let now = clock::api_form(world.now()).replace("+00:00", "Z");
    let version = &world.settings.api_version;
    Ok(Json(json!({
        "data": {
            "title": "Wazuh API REST",
            "api_version": version,
            "revision": "rc1",
            "license_name": "GPL 2.0",
            "license_url": format!("https://github.com/wazuh/wazuh/blob/v{version}/LICENSE"),
            "hostname": "simulator",
            "timestamp": now,
        },
        "error": 0,
    })))
}

/// `GET /security/config`.
pub(crate) async fn security_config(State(sim): State<Simulator>, session: Session) -> Answer {
    session.require("security:read_config")?;
    let life_secs = sim.world().settings.token_life.as_secs();
    let data = json!({"auth_token_exp_timeout": life_secs, "rbac_mode": "white"});
    Ok(Json(json!({"data": data, "error": 0})))
}

/// `GET /security/users/me/policies`.
pub(crate) async fn my_policies(session: Session) -> Json<Value> {
    Json(json!({
        "data": session.rights.shown(),
        "message": "Current user processed policies information was returned",
        "error": 0,
    }))
}

/// Requires the right to read about this manager. In a cluster, the right on this node counts, even
/// for calls that name no node: framework/wazuh/manager.py.
fn require_read(session: &Session, world: &World) -> Result<(), Problem> {
    if world.settings.cluster {
        session.require_on_node("cluster:read", &world.settings.node)
    } else {
        session.require("manager:read")
    }
}

/// `GET /manager/info`.
pub(crate) async fn info(State(sim): State<Simulator>, session: Session) -> Answer {
    let world = sim.world();
    require_read(&session, &world)?;
    let info = json!({
        "path": "/var/ossec",
        "version": format!("v{}", world.settings.api_version),
        "type": "server",
        "max_agents": "unlimited",
        "openssl_support": "N/A",
        "tz_offset": "+0000",
        "tz_name": "UTC",
        "uuid": world.settings.uuid,
    });
    Ok(read(info, "Basic information was successfully read"))
}

/// `GET /manager/configuration/analysis/active_response` and `.../command`: the configuration,
/// derived from the names in ar.conf.
pub(crate) async fn analysis(
    State(sim): State<Simulator>,
    session: Session,
    Path(section): Path<String>,
) -> Answer {
    let world = sim.world();
    require_read(&session, &world)?;
    configured(&world, &world.settings.node, &section)
}

/// One section of a node's configuration.
pub(crate) fn configured(world: &World, node: &str, section: &str) -> Answer {
    let names = world.settings.names_of(node);
    let configured = names
        .iter()
        .map(|name| split_timeout(name))
        // Every manager has these two without configuration.
        .filter(|(command, _)| !["restart-ossec", "restart-wazuh"].contains(command));
    let data = match section {
        "active_response" => {
            let blocks: Vec<Value> = configured
                .map(|(command, timeout)| {
                    json!({
                        "command": command,
                        "timeout": timeout,
                        "level": 0,
                        "location": "REMOTE_AGENT",
                    })
                })
                .collect();
            json!({"active-response": blocks})
        }
        "command" => {
            let mut commands: BTreeSet<&str> = configured.map(|(command, _)| command).collect();
            commands.extend(world.settings.scripts.iter().map(|script| script.name));
            let shown = |name| command_shown(&world.settings, name);
            let commands: Vec<Value> = commands.into_iter().map(shown).collect();
            json!({"command": commands})
        }
        _ => return Err(Problem::new(StatusCode::NOT_FOUND, "404: Not Found")),
    };
    Ok(read(data, "Active configuration was successfully read"))
}

/// A script that undoes another has nothing to undo after a timeout itself.
fn command_shown(settings: &Settings, name: &str) -> Value {
    let executable = if name == "netsh" { "netsh.exe" } else { settings.executable(name) };
    let lifts = settings.scripts.iter().any(|script| script.name == name && script.lifts.is_some());
    json!({"name": name, "executable": executable, "timeout_allowed": u8::from(!lifts)})
}

fn read(item: Value, sentence: &'static str) -> Json<Value> {
    Json(Outcome::of(vec![item]).shown(&Sentences(sentence, sentence, sentence)))
}
