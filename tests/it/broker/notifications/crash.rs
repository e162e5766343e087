//! `kill -9` between a cause and the delivery of its notice.

use std::time::Duration;

use serde_json::json;

use super::{kinds, receiver};
use crate::harness::{AgentClient, installation::Installation};

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn notification_is_delivered_after_kill_and_restart() {
    let tap = receiver().await;
    let installed = Installation::new().await;
    let Installation { program, token, .. } = &installed;
    super::channels::configure(program, &tap);
    let mut server = program.serve_until("notice due");
    let agent = AgentClient::connect(&server.url, token).await;
    agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    server.halted().await;
    server.kill();
    assert!(tap.heard("POST").is_empty());
    let _server = program.serve();
    let arrived = async {
        while tap.heard("POST").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), arrived).await.expect("it arrives");
    assert_eq!(kinds(&tap), ["request.waiting pending"]);
}
