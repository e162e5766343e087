//! Forms of arguments that clients of today send: each is the same ask as the right form, or refused.

use serde_json::{Value, json};

use super::fixtures::{Agent, Scene, block};

/// Asks in this form and in the right one; both give one request.
async fn same(agent: &Agent, form: Value, right: Value) {
    let asked = agent.block(form.clone()).await;
    let again = agent.block(right.clone()).await;
    assert_eq!(asked.id(), again.id(), "{form} and {right}");
}

async fn refused(agent: &Agent, more: Value, words: &str) {
    let told = agent.block(more.clone()).await;
    assert!(told.error && told.json.is_null(), "{more}: {told:?}");
    assert!(told.text.contains(words) && told.text.contains("Allowed: "), "{more}: {told:?}");
}

#[tokio::test]
async fn whole_number_in_any_form_asks_the_same() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    for form in [json!(600.0), json!(6e2), json!("600"), json!("600.0"), json!("6e2")] {
        same(&agent, json!({ "duration_seconds": form, "wait_seconds": 0.0 }), json!({})).await;
    }
    let listed = agent.call("list_requests", json!({ "limit": 1e1 })).await;
    assert!(!listed.error, "{listed:?}");
    for form in [json!(600.5), json!("600.5"), json!("10m"), json!(1e300), json!(-600.0)] {
        refused(&agent, json!({ "duration_seconds": form }), "duration_seconds: ").await;
    }
}

#[tokio::test]
async fn list_as_json_text_asks_the_same() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    for form in [json!("[\"002\"]"), json!(" [ \"002\" ] "), json!("002"), json!("[2]")] {
        same(&agent, json!({ "agent_ids": form }), json!({})).await;
    }
    for form in ["all", "*", "['002']", "002,003", "2", "{\"0\": \"002\"}"] {
        refused(&agent, json!({ "agent_ids": form }), "agent_ids: ").await;
    }
}

#[tokio::test]
async fn key_twice_within_json_text_is_refused() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let step = |arguments: &str| format!(r#"{{"action":"block_ip","arguments":{{{arguments}}}}}"#);
    let once = r#""srcip":"203.0.113.1","agent_ids":["001"],"duration_seconds":600"#;
    let twice = format!(r#"{once},"agent_ids":["002"]"#);
    let plan = async |steps: String| {
        let why = json!({ "heading": "h", "reason": "r", "on_failure": "stop", "steps": steps });
        agent.call("propose_plan", why).await
    };
    let other = step(&once.replace("001", "002"));
    let told = plan(format!("[{},{other}]", step(&twice))).await;
    assert!(told.error && told.text.contains("steps"), "{told:?}");
    let told = plan(format!("[{},{other}]", step(once))).await;
    assert!(!told.error, "{told:?}");
}

#[tokio::test]
async fn endpoint_id_without_zeros_asks_the_same() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    for form in [json!(["2"]), json!(["02"]), json!([2]), json!([2.0])] {
        same(&agent, json!({ "agent_ids": form }), json!({})).await;
    }
    let two = Scene::with_second_manager("paris").await;
    let agent_of_two = two.agent().await;
    for form in [json!(["test/2"]), json!(["test/02"])] {
        let right = json!({ "agent_ids": ["test/002"] });
        same(&agent_of_two, json!({ "agent_ids": form }), right).await;
    }
    for form in [json!(["0"]), json!([0]), json!(["00"]), json!([-2]), json!([2.5]), json!(2)] {
        refused(&agent, json!({ "agent_ids": form }), "agent_ids: ").await;
    }
}

#[tokio::test]
async fn empty_unused_fields_ask_the_same() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let filled = json!({
        "manager": "", "alert_id": "", "idempotency_key": "", "confidence": "",
        "all_agents": "false", "permanent": false, "wait_seconds": "",
    });
    same(&agent, filled, json!({})).await;
    let all = json!({ "agent_ids": null, "all_agents": true, "srcip": "198.51.100.24" });
    let filled = json!({ "agent_ids": [], "all_agents": true, "srcip": "198.51.100.24" });
    same(&agent, filled, all).await;
    let ever = json!({ "duration_seconds": null, "permanent": true, "srcip": "198.51.100.25" });
    let filled = json!({ "duration_seconds": 0, "permanent": true, "srcip": "198.51.100.25" });
    same(&agent, filled, ever).await;
    refused(&agent, json!({ "duration_seconds": 0 }), "duration_seconds: ").await;
    refused(&agent, json!({ "srcip": "" }), "srcip: ").await;
    refused(&agent, json!({ "reason": "" }), "reason: ").await;
}

