//! Approved requests that cannot be sent yet: each says why, to the page, in the list and to the
//! agent, and the audit says it once.

use std::time::Duration;

use countersign::broker::execution::progress::Progress;
use serde_json::{Value, json};
use wazuh_simulator::{Calls, Fault, Outage, Times, Work};

use crate::harness::World;

/// Three requests that bob approved, in the order in which they were asked.
async fn three_approved(world: &World) -> Vec<String> {
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let mut ids = Vec::new();
    for target in ["203.0.113.9", "203.0.113.10", "203.0.113.11"] {
        let id = agent.block(target, json!({ "agent_ids": ["001"] })).await.id();
        bob.approve(&id).await;
        ids.push(id);
        // They are sent in the order in which they were asked for.
        world.pass(Duration::from_secs(1));
    }
    ids
}

/// What an agent is told of each, alone and in a list; both say the same.
async fn told(world: &World, ids: &[String]) -> Vec<String> {
    let agent = world.agent().await;
    let listed = agent.call("list_requests", json!({})).await.json;
    let mut said = Vec::new();
    for id in ids {
        let alone = agent.get(id).await.json["held_because"].clone();
        let all = listed["requests"].as_array().unwrap();
        let row = all.iter().find(|row| row["request_id"] == **id).unwrap();
        assert_eq!(row["held_because"], alone, "{row}");
        said.push(alone.as_str().unwrap_or("").to_owned());
    }
    said
}

async fn held_rows(world: &World) -> usize {
    world.audit_kinds().await.iter().filter(|kind| *kind == "dispatch.held").count()
}

fn break_every_connection(world: &World) {
    world.manager.misbehave_on(Calls::Every, Fault::Drop(Work::NotDone), Times::UntilCleared);
}

const DOWN: &str = "the connection ended before its answer was complete";

#[tokio::test(flavor = "multi_thread")]
async fn each_held_request_says_why_everywhere() {
    let world = World::start().await;
    let ids = three_approved(&world).await;
    assert_eq!(told(&world, &ids).await, ["", "", ""]);
    break_every_connection(&world);
    assert!(matches!(world.step().await, Progress::Held(_)));
    for said in told(&world, &ids).await {
        assert!(
            said.starts_with("the manager test does not answer") && said.contains(DOWN),
            "{said}"
        );
    }
    let bob = world.person("bob").await;
    let list = bob.get("/requests").await;
    assert_eq!(list.html.matches(DOWN).count(), 3, "{}", list.html);
    for id in &ids {
        bob.get(&format!("/requests/{id}")).await.shows(DOWN);
    }
    world.manager.behave();
    world.work().await;
    assert_eq!(told(&world, &ids).await, ["", "", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lasting_reason_is_written_once_and_wakes_nobody() {
    let world = World::start().await;
    three_approved(&world).await;
    break_every_connection(&world);
    world.step().await;
    assert_eq!(held_rows(&world).await, 1);
    let written = *world.broker().changes().borrow();
    // The circuit opens, lets one call through every half minute, and shuts again.
    for _ in 0..24 {
        world.pass_for_all(Duration::from_secs(5));
        assert!(matches!(world.step().await, Progress::Held(_)));
    }
    assert_eq!(held_rows(&world).await, 1);
    assert_eq!(*world.broker().changes().borrow(), written);
    world.manager.behave();
    let down = Fault::Fail(Outage::Restarting, Work::NotDone);
    world.manager.misbehave_on(Calls::Reads, down, Times::UntilCleared);
    world.pass_for_all(Duration::from_secs(31));
    world.step().await;
    assert_eq!(held_rows(&world).await, 2, "another reason is news");
}

#[tokio::test(flavor = "multi_thread")]
async fn reason_of_a_full_budget_does_not_count_down() {
    let world = World::start().await;
    let ids = three_approved(&world).await;
    world.manager.misbehave_on(Calls::Reads, Fault::TooManyRequests, Times::Once);
    let mut said = Vec::new();
    for _ in 0..3 {
        assert!(matches!(world.step().await, Progress::Held(_)));
        said.extend(told(&world, &ids).await);
        world.pass_for_all(Duration::from_secs(5));
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("max_request_per_minute"), "{said:?}");
    assert_eq!(held_rows(&world).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_expired_request_says_what_held_it() {
    let world = World::start().await;
    let ids = three_approved(&world).await;
    break_every_connection(&world);
    world.step().await;
    world.pass(Duration::from_mins(11));
    world.step().await;
    let agent = world.agent().await;
    for id in &ids {
        let answer = agent.get(id).await;
        assert_eq!((answer.state(), &answer.json["held_because"]), ("expired", &Value::Null));
        let why = answer.json["ended"]["reason"].as_str().unwrap();
        assert!(why.contains("not sent in time") && why.contains(DOWN), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_is_the_reason_of_what_it_stops() {
    let world = World::start().await;
    let ids = three_approved(&world).await;
    world.freeze("stop").await;
    assert_eq!(world.step().await, Progress::Stopped);
    assert_eq!(told(&world, &ids).await, ["the kill switch stops everything"; 3]);
    let list = world.person("bob").await.get("/requests").await;
    assert_eq!(list.html.matches("the kill switch stops everything").count(), 3);
    assert_eq!(held_rows(&world).await, 0);
    world.pass(Duration::from_mins(11));
    world.step().await;
    for id in &ids {
        let ended = world.agent().await.get(id).await.json["ended"]["reason"].clone();
        let why = ended.as_str().unwrap();
        assert!(why.contains("the kill switch stops everything"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_behind_another_says_so() {
    let world = World::start().await;
    let ids = three_approved(&world).await;
    world.manager.hold("001");
    let behind = async {
        world.manager.until_received(1).await;
        let said = told(&world, &ids).await;
        assert_eq!(said[0], "");
        for said in &said[1..] {
            assert!(
                said.contains("others are being sent to the manager test; it follows by"),
                "{said}"
            );
        }
        world.manager.release("001");
    };
    tokio::join!(world.work(), behind);
    assert_eq!(told(&world, &ids).await, ["", "", ""]);
}
