//! What an agent is told of responses that act on something else than an address or an account.

use std::time::Duration;

use serde_json::{Value, json};

use super::{HASH, agent, approve, ask, builder};
use crate::harness::{AgentClient, World};

/// What each is asked with.
fn actions() -> [(&'static str, Value); 6] {
    [
        ("isolate_host", json!({})),
        ("kill_process", json!({ "pid": 4711, "process": "xmrig" })),
        ("quarantine_file", json!({ "path": "/srv/www/shell.php", "sha256": HASH })),
        ("block_domain", json!({ "domain": "bad.example" })),
        ("block_ip", json!({ "srcip": "203.0.113.9" })),
        ("disable_account", json!({ "dstuser": "jdoe" })),
    ]
}

/// Action, endpoint and target of what is active.
async fn find(agent: &AgentClient, wanted: Value) -> Vec<(String, String, String)> {
    let found = agent.call("find_responses", wanted.clone()).await;
    assert!(!found.error, "{wanted}: {found:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |row: &Value| (text(&row["action"]), text(&row["id"]), text(&row["target"]));
    found.json["responses"].as_array().unwrap().iter().map(row).collect()
}

/// Everything was done on 001.
async fn everything(world: &World) -> AgentClient {
    let agent = agent(world).await;
    for (tool, more) in actions() {
        let asked = ask(&agent, tool, &["001"], more).await;
        approve(world, &asked.id()).await;
    }
    world.pass_for_all(Duration::from_secs(5));
    world.look().await;
    agent
}

#[tokio::test]
async fn response_of_every_action_is_found() {
    let world = builder().start().await;
    let agent = everything(&world).await;
    let file = format!(r#"["/srv/www/shell.php","{HASH}"]"#);
    let row =
        |action: &str, target: &str| vec![(action.to_owned(), "001".to_owned(), target.to_owned())];
    for (wanted, found) in [
        (json!({ "target": "203.0.113.9" }), row("block_ip", "203.0.113.9")),
        (json!({ "target": "jdoe" }), row("disable_account", "jdoe")),
        (json!({ "target": "/srv/www/shell.php" }), row("quarantine_file", &file)),
        (json!({ "target": "/srv/www/shell" }), vec![]),
        (json!({ "target": "bad.example" }), row("block_domain", "bad.example")),
        (json!({ "action": "isolate_host" }), row("isolate_host", "")),
        (json!({ "action": "isolate_host", "agent_ids": ["001"] }), row("isolate_host", "")),
        (json!({ "action": "isolate_host", "agent_ids": ["web-01"] }), row("isolate_host", "")),
        (json!({ "action": "isolate_host", "agent_ids": ["002"] }), vec![]),
        (json!({ "action": "block_ip", "agent_ids": ["1"] }), row("block_ip", "203.0.113.9")),
        (json!({ "target": "203.0.113.9", "agent_ids": ["002"] }), vec![]),
        (json!({ "target": "203.0.113.9", "agent_ids": ["paris/001"] }), vec![]),
        (json!({ "target": "203.0.113.9", "action": "block_ip" }), row("block_ip", "203.0.113.9")),
    ] {
        assert_eq!(find(&agent, wanted.clone()).await, found, "{wanted}");
    }
    let there = find(&agent, json!({ "agent_ids": ["001", "test/001"] })).await;
    let actions: Vec<_> = there.iter().map(|(action, ..)| action.as_str()).collect();
    let all = ["isolate_host", "block_ip", "quarantine_file", "block_domain", "disable_account"];
    assert_eq!(actions, all);
}

#[tokio::test]
async fn ended_process_leaves_nothing_active() {
    let world = builder().start().await;
    let agent = everything(&world).await;
    assert_eq!(find(&agent, json!({ "target": "4711" })).await, []);
    let page = world.person("bob").await.get("/in-force").await;
    assert!(page.has("bad.example") && !page.has("xmrig"), "{}", page.html);
    // The same process may be there again.
    let killed = json!({ "pid": 4711, "process": "xmrig" });
    let again = ask(&agent, "kill_process", &["001"], killed).await;
    assert_eq!((again.state(), again.error), ("pending", false), "{again:?}");
    assert_eq!(again.json.get("already_active"), None, "{again:?}");
}
