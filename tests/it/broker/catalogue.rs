//! An entry beside the policies: active with the set, a tool for those who may use it, and gone with
//! it.

use std::fs;

use countersign::domain::actor::Actor;
use serde_json::json;

use crate::harness::{AgentClient, World, fixtures::QUARANTINE_ENTRY};

const ENTRY: &str = r#"
[[action]]
name = "flush_queue"
title = "Ask to flush a mail queue"
description = "Asks for the queue of one sender to be flushed."
words = "Flush the queue of {sender} at port {port}"
state = "flushed"
tier = "low"
terms = ["permanent"]

[[action.parameter]]
name = "sender"
type = "text"
pattern = "[a-z]+@example\\.com"
fills = "data.sender"
description = "The sender whose queue is to be flushed"

[[action.parameter]]
name = "port"
type = "port"
fills = "argument 1"
description = "The port of the server"

[action.command.linux]
script = "site-flush-queue"
by_hand = "postsuper -r ALL"
"#;

async fn activate(world: &World) {
    let dora = world.signed_in("dora").await;
    let shown = world.policy_difference();
    world.broker().activate_policy(&dora, &world.policies, shown).await.unwrap();
}

/// The entry is active and the agent may use it; its client knows.
async fn with_entry(world: &World) -> AgentClient {
    fs::write(world.policies.join("site.toml"), ENTRY).unwrap();
    activate(world).await;
    with_entry_again(world).await
}

async fn flush(agent: &AgentClient) -> crate::harness::agent::Answer {
    let arguments = json!({
        "sender": "spam@example.com", "port": 25, "agent_ids": ["001"], "permanent": true,
        "reason": "a test asks",
    });
    agent.call("flush_queue", arguments).await
}

