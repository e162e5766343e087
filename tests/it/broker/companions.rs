//! The scripts of `deploy/active-response`: what is sent where they are installed, and what their reports
//! show.

use std::time::Duration;

use countersign::domain::{action::Catalogue, actor::Actor};
use serde_json::{Value, json};
use wazuh_simulator::{Endpoint, Os};

use super::requests::undo::lift;
use crate::harness::{AgentClient, World, WorldBuilder, agent::Answer};

mod find;
mod own;
mod verified;

const NOTHING: [&str; 0] = [];
const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// The scripts are on the endpoints of the group `web`: 001 and 002.
fn builder() -> WorldBuilder {
    World::builder().with_companions("web").with_simulator(|site| {
        site.names.extend(["countersign-block600", "countersign-isolate600"].map(str::to_owned));
    })
}

/// An agent that may ask for everything that is built in.
async fn agent(world: &World) -> AgentClient {
    let all = Catalogue::built_in().responses();
    world.operator().set_scopes(&Actor::CommandLine, "triage-bot", all).await.unwrap();
    world.agent().await
}

/// The answer to a permanent response on some endpoints.
async fn ask(agent: &AgentClient, tool: &'static str, ids: &[&str], more: Value) -> Answer {
    let mut arguments = json!({ "agent_ids": ids, "permanent": true, "reason": "a test asks" });
    for (name, value) in more.as_object().unwrap() {
        arguments[name] = value.clone();
    }
    agent.call(tool, arguments).await
}

/// As many approve it as it needs, and it is sent.
async fn approve(world: &World, id: &str) {
    for name in ["bob", "carol"] {
        let person = world.person(name).await;
        if person.offered(id, "approve").await {
            person.approve(id).await;
        }
    }
    world.work().await;
}

fn commands(world: &World) -> Vec<String> {
    world.manager.received().into_iter().map(|call| call.command).collect()
}

#[tokio::test]
async fn each_companion_gets_what_it_takes() {
    let world = builder().start().await;
    let agent = agent(&world).await;
    for (tool, more, script, data) in [
        ("isolate_host", json!({}), "countersign-isolate", json!({})),
        (
            "kill_process",
            json!({ "pid": 4711, "process": "xmrig" }),
            "countersign-kill",
            json!({ "pid": "4711", "process": "xmrig" }),
        ),
        (
            "quarantine_file",
            json!({ "path": "/srv/www/shell.php", "sha256": HASH }),
            "countersign-quarantine",
            json!({ "path": "/srv/www/shell.php", "sha256": HASH }),
        ),
        (
            "block_domain",
            json!({ "domain": "bad.example" }),
            "countersign-domain",
            json!({ "domain": "bad.example" }),
        ),
        (
            "block_ip",
            json!({ "srcip": "203.0.113.9" }),
            "countersign-block",
            json!({ "srcip": "203.0.113.9" }),
        ),
        (
            "disable_account",
            json!({ "dstuser": "jdoe" }),
            "countersign-account",
            json!({ "dstuser": "jdoe" }),
        ),
    ] {
        let asked = ask(&agent, tool, &["001"], more).await;
        assert_eq!(asked.state(), "pending", "{tool}: {}", asked.text);
        approve(&world, &asked.id()).await;
        let sent = world.manager.received().pop().unwrap();
        assert_eq!((sent.command, &sent.alert["data"]), (format!("!{script}"), &data));
        assert_eq!(sent.arguments.len(), 1, "the tag alone: {:?}", sent.arguments);
        world.pass_for_all(Duration::from_secs(5));
        world.look().await;
        let settled = agent.get(&asked.id()).await;
        assert_eq!(settled.outcomes(), ["001: verified"], "{tool}: {}", settled.json);
    }
}

