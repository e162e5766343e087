//! Dry runs: policy's answer without an ask.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    agent_flow::checked,
    fixtures::{Agent, Scene, Told, block},
};
use crate::harness::World;

async fn tried(agent: &Agent, more: Value) -> Told {
    let mut arguments = block(more);
    arguments["dry_run"] = true.into();
    checked(agent, "block_ip", arguments).await
}

async fn count(scene: &Scene, kind: &str) -> usize {
    scene.audit_kinds().await.iter().filter(|found| *found == kind).count()
}

#[tokio::test]
async fn dry_run_tells_decision_and_asks_nothing() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let before = scene.stored(&["proposal.dry_run"]).await;
    let told = tried(&agent, json!({ "agent_ids": ["002", "011"] })).await;
    assert!(!told.error, "{told:?}");
    assert_eq!((&told.json["dry_run"], told.state()), (&json!(true), "pending"), "{told:?}");
    let decision = &told.json["decision"];
    assert_eq!(
        (&decision["outcome"], &decision["needs"]),
        (&json!("approval"), &json!("1 person"))
    );
    assert_eq!(told.json["endpoints"]["outcomes"], json!([{ "id": "002", "name": "web-02" }]));
    assert_eq!(told.json["endpoints"]["skipped"][0]["id"], "011");
    for absent in ["request_id", "approval_url"] {
        assert_eq!(told.json.get(absent), None, "{told:?}");
    }
    assert!(told.json["message"].as_str().unwrap().starts_with("Dry run: nothing was asked"));
    assert_eq!(before, scene.stored(&["proposal.dry_run"]).await);
    assert_eq!(count(&scene, "proposal.dry_run").await, 1);
    assert!(scene.manager.received().is_empty());
}

#[tokio::test]
async fn dry_run_names_open_request_that_it_repeats() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let more = json!({ "agent_ids": ["002"] });
    let asked = checked(&agent, "block_ip", block(more.clone())).await;
    let said = tried(&agent, more).await.json["message"].as_str().unwrap().to_owned();
    let id = asked.json["request_id"].as_str().unwrap();
    assert!(said.ends_with(&format!("an ask would give you {id} again.")), "{said}");
}

#[tokio::test]
async fn dry_run_rests_on_list_of_endpoints_alone() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    tried(&agent, json!({})).await;
    let calls = scene.manager.calls();
    let told = tried(&agent, json!({ "agent_ids": ["003"] })).await;
    assert_eq!(told.json["endpoints"]["outcomes"][0]["id"], "003", "{told:?}");
    assert_eq!(scene.manager.calls(), calls, "the endpoint was asked for, or the list again");
}

#[tokio::test]
async fn refusal_of_dry_run_never_counts() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    for number in 0..12 {
        let told = tried(&agent, json!({ "srcip": format!("10.9.0.{number}") })).await;
        assert!(!told.error, "{told:?}");
        assert_eq!(told.json["decision"]["outcome"], "deny");
        assert_eq!(told.json["decision"]["policies"][0]["id"], "never.private-address");
    }
    assert_eq!(agent.block(json!({})).await.state(), "pending");
}

#[tokio::test]
async fn dry_run_counts_as_ask_within_minute() {
    let builder = World::builder().without_indexer();
    let scene = Scene::of(builder.with_settings(|s| s.agents.asks_per_minute_max = 2)).await;
    let agent = scene.agent().await;
    for _ in 0..2 {
        assert!(!tried(&agent, json!({})).await.error);
    }
    let told = agent.call("block_ip", block(json!({ "dry_run": true }))).await;
    assert!(told.error && told.text.contains("2 asks within a minute"), "{told:?}");
    assert!(agent.block(json!({})).await.error);
    assert_eq!(count(&scene, "proposal.dry_run").await, 2);
    scene.clock.advance(Duration::from_secs(61));
    assert_eq!(agent.block(json!({})).await.state(), "pending");
}

#[tokio::test]
async fn dry_run_of_unsound_proposal_is_refused() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    for (more, words) in [
        (json!({ "dry_run": "yes" }), "dry_run: "),
        (json!({ "dry_run": true, "srcip": "10.0.0.0/8" }), "srcip: "),
        (json!({ "dry_run": true, "agent_ids": ["999"] }), "there is no endpoint 999"),
        (json!({ "dry_run": true, "duration_seconds": 61 }), "600 (10 minutes)"),
    ] {
        let told = agent.block(more).await;
        assert!(told.error && told.text.contains(words), "{told:?}");
    }
    let list = agent.call("list_requests", json!({})).await;
    assert_eq!(list.json, json!({ "requests": [] }));
    assert_eq!(count(&scene, "proposal.refused").await, 4);
}
