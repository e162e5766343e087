//! Endpoints by name: a name that one endpoint has stands for its id, and no other does.

use serde_json::json;

use super::fixtures::Scene;
use crate::harness::World;

#[tokio::test]
async fn name_of_one_endpoint_asks_the_same() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let right = agent.block(json!({})).await.id();
    for form in [json!(["web-02"]), json!(["test/web-02"]), json!("[\"web-02\"]")] {
        assert_eq!(agent.block(json!({ "agent_ids": form })).await.id(), right, "{form}");
    }
}

#[tokio::test]
async fn name_of_no_endpoint_is_refused() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    for name in ["web", "web-0", "WEB-02", "web-02 ", "eb-02", "all", "*", "paris/web-02"] {
        let told = agent.block(json!({ "agent_ids": [name] })).await;
        let words = format!("agent_ids: there is no endpoint called `{name}`");
        assert!(told.error && told.text.contains(&words), "{name}: {told:?}");
    }
    let list = agent.call("list_requests", json!({})).await;
    assert_eq!(list.json, json!({ "requests": [] }));
}

#[tokio::test]
async fn name_of_two_endpoints_is_refused_with_both_ids() {
    let twins = |settings: &mut wazuh_simulator::Settings| {
        let mut named = settings.agents.iter_mut().filter(|one| ["002", "003"].contains(&&*one.id));
        named.by_ref().for_each(|one| "twin".clone_into(&mut one.name));
    };
    let scene = Scene::of(World::builder().without_indexer().with_simulator(twins)).await;
    let told = scene.agent().await.block(json!({ "agent_ids": ["twin"] })).await;
    let words = "agent_ids: 2 endpoints are called `twin`. Allowed: 002, 003.";
    assert!(told.error && told.text.contains(words), "{told:?}");
    let asked = scene.agent().await.block(json!({ "agent_ids": ["002"] })).await;
    assert_eq!(asked.state(), "pending", "an id still means one: {asked:?}");
}

#[tokio::test]
async fn name_at_two_managers_is_refused_without_manager() {
    let scene = Scene::with_second_manager("paris").await;
    let agent = scene.agent().await;
    let told = agent.block(json!({ "agent_ids": ["web-02"] })).await;
    assert!(told.error && told.text.contains("test/002"), "{told:?}");
    let asked = agent.block(json!({ "agent_ids": ["test/web-02"] })).await;
    let right = agent.block(json!({ "agent_ids": ["test/002"] })).await;
    assert_eq!(asked.id(), right.id());
}
