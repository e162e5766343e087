//! People decide: who may, on what, how often, and what is refused.

use std::time::Duration;

use countersign::domain::actor::Actor;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::World;

const WEB: &str = "001";
const CORE: &str = "003";

async fn pending(world: &World, endpoint: &str) -> String {
    let asked = world.agent().await.block("203.0.113.9", json!({ "agent_ids": [endpoint] })).await;
    assert_eq!(asked.state(), "pending");
    asked.id()
}

async fn state(world: &World, id: &str) -> String {
    world.agent().await.get(id).await.state().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_request_is_sent_once() {
    let world = World::start().await;
    let id = pending(&world, WEB).await;
    world.person("bob").await.approve(&id).await;
    assert_eq!(state(&world, &id).await, "approved");
    world.work().await;
    world.work().await;
    assert_eq!(state(&world, &id).await, "settled");
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_owner_cannot_approve_agents_request() {
    let world = World::start().await;
    let id = pending(&world, WEB).await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    assert!(!alice.offered(&id, "approve").await);
    // Sent anyway, with bob's version and digest and her own token.
    let mut fields = bob.form(&id, "approve").await;
    let own = alice.form(&id, "reject").await;
    fields.insert("form_token".to_owned(), own["form_token"].clone());
    let page = alice.post(&format!("/requests/{id}/approve"), &fields).await;
    assert!(page.status.is_client_error(), "{}", page.status);
    assert_eq!(state(&world, &id).await, "pending");
    assert!(world.audit_kinds().await.contains(&"vote.refused".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_and_auditors_cannot_vote() {
    let world = World::start().await;
    let id = pending(&world, WEB).await;
    for name in ["dora", "otto"] {
        let person = world.person(name).await;
        assert!(!person.offered(&id, "approve").await, "{name}");
        assert!(!person.offered(&id, "reject").await, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn critical_endpoint_requires_two_people_including_a_senior() {
    let world = World::start().await;
    let id = pending(&world, CORE).await;
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    assert!(bob.get(&format!("/requests/{id}")).await.html.contains("2 people"));
    bob.approve(&id).await;
    assert_eq!(state(&world, &id).await, "pending");
    assert!(!bob.offered(&id, "approve").await, "nobody votes twice");
    carol.approve(&id).await;
    assert_eq!(state(&world, &id).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rejection_ends_request_and_requires_reason() {
    let world = World::start().await;
    let id = pending(&world, WEB).await;
    let bob = world.person("bob").await;
    let page = bob.vote(&id, "reject", &[("comment", " ")]).await;
    assert!(page.status.is_client_error());
    assert_eq!(state(&world, &id).await, "pending");
    bob.reject(&id, "our own scanner").await;
    let answer = world.agent().await.get(&id).await;
    assert_eq!((answer.state(), answer.error), ("rejected", true));
    assert!(answer.text.contains("our own scanner"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn vote_on_outdated_page_is_refused() {
    let world = World::start().await;
    let id = pending(&world, CORE).await;
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    let old = carol.form(&id, "approve").await;
    bob.approve(&id).await;
    let page = carol.post(&format!("/requests/{id}/approve"), &old).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert_eq!(state(&world, &id).await, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn vote_for_another_digest_is_refused() {
    let world = World::start().await;
    let id = pending(&world, WEB).await;
    let bob = world.person("bob").await;
    let mut fields = bob.form(&id, "approve").await;
    fields.insert("digest".to_owned(), "0".repeat(64));
    let page = bob.post(&format!("/requests/{id}/approve"), &fields).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert_eq!(state(&world, &id).await, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_requires_password_of_last_five_minutes() {
    let world = World::start().await;
    let id = pending(&world, WEB).await;
    let bob = world.person("bob").await;
    let fields = bob.form(&id, "approve").await;
    world.pass(Duration::from_secs(301));
    let page = bob.post(&format!("/requests/{id}/approve"), &fields).await;
    assert!(page.status.is_client_error(), "{}", page.status);
    assert_eq!(state(&world, &id).await, "pending");
    let page = bob.vote(&id, "approve", &[("password", "wrong horse battery")]).await;
    assert!(page.status.is_client_error());
    assert_eq!(state(&world, &id).await, "pending");
    let right = [("password", crate::harness::PASSWORD)];
    let page = bob.vote(&id, "approve", &right).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    assert_eq!(state(&world, &id).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_can_be_retracted_until_claim() {
    let world = World::start().await;
    let id = pending(&world, WEB).await;
    let bob = world.person("bob").await;
    bob.approve(&id).await;
    let page = bob.vote(&id, "retract", &[]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(state(&world, &id).await, "pending");
    bob.approve(&id).await;
    world.work().await;
    assert!(!bob.offered(&id, "retract").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn vote_of_disabled_person_does_not_count() {
    let world = World::start().await;
    let id = pending(&world, WEB).await;
    world.person("bob").await.approve(&id).await;
    world.operator().disable_person(&Actor::CommandLine, "bob").await.unwrap();
    world.work().await;
    assert_eq!(state(&world, &id).await, "pending");
    assert!(world.manager.received().is_empty());
}
