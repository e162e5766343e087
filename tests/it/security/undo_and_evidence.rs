//! Attacks on what comes after the call: unknown outcomes, undos, and what people say was done.

use crate::harness::kind;
use std::collections::BTreeMap;

use countersign::{
    connector::Connector,
    domain::{actor::Actor, endpoint::Platform},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use wazuh_simulator::{Fault, Times, Work};

use crate::harness::{ALERT, AgentClient, PersonClient, World, fixtures::connector};

/// A block that runs without people.
fn at_once() -> Value {
    json!({ "agent_ids": ["001"], "alert_id": ALERT })
}

const KNOWN: &str = "203.0.113.7";

/// An agent that bob, a senior, owns.
async fn bobs_agent(world: &World) -> AgentClient {
    world.another_agent("bobs-bot", "bob").await
}

/// The connection broke when the block was done, and no alert is to be seen.
async fn unknown(world: &World, agent: &AgentClient) -> String {
    world.manager.hold_evidence();
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    let id = agent.block(KNOWN, at_once()).await.id();
    world.work().await;
    world.manager.behave();
    assert_eq!(agent.get(&id).await.outcomes(), ["001: unknown"]);
    id
}

async fn undo(person: &PersonClient, id: &str) -> String {
    let page = person.vote(id, "undo", &[("comment", "a false alarm")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    page.location.unwrap().trim_start_matches("/requests/").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn unconfirmed_undo_does_not_release_unknown_outcome() {
    let world = World::start().await;
    let agent = bobs_agent(&world).await;
    let id = unknown(&world, &agent).await;
    let bob = world.person("bob").await;
    undo(&bob, &id).await;
    world.work().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: reverted"]);
    assert_eq!(agent.block(KNOWN, at_once()).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_by_since_disabled_person_does_not_run() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = agent.block(KNOWN, at_once()).await.id();
    world.work().await;
    let operator = world.operator();
    world.freeze("somebody has bob's password").await;
    let child = undo(&world.person("bob").await, &id).await;
    assert_eq!(agent.get(&child).await.state(), "approved");
    operator.disable_person(&Actor::CommandLine, "bob").await.unwrap();
    world.unfreeze().await;
    world.work().await;
    assert_eq!(agent.get(&child).await.state(), "pending");
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_alert_refutes_finding_that_nothing_was_done() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = unknown(&world, &agent).await;
    let carol = world.person("carol").await;
    let found = [("endpoint", "001"), ("ruling", "not_done"), ("comment", "nothing there")];
    let page = carol.vote(&id, "resolve", &found).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    assert_eq!(agent.get(&id).await.outcomes(), ["001: refused"]);
    world.manager.release_evidence();
    world.look().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: confirmed"]);
}

#[test]
fn shipped_script_cannot_be_an_undo_command() {
    for command in
        ["!firewall-drop", "!netsh.exe", "!route-null", "!restart.sh", "!disable-account"]
    {
        let mut settings = connector("test", "http://127.0.0.1:1", false);
        let of_linux = ((kind("block_ip"), Platform::Linux), command.to_owned());
        settings.undo_commands = BTreeMap::from([of_linux]);
        let said = Connector::wazuh(settings).unwrap_err().to_string();
        assert!(said.contains("once more"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_name_for_blocking_script_cannot_be_undo_command() {
    let world = World::start().await;
    world.manager.set_names(&["firewall-drop0", "firewall-drop600"]);
    let mut settings = connector("test", world.broker().managers()[0].url(), false);
    let of_linux = ((kind("block_ip"), Platform::Linux), "firewall-drop0".to_owned());
    settings.undo_commands = BTreeMap::from([of_linux]);
    let manager = Connector::wazuh(settings).unwrap();
    let action = countersign::domain::action::Action::parse(kind("unblock_ip"), KNOWN).unwrap();
    let term = countersign::domain::action::Term::Permanent;
    let can = manager.can_run(&action, term, Platform::Linux, world.clock.now()).await;
    assert!(can.is_err(), "{can:?}");
}
