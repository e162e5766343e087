//! What is active already, where nobody knows which commands ran.

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::{Fault, Times, Work};

use super::already_active::{approve, permanent, until, world};
use crate::harness::ALERT;

const ADDRESS: &str = "203.0.113.7";

fn with_alert(endpoint: &str, seconds: u32) -> Value {
    json!({ "agent_ids": [endpoint], "duration_seconds": seconds, "alert_id": ALERT })
}

fn timed(endpoint: &str, seconds: u32) -> Value {
    json!({ "agent_ids": [endpoint], "duration_seconds": seconds })
}

/// An agent alone ends a permanent block that two people decided.
#[tokio::test(flavor = "multi_thread")]
async fn permanent_block_is_never_cut_without_people() {
    let world = world().await;
    let mut alert = world.manager.alerts()[0].clone();
    alert["id"] = json!("mac.1");
    alert["agent"] = json!({ "id": "010", "name": "mac-design" });
    world.manager.add_alert(alert);
    let at_once = json!({ "agent_ids": ["010"], "duration_seconds": 3600, "alert_id": "mac.1" });
    let agent = world.agent().await;
    let lost = agent.block(ADDRESS, at_once.clone()).await;
    assert_eq!(lost.state(), "approved", "{lost:?}");
    world.manager.misbehave(Fault::Undelivered, Times::Once);
    world.work().await;
    world.pass_for_all(Duration::from_secs(1));
    let kept = agent.block(ADDRESS, permanent("010")).await.id();
    approve(&world, &kept, &["bob", "carol"]).await;
    world.look().await;
    assert_eq!(agent.get(&kept).await.outcomes(), ["010: confirmed"]);
    assert_eq!(until(&agent, &kept).await, Value::Null);
    let cut = agent.block(ADDRESS, at_once).await;
    world.work().await;
    world.pass_for_all(Duration::from_secs(3700));
    world.look().await;
    assert_eq!(cut.state(), "pending");
}

/// A permanent lock that begins after an undo that nobody saw: our books end it.
#[tokio::test(flavor = "multi_thread")]
async fn lock_after_unseen_undo_never_ends() {
    let world = world().await;
    let agent = world.agent().await;
    let first = agent.disable("mallory", timed("001", 600)).await.id();
    approve(&world, &first, &["bob"]).await;
    world.look().await;
    assert_eq!(agent.get(&first).await.outcomes(), ["001: confirmed"]);
    world.manager.hold_evidence();
    let undo = agent.undo(&first).await.id();
    approve(&world, &undo, &["carol"]).await;
    world.pass_for_all(Duration::from_secs(3));
    assert!(world.manager.active_responses("001").is_empty());
    let kept = agent.disable("mallory", permanent("001")).await.id();
    approve(&world, &kept, &["bob", "carol"]).await;
    let end = until(&agent, &kept).await;
    for _ in 0..8 {
        world.pass_for_all(Duration::from_mins(10));
        world.look().await;
    }
    let found = agent.get(&kept).await.outcomes();
    assert_eq!(end, Value::Null);
    assert_ne!(found, ["001: ended"]);
}

/// A block that may not have run prolongs a timer; a permanent block after the timer's real end.
#[tokio::test(flavor = "multi_thread")]
async fn block_after_uncertain_prolongation_never_ends() {
    let world = world().await;
    let agent = world.agent().await;
    let first = agent.block(ADDRESS, timed("010", 600)).await.id();
    approve(&world, &first, &["bob"]).await;
    world.look().await;
    world.manager.hold_evidence();
    let lost = agent.block(ADDRESS, timed("010", 3600)).await.id();
    world.manager.misbehave(Fault::Undelivered, Times::Once);
    approve(&world, &lost, &["bob"]).await;
    world.pass_for_all(Duration::from_secs(700));
    assert!(world.manager.active_responses("010").is_empty());
    let kept = agent.block(ADDRESS, permanent("010")).await.id();
    approve(&world, &kept, &["bob", "carol"]).await;
    let end = until(&agent, &kept).await;
    for _ in 0..12 {
        world.pass_for_all(Duration::from_mins(10));
        world.look().await;
    }
    let found = agent.get(&kept).await.outcomes();
    assert_eq!(end, Value::Null);
    assert_ne!(found, ["010: ended"]);
}

/// On Linux a permanent block is a rule of its own: a timed one does not cut it.
#[tokio::test(flavor = "multi_thread")]
async fn approval_stands_when_nothing_newer_is_cut() {
    let world = world().await;
    let agent = world.agent().await;
    let first = agent.block(ADDRESS, timed("001", 3600)).await.id();
    approve(&world, &first, &["bob"]).await;
    world.look().await;
    let kept = agent.block(ADDRESS, permanent("001")).await.id();
    world.pass_for_all(Duration::from_secs(1));
    let shorter = agent.block(ADDRESS, timed("001", 600)).await.id();
    for (id, name) in [(&kept, "bob"), (&kept, "carol"), (&shorter, "bob")] {
        world.person(name).await.approve(id).await;
    }
    world.pass_for_all(Duration::from_secs(1));
    world.work().await;
    assert_eq!(agent.get(&shorter).await.state(), "settled", "bob saw what it cuts");
}

