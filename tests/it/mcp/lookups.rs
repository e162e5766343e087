//! What an agent looks up before it asks.

use std::time::Duration;

use countersign::{broker::AgentLimits, domain::actor::Actor};
use serde_json::{Value, json};

use super::{
    agent_flow::checked,
    fixtures::{Agent, Scene, Told, block},
};
use crate::harness::{ALERT, World, kind};

fn ids(told: &Told) -> Vec<&str> {
    let list = told.json["endpoints"].as_array().unwrap();
    list.iter().map(|one| one["id"].as_str().unwrap()).collect()
}

async fn endpoints(agent: &Agent, filter: Value) -> Told {
    let told = checked(agent, "list_endpoints", filter).await;
    assert!(!told.error, "{told:?}");
    told
}

#[tokio::test]
async fn endpoints_come_with_what_can_be_done_there() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let told = endpoints(&agent, json!({ "query": "WEB-02" })).await;
    let expected = json!({ "endpoints": [{
        "id": "002", "name": "web-02", "platform": "linux", "groups": ["default", "linux", "web"],
        "status": "active",
        "responses": [
            {
                "action": "block_ip", "durations": [5, 600, 3600], "permanent": true,
                "undo": ["timed"],
            },
            {
                "action": "disable_account", "durations": [600], "permanent": true,
                "undo": ["timed"],
            },
        ],
    }] });
    assert_eq!(told.json, expected);
    let asked = agent.block(json!({ "duration_seconds": 3600 })).await;
    assert!(!asked.error, "what is listed is possible: {asked:?}");
    let away = endpoints(&agent, json!({ "query": "011" })).await;
    let away = &away.json["endpoints"][0];
    assert_ne!(away["status"], "active", "{away}");
    assert_eq!(away["responses"], json!([]), "{away}");
    assert!(scene.manager.received().is_empty());
}

#[tokio::test]
async fn list_of_endpoints_is_filtered_and_continues() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let all = endpoints(&agent, json!({})).await;
    let all = ids(&all);
    assert!(all.len() > 5 && all.is_sorted(), "{all:?}");
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = endpoints(&agent, json!({ "limit": 4, "after": after })).await;
        assert!(ids(&page).len() <= 4);
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        after = page.json["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(seen, all);
    let windows = endpoints(&agent, json!({ "platform": "windows" })).await;
    let list = windows.json["endpoints"].as_array().unwrap();
    assert!(!list.is_empty() && list.iter().all(|one| one["platform"] == "windows"), "{windows:?}");
    let group = endpoints(&agent, json!({ "group": "linux", "query": "web" })).await;
    assert!(ids(&group).contains(&"002"), "{group:?}");
    assert_eq!(ids(&endpoints(&agent, json!({ "group": "linu" })).await), Vec::<&str>::new());
}

#[tokio::test]
async fn endpoint_that_policy_closes_is_not_listed() {
    let closed = r#"
        @id("ask") @why("a") permit (principal, action in Countersign::Action::"ask", resource);
        @id("see") @why("a") permit (principal, action == Countersign::Action::"view", resource);
        @id("not") @why("a") forbid (principal, action in Countersign::Action::"block_ip", resource)
            when { resource == Countersign::Endpoint::"002" };
        @id("none") @why("a") forbid (principal, action in Countersign::Action::"ask", resource)
            when { resource == Countersign::Endpoint::"001" };
    "#;
    let builder = World::builder().without_indexer().with_only_policy(closed);
    let scene = Scene::of(builder).await;
    let agent = scene.agent().await;
    let told = endpoints(&agent, json!({ "query": "web" })).await;
    assert_eq!(ids(&told), ["002"], "{told:?}");
    let responses = &told.json["endpoints"][0]["responses"];
    assert_eq!(responses.as_array().unwrap().len(), 1, "{told:?}");
    assert_eq!(responses[0]["action"], "disable_account");
    let scopes = [kind("block_ip")];
    scene.operator().set_scopes(&Actor::CommandLine, "triage-bot", &scopes).await.unwrap();
    assert_eq!(ids(&endpoints(&agent, json!({ "query": "web" })).await), Vec::<&str>::new());
}

