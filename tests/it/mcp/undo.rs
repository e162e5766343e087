//! Taking back, evidence, troubles and several managers, as an agent sees them.

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::{Fault, Times, Work};

use super::{
    agent_flow::checked,
    fixtures::{Agent, Scene, Told, block},
};

async fn look(agent: &Agent, id: &str) -> Told {
    checked(agent, "get_request", json!({ "request_id": id })).await
}

async fn undo(agent: &Agent, id: &str) -> Told {
    checked(agent, "undo_request", json!({ "request_id": id, "reason": "a false alarm" })).await
}

fn message(told: &Told) -> &str {
    told.json["message"].as_str().unwrap()
}

/// A block on 002 that was approved and sent.
async fn sent(scene: &Scene, agent: &Agent, more: Value) -> String {
    let id = agent.block(more).await.id();
    scene.approve("bob", &id).await;
    scene.work().await;
    id
}

#[tokio::test]
async fn undo_is_a_separate_request_naming_its_original() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let id = sent(&scene, &agent, json!({})).await;
    assert_eq!(look(&agent, &id).await.json["undo"]["possible"], true);
    scene.pass(Duration::from_secs(1));
    let asked = undo(&agent, &id).await;
    assert_eq!((asked.state(), asked.error), ("pending", false), "{asked:?}");
    assert_eq!((&asked.json["undoes"], &asked.json["action"]), (&json!(id), &json!("unblock_ip")));
    assert_eq!(undo(&agent, &id).await.id(), asked.id(), "the open one is given again");
    scene.approve("bob", &asked.id()).await;
    scene.work().await;
    let child = look(&agent, &asked.id()).await;
    assert_eq!((child.state(), &child.json["undo"]), ("settled", &Value::Null), "{child:?}");
    let parent = look(&agent, &id).await;
    let outcome = &parent.json["endpoints"]["outcomes"][0];
    assert_eq!(outcome["outcome"], "reverted");
    assert_eq!(outcome["reverted_by"], asked.id());
    assert!(message(&parent).contains("Reverted (not seen)"), "{parent:?}");
    assert_eq!(parent.json["undo"], Value::Null);
    assert_eq!(scene.manager.delivered_to("002").len(), 2);
    let list = checked(&agent, "list_requests", json!({})).await;
    assert_eq!(list.json["requests"][0]["undoes"], id);
    assert_eq!(list.json["requests"][1]["counts"]["reverted"], 1);
}

#[tokio::test]
async fn impossible_undo_is_an_error_with_reason() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let open = agent.block(json!({})).await.id();
    let refused = |id: &str| {
        let arguments = json!({ "request_id": id, "reason": "a false alarm" });
        agent.call("undo_request", arguments)
    };
    let told = refused(&open).await;
    assert!(told.error && told.text.contains("nothing to take back: it is pending"), "{told:?}");
    scene.approve("bob", &open).await;
    scene.work().await;
    let child = undo(&agent, &open).await.id();
    scene.approve("bob", &child).await;
    scene.work().await;
    for id in [&open, &child] {
        let told = refused(id).await;
        assert!(told.error && told.text.contains("nothing to take back"), "{told:?}");
    }
}

#[tokio::test]
async fn undo_impossible_in_wazuh_is_announced_and_refused() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let permanent = json!({ "duration_seconds": null, "permanent": true });
    let asked = agent.block(permanent).await;
    assert_eq!((asked.state(), &asked.json["undo"]["possible"]), ("pending", &json!(false)));
    let id = asked.id();
    scene.approve("bob", &id).await;
    scene.approve("carol", &id).await;
    scene.work().await;
    let seen = look(&agent, &id).await;
    assert_eq!(seen.json["undo"]["possible"], false, "{seen:?}");
    let by_hand = seen.json["undo"]["note"].as_str().unwrap();
    assert!(by_hand.contains("by hand"), "{by_hand}");
    let told = undo(&agent, &id).await;
    assert_eq!((told.state(), told.error), ("denied", true), "{told:?}");
    assert!(message(&told).contains("cannot be undone through Wazuh"), "{told:?}");
    let why = told.json["endpoints"]["skipped"][0]["why"].as_str().unwrap();
    assert!(why.contains("by hand"), "{why}");
}

#[tokio::test]
async fn undo_of_unknown_outcome_is_accepted_with_explanation() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    scene.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    let id = sent(&scene, &agent, json!({})).await;
    scene.manager.behave();
    let seen = look(&agent, &id).await;
    assert_eq!(seen.json["endpoints"]["outcomes"][0]["outcome"], "unknown", "{seen:?}");
    assert_eq!(seen.json["undo"]["possible"], true);
    assert!(seen.json["undo"]["note"].as_str().unwrap().contains("nobody knows"), "{seen:?}");
    assert_eq!(undo(&agent, &id).await.json["undoes"], id);
}

