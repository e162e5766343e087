//! Reads about the nodes of a cluster. Source: framework/wazuh/cluster.py. There are no captures.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Simulator;
use crate::api::answer::{Answer, Outcome, Problem, Sentences};
use crate::api::login::Session;
use crate::api::manager;
use crate::api::params::Params;
use crate::world::World;

const READ: &str = "cluster:read";

/// `GET /cluster/status`.
pub(crate) async fn status(State(sim): State<Simulator>, session: Session) -> Answer {
    session.require("cluster:status")?;
    let word = if sim.world().settings.cluster { "yes" } else { "no" };
    Ok(Json(json!({"data": {"enabled": word, "running": word}, "error": 0})))
}

/// `GET /cluster/nodes`: those that the user may read.
pub(crate) async fn nodes(
    State(sim): State<Simulator>,
    session: Session,
    params: Params,
) -> Answer {
    params.only(&["limit", "offset"])?;
    let world = sim.world();
    check_running(&world)?;
    let shown: Vec<Value> = (1..)
        .zip(world.settings.nodes())
        .filter(|(_, node)| session.rights.allows_on_node(READ, node))
        .map(|(place, node)| {
            json!({
                "name": node,
                "type": if node == world.settings.node { "master" } else { "worker" },
                "version": world.settings.api_version,
                "ip": format!("10.1.0.{place}"),
            })
        })
        .collect();
    if shown.is_empty() {
        return Err(Problem::denied("node:id"));
    }
    let total = shown.len();
    let mut outcome = Outcome::of(params.page(shown)?);
    outcome.total = Some(total);
    Ok(Json(outcome.shown(&Sentences(
        "All selected nodes information was returned",
        "Some nodes information was not returned",
        "No information was returned",
    ))))
}

/// `GET /cluster/{node}/configuration/analysis/{section}`.
pub(crate) async fn analysis(
    State(sim): State<Simulator>,
    session: Session,
    Path((node, section)): Path<(String, String)>,
) -> Answer {
    let world = sim.world();
    check_running(&world)?;
    if !world.settings.nodes().contains(node.as_str()) {
        let detail = "Node does not exist";
        let problem = Problem::new(StatusCode::NOT_FOUND, detail).code(1730);
        return Err(problem.said_by_node(&world.settings.node, detail));
    }
    session.require_on_node(READ, &node)?;
    manager::configured(&world, &node, &section)
}

fn check_running(world: &World) -> Result<(), Problem> {
    if world.settings.cluster {
        return Ok(());
    }
    let detail = "Cluster is not running";
    Err(Problem::bad_request(detail).code(3013).said_by_node(&world.settings.node, detail))
}
