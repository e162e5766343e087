//! What an agent is answered: a model reads hidden words that a person would not see.

use reqwest::header;
use serde_json::{Value, json};

use super::{
    fixtures::{Stage, address, block},
    hostile_texts::{corpus, megabyte},
    visible_checks::{assert_clean, assert_clean_page},
};
use crate::harness::{AgentClient, agent::Answer, page::http_client, stored::assert_same};

#[track_caller]
pub(super) fn assert_clean_answer(answer: &Answer, what: &str) {
    // In JSON a control character is an escape: the strings themselves are looked at.
    strings(&answer.json, what);
    assert_clean(&answer.text, what);
}

#[track_caller]
fn strings(value: &Value, what: &str) {
    match value {
        Value::String(text) => {
            assert_clean(text, what);
            assert!(!text.contains('\n'), "{what}: {text:?} has more than one line");
        }
        Value::Array(list) => list.iter().for_each(|value| strings(value, what)),
        Value::Object(fields) => {
            for (name, value) in fields {
                assert_clean(name, what);
                strings(value, what);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_is_clean_in_every_agent_answer() {
    let mut stage = Stage::start().await;
    for (number, (name, text)) in corpus().into_iter().enumerate() {
        stage.next().await;
        let agent = stage.agent(&format!("bot-{number}")).await;
        let asked = block(&agent, &address(number), json!({ "reason": text })).await;
        assert_clean_answer(&asked, name);
        stage.say(&stage.bob, &asked.id(), "reject", &text).await;
        assert_clean_answer(&agent.get(&asked.id()).await, name);
        let list = agent.call("list_requests", json!({})).await;
        assert_clean_answer(&list, name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn validated_fields_refuse_hostile_text_in_clean_words() {
    let stage = Stage::start().await;
    let agent = stage.world.agent().await;
    let before = stage.world.stored(&["proposal.refused", "audit.read"]).await;
    for (name, text) in corpus() {
        for (tool, field) in [
            ("block_ip", "srcip"),
            ("disable_account", "dstuser"),
            ("block_ip", "alert_id"),
            ("block_ip", "idempotency_key"),
            ("block_ip", "manager"),
            ("block_ip", "no such field"),
        ] {
            // A key is any printable ASCII without spaces; it shows nowhere.
            let key = field == "idempotency_key" && text.bytes().all(|b| b.is_ascii_graphic());
            if !key {
                refused(&agent, tool, (field, &text), name).await;
            }
        }
        let ids = agent.block("203.0.113.9", json!({ "agent_ids": [text] })).await;
        assert!(ids.error, "{name}: {ids:?}");
        assert_clean_answer(&ids, name);
        for tool in ["get_request", "cancel_request", "undo_request", "wait_for_decision"] {
            let answer =
                agent.call(tool, json!({ "request_id": text, "reason": "it was wrong" })).await;
            assert!(answer.error, "{name}: {answer:?}");
            assert_clean_answer(&answer, name);
        }
        for field in ["state", "before"] {
            let answer = agent.call("list_requests", json!({ (field): text })).await;
            assert!(answer.error, "{name}: {answer:?}");
            assert_clean_answer(&answer, name);
        }
        let audit = stage.bob.get("/audit").await;
        assert_clean_page(&audit.html, &text, &format!("{name} refused, in the audit"));
    }
    let after = stage.world.stored(&["proposal.refused", "audit.read"]).await;
    assert_same(&before, &after, "a refused proposal");
}

async fn refused(agent: &AgentClient, tool: &'static str, field: (&str, &str), name: &str) {
    let (field, text) = field;
    let what = format!("{name} as {field}");
    let mut arguments = json!({
        "agent_ids": ["001"], "duration_seconds": 600, "reason": "a test asks",
    });
    match tool {
        "block_ip" => arguments["srcip"] = json!("203.0.113.9"),
        _ => arguments["dstuser"] = json!("mallory"),
    }
    if field == "no such field" {
        arguments[text] = json!(1);
    } else {
        arguments[field] = json!(text);
    }
    let answer = agent.call(tool, arguments).await;
    assert!(answer.error, "{what}: {answer:?}");
    assert!(answer.text.contains("Allowed: "), "{what}: {answer:?}");
    assert!(answer.text.chars().count() < 1000, "{what}: {answer:?}");
    assert_clean_answer(&answer, &what);
}

#[tokio::test(flavor = "multi_thread")]
async fn megabyte_from_agent_is_refused_and_not_stored() {
    let stage = Stage::start().await;
    let before = stage.world.stored(&[]).await;
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "block_ip", "arguments": {
            "srcip": "203.0.113.9", "agent_ids": ["001"], "duration_seconds": 600,
            "reason": megabyte(),
        } },
    });
    let post = http_client()
        .post(format!("{}/mcp", stage.world.url()))
        .bearer_auth(&stage.world.token)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header("MCP-Protocol-Version", "2025-11-25")
        .body(message.to_string());
    let answer = post.send().await.unwrap();
    assert_eq!(answer.status(), 413);
    assert!(!answer.text().await.unwrap().is_empty(), "it does not say why");
    assert_same(&before, &stage.world.stored(&[]).await, "a megabyte");
    let long = json!({ "agent_ids": ["001"], "reason": "x".repeat(100_000) });
    let answer = stage.world.agent().await.block("203.0.113.9", long).await;
    assert!(answer.error && answer.text.contains("it has 100000 characters"), "{answer:?}");
    let after = stage.world.stored(&["proposal.refused"]).await;
    assert_same(&before, &after, "a long reason");
}