/// Approved as a prolongation; when it is sent it does nothing at all.
#[tokio::test(flavor = "multi_thread")]
async fn approval_lapses_when_request_would_not_start() {
    let world = world().await;
    let agent = world.agent().await;
    let first = agent.disable("mallory", timed("001", 600)).await.id();
    approve(&world, &first, &["bob"]).await;
    world.look().await;
    world.manager.set_names(&["disable-account600"]);
    world.pass_for_all(Duration::from_mins(2));
    let undo = agent.undo(&first).await.id();
    world.pass_for_all(Duration::from_secs(1));
    let again = agent.disable("mallory", timed("001", 600)).await.id();
    world.person("carol").await.approve(&undo).await;
    world.person("bob").await.approve(&again).await;
    world.pass_for_all(Duration::from_secs(1));
    world.work().await;
    assert_eq!(agent.get(&again).await.state(), "pending");
}

/// What may never have been sent stays unknown, and people must look.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_block_stays_unknown_after_failed_undo() {
    let world = world().await;
    let agent = world.agent().await;
    let first = agent.block(ADDRESS, with_alert("001", 3600)).await.id();
    world.manager.misbehave(Fault::Drop(Work::NotDone), Times::Once);
    world.work().await;
    world.pass_for_all(Duration::from_secs(1));
    assert_eq!(agent.get(&first).await.outcomes(), ["001: unknown"]);
    let before = agent.block(ADDRESS, with_alert("001", 3600)).await;
    assert_eq!(before.state(), "pending", "{before:?}");
    agent.cancel(&before.id()).await;
    let undo = agent.undo(&first).await.id();
    world.manager.misbehave(Fault::Undelivered, Times::Once);
    approve(&world, &undo, &["bob"]).await;
    assert_eq!(agent.get(&first).await.outcomes(), ["001: reverted"]);
    world.pass_for_all(Duration::from_mins(15));
    world.look().await;
    let found = [("endpoint", "001"), ("ruling", "not_done"), ("comment", "not lifted")];
    world.person("carol").await.vote(&undo, "resolve", &found).await;
    let now = agent.get(&first).await.outcomes();
    let again = agent.block(ADDRESS, with_alert("001", 3600)).await;
    println!("now {now:?}; asked again: {} {}", again.state(), again.text);
    assert_eq!(now, ["001: unknown"]);
    assert_eq!(again.state(), "pending");
}

/// A rule that fires again and again tells the approver nothing new.
#[tokio::test(flavor = "multi_thread")]
async fn rule_that_repeats_never_lapses_an_approval_twice() {
    let world = world().await;
    let agent = world.agent().await;
    let fires = || {
        world.manager.rule_response("001", "firewall-drop600", &json!({ "srcip": ADDRESS }));
    };
    fires();
    world.look().await;
    let block = agent.block(ADDRESS, timed("001", 3600)).await.id();
    for _ in 0..4 {
        world.pass_for_all(Duration::from_secs(5));
        world.person("bob").await.approve(&block).await;
        world.pass_for_all(Duration::from_secs(5));
        fires();
        world.look().await;
        world.work().await;
        if agent.get(&block).await.state() == "settled" {
            break;
        }
    }
    assert_eq!(agent.get(&block).await.state(), "settled");
}

/// A look that sees nothing new writes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn look_without_news_moves_nothing() {
    let world = world().await;
    let agent = world.agent().await;
    let first = agent.block(ADDRESS, timed("010", 600)).await.id();
    approve(&world, &first, &["bob"]).await;
    world.look().await;
    world.manager.misbehave(Fault::Undelivered, Times::Once);
    let lost = agent.block(ADDRESS, timed("010", 3600)).await.id();
    approve(&world, &lost, &["bob"]).await;
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    let kept = agent.block(ADDRESS, permanent("010")).await.id();
    approve(&world, &kept, &["bob", "carol"]).await;
    world.manager.misbehave(Fault::Undelivered, Times::Once);
    let undo = agent.undo(&first).await.id();
    approve(&world, &undo, &["carol"]).await;
    let mut before = usize::MAX;
    let mut changes = Vec::new();
    for step in 0..200 {
        world.look().await;
        world.look().await;
        let kinds = world.audit_kinds().await;
        if kinds.len() != before {
            changes.push((step, kinds.last().unwrap().clone()));
            before = kinds.len();
        }
        world.pass_for_all(Duration::from_secs(30));
    }
    let kinds = world.audit_kinds().await;
    let moved = kinds.iter().filter(|one| *one == "response.end_moved").count();
    assert!(changes.len() < 12);
    assert!(moved <= 6);
}
