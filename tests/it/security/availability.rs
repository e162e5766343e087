//! Nothing that an agent, a stranger or a slow manager does keeps people from acting.

use std::{sync::Arc, time::Duration};

use countersign::{
    broker::notifications::DeliveryResult,
    connector::{Channel, WebhookFormat},
};
use reqwest::StatusCode;
use serde_json::json;
use tokio::{task::JoinSet, time::timeout};
use wazuh_simulator::{Calls, Fault, Times};

use super::fixtures::hands_off;
use crate::{
    broker::notifications::settings,
    connector::fake_server::{Tap, say},
    harness::{ALERT, PASSWORD, World, page::PersonClient},
};

#[tokio::test(flavor = "multi_thread")]
async fn expired_request_does_not_prevent_start() {
    let world = World::start().await;
    world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    hands_off(&world, "office");
    world.pass(Duration::from_hours(5));
    world.restart().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_lock_people_out() {
    let world = World::start().await;
    let bob = world.person("bob").await;
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let mut stranger = PersonClient::stranger(&world.url());
    for n in 0..100 {
        let page = stranger.try_sign_in(&format!("nobody-{n}"), "a wrong password").await;
        assert!(page.status.is_client_error());
    }
    let mut carol = PersonClient::stranger(&world.url());
    let page = carol.try_sign_in("carol", PASSWORD).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "carol cannot sign in");
    world.pass(Duration::from_mins(6));
    let page = bob.vote(&id, "approve", &[("comment", ""), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "bob, signed in, cannot approve");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_stays_readable_while_manager_is_slow() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id =
        agent.block("203.0.113.7", json!({ "agent_ids": ["001"], "alert_id": ALERT })).await.id();
    let path = format!("/requests/{id}");
    world.pass(Duration::from_mins(2));
    world.manager.misbehave_on(
        Calls::Reads,
        Fault::Delay(Duration::from_secs(3)),
        Times::UntilCleared,
    );
    let bob = Arc::new(world.person("bob").await);
    let mut pages = JoinSet::new();
    for _ in 0..8 {
        let (bob, path) = (bob.clone(), path.clone());
        pages.spawn(async move { bob.get(&path).await.status });
    }
    let slow = timeout(Duration::from_millis(700), pages.join_next()).await;
    assert!(slow.is_err(), "the pages wait for the manager");
    let frozen = timeout(Duration::from_millis(700), world.operator().frozen()).await;
    assert_eq!(frozen.unwrap().unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_requests_do_not_delay_urgent_notifications() {
    let tap = Tap::start(|_| say(204, "")).await;
    let settings = settings("ops", &format!("{}/hook", tap.url()), WebhookFormat::Ntfy);
    let channels = vec![Channel::webhook(settings).unwrap()];
    let world = World::builder().with_channels(channels).start().await;
    let agent = world.agent().await;
    for _ in 0..10 {
        let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
        agent.cancel(&id).await;
    }
    world.freeze("stop").await;
    world.broker().notify().await.unwrap();
    assert_eq!(world.broker().deliver_next("webhook.ops").await.unwrap(), DeliveryResult::Arrived);
    let heard = tap.heard("POST");
    assert!(heard[0].headers.contains("priority: high"), "{:?}", heard[0].headers);
}
