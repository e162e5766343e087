//! An entry beside the policies has what a built-in one has: a script that reports, verifies and holds
//! for its request alone.

use std::{fs, time::Duration};

use countersign::domain::actor::Actor;
use countersign::mcp::tools::ToolName;
use serde_json::{Value, json};

use super::{NOTHING, approve, ask, builder, commands};
use crate::{
    broker::requests::undo::lift,
    harness::{AgentClient, World},
    mcp::json_schema::faults,
};

const ENTRY: &str = r#"
[[action]]
name = "hold_mail"
title = "Ask to hold the mail of a mailbox"
description = "Asks for what one mailbox sends to be held on mail servers."
words = "Hold the mail of {mailbox}"
state = "held"
tier = "low"

[[action.parameter]]
name = "mailbox"
type = "text"
pattern = "[a-z]+@example\\.com"
fills = "data.mailbox"
description = "The mailbox whose mail is to be held"

[action.command.linux]
companion = "countersign-hold-mail"
by_hand = "postsuper -H ALL"

[action.undo]
name = "pass_mail"
words = "Pass the mail of {mailbox}"
"#;

/// The entry is active, and the agent may use it.
async fn world() -> (World, AgentClient) {
    let builder = builder().with_simulator(|site| {
        site.names.push("countersign-hold-mail600".to_owned());
    });
    let world = builder.start().await;
    fs::write(world.policies.join("site.toml"), ENTRY).unwrap();
    let dora = world.signed_in("dora").await;
    let shown = world.policy_difference();
    world.broker().activate_policy(&dora, &world.policies, shown).await.unwrap();
    let all = world.broker().engine().catalogue().responses().to_vec();
    world.operator().set_scopes(&Actor::CommandLine, "triage-bot", &all).await.unwrap();
    let agent = world.agent().await;
    (world, agent)
}

/// Asked for on 001, approved, sent, and looked for.
async fn held(world: &World, agent: &AgentClient, more: Value) -> String {
    let mut all = json!({ "mailbox": "spam@example.com" });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let asked = ask(agent, "hold_mail", &["001"], all).await;
    assert_eq!(asked.state(), "pending", "{asked:?}");
    approve(world, &asked.id()).await;
    look(world).await;
    asked.id()
}

async fn look(world: &World) {
    world.pass_for_all(Duration::from_secs(5));
    world.look().await;
}

#[tokio::test]
async fn own_script_that_reports_verifies_and_is_undone_alone() {
    let (world, agent) = world().await;
    let id = held(&world, &agent, json!({})).await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: verified"]);
    let found = agent.call("find_responses", json!({ "target": "spam@example.com" })).await;
    assert_eq!(found.json["responses"][0]["action"], "hold_mail", "{found:?}");
    assert_eq!(found.json["responses"][0]["known"], "verified", "{found:?}");
    let undo = lift(&world, "carol", &id).await;
    approve(&world, &undo).await;
    look(&world).await;
    let sent = commands(&world);
    assert_eq!(sent, ["!countersign-hold-mail", "!countersign-hold-mail-undo"]);
    let arguments = world.manager.received().pop().unwrap().arguments;
    assert_eq!(arguments[1..], [format!("undo={id}")]);
    world.person("carol").await.get(&format!("/requests/{undo}")).await.shows("verified");
    let undone = agent.get(&id).await;
    assert_eq!(undone.outcomes(), ["001: reverted"]);
    assert!(undone.json["endpoints"]["outcomes"][0]["evidence"].is_object(), "{}", undone.json);
    assert_eq!(world.manager.active_responses("001"), NOTHING);
}

#[tokio::test]
async fn own_script_for_limited_time_verifies_its_end() {
    let (world, agent) = world().await;
    let timed = json!({ "permanent": false, "duration_seconds": 600 });
    let id = held(&world, &agent, timed).await;
    assert_eq!(commands(&world), ["countersign-hold-mail600"]);
    assert_eq!(agent.get(&id).await.outcomes(), ["001: verified"]);
    world.pass_for_all(Duration::from_mins(10));
    look(&world).await;
    let over = agent.get(&id).await;
    assert_eq!(over.outcomes(), ["001: ended"]);
    assert!(over.json["endpoints"]["outcomes"][0]["evidence"].is_object(), "{}", over.json);
}

#[tokio::test]
async fn endpoint_without_companions_skips_own_script() {
    let (world, agent) = world().await;
    let arguments = json!({ "mailbox": "spam@example.com" });
    let asked = ask(&agent, "hold_mail", &["002", "007"], arguments).await;
    assert_eq!(asked.skipped(), ["007"], "{asked:?}");
    let why = asked.json["endpoints"]["skipped"][0]["why"].to_string();
    assert!(why.contains("countersign-hold-mail"), "{why}");
    assert!(world.manager.received().is_empty());
}

#[tokio::test]
async fn answers_about_own_entry_fit_output_schemas() {
    let (world, agent) = world().await;
    let id = held(&world, &agent, json!({})).await;
    let catalogue = world.broker().engine().catalogue().clone();
    for (tool, answer) in [
        (ToolName::GetRequest, agent.get(&id).await),
        (ToolName::ListRequests, agent.call("list_requests", json!({})).await),
    ] {
        let schema = Value::Object(tool.answers(catalogue.all()));
        assert_eq!(faults(&schema, &answer.json), Vec::<String>::new(), "{answer:?}");
    }
}
