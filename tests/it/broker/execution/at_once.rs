//! What policy lets run at once is claimed by the transaction that decides, for a sender that is free.

use crate::harness::kind;
use std::time::Duration;

use countersign::{broker::execution::progress::Progress, worker};
use serde_json::{Value, json};
use wazuh_simulator::Status;

use super::dispatch::outcomes;
use crate::harness::{World, WorldBuilder, fixtures::RUN_AT_ONCE};

/// A world whose senders wait, and whose manager has said which installation it is.
pub(super) async fn waiting(builder: WorldBuilder) -> World {
    let world = builder.with_only_policy(RUN_AT_ONCE).start().await;
    let first = block(&world, 1).await;
    world.work().await;
    assert_eq!(outcomes(&world, &first).await, ["001: sent"]);
    world.broker().open_senders("test");
    world
}

fn arguments(n: u8) -> Value {
    json!({ "srcip": format!("203.0.113.{n}"), "agent_ids": ["001"], "duration_seconds": 600,
            "reason": "it scans" })
}

async fn block(world: &World, n: u8) -> String {
    world.agent().await.call("block_ip", arguments(n)).await.id()
}

async fn state(world: &World, id: &str) -> String {
    world.agent().await.get(id).await.state().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn decision_and_claim_are_one_commit() {
    let world = waiting(World::builder()).await;
    let changes = world.broker().changes();
    let before = *changes.borrow();
    let id = block(&world, 2).await;
    assert_eq!((state(&world, &id).await.as_str(), *changes.borrow()), ("dispatching", before + 1));
    assert_eq!(world.manager.received().len(), 1);
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: sent"]);
    assert_eq!((world.manager.received().len(), *changes.borrow()), (2, before + 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_is_sent_though_its_caller_vanished() {
    let world = waiting(World::builder()).await;
    let agent = world.broker().agent_by_token(&world.token).await.unwrap().unwrap();
    let Value::Object(arguments) = arguments(2) else { unreachable!() };
    let mut changes = world.broker().changes();
    changes.mark_unchanged();
    // Who waits for news is told before the caller.
    tokio::select! {
        biased;
        changed = changes.changed() => changed.unwrap(),
        asked = world.broker().submit(&agent, kind("block_ip"), &arguments) => {
            panic!("it was answered: {asked:?}");
        }
    }
    let id = block(&world, 2).await;
    assert_eq!(state(&world, &id).await, "dispatching");
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: sent"]);
    assert_eq!(world.manager.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_of_vanished_step_is_never_sent_again() {
    let world = waiting(World::builder()).await;
    let id = block(&world, 2).await;
    world.manager.hold("001");
    tokio::select! {
        () = world.manager.until_received(2) => {}
        step = worker::step(world.broker()) => panic!("it is done: {step:?}"),
    }
    world.manager.release("001");
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: unknown"]);
    assert_eq!(world.manager.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_wait_for_no_more_than_the_free_senders() {
    let world = waiting(World::builder().with_calls_in_flight(2)).await;
    let mut ids = Vec::new();
    for n in 2..=4 {
        ids.push(block(&world, n).await);
    }
    let mut states = Vec::new();
    for id in &ids {
        states.push(state(&world, id).await);
    }
    assert_eq!(states, ["dispatching", "dispatching", "approved"]);
    world.work().await;
    for id in &ids {
        assert_eq!(outcomes(&world, id).await, ["001: sent"]);
    }
    assert_eq!(world.manager.received().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_manager_goes_first() {
    let world = waiting(World::builder().with_calls_in_flight(2)).await;
    world.freeze("a test").await;
    let held = block(&world, 2).await;
    assert_eq!(state(&world, &held).await, "approved");
    world.unfreeze().await;
    let later = block(&world, 3).await;
    assert_eq!(state(&world, &later).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_stops_a_claim_that_nobody_sends_yet() {
    let world = waiting(World::builder()).await;
    let id = block(&world, 2).await;
    world.freeze("a test").await;
    assert!(matches!(world.step().await, Progress::Moved(_)));
    assert_eq!(outcomes(&world, &id).await, ["001: not_sent"]);
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_that_changed_since_the_claim_is_spared() {
    let world = waiting(World::builder()).await;
    let changes: [fn(&World); 2] = [
        |world| world.manager.re_enrol("001"),
        |world| world.manager.set_status("001", Status::Disconnected),
    ];
    for change in changes {
        let id = block(&world, 2).await;
        change(&world);
        world.pass(Duration::from_secs(6));
        world.work().await;
        assert_eq!(outcomes(&world, &id).await, ["001: not_sent"]);
    }
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_is_not_sent_after_its_use_by() {
    let world = waiting(World::builder()).await;
    let id = block(&world, 2).await;
    world.pass(Duration::from_hours(24));
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: not_sent"]);
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_that_stop_send_what_they_were_given() {
    let world = waiting(World::builder()).await;
    let id = block(&world, 2).await;
    world.broker().close_senders("test").await.unwrap();
    assert_eq!(outcomes(&world, &id).await, ["001: sent"]);
    // Nobody takes more.
    let later = block(&world, 3).await;
    assert_eq!(state(&world, &later).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn manager_that_was_not_identified_is_asked_first() {
    let world = World::builder().with_only_policy(RUN_AT_ONCE).start().await;
    world.broker().open_senders("test");
    let id = block(&world, 2).await;
    assert_eq!(state(&world, &id).await, "approved");
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: sent"]);
}
