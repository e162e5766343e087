//! Signing in: how often, for how long, and what a session or a token opens.

use std::time::Duration;

use countersign::domain::actor::Actor;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{World, page::PersonClient};

const WEB: &str = "001";

async fn pending(world: &World, endpoint: &str) -> String {
    let asked = world.agent().await.block("203.0.113.9", json!({ "agent_ids": [endpoint] })).await;
    assert_eq!(asked.state(), "pending");
    asked.id()
}

async fn state(world: &World, id: &str) -> String {
    world.agent().await.get(id).await.state().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_person_is_signed_out_at_once() {
    let world = World::start().await;
    let bob = world.person("bob").await;
    assert_eq!(bob.get("/").await.status, StatusCode::OK);
    world.operator().disable_person(&Actor::CommandLine, "bob").await.unwrap();
    assert_ne!(bob.get("/").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_password_must_be_changed_before_anything_else() {
    let world = World::start().await;
    let id = pending(&world, WEB).await;
    let operator = world.operator();
    operator.reset_password(&Actor::CommandLine, "bob", "a password for one day").await.unwrap();
    let bob = PersonClient::sign_in(&world.url(), "bob", "a password for one day").await;
    let page = bob.get(&format!("/requests/{id}")).await;
    assert_eq!(page.location.as_deref(), Some("/password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_is_throttled_after_five_failures() {
    let world = World::start().await;
    let mut bob = PersonClient::stranger(&world.url());
    for _ in 0..5 {
        let page = bob.try_sign_in("bob", "wrong horse battery").await;
        assert!(page.status.is_client_error());
    }
    let page = bob.try_sign_in("bob", crate::harness::PASSWORD).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    world.pass(Duration::from_mins(16));
    let page = bob.try_sign_in("bob", crate::harness::PASSWORD).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_expires_when_idle_or_old() {
    let world = World::start().await;
    let bob = world.person("bob").await;
    world.pass(Duration::from_mins(31));
    assert_ne!(bob.get("/").await.status, StatusCode::OK, "idle");
    let bob = world.person("bob").await;
    for _ in 0..(12 * 3) {
        world.pass(Duration::from_mins(20));
        bob.get("/").await;
    }
    world.pass(Duration::from_mins(1));
    assert_ne!(bob.get("/").await.status, StatusCode::OK, "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_token_opens_only_mcp() {
    let world = World::start().await;
    let id = pending(&world, WEB).await;
    let http = crate::harness::page::http_client();
    let fields = world.person("bob").await.form(&id, "approve").await;
    let body: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let answer = http
        .post(format!("{}/requests/{id}/approve", world.url()))
        .bearer_auth(&world.token)
        .header("origin", world.url())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.join("&"))
        .send()
        .await
        .unwrap();
    assert_ne!(answer.status(), StatusCode::OK);
    assert_eq!(state(&world, &id).await, "pending");
    let page = http.get(world.url()).bearer_auth(&world.token).send().await.unwrap();
    assert_ne!(page.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_read_every_page() {
    let world = World::start().await;
    let id = pending(&world, WEB).await;
    for name in ["alice", "bob", "carol", "dora", "otto"] {
        let person = world.person(name).await;
        let home = person.get("/").await;
        // Nothing ever waits for an auditor.
        let leads = if name == "otto" { StatusCode::SEE_OTHER } else { StatusCode::OK };
        assert_eq!(home.status, leads, "{name}");
        for path in [
            "/overview",
            "/help",
            "/targets?is=203.0.113.9",
            "/endpoints/test/001",
            "/people/bob",
            "/agents/triage-bot",
            "/in-force",
            "/requests",
            "/audit",
            "/policy",
            "/system",
            "/people",
            "/agents",
            "/password",
            &format!("/requests/{id}"),
        ] {
            assert_eq!(person.get(path).await.status, StatusCode::OK, "{name} {path}");
        }
    }
}