#[tokio::test]
async fn endpoint_without_companions_is_skipped_with_advice() {
    let world = builder().start().await;
    let agent = agent(&world).await;
    let asked = ask(&agent, "isolate_host", &["002", "007"], json!({})).await;
    assert_eq!(asked.skipped(), ["007"]);
    let why = asked.json["endpoints"]["skipped"][0]["why"].to_string();
    assert!(why.contains("countersign-isolate") && why.contains("companion_groups"), "{why}");
    let none =
        ask(&agent, "kill_process", &["007"], json!({ "pid": 4711, "process": "xmrig" })).await;
    assert_eq!(none.state(), "denied", "{}", none.text);
}

#[tokio::test]
async fn process_without_name_and_hash_is_refused() {
    let world = builder().start().await;
    let agent = agent(&world).await;
    // Strict clients fill what they do not use.
    for more in [json!({ "pid": 4711 }), json!({ "pid": 4711, "process": "", "sha256": "" })] {
        let refused = ask(&agent, "kill_process", &["001"], more).await;
        assert!(
            refused.error && refused.text.contains("at least one of process, sha256"),
            "{}",
            refused.text
        );
    }
    let asked = ask(
        &agent,
        "kill_process",
        &["001"],
        json!({ "pid": 4711, "process": "", "sha256": HASH }),
    )
    .await;
    assert_eq!(asked.json["target"], format!(r#"["4711",null,"{HASH}"]"#));
    let page = world.person("bob").await.get(&format!("/requests/{}", asked.id())).await;
    page.shows(&format!("End process 4711 with SHA-256 {HASH}"));
}

#[tokio::test]
async fn built_in_types_bring_their_never_rules() {
    let world = builder()
        .with_settings(|settings| {
            settings.protected_targets.not_isolated.push("web-02".to_owned());
            settings.protected_hosts.push("10.0.0.11".to_owned());
        })
        .start()
        .await;
    let agent = agent(&world).await;
    for (tool, id, more) in [
        // 001 has the address of a protected host, 002 a name that the configuration spares.
        ("isolate_host", "001", json!({})),
        ("isolate_host", "002", json!({})),
        ("kill_process", "002", json!({ "pid": 4711, "process": "sshd" })),
        ("kill_process", "002", json!({ "pid": 4711, "process": "wazuh-agentd", "sha256": HASH })),
        ("quarantine_file", "002", json!({ "path": "/etc/passwd" })),
        ("quarantine_file", "002", json!({ "path": "/var/ossec/bin/wazuh-agentd" })),
        ("block_domain", "002", json!({ "domain": "packages.wazuh.com" })),
    ] {
        let denied = ask(&agent, tool, &[id], more.clone()).await;
        assert_eq!(denied.state(), "denied", "{tool} {more}: {}", denied.text);
        let why = denied.json.to_string();
        assert!(why.contains("never"), "{tool}: {why}");
    }
    assert!(world.manager.received().is_empty());
}

#[tokio::test]
async fn agent_without_scope_gets_no_companion_action() {
    let world = builder().start().await;
    let agent = world.agent().await;
    let tools = agent.tools().await;
    for tool in ["isolate_host", "kill_process", "quarantine_file", "block_domain"] {
        assert!(!tools.contains(&tool.to_owned()), "{tool}");
    }
    let refused = ask(&agent, "isolate_host", &["001"], json!({})).await;
    assert!(refused.text.contains("does not have the right"), "{}", refused.text);
}

#[tokio::test]
async fn isolation_names_what_stays_reachable() {
    let keeps = ["keep=countersign.example:443", "keep=10.0.0.53:53"];
    let world = builder().with_keeps(&keeps).start().await;
    let agent = agent(&world).await;
    let asked = ask(&agent, "isolate_host", &["001"], json!({})).await;
    let page = world.person("bob").await.get(&format!("/requests/{}", asked.id())).await;
    page.shows("!countersign-isolate keep=countersign.example:443 keep=10.0.0.53:53");
    approve(&world, &asked.id()).await;
    let sent = world.manager.received().pop().unwrap();
    assert_eq!(sent.command, "!countersign-isolate");
    assert_eq!(sent.arguments[1..], keeps);
    let undo = lift(&world, "carol", &asked.id()).await;
    approve(&world, &undo).await;
    assert_eq!(world.manager.active_responses("001"), NOTHING);
}

#[tokio::test]
async fn changed_keeps_withdraw_what_was_approved() {
    let world = builder().with_keeps(&["keep=10.0.0.53:53"]).start().await;
    let agent = agent(&world).await;
    let id = ask(&agent, "isolate_host", &["001"], json!({})).await.id();
    drop(agent);
    for name in ["bob", "carol"] {
        let person = world.person(name).await;
        if person.offered(&id, "approve").await {
            person.approve(&id).await;
        }
    }
    let world =
        Box::pin(world.restart_with(|builder| builder.with_keeps(&["keep=10.0.0.66:53"]))).await;
    world.work().await;
    let withdrawn = world.agent().await.get(&id).await;
    assert_eq!(withdrawn.state(), "withdrawn", "{}", withdrawn.text);
    assert!(world.manager.received().is_empty());
}

#[tokio::test]
async fn undo_of_one_overlapping_block_leaves_the_other() {
    let world = builder().start().await;
    let (first, second) = (agent(&world).await, world.another_agent("other-bot", "alice").await);
    let mut ids = Vec::new();
    for (asking, more) in [
        (&first, json!({ "srcip": "203.0.113.9" })),
        (&second, json!({ "srcip": "203.0.113.9", "permanent": false, "duration_seconds": 600 })),
    ] {
        let id = ask(asking, "block_ip", &["001"], more).await.id();
        approve(&world, &id).await;
        ids.push(id);
        world.pass_for_all(Duration::from_secs(5));
        world.look().await;
    }
    assert_eq!(commands(&world), ["!countersign-block", "countersign-block600"]);
    let undo = lift(&world, "carol", &ids[0]).await;
    world.work().await;
    let sent = world.manager.received().pop().unwrap();
    assert_eq!(sent.command, "!countersign-block-undo");
    assert_eq!(sent.arguments[1..], [format!("undo={}", ids[0])]);
    assert_eq!(world.manager.active_responses("001"), ["countersign-block 203.0.113.9"]);
    world.pass_for_all(Duration::from_secs(5));
    world.look().await;
    let page = world.person("carol").await.get(&format!("/requests/{undo}")).await;
    page.shows("verified");
    // The undo's report shows the end of what it took back, and of nothing else.
    let undone = first.get(&ids[0]).await;
    assert_eq!(undone.outcomes(), ["001: reverted"]);
    assert!(undone.json["endpoints"]["outcomes"][0]["evidence"].is_object(), "{}", undone.json);
    assert_eq!(second.get(&ids[1]).await.outcomes(), ["001: verified"]);
    world.pass_for_all(Duration::from_mins(10));
    world.look().await;
    assert_eq!(second.get(&ids[1]).await.outcomes(), ["001: ended"]);
    assert_eq!(world.manager.active_responses("001"), NOTHING);
}

#[tokio::test]
async fn block_of_shipped_script_is_undone_as_before() {
    let world = World::builder().with_simulator(|site| site.companion_rules = true).start().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    approve(&world, &id).await;
    drop(agent);
    // The scripts are installed afterwards.
    world.manager.add(
        Endpoint::new("001", "web-01", Os::UBUNTU)
            .groups(&["default", "linux", "web"])
            .companions("1"),
    );
    let world = Box::pin(world.restart_with(|builder| builder.with_companions("web"))).await;
    lift(&world, "carol", &id).await;
    world.work().await;
    assert_eq!(commands(&world), ["firewall-drop600", "firewall-drop1"]);
}

#[tokio::test]
async fn time_without_companion_command_takes_shipped_script() {
    let world = World::builder().with_companions("web").start().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    approve(&world, &id).await;
    assert_eq!(commands(&world), ["firewall-drop600"]);
}