#[tokio::test]
async fn entry_makes_tool_for_agents_with_its_scope() {
    let world = World::start().await;
    let agent = world.agent().await;
    fs::write(world.policies.join("site.toml"), ENTRY).unwrap();
    activate(&world).await;
    assert!(!agent.tools().await.contains(&"flush_queue".to_owned()), "no scope");
    let refused = flush(&agent).await;
    assert!(refused.text.contains("does not have the right"), "{}", refused.text);
    let agent = with_entry_again(&world).await;
    assert!(agent.tools().await.contains(&"flush_queue".to_owned()));
    let asked = flush(&agent).await;
    assert_eq!(asked.state(), "pending", "{}", asked.text);
    assert_eq!(asked.json["target"], r#"["spam@example.com","25"]"#);
    let id = asked.id();
    for name in ["bob", "carol"] {
        world.person(name).await.approve(&id).await;
    }
    world.work().await;
    let sent = world.manager.received();
    assert_eq!(sent[0].command, "!site-flush-queue");
    assert_eq!(sent[0].alert, json!({ "data": { "sender": "spam@example.com" } }));
    assert_eq!(sent[0].arguments[1..], ["25"]);
    let page = world.person("bob").await.get(&format!("/requests/{id}")).await;
    page.shows("Flush the queue of spam@example.com at port 25");
}

/// Scopes alone: the entry is active already.
async fn with_entry_again(world: &World) -> AgentClient {
    let scopes = world.broker().engine().catalogue().responses().to_vec();
    world.operator().set_scopes(&Actor::CommandLine, "triage-bot", &scopes).await.unwrap();
    world.agent().await
}

#[tokio::test]
async fn argument_outside_the_pattern_is_refused_with_it() {
    let world = World::start().await;
    let agent = with_entry(&world).await;
    for (field, value, said) in [
        ("sender", json!("root@corp.example"), "[a-z]+@example\\.com"),
        ("port", json!(70_000), "one port, 1 to 65535"),
        ("permanent", json!(false), "it does not end by itself. Allowed: permanent: true"),
    ] {
        let mut arguments = json!({
            "sender": "spam@example.com", "port": 25, "agent_ids": ["001"], "permanent": true,
            "reason": "a test asks",
        });
        if field == "permanent" {
            arguments["duration_seconds"] = json!(600);
        }
        arguments[field] = value;
        let refused = agent.call("flush_queue", arguments).await;
        assert!(refused.error && refused.text.contains(said), "{field}: {}", refused.text);
    }
    assert!(world.manager.received().is_empty());
}

#[tokio::test]
async fn changed_or_removed_entry_withdraws_open_requests() {
    for change in [Some("now also warns"), None] {
        let world = World::start().await;
        let agent = with_entry(&world).await;
        let id = flush(&agent).await.id();
        let file = world.policies.join("site.toml");
        match change {
            Some(text) => fs::write(&file, ENTRY.replace("one sender", text)).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        activate(&world).await;
        let withdrawn = agent.get(&id).await;
        assert_eq!(withdrawn.state(), "withdrawn", "{}", withdrawn.text);
        let why = "not in the catalogue any more as it was";
        assert!(withdrawn.json.to_string().contains(why), "{}", withdrawn.json);
        // What was asked for stays readable, by the entry that it was asked with.
        let page = world.person("bob").await.get(&format!("/requests/{id}")).await;
        page.shows("Flush the queue of spam@example.com at port 25");
        assert!(agent.tools().await.contains(&"flush_queue".to_owned()) == change.is_some());
    }
}

#[tokio::test]
async fn wrong_entry_leaves_the_old_catalogue_active() {
    let world = World::start().await;
    let agent = with_entry(&world).await;
    fs::write(world.policies.join("site.toml"), ENTRY.replace("\"low\"", "\"none\"")).unwrap();
    let dora = world.signed_in("dora").await;
    let shown = world.policy_difference();
    let refused = world.broker().activate_policy(&dora, &world.policies, shown).await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("site.toml, flush_queue: tier: "), "{said}");
    assert!(said.contains("none") && said.contains("low, medium, high"), "{said}");
    assert!(agent.tools().await.contains(&"flush_queue".to_owned()));
}

#[tokio::test]
async fn page_shows_entry_as_part_of_the_difference() {
    let world = World::start().await;
    fs::write(world.policies.join("site.toml"), ENTRY).unwrap();
    let page = world.person("dora").await.get("/policy").await;
    page.shows("site.toml");
    page.shows("Flush the queue of {sender} at port {port}");
}

#[tokio::test]
async fn words_stay_those_of_the_active_entry() {
    let world = World::start().await;
    let agent = with_entry(&world).await;
    let id = flush(&agent).await.id();
    for name in ["bob", "carol"] {
        world.person(name).await.approve(&id).await;
    }
    world.work().await;
    let other = ENTRY.replace("Flush the queue of", "Look at the queue of");
    fs::write(world.policies.join("site.toml"), other).unwrap();
    let dora = world.person("dora").await;
    dora.get("/policy").await.shows("Look at the queue of {sender}");
    for page in ["/in-force", "/requests"] {
        dora.get(page).await.shows("Flush the queue of spam@example.com at port 25");
    }
}

const ISOLATE: &str = r#"
[[action]]
name = "cut_off"
title = "Ask to isolate an endpoint"
description = "Asks for endpoints to be cut off from the network."
words = "Isolate"
state = "isolated"
tier = "high"
isolates = true
terms = ["permanent"]

[action.command.linux]
script = "site-isolate"
by_hand = "ip link set up"
"#;

#[tokio::test]
async fn isolation_spares_manager_controllers_and_named_endpoints() {
    let world = World::builder()
        .with_settings(|settings| {
            settings.protected_targets.not_isolated.push("web-02".to_owned());
        })
        .start()
        .await;
    fs::write(world.policies.join("site.toml"), ISOLATE).unwrap();
    activate(&world).await;
    let agent = with_entry_again(&world).await;
    let isolate = async |ids: serde_json::Value| {
        let arguments = json!({ "agent_ids": ids, "permanent": true, "reason": "a test asks" });
        agent.call("cut_off", arguments).await
    };
    let asked = isolate(json!(["001"])).await;
    assert_eq!(asked.state(), "pending", "{}", asked.text);
    assert_eq!(asked.json["target"], "");
    for ids in [json!(["002"]), json!(["001", "002"])] {
        let denied = isolate(ids).await;
        assert_eq!(denied.state(), "denied", "{}", denied.text);
        assert!(denied.json.to_string().contains("is never isolated"), "{}", denied.json);
    }
}

#[tokio::test]
async fn isolation_of_a_protected_machine_is_denied() {
    let world = World::builder()
        .with_settings(|settings| settings.protected_hosts.push("10.0.0.11".to_owned()))
        .start()
        .await;
    fs::write(world.policies.join("site.toml"), ISOLATE).unwrap();
    activate(&world).await;
    let agent = with_entry_again(&world).await;
    let arguments = json!({ "agent_ids": ["001"], "permanent": true, "reason": "a test asks" });
    let denied = agent.call("cut_off", arguments).await;
    assert_eq!(denied.state(), "denied", "{}", denied.text);
}

#[tokio::test]
async fn protected_path_is_denied_to_agents() {
    let world = World::start().await;
    fs::write(world.policies.join("site.toml"), QUARANTINE_ENTRY).unwrap();
    activate(&world).await;
    let agent = with_entry_again(&world).await;
    for (path, state) in [
        ("/etc/passwd", "denied"),
        ("/ETC/passwd", "denied"),
        ("/var/ossec/bin/wazuh-agentd", "denied"),
        ("/var", "denied"),
        ("/srv/www/shell.php", "pending"),
    ] {
        let arguments = json!({
            "path": path, "agent_ids": ["001"], "permanent": true, "reason": "a test asks",
        });
        let asked = agent.call("hide_file", arguments).await;
        assert_eq!(asked.state(), state, "{path}: {}", asked.text);
    }
}
