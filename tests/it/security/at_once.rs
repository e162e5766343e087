//! Attacks on what runs without people: with an alert that is no reason, in pieces, again and again.

use serde_json::{Value, json};
use wazuh_simulator::{Endpoint, Os};

use crate::harness::{AgentClient, World, agent::Answer};

mod alerts;
mod ended;
mod reach;

/// Whom the alerts name.
const PEER: &str = "203.0.113.50";

/// So many endpoints of one group and of criticality 2: 001 and on.
fn web(number: usize) -> Vec<Endpoint> {
    let one = |n| Endpoint::new(&id(n), &format!("web-{n:03}"), Os::UBUNTU).groups(&["web"]);
    (1..=number).map(one).collect()
}

fn id(number: usize) -> String {
    format!("{number:03}")
}

async fn web_world(number: usize) -> World {
    World::builder().with_simulator(|site| site.agents = web(number)).start().await
}

/// A failed login at 001 by [`PEER`] just now, with these changes; gives its id.
fn alert(world: &World, changes: &Value) -> String {
    let mut alert = json!({
        "id": format!("made-up.{}", world.manager.alerts().len()),
        "rule": { "id": "5763", "level": 10, "groups": ["sshd"], "description": "brute force" },
        "agent": { "id": "001", "name": "web-001" },
        "data": { "srcip": PEER },
        "decoder": { "parent": "sshd", "name": "sshd" },
        "full_log": format!("sshd[1]: Failed password for root from {PEER} port 4711 ssh2"),
    });
    for (field, value) in changes.as_object().unwrap() {
        alert[field] = value.clone();
    }
    let id = alert["id"].as_str().unwrap().to_owned();
    world.manager.add_alert(alert);
    id
}

/// Asks for a block of [`PEER`] for ten minutes because of this alert.
async fn ask(agent: &AgentClient, alert: &str, endpoints: &[&str]) -> Answer {
    agent.block(PEER, json!({ "agent_ids": endpoints, "alert_id": alert })).await
}
