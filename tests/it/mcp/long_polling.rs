//! Calls that wait: what ends them, and what it does not end.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use super::fixtures::{Scene, block, http_client};

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
    let said: Value = response.json().await.unwrap();
    assert_eq!((&said["error"]["code"], &said["result"]), (&json!(-32_001), &Value::Null));
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

/// A call that waits, with a token for progress, of a client that takes this.
async fn waiting_with_progress(scene: &Scene, accept: &str) -> Response {
    let mut changes = scene.broker().changes();
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": "block_ip", "arguments": block(json!({ "wait_seconds": 50 })),
            "_meta": { "progressToken": "p1" },
        },
    });
    let request = http_client()
        .post(format!("{}/mcp", scene.url()))
        .header("content-type", "application/json")
        .header("accept", accept)
        .bearer_auth(&scene.token)
        .body(message.to_string());
    let mut call = tokio::spawn(request.send());
    changes.changed().await.unwrap();
    loop {
        tokio::select! {
            response = &mut call => return response.unwrap().unwrap(),
            () = tokio::task::yield_now() => scene.clock.advance(Duration::from_millis(100)),
        }
    }
}

#[tokio::test]
async fn progress_comes_while_a_call_waits() {
    let scene = Scene::start().await;
    let mut response = waiting_with_progress(&scene, "application/json, text/event-stream").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut told = String::new();
    while !told.contains("structuredContent") {
        tokio::select! {
            chunk = response.chunk() => {
                told.push_str(&String::from_utf8_lossy(&chunk.unwrap().expect("an answer")));
            }
            () = tokio::task::yield_now() => scene.clock.advance(Duration::from_millis(100)),
        }
    }
    assert!(told.matches("notifications/progress").count() >= 2, "{told}");
    assert!(told.contains("\"progressToken\":\"p1\"") && told.contains("pending"), "{told}");
}

#[tokio::test]
async fn client_without_streams_gets_one_json_answer() {
    let scene = Scene::start().await;
    let response = waiting_with_progress(&scene, "application/json").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let told: Value = response.json().await.unwrap();
    assert_eq!(told["result"]["structuredContent"]["state"], "pending", "{told}");
}

#[tokio::test]
async fn revocation_ends_a_stream_without_the_request() {
    let scene = Scene::start().await;
    let response = waiting_with_progress(&scene, "application/json, text/event-stream").await;
    scene.revoke().await;
    let told = response.text().await.unwrap();
    assert!(told.contains("this token opens nothing"), "{told}");
    assert!(!told.contains("request_id"), "{told}");
}
