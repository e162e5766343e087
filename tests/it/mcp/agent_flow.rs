//! Whole stories of an agent, through rmcp's own client over HTTP.

use std::time::Duration;

use chrono::SecondsFormat;
use countersign::mcp::tools::ToolName;
use rmcp::{
    model::{CallToolRequestParams, ErrorCode},
    service::ServiceError,
};
use serde_json::{Value, json};
use wazuh_simulator::Rights;

use super::{
    fixtures::{Agent, Scene, Told, block},
    json_schema::faults,
};

/// Calls, and holds the answer against the schema that the server declared.
pub(crate) async fn checked(agent: &Agent, tool: &'static str, arguments: Value) -> Told {
    let told = agent.call(tool, arguments).await;
    let tools = agent.0.list_all_tools().await.unwrap();
    let schema = tools.iter().find(|known| known.name == tool).unwrap().output_schema.clone();
    // One tool that answers with a request shows what that looks like.
    let listed = schema.map(|schema| Value::Object((*schema).clone()));
    let whole = Value::Object(
        ToolName::parse(tool, countersign::domain::action::Catalogue::built_in())
            .unwrap()
            .answers(countersign::domain::action::Catalogue::built_in().all()),
    );
    for schema in listed.into_iter().chain([whole]) {
        assert_eq!(faults(&schema, &told.json), Vec::<String>::new(), "{told:?}");
    }
    told
}

#[tokio::test]
async fn request_waits_for_approval_with_old_and_new_clients() {
    for modern in [false, true] {
        let scene = Scene::start().await;
        let agent = if modern { scene.modern_agent().await } else { scene.agent().await };
        let asked = checked(&agent, "block_ip", block(json!({}))).await;
        assert_eq!((asked.state(), asked.error), ("pending", false), "{asked:?}");
        let id = asked.id();
        let url = format!("https://countersign.example/requests/{id}");
        assert_eq!(asked.json["approval_url"], url);
        scene.approve("bob", &id).await;
        scene.work().await;
        let seen = checked(&agent, "get_request", json!({ "request_id": id })).await;
        assert_eq!((seen.state(), seen.error), ("settled", false));
        let until = (scene.clock.now() + Duration::from_mins(10))
            .to_rfc3339_opts(SecondsFormat::Secs, true);
        let outcomes =
            json!([{ "id": "002", "name": "web-02", "outcome": "sent", "until": until }]);
        assert_eq!(seen.json["endpoints"]["outcomes"], outcomes);
        let waited = checked(&agent, "wait_for_decision", json!({ "request_id": id })).await;
        assert_eq!(waited.json, seen.json);
        assert_eq!(scene.manager.delivered_to("002").len(), 1);
    }
}

#[tokio::test]
async fn answer_is_short_for_one_and_eleven_endpoints() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    // Three bytes are a token or less, in what such an answer holds.
    let one = checked(&agent, "block_ip", block(json!({}))).await;
    assert!(one.text.len() <= 900, "{} bytes: {}", one.text.len(), one.text);
    let ids: Vec<_> = (1..=11).map(|id| format!("{id:03}")).collect();
    let all = checked(&agent, "block_ip", block(json!({ "agent_ids": ids }))).await;
    let listed =
        ["outcomes", "skipped"].map(|list| all.json["endpoints"][list].as_array().unwrap().len());
    assert_eq!(listed.iter().sum::<usize>(), 11);
    assert!(all.text.len() <= 1800, "{} bytes: {}", all.text.len(), all.text);
}

#[tokio::test]
async fn server_instructions_tell_model_how_to_behave() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let info = agent.0.peer_info().unwrap();
    let instructions = info.instructions.clone().unwrap();
    for word in ["Never ask", "wait_for_decision", "cannot approve", "approval_url", "unknown"] {
        assert!(instructions.contains(word), "{word}");
    }
    assert_eq!(info.server_info.clone().unwrap().name, "countersign");
}

#[tokio::test]
async fn denied_or_rejected_request_is_an_error_with_reason() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let denied = checked(&agent, "block_ip", block(json!({ "srcip": "10.0.0.5" }))).await;
    assert_eq!((denied.state(), denied.error), ("denied", true));
    assert_eq!(denied.json["decision"]["outcome"], "deny");
    assert_eq!(denied.json["decision"]["policies"][0]["id"], "never.private-address");
    let asked = agent.block(json!({})).await;
    scene.reject("bob", &asked.id(), "our own scanner").await;
    let rejected = checked(&agent, "get_request", json!({ "request_id": asked.id() })).await;
    assert_eq!((rejected.state(), rejected.error), ("rejected", true));
    assert_eq!(rejected.json["ended"]["by"], "bob");
    assert_eq!(rejected.json["ended"]["reason"], "our own scanner");
}

