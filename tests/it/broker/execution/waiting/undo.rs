//! What waited for an endpoint is taken back: with its parent, alone, and while it is being sent.

use std::time::Duration;

use countersign::worker;
use serde_json::{Value, json};

use super::{back, look, waiting, world};
use crate::harness::{AgentClient, World, agent::Answer};

/// A moment later it is taken back: the undo once it was sent, and as it was asked for.
async fn taken_back(world: &World, agent: &AgentClient, id: &str) -> (Answer, Answer) {
    world.pass_for_all(Duration::from_secs(2));
    let asked = agent.undo(id).await;
    world.person("bob").await.approve(&asked.id()).await;
    look(world).await;
    (agent.get(&asked.id()).await, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_ends_wait_and_takes_back_the_rest() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    let undo = agent.undo(&parent).await;
    assert_eq!(undo.json["undoes"], Value::from(parent.clone()), "{undo:?}");
    assert_eq!(agent.get(&child).await.state(), "cancelled");
    world.person("bob").await.approve(&undo.id()).await;
    back(&world).await;
    assert_eq!(agent.get(&parent).await.outcomes(), ["001: reverted", "002: not_sent"]);
    assert!(world.manager.delivered_to("002").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_takes_back_what_came_later() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    back(&world).await;
    let (undo, _) = taken_back(&world, &agent, &parent).await;
    assert_eq!(undo.outcomes(), ["001: sent", "002: sent"]);
    assert_eq!(agent.get(&child).await.outcomes(), ["002: reverted"]);
    assert_eq!(agent.get(&parent).await.outcomes(), ["001: reverted", "002: not_sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_of_child_leaves_its_parent() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    back(&world).await;
    let (undo, asked) = taken_back(&world, &agent, &child).await;
    assert_eq!(asked.json["undoes"], Value::from(child.clone()), "{asked:?}");
    assert_eq!(undo.outcomes(), ["002: sent"]);
    assert_eq!(agent.get(&child).await.outcomes(), ["002: reverted"]);
    assert_eq!(agent.get(&parent).await.outcomes(), ["001: sent", "002: not_sent"]);
    // What is left of the parent is 001.
    let (rest, _) = taken_back(&world, &agent, &parent).await;
    assert_eq!(rest.outcomes(), ["001: sent"]);
    assert_eq!(agent.get(&parent).await.outcomes(), ["001: reverted", "002: not_sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_of_child_that_waits_is_refused() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    let refused = agent.undo(&child).await;
    assert!(refused.error && refused.text.contains("it is waiting; cancel it instead"));
    assert_eq!(agent.get(&child).await.state(), "waiting");
    assert_eq!(agent.get(&parent).await.state(), "waiting");
    back(&world).await;
    assert_eq!(world.manager.delivered_to("002").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_while_child_is_sent_is_refused() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    world.manager.set_status("002", wazuh_simulator::Status::Active);
    world.look_for_returned().await;
    world.manager.hold("002");
    let before = world.audit_kinds().await.len();
    let meanwhile = async {
        world.manager.until_received(2).await;
        assert_eq!(agent.get(&child).await.state(), "dispatching");
        for (id, said) in [(&parent, "being sent to 002"), (&child, "once it is settled")] {
            let refused = agent.undo(id).await;
            assert!(refused.error && refused.text.contains(said), "{refused:?}");
        }
        let list = agent.call("list_requests", json!({})).await;
        let requests = list.json["requests"].as_array().unwrap();
        assert!(requests.iter().all(|one| one.get("undoes").is_none()), "{list:?}");
        world.manager.release("002");
    };
    let (moved, ()) = tokio::join!(worker::step(world.broker()), meanwhile);
    assert!(moved.is_ok());
    world.work().await;
    assert!(world.audit_kinds().await.len() > before);
    assert_eq!(agent.get(&child).await.outcomes(), ["002: sent"]);
    // Asked again, it takes everything back.
    let (undo, _) = taken_back(&world, &agent, &parent).await;
    assert_eq!(undo.outcomes(), ["001: sent", "002: sent"]);
    assert_eq!(agent.get(&child).await.outcomes(), ["002: reverted"]);
}
