//! Calls that wait: what ends them, and what it does not end.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use super::fixtures::{Scene, block};

fn wait(id: &str) -> Value {
    json!({ "request_id": id, "timeout_seconds": 50 })
}

#[tokio::test]
async fn wait_ends_when_a_person_decides() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let id = agent.block(json!({})).await.id();
    let (waited, ()) = tokio::join!(
        agent.call("wait_for_decision", wait(&id)),
        scene.reject("bob", &id, "no need"),
    );
    assert_eq!(waited.state(), "rejected");
}

#[tokio::test]
async fn wait_times_out_and_request_stays_open() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let (release, released) = oneshot::channel();
    let mut changes = scene.broker().changes();
    let waiting = async {
        let told = agent.block(json!({ "wait_seconds": 50 })).await;
        release.send(()).unwrap();
        told
    };
    let passing = async {
        let mut released = released;
        // A connection that says nothing for so long would be closed: the ask has come by now.
        changes.changed().await.unwrap();
        // Each look lets time pass until the wait has seen enough of it.
        while released.try_recv().is_err() {
            scene.clock.advance(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
    };
    let (told, ()) = tokio::join!(waiting, passing);
    assert_eq!((told.state(), told.error), ("pending", false));
}

/// An agent's call that is stored and waits for people.
async fn waiting(scene: &Scene) -> JoinHandle<reqwest::Result<Response>> {
    let mut changes = scene.broker().changes();
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "block_ip", "arguments": block(json!({ "wait_seconds": 50 })) },
    });
    let call = tokio::spawn(scene.post(&message).bearer_auth(&scene.token).send());
    changes.changed().await.unwrap();
    call
}

#[tokio::test]
async fn shutdown_ends_every_wait_with_current_state() {
    let scene = Scene::start().await;
    let call = waiting(&scene).await;
    scene.0.running.stop().await;
    let told = call.await.unwrap().unwrap().text().await.unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["result"]["structuredContent"]["state"], "pending", "{told}");
}

#[tokio::test]
async fn token_revocation_ends_its_waits_with_401() {
    let scene = Scene::start().await;
    let call = waiting(&scene).await;
    scene.revoke().await;
    let response = call.await.unwrap().unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.text().await.unwrap(), "");
}

#[tokio::test]
async fn disconnect_ends_wait_but_not_request() {
    let scene = Scene::start().await;
    let call = waiting(&scene).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let list = scene.agent().await.call("list_requests", json!({})).await;
    assert_eq!(list.json["requests"][0]["state"], "pending", "{list:?}");
}
