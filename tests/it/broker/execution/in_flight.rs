//! Several responses that are sent at once.

use countersign::{broker::execution::progress::Progress, worker};
use serde_json::json;
use wazuh_simulator::{Fault, Times};

use super::dispatch::{approved, outcomes};
use crate::harness::World;

/// Blocks of two addresses that bob approved, on an endpoint each that does not answer yet.
async fn two_held(world: &World) -> [String; 2] {
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let mut ids = Vec::new();
    for (address, endpoint) in [("203.0.113.1", "001"), ("203.0.113.2", "002")] {
        let id = agent.block(address, json!({ "agent_ids": [endpoint] })).await.id();
        bob.approve(&id).await;
        world.manager.hold(endpoint);
        ids.push(id);
    }
    ids.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_is_not_taken_for_left() {
    let world = World::builder().with_calls_in_flight(2).start().await;
    let [one, other] = two_held(&world).await;
    let meanwhile = async {
        world.manager.until_received(2).await;
        assert!(matches!(worker::step(world.broker()).await, Ok(Progress::Idle)));
        world.manager.release("001");
        world.manager.release("002");
    };
    let (first, second, ()) =
        tokio::join!(worker::step(world.broker()), worker::step(world.broker()), meanwhile);
    assert!(matches!((&first, &second), (Ok(Progress::Moved(_)), Ok(Progress::Moved(_)))));
    assert_eq!(outcomes(&world, &one).await, ["001: sent"]);
    assert_eq!(outcomes(&world, &other).await, ["002: sent"]);
    assert_eq!(world.manager.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_is_in_flight_by_default() {
    let world = World::start().await;
    let [one, other] = two_held(&world).await;
    let meanwhile = async {
        world.manager.until_received(1).await;
        let first = world.manager.received().len();
        world.manager.release("001");
        world.manager.release("002");
        first
    };
    let (_, _, first) =
        tokio::join!(worker::step(world.broker()), worker::step(world.broker()), meanwhile);
    assert_eq!(first, 1);
    assert_eq!(outcomes(&world, &one).await, ["001: sent"]);
    assert_eq!(outcomes(&world, &other).await, ["002: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_steps_send_each_request_once() {
    let world = World::builder().with_calls_in_flight(8).start().await;
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let mut ids = Vec::new();
    for n in 1..=6 {
        let address = format!("203.0.113.{n}");
        let id = agent.block(&address, json!({ "agent_ids": ["001"] })).await.id();
        bob.approve(&id).await;
        ids.push(id);
    }
    let steps = (0..24).map(|_| {
        let broker = world.broker().clone();
        tokio::spawn(async move { worker::step(&broker).await.map(drop) })
    });
    for step in steps.collect::<Vec<_>>() {
        step.await.unwrap().unwrap();
    }
    world.work().await;
    for id in &ids {
        assert_eq!(outcomes(&world, id).await, ["001: sent"]);
    }
    assert_eq!(world.manager.received().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_ends_a_wait_and_sends_nothing_more() {
    let world = World::start().await;
    let id = approved(&world, &["001"]).await;
    world.manager.misbehave(Fault::TooManyRequests, Times::Once);
    world.broker().stop_waiting();
    assert!(matches!(world.step().await, Progress::Moved(_)));
    assert_eq!(world.agent().await.get(&id).await.state(), "dispatching");
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: not_sent"]);
    assert_eq!(world.manager.received().len(), 0);
}