#[tokio::test]
async fn endpoints_of_several_managers_are_named_with_theirs() {
    let scene = Scene::with_second_manager("paris").await;
    let agent = scene.agent().await;
    let told = endpoints(&agent, json!({ "query": "003", "limit": 1 })).await;
    assert_eq!(ids(&told), ["paris/003"]);
    assert_eq!(told.json["next"], "paris/003");
    let rest = endpoints(&agent, json!({ "query": "003", "after": "paris/003" })).await;
    assert_eq!(ids(&rest), ["test/003"]);
    let named = endpoints(&agent, json!({ "query": "003", "manager": "test" })).await;
    assert_eq!(ids(&named), ["test/003"]);
}

#[tokio::test]
async fn active_responses_of_target_are_found() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let find = async |agent: &Agent, target: &str| {
        checked(agent, "find_responses", json!({ "target": target })).await.json
    };
    assert_eq!(find(&agent, "198.51.100.23").await, json!({ "responses": [] }));
    let id = agent.block(json!({})).await.id();
    assert_eq!(find(&agent, "198.51.100.23").await, json!({ "responses": [] }), "not sent yet");
    scene.approve("bob", &id).await;
    scene.work().await;
    let found = find(&agent, "198.51.100.23").await["responses"].clone();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    let seen = agent.call("get_request", json!({ "request_id": id })).await;
    assert_eq!(found[0]["until"], seen.json["endpoints"]["outcomes"][0]["until"]);
    for (field, value) in [
        ("action", json!("block_ip")),
        ("target", json!("198.51.100.23")),
        ("manager", json!("test")),
        ("id", json!("002")),
        ("name", json!("web-02")),
        ("known", json!("sent")),
        ("request_ids", json!([id])),
    ] {
        assert_eq!(found[0][field], value, "{found}");
    }
    for near in ["198.51.100.2", "198.51.100.231", "triage-bot"] {
        assert_eq!(find(&agent, near).await, json!({ "responses": [] }), "{near}");
    }
    let theirs = find(&scene.other_agent().await, "198.51.100.23").await;
    assert_eq!(theirs["responses"][0]["id"], "002");
    assert_eq!(theirs["responses"][0].get("request_ids"), None, "{theirs}");
    scene.clock.advance(Duration::from_mins(11));
    assert_eq!(find(&agent, "198.51.100.23").await, json!({ "responses": [] }));
}

#[tokio::test]
async fn alert_shows_what_the_broker_found() {
    let scene = Scene::with_indexer().await;
    let agent = scene.agent().await;
    let get = async |more: Value| checked(&agent, "get_alert", more).await.json;
    let found = get(json!({ "alert_id": ALERT, "target": "203.0.113.7" })).await;
    assert_eq!((&found["found"], &found["names_target"]), (&json!(true), &json!(true)), "{found}");
    assert!(found["level"].as_u64().unwrap() > 0 && found["rule"].is_string(), "{found}");
    let other = get(json!({ "alert_id": ALERT, "target": "203.0.113.8" })).await;
    assert_eq!((&other["found"], &other["names_target"]), (&json!(true), &json!(false)));
    let without = get(json!({ "alert_id": ALERT })).await;
    assert_eq!(without.get("names_target"), None, "{without}");
    for target in ["/tmp/x", "4711", "bad.example"] {
        let other = get(json!({ "alert_id": ALERT, "target": target })).await;
        assert_eq!((&other["found"], &other["names_target"]), (&json!(true), &json!(false)));
    }
    let none = get(json!({ "alert_id": "1.2" })).await;
    assert_eq!(none["found"], false, "{none}");
    assert!(none["summary"].as_str().unwrap().len() > 5, "{none}");
    let asked = agent.block(json!({ "alert_id": ALERT, "srcip": "203.0.113.7" })).await;
    assert_eq!(asked.json["alert"]["found"], true, "{asked:?}");
    let asked = agent.block(json!({ "alert_id": "1.2" })).await;
    assert_eq!(asked.json["alert"]["found"], false, "{asked:?}");
    let asked = agent.block(json!({ "srcip": "198.51.100.24" })).await;
    assert_eq!(asked.json.get("alert"), None, "{asked:?}");
}

