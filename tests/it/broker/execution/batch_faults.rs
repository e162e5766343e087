//! A fault in a batch of many asks is told to those whom it concerns, and to nobody else.

use std::{sync::atomic::Ordering, time::Duration};

use countersign::{
    broker::BrokerError,
    domain::halt::HaltCause,
    store::{StoreError, WRITERS_WAITING_MAX},
    worker,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{task::JoinSet, time::timeout};

use super::{
    at_once::waiting,
    dispatch::{approved, outcomes},
    store_failures::{broken, commits},
};
use crate::harness::{
    PersonClient, World, WorldBuilder,
    agent::Answer,
    line::{Asks, Line, count_commits, until_waiting},
};

/// A world in which one agent may ask this much at once.
fn busy() -> WorldBuilder {
    World::builder().with_settings(|settings| settings.agents.at_once_max = 64)
}

/// The agent is told that it was no fault of its own, and where to look for what is stored.
fn assert_fault(answer: &Answer) {
    assert!(answer.error && answer.json["request_id"].is_null(), "{answer:?}");
    assert!(answer.text.contains("Countersign failed (reference"), "{}", answer.text);
    assert!(answer.text.contains("call list_requests"), "{}", answer.text);
}

async fn asked(world: &World) -> usize {
    world.audit_kinds().await.iter().filter(|kind| *kind == "request.asked").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_commit_is_told_to_each_asker() {
    let world = busy().start().await;
    let open =
        world.agent().await.block("203.0.113.99", json!({ "agent_ids": ["002"] })).await.id();
    let bob = world.person("bob").await;
    let commit = commits(&world).await;
    let line = Line::hold(world.store.as_ref().unwrap()).await;
    let asks = Asks::begin(&world, &line, 8).await;
    commit.fail_once();
    assert!(matches!(line.release().await, Err(StoreError::Commit(_))));
    asks.answers().await.iter().for_each(assert_fault);
    assert!(commit.failed());
    broken(&world).await;
    // What was stored before is there, and people may still stop it.
    assert_eq!(asked(&world).await, 1);
    bob.reject(&open, "no").await;
    assert_eq!(world.agent().await.get(&open).await.state(), "rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_commit_drops_the_claims_of_its_batch() {
    let world = waiting(busy().with_calls_in_flight(8)).await;
    let commit = commits(&world).await;
    let line = Line::hold(world.store.as_ref().unwrap()).await;
    let asks = Asks::begin(&world, &line, 8).await;
    commit.fail_once();
    line.release().await.unwrap_err();
    asks.answers().await.iter().for_each(assert_fault);
    // Whoever closes the senders waits for all that they were given.
    world.broker().close_senders("test").await.unwrap();
    assert_eq!(world.manager.received().len(), 1, "what was sent before");
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_that_fails_concerns_one_asker() {
    let world = busy().start().await;
    world
        .execute(
            "CREATE TRIGGER fault BEFORE INSERT ON request WHEN NEW.argument = '203.0.113.3'
                 BEGIN SELECT RAISE(ABORT, 'a fault'); END",
        )
        .await;
    let commits = count_commits(world.store.as_ref().unwrap()).await;
    let line = Line::hold(world.store.as_ref().unwrap()).await;
    let asks = Asks::begin(&world, &line, 5).await;
    line.release().await.unwrap();
    assert_third_failed(&asks.answers().await);
    assert_eq!(asked(&world).await, 4);
    // The batch, and perhaps the note that the third was refused, if that came too late for it.
    assert!(commits.load(Ordering::SeqCst) <= 2, "{commits:?}");
    assert!(world.store.as_ref().unwrap().halted().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_that_undoes_all_concerns_one_asker() {
    let world = busy().start().await;
    world
        .execute(
            "CREATE TRIGGER fault BEFORE INSERT ON request WHEN NEW.argument = '203.0.113.3'
                 BEGIN SELECT RAISE(ROLLBACK, 'a fault'); END",
        )
        .await;
    let line = Line::hold(world.store.as_ref().unwrap()).await;
    let asks = Asks::begin(&world, &line, 5).await;
    line.release().await.unwrap();
    assert_third_failed(&asks.answers().await);
    assert_eq!(asked(&world).await, 4);
    assert!(world.store.as_ref().unwrap().halted().is_none());
}

fn assert_third_failed(answers: &[Answer]) {
    for (n, answer) in (1..).zip(answers) {
        if n == 3 {
            assert_fault(answer);
        } else {
            assert_eq!(answer.state(), "pending", "{n}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writer_that_panics_stops_everything_until_restart() {
    let world = busy().start().await;
    let id = approved(&world, &["001"]).await;
    let store = world.store.clone().unwrap();
    let line = Line::hold(&store).await;
    let asks = Asks::begin(&world, &line, 3).await;
    let faulty = tokio::spawn({
        let store = store.for_agents();
        async move {
            let written = store.write(|tx| {
                Box::pin(async move {
                    tx.after_commit(|| panic!("a fault of the writer"));
                    Ok::<_, StoreError>(())
                })
            });
            written.await
        }
    });
    line.until(4).await;
    assert!(matches!(line.release().await, Err(StoreError::Closed)));
    assert!(matches!(faulty.await.unwrap(), Err(StoreError::Closed)));
    asks.answers().await.iter().for_each(assert_fault);
    let halted = async {
        while store.halted().is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_mins(1), halted).await.unwrap();
    assert_eq!(store.halted().unwrap().cause, HaltCause::CommitFailed);
    assert!(matches!(worker::step(world.broker()).await, Err(BrokerError::Halted(_))));
    let late = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["002"] })).await;
    assert_fault(&late);
    let ready = reqwest::get(format!("{}/readyz", world.url())).await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(world.manager.received().is_empty());
    drop(store);
    let world = world.restart().await;
    // The commit had been made: the asks are there, once.
    assert_eq!(asked(&world).await, 4);
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_line_is_told_to_agents_alone() {
    let world = busy().start().await;
    let agent = world.agent().await;
    let open = agent.block("203.0.113.99", json!({ "agent_ids": ["002"] })).await.id();
    let bob = world.person("bob").await;
    let store = world.store.clone().unwrap();
    let line = Line::hold(&store).await;
    let mut others = JoinSet::new();
    for _ in 0..WRITERS_WAITING_MAX {
        let store = store.for_agents();
        others.spawn(async move {
            store.write(|_tx| Box::pin(async { Ok::<_, StoreError>(()) })).await
        });
    }
    line.until(WRITERS_WAITING_MAX).await;
    let refused = agent.block("203.0.113.1", json!({ "agent_ids": ["002"] })).await;
    assert!(refused.error && refused.text.contains("Countersign is busy. Nothing was stored"));
    let release = async {
        until_waiting(&store, 1).await;
        line.release().await.unwrap();
    };
    tokio::join!(bob.reject(&open, "no"), release);
    assert!(others.join_all().await.into_iter().all(|written| written.is_ok()));
    assert_eq!(agent.get(&open).await.state(), "rejected");
    let later = agent.block("203.0.113.1", json!({ "agent_ids": ["002"] })).await;
    assert_eq!(later.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_hang_concern_agents_alone() {
    let world = World::start().await;
    let id = approved(&world, &["001"]).await;
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let open = agent.block("203.0.113.99", json!({ "agent_ids": ["002"] })).await.id();
    let store = world.store.clone().unwrap();
    let mut hanging = Vec::new();
    for _ in 0..4 {
        hanging.push(store.reader().await.unwrap());
    }
    let others = async {
        bob.reject(&open, "no").await;
        world.work().await;
        assert_eq!(world.manager.received().len(), 1);
    };
    let call = PersonClient::stranger(&world.url()).request(Method::POST, "/mcp");
    let call = call.header("authorization", format!("Bearer {}", world.token));
    let (told, ()) = tokio::join!(call.send(), others);
    assert_eq!(told.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(hanging);
    assert_eq!(outcomes(&world, &id).await, ["001: sent"]);
}
