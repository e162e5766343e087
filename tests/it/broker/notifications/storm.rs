//! Many notices at once are few messages.

use countersign::broker::notifications::DeliveryResult;
use serde_json::{Value, json};

use super::{give_addresses, kinds, receiver, tell, webhook, world_with};
use crate::harness::World;

async fn ask_often(world: &World, often: u8) {
    let agent = world.agent().await;
    for number in 1..=often {
        let address = format!("203.0.113.{number}");
        let asked = agent.block(&address, json!({ "agent_ids": ["002"] })).await;
        assert_eq!(asked.state(), "pending", "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_of_one_step_are_one_message() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    ask_often(&world, 12).await;
    assert_eq!(tell(&world).await, [DeliveryResult::Arrived]);
    let heard = tap.heard("POST");
    let json: Value = serde_json::from_str(&heard[0].body).unwrap();
    assert_eq!(json["type"], "request.waiting");
    assert_eq!(json["data"]["more"], 11);
    assert_eq!(json["data"]["title"], "A request waits for approval, and 11 more");
    assert_eq!(json["data"]["link"], format!("{}/", world.url()));
    assert!(tell(&world).await.is_empty(), "each is told once");
    // One alone is as it always was.
    world.agent().await.block("203.0.113.99", json!({ "agent_ids": ["002"] })).await;
    assert_eq!(tell(&world).await, [DeliveryResult::Arrived]);
    assert!(!tap.heard("POST")[1].body.contains("more"));
}

#[tokio::test(flavor = "multi_thread")]
async fn urgent_notice_goes_before_many_others() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    give_addresses(&world).await;
    ask_often(&world, 5).await;
    world.freeze("a storm").await;
    assert_eq!(tell(&world).await, [DeliveryResult::Arrived; 2]);
    assert_eq!(kinds(&tap), ["kill_switch.thrown everything", "request.waiting pending"]);
}