#[tokio::test]
async fn limits_tell_what_is_left() {
    let builder = World::builder().without_indexer();
    let scene = Scene::of(builder.with_settings(|s| s.agents = AgentLimits::default())).await;
    let agent = scene.agent().await;
    let limits = async || checked(&agent, "get_limits", json!({})).await.json;
    let expected = json!({
        "agent": "triage-bot", "scopes": ["block_ip", "disable_account"], "managers": ["test"],
        "asks_left": 30, "asks_per_minute": 30, "open_requests_left": 20,
    });
    assert_eq!(limits().await, expected);
    agent.block(json!({})).await;
    agent.block(json!({ "srcip": "198.51.100.24", "dry_run": true })).await;
    let left = limits().await;
    assert_eq!((&left["asks_left"], &left["open_requests_left"]), (&json!(28), &json!(19)));
    scene.clock.advance(Duration::from_secs(61));
    assert_eq!(limits().await["asks_left"], 30);
}

#[tokio::test]
async fn unsound_look_up_names_field_and_allowed_values() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    for (tool, arguments, words) in [
        ("list_endpoints", json!({ "platform": "bsd" }), ["platform: ", "linux, macos"]),
        ("list_endpoints", json!({ "manager": "x" }), ["manager: ", "test"]),
        ("list_endpoints", json!({ "after": "web" }), ["after: ", "`next`"]),
        ("list_endpoints", json!({ "limit": 51 }), ["limit: ", "1 to 50"]),
        ("find_responses", json!({}), ["target: it is missing", "IPv4"]),
        ("find_responses", json!({ "action": "block_ip" }), ["target: it is missing", "agent_ids"]),
        ("find_responses", json!({ "action": "reboot" }), ["action: \"reboot\"", "block_ip"]),
        (
            "find_responses",
            json!({ "action": "unblock_ip" }),
            ["action: \"unblock_ip\"", "block_ip"],
        ),
        ("find_responses", json!({ "agent_ids": ["nowhere"] }), ["agent_ids: ", "`nowhere`"]),
        ("find_responses", json!({ "agent_ids": 5 }), ["agent_ids: 5", "endpoint ids"]),
        (
            "find_responses",
            json!({ "target": "/tmp/x", "action": "block_ip" }),
            ["target: \"/tmp/x\"", "IPv4"],
        ),
        (
            "find_responses",
            json!({ "target": "001", "action": "isolate_host" }),
            ["target: \"001\"", "its endpoints alone"],
        ),
        ("find_responses", json!({ "target": "10.0.0.0/8" }), ["target: ", "10.0.0.0/8"]),
        ("get_alert", json!({}), ["alert_id: ", "missing"]),
        ("get_alert", json!({ "alert_id": "a b" }), ["alert_id: ", "letters"]),
        ("get_alert", json!({ "alert_id": "1", "manager": "x" }), ["manager: ", "test"]),
        ("get_limits", json!({ "agent": "x" }), ["agent: ", "no such field"]),
    ] {
        let told = agent.call(tool, arguments.clone()).await;
        assert!(told.error && told.json.is_null(), "{tool} {arguments}: {told:?}");
        assert!(words.iter().all(|word| told.text.contains(word)), "{tool}: {}", told.text);
    }
}

#[tokio::test]
async fn look_ups_are_limited_within_minute() {
    let builder = World::builder().without_indexer();
    let scene = Scene::of(builder.with_settings(|s| s.agents.asks_per_minute_max = 3)).await;
    let agent = scene.agent().await;
    for (tool, arguments) in [
        ("list_endpoints", json!({})),
        ("find_responses", json!({ "target": "198.51.100.23" })),
        ("get_alert", json!({ "alert_id": "1.2" })),
    ] {
        assert!(!agent.call(tool, arguments).await.error, "{tool}");
    }
    let told = agent.call("get_limits", json!({})).await;
    assert!(told.error && told.text.contains("3 look-ups within a minute"), "{told:?}");
    assert!(!agent.call("block_ip", block(json!({}))).await.error, "an ask is no look-up");
    assert!(!scene.other_agent().await.call("get_limits", json!({})).await.error);
    scene.clock.advance(Duration::from_secs(61));
    assert!(!agent.call("get_limits", json!({})).await.error);
}
