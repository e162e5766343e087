//! Guessed, stolen and reset passwords, and sessions of others.

use std::time::Duration;

use countersign::{
    broker::BrokerError,
    domain::{actor::Actor, actor::sign_in::SignInOrigin, digest::Digest, kill_switch::Extent},
};
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    broker::admin::people::forced,
    harness::{PASSWORD, World, page::PersonClient},
};

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_password_guesses_are_throttled() {
    let world = World::start().await;
    let guesses = (0..40).map(|n| {
        let broker = world.broker().clone();
        tokio::spawn(async move {
            let (wrong, origin) = (format!("a wrong password {n}"), SignInOrigin::program());
            broker.sign_in("bob", &wrong, &origin).await
        })
    });
    let guesses: Vec<_> = guesses.collect();
    let mut checked = 0;
    for guess in guesses {
        checked += usize::from(matches!(guess.await.unwrap(), Err(BrokerError::SignInRefused)));
    }
    assert!(checked <= 8, "{checked} guesses were checked");
}

#[tokio::test(flavor = "multi_thread")]
async fn stolen_session_uses_owners_password_for_low_tier_alone() {
    let world = World::start().await;
    let agent = world.agent().await;
    let low = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let lasting = json!({ "agent_ids": ["001"], "permanent": true, "duration_seconds": null });
    let medium = agent.block("203.0.113.10", lasting).await.id();
    let other = agent.block("203.0.113.11", json!({ "agent_ids": ["001"] })).await.id();
    let bob = world.person("bob").await;
    let mut thief = PersonClient::stranger(&world.url());
    thief.cookie.clone_from(&bob.cookie);
    world.pass(Duration::from_mins(6));
    let page = thief.vote(&low, "approve", &[("comment", "")]).await;
    assert_ne!(page.status, StatusCode::SEE_OTHER, "before the owner gave it");
    let page = bob.vote(&medium, "approve", &[("comment", ""), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    let page = thief.vote(&medium, "retract", &[("comment", "")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "it is safe: {}", page.html);
    let page = thief.vote(&medium, "approve", &[("comment", "")]).await;
    assert_ne!(page.status, StatusCode::SEE_OTHER, "of the medium tier");
    let page = thief.vote(&low, "approve", &[("comment", "")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    world.pass(Duration::from_secs(301));
    let page = thief.vote(&other, "approve", &[("comment", "")]).await;
    assert_ne!(page.status, StatusCode::SEE_OTHER, "after five minutes");
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_password_cannot_be_used_to_vote() {
    let world = World::start().await;
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let bob = world.person("bob").await;
    let fields = bob.form(&id, "approve").await;
    let operator = world.operator();
    operator.reset_password(&Actor::CommandLine, "bob", "a reset password").await.unwrap();
    // The old session, and a new one with the reset password.
    let page = bob.post(&format!("/requests/{id}/approve"), &fields).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{}", page.html);
    let bob = PersonClient::sign_in(&world.url(), "bob", "a reset password").await;
    let page = bob.post(&format!("/requests/{id}/approve"), &fields).await;
    assert!(page.status.is_client_error());
    let broker = world.broker();
    let origin = SignInOrigin::program();
    let token = broker.sign_in("bob", "a reset password", &origin).await.unwrap().token;
    let who = broker.session(&token).await.unwrap().unwrap();
    let request = id.parse().unwrap();
    let seen = broker.request_of_person(&who, request).await;
    assert!(seen.is_err(), "the broker itself refuses");
    let shown = countersign::domain::lifecycle::Displayed { version: 1, digest: Digest::ZERO };
    assert!(broker.approve(&who, request, shown, "").await.is_err());
    assert!(broker.freeze(&who, &Extent::Everything, "x").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn password_change_cannot_overtake_its_reset() {
    let world = World::start().await;
    let (bob, dora) = (world.person("bob").await, world.person("dora").await);
    let mut fields = bob.get("/password").await.form("/password").unwrap();
    let own = "another password of bob";
    for (name, value) in [("old", PASSWORD), ("new", own)] {
        fields.insert(name.to_owned(), value.to_owned());
    }
    let (_, reset) =
        tokio::join!(bob.post("/password", &fields), forced(&dora, "/people/bob/password", &[]));
    assert_eq!(reset.status, StatusCode::OK, "{}", reset.html);
    let bob = world.operator().person("bob").await.unwrap();
    assert!(bob.must_change_password, "the reset was undone");
}
