//! Taking back: what is lifted on the endpoint, who may, and what stays as it was.

use crate::harness::kind;
use std::time::Duration;

use countersign::domain::{actor::Actor, endpoint::Platform};
use reqwest::StatusCode;
use serde_json::{Value, json};
use wazuh_simulator::{AgentError, Fault, Script, Times, Work};

use crate::harness::{AgentClient, World, agent::Answer};

const NOTHING: [&str; 0] = [];

/// A block of ten minutes on these endpoints that bob approved and that was sent.
pub(super) async fn sent(world: &World, agent: &AgentClient, endpoints: &[&str]) -> String {
    let more = json!({ "agent_ids": endpoints });
    let id = agent.block("203.0.113.9", more).await.id();
    approve(world, &id, &["bob"]).await;
    id
}

/// These approve it, and it is sent.
pub(crate) async fn approve(world: &World, id: &str, names: &[&str]) {
    for name in names {
        world.person(name).await.approve(id).await;
    }
    world.work().await;
}

/// Somebody asks on the page for it to be taken back; the id of the undo.
pub(crate) async fn lift(world: &World, name: &str, id: &str) -> String {
    let page = world.person(name).await.vote(id, "undo", &[("comment", "our scanner")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    page.location.unwrap().rsplit_once('/').unwrap().1.to_owned()
}

/// Posts an approval that the page does not offer.
async fn approve_all_the_same(world: &World, name: &str, id: &str) -> StatusCode {
    let person = world.person(name).await;
    assert!(!person.offered(id, "approve").await, "{name}");
    let fields = person.form(id, "reject").await;
    person.post(&format!("/requests/{id}/approve"), &fields).await.status
}

fn commands(world: &World) -> Vec<String> {
    world.manager.received().into_iter().map(|call| call.command).collect()
}

fn first(answer: &Answer) -> &Value {
    &answer.json["endpoints"]["outcomes"][0]
}

/// A site with scripts of its own that take back what Wazuh cannot.
pub(super) async fn world_with_scripts() -> World {
    let unblock =
        Script { name: "site-unblock", executable: "site-unblock", lifts: Some("firewall-drop") };
    World::builder()
        .with_simulator(|site| site.scripts.push(unblock))
        .with_undo_command(kind("block_ip"), Platform::Linux, "!site-unblock")
        .with_undo_command(kind("disable_account"), Platform::Linux, "!countersign-unlock")
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_command_lifts_timed_block_and_alert_confirms() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    world.look().await;
    assert_eq!(world.manager.active_responses("001"), ["firewall-drop 203.0.113.9"]);
    let undo = agent.undo(&id).await;
    assert_eq!(undo.state(), "pending", "an agent's undo waits for a person");
    world.work().await;
    assert_eq!(commands(&world), ["firewall-drop600"]);
    approve(&world, &undo.id(), &["bob"]).await;
    assert_eq!(commands(&world), ["firewall-drop600", "firewall-drop1"]);
    let parent = agent.get(&id).await;
    assert_eq!(parent.outcomes(), ["001: reverted"]);
    assert!(parent.text.contains("nobody saw it work"), "{}", parent.text);
    world.pass_for_all(Duration::from_secs(3));
    assert_eq!(world.manager.active_responses("001"), NOTHING);
    world.look().await;
    let parent = agent.get(&id).await;
    assert_eq!(first(&parent)["evidence"]["rule"], "652", "{parent:?}");
    assert_eq!(first(&parent)["reverted_by"], undo.id());
    assert!(parent.text.contains("Reverted (seen)"), "{}", parent.text);
    assert_eq!(agent.get(&undo.id()).await.outcomes(), ["001: confirmed"]);
    world.pass_for_all(Duration::from_hours(2));
    world.look().await;
    let undo = agent.get(&undo.id()).await;
    assert_eq!(undo.outcomes(), ["001: confirmed"], "what takes back does not end by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_offers_cancelling_only_while_that_is_possible() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let pending = agent.undo(&id).await;
    assert!(pending.text.contains("it is pending; cancel it instead"), "{}", pending.text);
    world.person("bob").await.approve(&id).await;
    world.manager.hold("001");
    let meanwhile = async {
        world.manager.until_received(1).await;
        let undo = agent.undo(&id).await;
        assert!(undo.text.contains("it is dispatching; ask again once"), "{}", undo.text);
        assert!(agent.cancel(&id).await.error);
        world.manager.release("001");
    };
    tokio::join!(world.work(), meanwhile);
    assert_eq!(agent.undo(&id).await.state(), "pending");
    let other = agent.block("203.0.113.8", json!({ "agent_ids": ["001"] })).await.id();
    assert_eq!(agent.cancel(&other).await.state(), "cancelled");
    let cancelled = agent.undo(&other).await;
    assert!(cancelled.text.contains("it is cancelled; nothing was sent"), "{}", cancelled.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_never_sends_the_block_itself() {
    let world = World::builder()
        .with_simulator(|site| site.names.retain(|name| name != "firewall-drop1"))
        .start()
        .await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    let seen = agent.get(&id).await;
    assert_eq!(seen.json["undo"]["possible"], false);
    assert!(seen.json["undo"]["note"].as_str().unwrap().contains("timeout 1"), "{seen:?}");
    let undo = agent.undo(&id).await;
    assert_eq!((undo.state(), undo.error), ("denied", true), "{undo:?}");
    world.work().await;
    assert_eq!(commands(&world), ["firewall-drop600"]);
    assert_eq!(agent.get(&id).await.outcomes(), ["001: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_is_withdrawn_when_its_expiry_command_disappears() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    let undo = agent.undo(&id).await.id();
    world.person("bob").await.approve(&undo).await;
    world.manager.set_names(&["firewall-drop600"]);
    world.pass_for_all(Duration::from_mins(2));
    world.work().await;
    assert_eq!(agent.get(&undo).await.state(), "withdrawn");
    assert_eq!(commands(&world), ["firewall-drop600"]);
    assert_eq!(agent.get(&id).await.outcomes(), ["001: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn permanent_block_is_lifted_by_configured_command() {
    let world = world_with_scripts().await;
    let agent = world.agent().await;
    let more = json!({ "agent_ids": ["001"], "permanent": true, "duration_seconds": null });
    let id = agent.block("203.0.113.9", more).await.id();
    approve(&world, &id, &["bob", "carol"]).await;
    assert_eq!(world.manager.active_responses("001"), ["firewall-drop 203.0.113.9"]);
    assert_eq!(agent.get(&id).await.json["undo"]["possible"], true);
    let undo = agent.undo(&id).await.id();
    approve(&world, &undo, &["bob"]).await;
    assert_eq!(commands(&world), ["!firewall-drop", "!site-unblock"]);
    assert_eq!(world.manager.active_responses("001"), NOTHING);
    assert_eq!(agent.get(&id).await.outcomes(), ["001: reverted"]);
    world.look().await;
    assert_eq!(agent.get(&undo).await.outcomes(), ["001: confirmed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn enabling_account_requires_senior_other_than_requester() {
    let world = world_with_scripts().await;
    let agent = world.agent().await;
    let id = agent.disable("mallory", json!({ "agent_ids": ["001"] })).await.id();
    approve(&world, &id, &["bob"]).await;
    assert_eq!(world.manager.active_responses("001"), ["disable-account mallory"]);
    let undo = lift(&world, "carol", &id).await;
    let asked = agent.get(&undo).await;
    assert_eq!((asked.state(), &asked.json["action"]), ("pending", &json!("enable_account")));
    let tried = approve_all_the_same(&world, "carol", &undo).await;
    assert_eq!(tried, StatusCode::FORBIDDEN, "she asked for it");
    world.work().await;
    assert_eq!(agent.get(&undo).await.state(), "pending");
    assert!(world.audit_kinds().await.contains(&"vote.refused".to_owned()));
    approve(&world, &undo, &["bob"]).await;
    assert_eq!(commands(&world), ["disable-account600", "disable-account1"], "execd unlocks it");
    world.pass_for_all(Duration::from_secs(3));
    assert_eq!(world.manager.active_responses("001"), NOTHING);
    assert_eq!(agent.get(&id).await.outcomes(), ["001: reverted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn account_without_undo_command_shows_manual_steps_beforehand() {
    let world = World::builder()
        .with_simulator(|site| site.names.retain(|name| name != "disable-account1"))
        .start()
        .await;
    let agent = world.agent().await;
    let id = agent.disable("mallory", json!({ "agent_ids": ["001"] })).await.id();
    let html = world.person("bob").await.get(&format!("/requests/{id}")).await.html;
    assert!(html.contains("no command that ends a timed response early"), "{html}");
    assert!(html.contains("passwd -u mallory"), "{html}");
    approve(&world, &id, &["bob"]).await;
    let undo = agent.undo(&id).await;
    assert_eq!((undo.state(), undo.error), ("denied", true));
    let why = undo.json["endpoints"]["skipped"][0]["why"].as_str().unwrap();
    assert!(why.contains("passwd -u mallory"), "{why}");
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_of_unknown_outcome_lifts_the_block() {
    let world = World::start().await;
    let agent = world.agent().await;
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    let id = sent(&world, &agent, &["001"]).await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: unknown"]);
    let html = world.person("bob").await.get(&format!("/requests/{id}")).await.html;
    assert!(html.contains("may block for about a second and lift that"), "{html}");
    let undo = agent.undo(&id).await.id();
    approve(&world, &undo, &["bob"]).await;
    world.pass_for_all(Duration::from_secs(3));
    assert_eq!(world.manager.active_responses("001"), NOTHING);
    assert_eq!(agent.get(&id).await.outcomes(), ["001: reverted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_undos_are_one_request() {
    let world = World::start().await;
    let agent = world.agent().await;
    let other = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    let (one, two, three) =
        tokio::join!(agent.undo(&id), other.undo(&id), lift(&world, "alice", &id));
    assert_eq!((one.id(), two.id()), (three.clone(), three));
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_response_cannot_be_undone() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    let form = world.person("bob").await.form(&id, "undo").await;
    world.pass_for_all(Duration::from_mins(10));
    world.look().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: ended"]);
    let refused = agent.undo(&id).await;
    assert!(refused.error && refused.text.contains("stands on no endpoint"), "{refused:?}");
    let bob = world.person("bob").await;
    assert!(!bob.offered(&id, "undo").await);
    // With the token of a session of now, and what the page showed before.
    let mut fields = bob.get("/").await.form("/sign-out").unwrap();
    for name in ["version", "digest"] {
        fields.insert(name.to_owned(), form[name].clone());
    }
    fields.insert("comment".to_owned(), "too late".to_owned());
    let page = bob.post(&format!("/requests/{id}/undo"), &fields).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.html);
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn seniors_undo_runs_at_once_and_analysts_waits() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    let undo = lift(&world, "alice", &id).await;
    assert_eq!(agent.get(&undo).await.state(), "pending");
    let tried = approve_all_the_same(&world, "alice", &undo).await;
    assert_eq!(tried, StatusCode::FORBIDDEN, "she asked for it, and owns the agent");
    world.work().await;
    assert_eq!(commands(&world), ["firewall-drop600"]);
    world.person("bob").await.reject(&undo, "let it stand").await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: sent"], "a rejected undo changes nothing");
    let undo = lift(&world, "bob", &id).await;
    assert_eq!(agent.get(&undo).await.state(), "approved");
    world.work().await;
    assert_eq!(commands(&world), ["firewall-drop600", "firewall-drop1"]);
    assert_eq!(agent.get(&id).await.outcomes(), ["001: reverted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_owner_cannot_approve_agents_undo() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    let undo = agent.undo(&id).await.id();
    assert_eq!(approve_all_the_same(&world, "alice", &undo).await, StatusCode::FORBIDDEN);
    world.work().await;
    assert_eq!(agent.get(&undo).await.state(), "pending");
    assert_eq!(commands(&world), ["firewall-drop600"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_skips_re_enrolled_and_removed_endpoints() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001", "002", "007"]).await;
    world.manager.re_enrol("001");
    world.manager.remove("007");
    let undo = agent.undo(&id).await;
    assert_eq!(undo.json["endpoints"]["selected"], 1, "{undo:?}");
    assert_eq!(undo.skipped(), ["001", "007"]);
    for (place, expected) in ["another machine has this id now", "the manager no longer knows it"]
        .into_iter()
        .enumerate()
    {
        assert_eq!(undo.json["endpoints"]["skipped"][place]["why"], expected);
    }
    approve(&world, &undo.id(), &["bob"]).await;
    assert_eq!(world.manager.received()[1].asked, ["002"]);
    let parent = agent.get(&id).await.outcomes();
    assert_eq!(parent, ["001: sent", "002: reverted", "007: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_undo_changes_nothing_and_may_be_repeated() {
    for (fault, outcome) in [
        (Fault::EveryAgent(AgentError::NotConfigured), "001: refused"),
        (Fault::Drop(Work::NotDone), "001: unknown"),
    ] {
        let world = World::start().await;
        let agent = world.agent().await;
        let id = sent(&world, &agent, &["001"]).await;
        world.look().await;
        let undo = agent.undo(&id).await.id();
        world.manager.misbehave(fault, Times::Once);
        approve(&world, &undo, &["bob"]).await;
        assert_eq!(agent.get(&undo).await.outcomes(), [outcome]);
        let parent = agent.get(&id).await;
        assert_eq!(parent.outcomes(), ["001: confirmed"]);
        assert_eq!(parent.json["undo"]["possible"], true);
        let again = agent.undo(&id).await.id();
        assert_ne!(again, undo);
        approve(&world, &again, &["bob"]).await;
        assert_eq!(agent.get(&id).await.outcomes(), ["001: reverted"], "{outcome}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_undo_is_confirmed_by_its_alert() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    let undo = agent.undo(&id).await.id();
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    approve(&world, &undo, &["bob"]).await;
    assert_eq!(agent.get(&undo).await.outcomes(), ["001: unknown"]);
    assert_eq!(agent.get(&id).await.outcomes(), ["001: sent"]);
    world.pass_for_all(Duration::from_secs(3));
    world.look().await;
    assert_eq!(agent.get(&undo).await.outcomes(), ["001: confirmed"]);
    let parent = agent.get(&id).await;
    assert_eq!(
        (parent.outcomes(), &first(&parent)["evidence"]["rule"]),
        (vec!["001: ended".to_owned()], &json!("652"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn people_undo_what_revoked_agent_did() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    world.operator().revoke_agent(&Actor::CommandLine, "triage-bot").await.unwrap();
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": "undo_request", "arguments": { "request_id": id, "reason": "a false alarm" },
        },
    });
    let http = crate::harness::page::http_client();
    let post = http.post(format!("{}/mcp", world.url())).bearer_auth(&world.token);
    let post = post
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    let answer = post.body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let undo = lift(&world, "bob", &id).await;
    world.work().await;
    assert_eq!(commands(&world), ["firewall-drop600", "firewall-drop1"]);
    let html = world.person("bob").await.get(&format!("/requests/{undo}")).await.html;
    assert!(html.contains("asked by <b>bob</b>"), "{html}");
    world.pass_for_all(Duration::from_secs(3));
    assert_eq!(world.manager.active_responses("001"), NOTHING);
}
