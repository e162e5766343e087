//! An approval holds for what was shown, and only as long as things are as they were then.

use std::{collections::BTreeMap, time::Duration};

use reqwest::StatusCode;
use serde_json::json;
use wazuh_simulator::{Endpoint, Os};

use super::fixtures::hands_off;
use crate::harness::{ALERT, World, page::PersonClient};

async fn activate(person: &PersonClient) {
    let fields = person.get("/policy").await.form("/policy/activate").unwrap();
    let page = person.post("/policy/activate", &fields).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_excluded_by_new_policy_is_not_sent() {
    let world = World::start().await;
    let more = json!({ "all_agents": true });
    let id = world.agent().await.block("203.0.113.9", more).await.id();
    hands_off(&world, "office");
    activate(&world.person("dora").await).await;
    for name in ["bob", "carol"] {
        let person = world.person(name).await;
        if person.offered(&id, "approve").await {
            person.approve(&id).await;
        }
    }
    world.work().await;
    for office in ["008", "009", "010"] {
        assert!(world.manager.delivered_to(office).is_empty(), "{office} was sent to");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_for_one_manager_is_not_sent_to_another() {
    let world = World::start().await;
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    world.person("bob").await.approve(&id).await;
    let world = world.restart_with(|builder| builder.with_manager_name("another")).await;
    world.work().await;
    assert_eq!(world.manager.received(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_that_became_critical_needs_people_again() {
    let world = World::start().await;
    let agent = world.agent().await;
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    let asked = agent.block("203.0.113.7", more).await;
    assert_eq!(asked.state(), "approved");
    let groups = ["default", "linux", "web", "core"];
    world.manager.add(Endpoint::new("001", "web-01", Os::UBUNTU).groups(&groups));
    world.work().await;
    assert_eq!(world.manager.received(), [], "{:?}", agent.get(&asked.id()).await);
    assert_eq!(agent.get(&asked.id()).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn aged_alert_prevents_automatic_dispatch() {
    let world = World::start().await;
    let agent = world.agent().await;
    // The alert is two minutes old: one hour is over in 58.
    world.pass_for_all(Duration::from_mins(56));
    let asked =
        agent.block("203.0.113.7", json!({ "agent_ids": ["001"], "alert_id": ALERT })).await;
    assert_eq!(asked.state(), "approved");
    world.pass_for_all(Duration::from_mins(8));
    world.work().await;
    assert_eq!(world.manager.received().len(), 0, "sent for an alert older than an hour");
}

/// Held: a form for several requests approves what was shown of each, or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn digest_of_one_request_cannot_approve_another() {
    let world = World::start().await;
    let agent = world.agent().await;
    let one = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let two = agent.block("203.0.113.9", json!({ "agent_ids": ["002"] })).await.id();
    let bob = world.person("bob").await;
    let shown = bob.form(&one, "approve").await;
    let mut fields: BTreeMap<_, _> = bob.get("/password").await.form("/sign-out").unwrap();
    fields.insert("of".to_owned(), one.clone());
    fields.insert("pick".to_owned(), format!("{two}:{}:{}", shown["version"], shown["digest"]));
    let page = bob.post("/together", &fields).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.html);
    for id in [one, two] {
        assert_eq!(agent.get(&id).await.state(), "pending");
    }
}