#[tokio::test]
async fn nothing_lenient_widens_the_reach() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    for form in [json!([]), json!(""), json!("[]"), json!([""]), json!(["[]"])] {
        refused(&agent, json!({ "agent_ids": form }), "agent_ids: ").await;
        refused(&agent, json!({ "agent_ids": form, "all_agents": "true" }), "all").await;
    }
    for form in [json!("true"), json!(1), json!("yes"), json!("True")] {
        refused(&agent, json!({ "agent_ids": [], "all_agents": form }), "all_agents: ").await;
        let permanent = json!({ "duration_seconds": null, "permanent": form });
        refused(&agent, permanent, "permanent: ").await;
    }
    refused(&agent, json!({ "all_agents": true }), "it comes with all_agents").await;
    refused(&agent, json!({ "permanent": true }), "it comes with permanent").await;
}

#[tokio::test]
async fn arguments_of_workflow_tools_are_left_out() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let added = json!({
        "toolCallId": "call_1", "sessionId": "s", "chatInput": "block it",
        "action": "sendMessage", "tool": "Countersign",
    });
    same(&agent, added, json!({})).await;
    let added = json!({
        "tool": { "name": "block_ip", "description": "d" }, "wait_for_previous": true,
    });
    same(&agent, added, json!({})).await;
    for (field, value) in [
        ("action", json!("unblock")),
        ("tool", json!("undo_request")),
        ("tool", json!({ "name": "undo_request" })),
        ("wait_for_previous", json!("yes")),
        ("sessionId", json!({ "srcip": "203.0.113.1" })),
        ("command", json!("id")),
        ("arguments", block(json!({}))),
    ] {
        let mut more = json!({});
        more[field] = value;
        refused(&agent, more, "there is no such field").await;
    }
}

#[tokio::test]
async fn wrapped_arguments_ask_the_same() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    let right = agent.block(json!({})).await.id();
    for name in ["input", "arguments", "args", "kwargs", "params", "parameters", "properties"] {
        let mut whole = json!({ "toolCallId": "call_1" });
        whole[name] = block(json!({ "sessionId": "s" }));
        assert_eq!(agent.call("block_ip", whole).await.id(), right, "{name}");
    }
    for more in [
        json!({ "input": block(json!({})), "srcip": "198.51.100.24" }),
        json!({ "input": block(json!({})), "args": {} }),
        json!({ "input": { "input": block(json!({})) } }),
        json!({ "input": "198.51.100.23" }),
        json!({ "__arg1": block(json!({})).to_string() }),
    ] {
        let told = agent.call("block_ip", more.clone()).await;
        assert!(told.error && told.text.contains("there is no such field"), "{more}: {told:?}");
    }
}

#[tokio::test]
async fn text_for_nothing_is_left_out() {
    let scene = Scene::start().await;
    let agent = scene.agent().await;
    for nothing in ["null", "None", "none", "undefined"] {
        let filled = json!({
            "manager": nothing, "alert_id": nothing, "idempotency_key": nothing,
            "confidence": nothing, "all_agents": nothing, "permanent": "False",
        });
        same(&agent, filled, json!({})).await;
        refused(&agent, json!({ "agent_ids": nothing }), "agent_ids: ").await;
        refused(&agent, json!({ "duration_seconds": nothing }), "duration_seconds: ").await;
        refused(&agent, json!({ "srcip": nothing }), "srcip: ").await;
    }
    let all = json!({ "agent_ids": null, "all_agents": true, "srcip": "198.51.100.24" });
    let filled = json!({ "agent_ids": ["null"], "all_agents": true, "srcip": "198.51.100.24" });
    same(&agent, filled, all).await;
    refused(&agent, json!({ "agent_ids": ["null"] }), "agent_ids: ").await;
    refused(&agent, json!({ "agent_ids": ["null", "002"] }), "agent_ids: ").await;
}
