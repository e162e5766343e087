//! `kill -9` while an endpoint is waited for, as it comes back, and during the call.

use serde_json::json;
use wazuh_simulator::Status;

use super::Story;
use crate::harness::{
    AgentClient,
    program::{Serving, free_port},
};

/// A block that was sent to 001 and waits for 005: its server, and the ids of both requests.
async fn served_while_waiting(story: &Story) -> (Serving, (String, String)) {
    story.manager.set_status("005", Status::Disconnected);
    let server = story.program.serve();
    let agent = AgentClient::connect(&server.url, &story.token).await;
    let why = json!({ "agent_ids": ["001", "005"], "when_back": true });
    let id = agent.block("203.0.113.9", why).await.id();
    story.approve(&server.url, &id).await;
    let (state, outcomes) = story.end(&server.url, &id).await;
    assert_eq!(state, "waiting");
    assert_eq!(outcomes, ["001: sent", "005: not_sent"]);
    let parent = agent.get(&id).await;
    let child = parent.json["when_back"]["requests"][0]["request_id"].as_str().unwrap().to_owned();
    (server, (id, child))
}

/// The same, and its server killed.
async fn killed_while_waiting(story: &Story) -> (String, String) {
    let (server, ids) = served_while_waiting(story).await;
    server.kill();
    story.manager.set_status("005", Status::Active);
    ids
}

/// What became of a request once it does not wait any more.
async fn after_wait(story: &Story, url: &str, id: &str) -> (String, Vec<String>) {
    loop {
        let (state, outcomes) = story.end(url, id).await;
        if state != "waiting" {
            return (state, outcomes);
        }
        tokio::task::yield_now().await;
    }
}

async fn came_to(story: &Story, ids: &(String, String), outcome: &str) {
    let server = story.program.serve();
    came_to_at(story, &server, ids, outcome).await;
}

async fn came_to_at(
    story: &Story,
    server: &Serving,
    (parent, child): &(String, String),
    outcome: &str,
) {
    let (state, outcomes) = after_wait(story, &server.url, child).await;
    assert_eq!((state.as_str(), outcomes), ("settled", vec![format!("005: {outcome}")]));
    assert_eq!(after_wait(story, &server.url, parent).await.0, "settled");
    story.never_twice();
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_while_waiting_still_sends_once() {
    let story = Story::begin().await;
    let ids = killed_while_waiting(&story).await;
    came_to(&story, &ids, "sent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_servers_sends_to_returned_endpoint_once() {
    let story = Story::begin().await;
    let (first, ids) = served_while_waiting(&story).await;
    // The same database under another port.
    let (own, other) = (story.program.port.to_string(), free_port().to_string());
    let configuration = std::fs::read_to_string(story.program.path("countersign.toml")).unwrap();
    story.program.write("second.toml", &configuration.replace(&own, &other));
    let refused = story.program.try_serve("second.toml").unwrap_err();
    assert!(refused.contains("another countersign process is serving"), "{refused}");
    first.kill();
    story.manager.set_status("005", Status::Active);
    let program = &story.program;
    let both = std::thread::scope(|scope| {
        let start = |file| scope.spawn(move || program.try_serve(file));
        ["countersign.toml", "second.toml"].map(start).map(|one| one.join().unwrap())
    });
    let (serving, refused): (Vec<_>, Vec<_>) = both.into_iter().partition(Result::is_ok);
    assert_eq!((serving.len(), refused.len()), (1, 1));
    let worker = serving.into_iter().flatten().next().unwrap();
    came_to_at(&story, &worker, &ids, "sent").await;
    assert_eq!(story.manager.delivered_to("005").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn crash_in_return_still_sends_once() {
    let story = Story::begin().await;
    let ids = killed_while_waiting(&story).await;
    let mut server = story.program.serve_until("in the return");
    server.halted().await;
    server.kill();
    came_to(&story, &ids, "sent").await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn crash_in_call_of_child_leaves_unknown() {
    let story = Story::begin().await;
    let ids = killed_while_waiting(&story).await;
    let mut server = story.program.serve_until("before the call");
    server.halted().await;
    server.kill();
    came_to(&story, &ids, "unknown").await;
    assert!(story.manager.delivered_to("005").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn crash_after_answer_to_child_leaves_unknown() {
    let story = Story::begin().await;
    let ids = killed_while_waiting(&story).await;
    let mut server = story.program.serve_until("after the answer");
    server.halted().await;
    server.kill();
    came_to(&story, &ids, "unknown").await;
    assert_eq!(story.manager.delivered_to("005").len(), 1);
}