#[tokio::test]
async fn invalid_input_names_field_value_and_allowed_values() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let id = agent.block(json!({})).await.id();
    let request = |more: Value| {
        let mut all = json!({ "request_id": id });
        for (name, value) in more.as_object().unwrap() {
            all[name] = value.clone();
        }
        all
    };
    for (tool, arguments, words) in [
        ("block_ip", block(json!({ "srcip": "10.0.0.0/8" })), ["srcip", "10.0.0.0/8", "IPv4"]),
        (
            "block_ip",
            block(json!({ "agent_ids": null })),
            ["agent_ids", "no endpoint", "all_agents"],
        ),
        ("block_ip", block(json!({ "agent_ids": ["999"] })), ["agent_ids", "999", "test"]),
        ("block_ip", block(json!({ "wait_seconds": 51 })), ["wait_seconds", "51", "0 to 50"]),
        ("block_ip", block(json!({ "wait_seconds": "9s" })), ["wait_seconds", "9s", "0 to 50"]),
        ("block_ip", block(json!({ "duration_seconds": 61 })), ["duration_seconds", "61", "600"]),
        ("block_ip", block(json!({ "approve": true })), ["approve", "no such field", "srcip"]),
        ("undo_request", request(json!({})), ["reason", "missing", "characters"]),
        ("get_request", json!({}), ["request_id", "missing", "earlier"]),
        ("get_request", request(json!({ "x": 1 })), ["x", "no such field", "request_id"]),
        (
            "wait_for_decision",
            request(json!({ "timeout_seconds": 0 })),
            ["timeout_seconds", "0 is", "1 to 50"],
        ),
        ("list_requests", json!({ "limit": 51 }), ["limit", "51", "1 to 50"]),
        ("list_requests", json!({ "state": "open" }), ["state", "open", "pending, approved"]),
        ("list_requests", json!({ "before": 7 }), ["before", "7", "`next`"]),
        ("list_requests", json!({ "agent": "x" }), ["agent", "no such field", "limit"]),
        ("cancel_request", request(json!({ "reason": "x".repeat(501) })), ["reason", "xxx", "500"]),
    ] {
        let told = agent.call(tool, arguments.clone()).await;
        assert!(told.error, "{tool} {arguments}");
        let asks = ["block_ip", "disable_account", "undo_request"].contains(&tool);
        assert_eq!(told.text.contains("Nothing was stored."), asks, "{tool}: {}", told.text);
        for word in words {
            assert!(told.text.contains(word), "{tool} {arguments}: {word}: {}", told.text);
        }
    }
}

#[tokio::test]
async fn request_of_another_agent_looks_nonexistent() {
    let scene = Scene::start().await;
    let id = scene.agent().await.block(json!({})).await.id();
    let stranger = scene.other_agent().await;
    let nobody = format!("req_{}", "0".repeat(32));
    for tool in ["get_request", "wait_for_decision", "cancel_request"] {
        let mut texts = Vec::new();
        for id in [json!(id), json!(nobody), json!("nonsense"), json!(7), json!(id.to_uppercase())]
        {
            let told = stranger.call(tool, json!({ "request_id": id })).await;
            assert!(told.error && told.json.is_null(), "{told:?}");
            texts.push(told.text);
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:?}");
    }
    let list = stranger.call("list_requests", json!({ "before": null })).await;
    assert_eq!(list.json, json!({ "requests": [] }));
}

#[tokio::test]
async fn unknown_tool_is_a_protocol_error() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let error = agent.0.call_tool(CallToolRequestParams::new("approve_request")).await.unwrap_err();
    let ServiceError::McpError(error) = error else { panic!("{error}") };
    assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
}

#[tokio::test]
async fn list_is_newest_first_and_continues_by_cursor() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let mut ids = Vec::new();
    for last in 1..=3 {
        scene.clock.advance(Duration::from_secs(1));
        ids.push(agent.block(json!({ "srcip": format!("198.51.100.1{last}") })).await.id());
    }
    agent.call("cancel_request", json!({ "request_id": ids[0], "reason": "not needed" })).await;
    ids.reverse();
    let first = checked(&agent, "list_requests", json!({ "limit": 2 })).await;
    let listed = |told: &Told| -> Vec<String> {
        let list = told.json["requests"].as_array().unwrap();
        list.iter().map(|one| one["request_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&first), ids[..2]);
    let next = first.json["next"].clone();
    let rest = checked(&agent, "list_requests", json!({ "before": next })).await;
    assert_eq!(listed(&rest), ids[2..]);
    assert_eq!(rest.json["next"], Value::Null);
    let cancelled = checked(&agent, "list_requests", json!({ "state": "cancelled" })).await;
    assert_eq!(listed(&cancelled), ids[2..]);
}

#[tokio::test]
async fn cancelled_request_is_no_error_and_stays_cancelled() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let id = agent.block(json!({})).await.id();
    let arguments = json!({ "request_id": id, "reason": "false alarm" });
    let cancelled = checked(&agent, "cancel_request", arguments.clone()).await;
    assert_eq!((cancelled.state(), cancelled.error), ("cancelled", false));
    assert_eq!(cancelled.json["ended"]["reason"], "false alarm");
    let again = agent.call("cancel_request", arguments).await;
    assert!(again.error && again.text.contains("cancelled"), "{again:?}");
}

#[tokio::test]
async fn forbidden_manager_call_is_explained_and_nothing_stored() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    scene.manager.set_rights("wazuh", Rights::none());
    scene.manager.advance(Duration::from_secs(1));
    let told = agent.block(json!({})).await;
    assert!(
        told.error && told.text.contains("a person has to look at the page System"),
        "{told:?}"
    );
    let list = agent.call("list_requests", json!({})).await;
    assert_eq!(list.json, json!({ "requests": [] }));
}
