//! How often Cedar evaluates policies for one ask: a count, because time on a shared machine says
//! little.

use serde_json::{Value, json};

use crate::harness::{ALERT, World, fixtures::own_set};

/// Asks in a new world; the state, and how many evaluations the whole ask took. No worker runs that
/// would ask too.
async fn asked(address: &str, more: Value) -> (String, u64) {
    let world = World::builder().with_only_policy(&own_set()).start().await;
    let agent = world.agent().await;
    let before = world.broker().engine().evaluations();
    let told = agent.block(address, more).await;
    (told.state().to_owned(), world.broker().engine().evaluations() - before)
}

#[tokio::test(flavor = "multi_thread")]
async fn ask_takes_at_most_three_policy_evaluations() {
    let found = || json!({ "agent_ids": ["001"], "alert_id": ALERT });
    for (address, more, state, most) in [
        ("10.0.0.5", json!({ "agent_ids": ["002"] }), "denied", 1),
        ("203.0.113.9", json!({ "agent_ids": ["002"] }), "pending", 3),
        ("203.0.113.7", found(), "approved", 2),
    ] {
        let (reached, took) = asked(address, more).await;
        assert_eq!(reached, state);
        assert!((1..=most).contains(&took), "{state}: {took} evaluations");
    }
}