#[tokio::test]
async fn undo_names_invalid_field_and_hides_foreign_requests() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let id = agent.block(json!({})).await.id();
    for (arguments, words) in [
        (json!({ "request_id": id }), ["reason", "missing", "analyst"]),
        (json!({ "request_id": id, "reason": " " }), ["reason", "empty", "analyst"]),
        (json!({ "reason": "x" }), ["request_id", "missing", "earlier"]),
        (
            json!({ "request_id": id, "reason": "x", "wait_seconds": 51 }),
            ["wait_seconds", "51", "0 to 50"],
        ),
        (
            json!({ "request_id": id, "reason": "x", "agent_ids": ["002"] }),
            ["agent_ids", "no such field", "request_id"],
        ),
    ] {
        let told = agent.call("undo_request", arguments.clone()).await;
        assert!(told.error, "{arguments}");
        for word in words {
            assert!(told.text.contains(word), "{arguments}: {word}: {}", told.text);
        }
    }
    let stranger = scene.other_agent().await;
    let mut texts = Vec::new();
    for id in [id, format!("req_{}", "0".repeat(32)), "nonsense".to_owned()] {
        let arguments = json!({ "request_id": id, "reason": "x" });
        let told = stranger.call("undo_request", arguments).await;
        assert!(told.error && told.json.is_null(), "{told:?}");
        texts.push(told.text);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn endpoint_alert_confirms_and_its_absence_warns() {
    let scene = Scene::with_indexer().await;
    let agent = scene.agent().await;
    let id = sent(&scene, &agent, json!({})).await;
    scene.manager.settled().await;
    scene.look().await;
    let seen = look(&agent, &id).await;
    let outcome = &seen.json["endpoints"]["outcomes"][0];
    assert_eq!(outcome["outcome"], "confirmed", "{seen:?}");
    assert_eq!(outcome["evidence"]["proves"], "the script started on this endpoint");
    assert!(outcome["until"].is_string(), "{outcome}");
    scene.manager.hold_evidence();
    let id = sent(&scene, &agent, json!({ "srcip": "198.51.100.24" })).await;
    let looked = look(&agent, &id).await;
    assert!(message(&looked).contains("still looked for"), "{looked:?}");
    scene.pass(Duration::from_mins(5));
    scene.look().await;
    let missed = look(&agent, &id).await;
    assert!(message(&missed).contains("002 UNCONFIRMED"), "{missed:?}");
    assert!(!missed.error && message(&missed).contains("WARNING"), "{missed:?}");
}

#[tokio::test]
async fn unreachable_manager_is_reported_and_request_stays_approved() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let id = agent.block(json!({})).await.id();
    scene.approve("bob", &id).await;
    scene.stop_manager().await;
    for _ in 0..10 {
        scene.step().await;
        scene.pass(Duration::from_secs(1));
    }
    let held = look(&agent, &id).await;
    assert_eq!((held.state(), held.error), ("approved", false), "{held:?}");
    assert_eq!(held.json["troubles"].as_array().map(Vec::len), Some(1), "{held:?}");
    assert!(message(&held).contains("nothing needs to be asked again"), "{held:?}");
}

#[tokio::test]
async fn endpoints_are_named_with_manager_when_several_exist() {
    let scene = Scene::with_managers("test", "west").await;
    let agent = scene.agent().await;
    for (arguments, words) in [
        (json!({}), ["agent_ids", "more than one manager", "test, west"]),
        (
            json!({ "agent_ids": null, "all_agents": true }),
            ["manager", "none is named", "test, west"],
        ),
        (json!({ "agent_ids": ["east/002"] }), ["manager", "`east`", "test, west"]),
        (
            json!({ "agent_ids": ["test/001", "west/002"] }),
            ["agent_ids", "west/002", "one request acts on one manager"],
        ),
    ] {
        let told = agent.block(arguments.clone()).await;
        assert!(told.error, "{arguments}");
        for word in words {
            assert!(told.text.contains(word), "{arguments}: {word}: {}", told.text);
        }
    }
    let asked = checked(&agent, "block_ip", block(json!({ "agent_ids": ["west/002"] }))).await;
    assert_eq!(asked.json["manager"], "west");
    let endpoint = &asked.json["endpoints"]["outcomes"][0];
    assert_eq!((&endpoint["id"], &endpoint["endpoint"]), (&json!("002"), &json!("west/002")));
}

#[tokio::test]
async fn single_manager_may_be_named_or_omitted() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let asked = checked(&agent, "block_ip", block(json!({ "agent_ids": ["test/002"] }))).await;
    assert_eq!((asked.state(), &asked.json["manager"]), ("pending", &json!("test")));
    assert_eq!(asked.json["endpoints"]["outcomes"][0]["endpoint"], Value::Null);
    let wrong = agent.block(json!({ "manager": "west" })).await;
    assert!(wrong.error && wrong.text.contains("there is no manager `west`"), "{wrong:?}");
}
