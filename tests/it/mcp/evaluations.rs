//! How often Cedar evaluates policies for one ask: a count, because time on a shared machine says
//! little.

use serde_json::{Value, json};

use super::fixtures::{Scene, block};
use crate::harness::ALERT;

/// Asks in a new world; the state, and how many evaluations the whole ask took.
async fn asked(more: Value) -> (String, u64) {
    let scene = Scene::with_indexer().await;
    let agent = scene.agent().await;
    let before = scene.broker().engine().evaluations();
    let told = agent.call("block_ip", block(more)).await;
    (told.state().to_owned(), scene.broker().engine().evaluations() - before)
}

#[tokio::test]
async fn ask_takes_at_most_three_policy_evaluations() {
    for (more, state, most) in [
        (json!({ "srcip": "10.0.0.5" }), "denied", 1),
        (json!({}), "pending", 3),
        (json!({ "srcip": "203.0.113.7", "agent_ids": ["001"], "alert_id": ALERT }), "approved", 2),
    ] {
        let (reached, took) = asked(more).await;
        assert_eq!(reached, state);
        assert!((1..=most).contains(&took), "{state}: {took} evaluations");
    }
}
