//! A right that was taken away is gone at once, also in the middle of a call.

use crate::harness::kind;
use countersign::{broker::BrokerError, domain::actor::Actor};
use serde_json::json;

use crate::harness::{ALERT, World};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_for_agent_of_disabled_owner() {
    let world = World::start().await;
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    let asked = world.agent().await.block("203.0.113.7", more).await;
    assert_eq!(asked.state(), "approved");
    let operator = world.operator();
    operator.disable_person(&Actor::CommandLine, "alice").await.unwrap();
    world.work().await;
    assert!(world.manager.received().is_empty());
    assert!(world.broker().agent_by_token(&world.token).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn proposal_with_replaced_token_is_not_stored() {
    let world = World::start().await;
    let (broker, operator) = (world.broker(), world.operator());
    let agent = world.agent().await;
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    let id = agent.block("203.0.113.7", more).await.id();
    world.work().await;
    // As the door has it after it looked at the token, while the manager is asked.
    let then = world.broker().agent_by_token(&world.token).await.unwrap().unwrap();
    operator.rotate_agent(&Actor::CommandLine, "triage-bot").await.unwrap();
    let ask = json!({
        "srcip": "203.0.113.7", "duration_seconds": 600, "reason": "x", "agent_ids": ["002"],
        "alert_id": ALERT,
    });
    let asked = broker.submit(&then, kind("block_ip"), ask.as_object().unwrap()).await;
    assert!(matches!(asked, Err(BrokerError::NotFound)), "{asked:?}");
    let undo = broker.undo_as_agent(&then, id.parse().unwrap(), "a false alarm").await;
    assert!(matches!(undo, Err(BrokerError::NotFound)), "{undo:?}");
    world.work().await;
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_token_cannot_cancel() {
    let world = World::start().await;
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let then = world.broker().agent_by_token(&world.token).await.unwrap().unwrap();
    world.operator().rotate_agent(&Actor::CommandLine, "triage-bot").await.unwrap();
    let cancelled = world.broker().cancel_as_agent(&then, id.parse().unwrap(), "").await;
    assert!(matches!(cancelled, Err(BrokerError::NotFound)), "{cancelled:?}");
}
