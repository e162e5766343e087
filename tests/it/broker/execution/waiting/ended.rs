//! What waits, or is being sent to an endpoint that came back, is ended by people or by other requests.

use std::{collections::BTreeMap, time::Duration};

use countersign::{domain::actor::Role, worker};
use serde_json::json;
use wazuh_simulator::{AgentError, Fault, Status, Times};

use super::{ADDRESS, ask, back, child, look, waiting, world};
use crate::harness::{World, agent::Answer};

/// The parent is ended while its child is being sent, to an endpoint that is gone again.
async fn ended_while_sent(end: impl AsyncFnOnce(&World, &str) -> Answer) {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    world.manager.set_status("002", Status::Active);
    world.look_for_returned().await;
    world.manager.hold("002");
    world.manager.misbehave(Fault::EveryAgent(AgentError::NotActive), Times::Once);
    let meanwhile = async {
        world.manager.until_received(2).await;
        let told = end(&world, &parent).await;
        assert_eq!(told.state(), "waiting", "its child is being sent: {told:?}");
        world.manager.release("002");
    };
    let (moved, ()) = tokio::join!(worker::step(world.broker()), meanwhile);
    moved.unwrap();
    assert_eq!(agent.get(&child).await.state(), "settled");
    assert_eq!(agent.get(&parent).await.state(), "settled");
    world.pass_for_all(Duration::from_secs(61));
    back(&world).await;
    assert!(world.manager.delivered_to("002").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn reject_of_parent_ends_child_being_sent() {
    Box::pin(ended_while_sent(async |world, parent| {
        world.person("carol").await.reject(parent, "not any more").await;
        world.agent().await.get(parent).await
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_parent_ends_child_being_sent() {
    let cancel = async |world: &World, parent: &str| world.agent().await.cancel(parent).await;
    Box::pin(ended_while_sent(cancel)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_of_child_cannot_be_retracted() {
    let world = World::start().await;
    for endpoint in ["001", "002"] {
        world.manager.set_status(endpoint, Status::Disconnected);
    }
    let agent = world.agent().await;
    let asked = ask(&agent, &["001", "002"]).await.id();
    let bob = world.person("bob").await;
    bob.approve(&asked).await;
    look(&world).await;
    let parent = agent.get(&asked).await;
    let one = parent.json["when_back"]["requests"][0]["request_id"].as_str().unwrap().to_owned();
    world.freeze("a drill").await;
    for endpoint in ["001", "002"] {
        world.manager.set_status(endpoint, Status::Active);
    }
    world.look_for_returned().await;
    assert!(!bob.offered(&one, "retract").await);
    let token = bob.get("/").await.form_token();
    let fields = BTreeMap::from([("form_token".to_owned(), token)]);
    assert_eq!(bob.post(&format!("/requests/{one}/retract"), &fields).await.status, 409);
    assert_eq!(agent.get(&one).await.state(), "approved");
    assert!(!world.audit_kinds().await.iter().any(|kind| kind == "vote.retracted"));
    // To reject it ends it, and it alone.
    bob.reject(&one, "not there").await;
    world.unfreeze().await;
    look(&world).await;
    assert!(world.manager.delivered_to("001").is_empty());
    assert_eq!(world.manager.delivered_to("002").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lapsed_approval_ends_child() {
    let world = World::start().await;
    for name in ["anna", "ben"] {
        world.add_person(name, Role::Analyst).await;
    }
    let agent = world.agent().await;
    let shorter = json!({ "agent_ids": ["003"], "duration_seconds": 600, "when_back": true });
    let asked = agent.block(ADDRESS, shorter).await.id();
    world.person("anna").await.approve(&asked).await;
    world.pass_for_all(Duration::from_secs(5));
    let other = world.another_agent("other-bot", "alice").await;
    let longer = json!({ "agent_ids": ["003"], "duration_seconds": 3600 });
    let longer = other.block(ADDRESS, longer).await.id();
    for name in ["bob", "carol"] {
        world.person(name).await.approve(&longer).await;
    }
    look(&world).await;
    world.pass_for_all(Duration::from_secs(5));
    for name in ["ben", "bob"] {
        world.person(name).await.approve(&asked).await;
    }
    world.manager.set_status("003", Status::Disconnected);
    look(&world).await;
    let child = child(&agent.get(&asked).await);
    world.manager.set_status("003", Status::Active);
    world.pass_for_all(Duration::from_secs(5));
    look(&world).await;
    let told = agent.get(&child).await;
    assert_eq!(told.state(), "withdrawn", "{told:?}");
    assert!(told.text.contains("after it was approved by anna"), "{told:?}");
    assert_eq!(agent.get(&asked).await.state(), "settled");
    assert_eq!(world.manager.delivered_to("003").len(), 1);
}
