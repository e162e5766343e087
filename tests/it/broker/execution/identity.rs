//! A manager's name is a label: what was sent follows the machine and the installation.

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::{Fault, Times, Work};

use crate::harness::{ALERT, AgentClient, World, agent::Answer};

const ADDRESS: &str = "203.0.113.7";

async fn block(agent: &AgentClient, endpoint: &str) -> Answer {
    let why = json!({ "agent_ids": [endpoint], "duration_seconds": 3600, "alert_id": ALERT });
    agent.block(ADDRESS, why).await
}

/// A block on 001 that ran without people, and its answer as it came.
async fn sent(world: &World) -> String {
    let agent = world.agent().await;
    let asked = block(&agent, "001").await;
    assert_eq!(asked.state(), "approved", "{asked:?}");
    world.work().await;
    asked.id()
}

async fn without_answer(world: &World) -> String {
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    let id = sent(world).await;
    assert_eq!(world.agent().await.get(&id).await.outcomes(), ["001: unknown"]);
    id
}

async fn renamed(world: World) -> World {
    world.restart_with(|builder| builder.with_manager_name("hq")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn doubt_follows_machine_to_new_manager_name() {
    let world = World::start().await;
    without_answer(&world).await;
    let world = renamed(world).await;
    let again = block(&world.agent().await, "001").await;
    assert_eq!(again.state(), "pending", "{again:?}");
    assert!(again.text.contains("run.unknown-outcome"), "{again:?}");
    world.work().await;
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_alone_while_renamed_manager_is_unsettled() {
    let world = World::start().await;
    let id = without_answer(&world).await;
    let world = renamed(world).await;
    let agent = world.agent().await;
    let bob = world.person("bob").await;
    bob.get("/system").await.shows("The manager test was renamed, removed or replaced");
    let other = block(&agent, "002").await;
    assert_eq!(other.state(), "pending", "{other:?}");
    assert!(other.text.contains("run.manager-changed"), "{other:?}");
    let found = [("endpoint", "001"), ("ruling", "not_done"), ("comment", "nothing there")];
    bob.vote(&id, "resolve", &found).await;
    assert!(!bob.get("/system").await.has("was renamed, removed or replaced"));
    let settled = block(&agent, "001").await;
    assert_eq!(settled.state(), "approved", "{settled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_reaches_same_installation_under_new_name() {
    let world = World::start().await;
    let id = sent(&world).await;
    let world = renamed(world).await;
    let agent = world.agent().await;
    // The first call to a manager tells which installation it is.
    let other = agent.block("203.0.113.9", json!({ "agent_ids": ["002"] })).await.id();
    world.person("bob").await.approve(&other).await;
    world.work().await;
    assert_eq!(agent.get(&id).await.json["undo"]["possible"], Value::Bool(true));
    let undo = agent.undo(&id).await;
    assert_eq!(undo.json["manager"], "hq", "{undo:?}");
    world.person("carol").await.approve(&undo.id()).await;
    world.work().await;
    world.pass_for_all(Duration::from_secs(3));
    assert!(world.manager.active_responses("001").is_empty());
    assert_eq!(agent.get(&id).await.outcomes(), ["001: reverted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_run_waits_when_installation_was_replaced() {
    let world = World::start().await;
    sent(&world).await;
    let world = world.restart().await;
    world.pass_for_all(Duration::from_secs(1));
    world.manager.set_uuid("00000000-0000-4000-8000-00000000000f");
    let agent = world.agent().await;
    let asked = block(&agent, "002").await;
    assert_eq!(asked.state(), "approved", "nobody has asked the manager yet");
    world.work().await;
    let now = agent.get(&asked.id()).await;
    assert_eq!(now.state(), "pending", "{now:?}");
    assert_eq!(world.manager.received().len(), 1);
    assert!(world.audit_kinds().await.contains(&"manager.identified".to_owned()));
}
