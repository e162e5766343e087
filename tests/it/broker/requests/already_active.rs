//! What is active already: what a second request for the same target meets, and what it does.

use std::time::Duration;

use countersign::domain::endpoint::Platform;
use serde_json::{Value, json};
use wazuh_simulator::{Fault, Script, Times, Work};

use crate::harness::{AgentClient, World, kind};

const NOTHING: [&str; 0] = [];
const BLOCKED: [&str; 1] = ["firewall-drop 203.0.113.9"];

/// Command names of three lengths, and a script that lifts permanent blocks.
pub(super) async fn world() -> World {
    let unblock =
        Script { name: "site-unblock", executable: "site-unblock", lifts: Some("firewall-drop") };
    World::builder()
        .with_simulator(|site| {
            site.scripts.push(unblock);
            site.names.push("disable-account3600".to_owned());
        })
        .with_undo_command(kind("block_ip"), Platform::Linux, "!site-unblock")
        .with_undo_command(kind("disable_account"), Platform::Linux, "!countersign-unlock")
        .start()
        .await
}

/// Asks for a block, lets these people approve it, and sends it.
async fn block(world: &World, agent: &AgentClient, more: Value, names: &[&str]) -> String {
    let id = agent.block("203.0.113.9", more).await.id();
    approve(world, &id, names).await;
    id
}

pub(super) async fn approve(world: &World, id: &str, names: &[&str]) {
    for name in names {
        world.person(name).await.approve(id).await;
    }
    world.work().await;
    // No two commands reach an endpoint in the same moment.
    world.pass_for_all(Duration::from_secs(1));
}

fn seconds(seconds: u32) -> Value {
    json!({ "agent_ids": ["001"], "duration_seconds": seconds })
}

pub(super) fn permanent(endpoint: &str) -> Value {
    json!({ "agent_ids": [endpoint], "permanent": true, "duration_seconds": null })
}

/// When the response ends on its endpoint, as the agent is told.
pub(super) async fn until(agent: &AgentClient, id: &str) -> Value {
    agent.get(id).await.json["endpoints"]["outcomes"][0]["until"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_hears_what_is_active_before_anyone_decides() {
    let world = world().await;
    let agent = world.agent().await;
    let first = block(&world, &agent, seconds(3600), &["bob"]).await;
    world.look().await;
    let second = agent.block("203.0.113.9", seconds(600)).await;
    let met = &second.json["already_active"][0];
    assert_eq!(met["endpoint"], "001");
    assert_eq!(met["request_ids"], json!([first]));
    assert!(met["until"].is_string() && met["since"].is_string(), "{met}");
    assert!(met["effect"].as_str().unwrap().contains("replaces that timer"), "{met}");
    assert!(met["effect"].as_str().unwrap().contains("earlier than"), "{met}");
    assert!(second.text.contains("It is already blocked on 001 until"), "{}", second.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_agent_never_learns_whose_request_is_active() {
    let world = world().await;
    let first = block(&world, &world.agent().await, seconds(3600), &["bob"]).await;
    let other = world.another_agent("hunter", "alice").await;
    let second = other.block("203.0.113.9", seconds(600)).await;
    assert!(second.text.contains("already blocked"), "{}", second.text);
    assert_eq!(second.json["already_active"][0].get("request_ids"), None);
    assert!(!second.text.contains(&first) && !second.json.to_string().contains(&first));
}

#[tokio::test(flavor = "multi_thread")]
async fn page_shows_what_approving_does_to_the_timer() {
    let world = world().await;
    let agent = world.agent().await;
    let first = block(&world, &agent, seconds(3600), &["bob"]).await;
    world.look().await;
    let second = agent.block("203.0.113.9", seconds(600)).await.id();
    let page = world.person("bob").await.get(&format!("/requests/{second}")).await;
    page.shows("Already blocked");
    page.shows("Approving replaces that timer");
    page.shows(&format!("href=\"/requests/{first}\""));
    page.shows("asked by <b>triage-bot</b>");
}

#[tokio::test(flavor = "multi_thread")]
async fn shorter_block_moves_the_end_of_the_longer() {
    let world = world().await;
    let agent = world.agent().await;
    let first = block(&world, &agent, seconds(3600), &["bob"]).await;
    let second = block(&world, &agent, seconds(600), &["bob"]).await;
    world.look().await;
    assert_eq!(until(&agent, &first).await, until(&agent, &second).await, "one timer, one end");
    assert!(world.audit_kinds().await.contains(&"response.end_moved".to_owned()));
    let page = world.person("bob").await.get(&format!("/requests/{first}")).await;
    page.shows(&format!("moved its end, because {second} is for the same target"));
    world.pass_for_all(Duration::from_secs(601));
    assert_eq!(world.manager.active_responses("001"), NOTHING);
    world.look().await;
    for id in [&first, &second] {
        assert_eq!(agent.get(id).await.outcomes(), ["001: ended"]);
        let end = agent.get(id).await.json["endpoints"]["outcomes"][0]["evidence"].clone();
        assert_eq!(end["rule"], "652", "the one alert shows both ends");
    }
    world.person("bob").await.get("/in-force").await.shows("There are no active responses.");
}

#[tokio::test(flavor = "multi_thread")]
async fn timer_ends_the_permanent_lock_of_an_account() {
    let world = world().await;
    let agent = world.agent().await;
    let timed = json!({ "agent_ids": ["001"], "duration_seconds": 600 });
    let timed = agent.disable("mallory", timed).await.id();
    approve(&world, &timed, &["bob"]).await;
    let locked = agent.disable("mallory", permanent("001")).await;
    let said = locked.json["already_active"][0]["effect"].as_str().unwrap().to_owned();
    assert!(said.contains("the timer that runs ends both"), "{said}");
    approve(&world, &locked.id(), &["bob", "carol"]).await;
    world.look().await;
    let page = world.person("bob").await.get("/in-force").await;
    page.shows("until <time");
    assert!(!page.has("when somebody takes it back"), "{}", page.html);
    world.pass_for_all(Duration::from_secs(601));
    assert_eq!(world.manager.active_responses("001"), NOTHING);
    world.look().await;
    for id in [&timed, &locked.id()] {
        assert_eq!(agent.get(id).await.outcomes(), ["001: ended"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn permanent_linux_block_outlives_the_timed_one() {
    let world = world().await;
    let agent = world.agent().await;
    let timed = block(&world, &agent, seconds(600), &["bob"]).await;
    let kept = agent.block("203.0.113.9", permanent("001")).await;
    let said = &kept.json["already_active"][0]["effect"];
    assert!(said.as_str().unwrap().contains("adds a rule"), "{said}");
    approve(&world, &kept.id(), &["bob", "carol"]).await;
    world.pass_for_all(Duration::from_secs(601));
    world.look().await;
    assert_eq!(world.manager.active_responses("001"), BLOCKED);
    assert_eq!(agent.get(&timed).await.outcomes(), ["001: ended"]);
    assert_eq!(agent.get(&kept.id()).await.outcomes(), ["001: confirmed"]);
    let page = world.person("bob").await.get("/in-force").await;
    page.shows("when somebody takes it back");
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_of_one_block_reverts_its_twin() {
    let world = world().await;
    let agent = world.agent().await;
    let first = block(&world, &agent, seconds(600), &["bob"]).await;
    let twin = block(&world, &agent, seconds(3600), &["bob"]).await;
    world.look().await;
    let page = world.person("bob").await.get(&format!("/requests/{first}")).await;
    page.shows("It also lifts what 1 other request put in place");
    page.shows(&format!("href=\"/requests/{twin}\""));
    page.shows("href=\"/in-force?search=203.0.113.9\"");
    let undo = agent.undo(&first).await;
    assert!(undo.text.contains("also lifts"), "{}", undo.text);
    approve(&world, &undo.id(), &["bob"]).await;
    world.pass_for_all(Duration::from_secs(3));
    assert_eq!(world.manager.active_responses("001"), NOTHING);
    world.look().await;
    for id in [&first, &twin] {
        let answer = agent.get(id).await;
        assert_eq!(answer.outcomes(), ["001: reverted"]);
        assert_eq!(answer.json["endpoints"]["outcomes"][0]["reverted_by"], undo.id());
    }
    world.person("bob").await.get("/in-force").await.shows("There are no active responses.");
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_never_learns_which_other_request_lifted_its_own() {
    let world = world().await;
    let (first, second) = (world.agent().await, world.another_agent("hunter", "alice").await);
    for by_person in [false, true] {
        let own = block(&world, &first, seconds(600), &["bob"]).await;
        let foreign = block(&world, &second, seconds(3600), &["bob"]).await;
        world.look().await;
        let undo = if by_person {
            let bob = world.person("bob").await;
            let page = bob.vote(&foreign, "undo", &[("comment", "our scanner")]).await;
            page.leads_to().rsplit_once('/').unwrap().1.to_owned()
        } else {
            let undo = second.undo(&foreign).await.id();
            world.person("bob").await.approve(&undo).await;
            undo
        };
        world.work().await;
        world.pass_for_all(Duration::from_secs(3));
        world.look().await;
        let theirs = second.get(&foreign).await;
        assert_eq!(theirs.json["endpoints"]["outcomes"][0]["reverted_by"], undo, "{theirs:?}");
        let listed = first.call("list_requests", json!({})).await;
        let again = first.undo(&own).await;
        let answer = first.get(&own).await;
        assert_eq!(answer.outcomes(), ["001: reverted"], "{answer:?}");
        assert_eq!(answer.json["endpoints"]["outcomes"][0].get("reverted_by"), None, "{answer:?}");
        for (answer, others) in [answer, listed, again].iter().zip([[&undo, &foreign]; 3]) {
            let said = format!("{}{}", answer.text, answer.json);
            assert!(others.iter().all(|other| !said.contains(*other)), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn block_does_not_start_while_undone_timer_runs() {
    let world = world().await;
    let agent = world.agent().await;
    let timed = json!({ "agent_ids": ["001"], "duration_seconds": 600 });
    let first = agent.disable("mallory", timed.clone()).await.id();
    approve(&world, &first, &["bob"]).await;
    // The site's own script unlocks; the endpoint's timer does not know of it.
    world.manager.set_names(&["disable-account600"]);
    world.pass_for_all(Duration::from_mins(2));
    let undo = agent.undo(&first).await.id();
    approve(&world, &undo, &["bob"]).await;
    assert_eq!(world.manager.active_responses("001"), NOTHING);
    let again = agent.disable("mallory", timed).await;
    let said = again.json["already_active"][0]["effect"].as_str().unwrap().to_owned();
    assert!(said.contains("does nothing"), "{said}");
    approve(&world, &again.id(), &["bob"]).await;
    assert_eq!(world.manager.active_responses("001"), NOTHING, "execd only sets the timer anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_block_that_would_shorten_waits_for_people() {
    let world = world().await;
    let agent = world.agent().await;
    let alert = json!({
        "agent_ids": ["001"], "duration_seconds": 600, "alert_id": crate::harness::ALERT,
    });
    let at_once = |more: Value| agent.block("203.0.113.7", more);
    assert_eq!(at_once(alert.clone()).await.state(), "approved", "nothing is active yet");
    world.work().await;
    world.pass_for_all(Duration::from_secs(1));
    let longer = json!({
        "agent_ids": ["001"], "duration_seconds": 3600, "alert_id": crate::harness::ALERT,
    });
    assert_eq!(at_once(longer).await.state(), "approved", "it only prolongs");
    world.work().await;
    world.pass_for_all(Duration::from_secs(1));
    let shorter = at_once(alert).await;
    assert_eq!(shorter.state(), "pending", "{shorter:?}");
    assert!(shorter.text.contains("run.would-shorten"), "{shorter:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn block_that_may_not_have_run_shortens_nothing() {
    for fault in [Fault::Drop(Work::NotDone), Fault::Undelivered] {
        let world = world().await;
        let agent = world.agent().await;
        let first = block(&world, &agent, seconds(3600), &["bob"]).await;
        world.look().await;
        let end = until(&agent, &first).await;
        world.manager.misbehave(fault, Times::Once);
        let second = block(&world, &agent, seconds(600), &["bob"]).await;
        assert_eq!(until(&agent, &first).await, end, "it may not have run");
        world.pass_for_all(Duration::from_mins(15));
        world.look().await;
        assert_eq!(world.manager.active_responses("001"), BLOCKED);
        assert_eq!(agent.get(&first).await.outcomes(), ["001: confirmed"]);
        assert_ne!(agent.get(&second).await.outcomes(), ["001: confirmed"]);
        let third = agent.block("203.0.113.9", seconds(600)).await;
        let effect = third.json["already_active"][0]["effect"].as_str().unwrap().to_owned();
        assert!(effect.contains("earlier than"), "the long block stands: {effect}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn late_block_counts_once_its_start_is_seen() {
    let world = world().await;
    let agent = world.agent().await;
    let first = block(&world, &agent, seconds(3600), &["bob"]).await;
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    let second = block(&world, &agent, seconds(600), &["bob"]).await;
    assert_eq!(agent.get(&second).await.outcomes(), ["001: unknown"]);
    assert_ne!(until(&agent, &first).await, until(&agent, &second).await);
    world.look().await;
    assert_eq!(agent.get(&second).await.outcomes(), ["001: confirmed"]);
    assert_eq!(until(&agent, &first).await, until(&agent, &second).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn end_of_one_block_leaves_unknown_one_unknown() {
    let world = world().await;
    let agent = world.agent().await;
    let first = block(&world, &agent, seconds(600), &["bob"]).await;
    world.look().await;
    world.manager.misbehave(Fault::Drop(Work::NotDone), Times::Once);
    let second = block(&world, &agent, seconds(3600), &["bob"]).await;
    world.manager.restart_agent("001");
    world.look().await;
    assert_eq!(agent.get(&first).await.outcomes(), ["001: ended"]);
    assert_eq!(agent.get(&second).await.outcomes(), ["001: unknown"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_that_may_not_have_run_lifts_no_twin() {
    let world = world().await;
    let agent = world.agent().await;
    let first = block(&world, &agent, seconds(600), &["bob"]).await;
    let twin = block(&world, &agent, seconds(3600), &["bob"]).await;
    world.look().await;
    world.manager.misbehave(Fault::Undelivered, Times::Once);
    let undo = agent.undo(&first).await.id();
    approve(&world, &undo, &["bob"]).await;
    world.pass_for_all(Duration::from_mins(15));
    world.look().await;
    assert_eq!(world.manager.active_responses("001"), BLOCKED);
    assert_eq!(agent.get(&twin).await.outcomes(), ["001: confirmed"]);
    assert_eq!(agent.get(&first).await.outcomes(), ["001: reverted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_found_not_done_brings_the_block_back() {
    let world = world().await;
    let agent = world.agent().await;
    let first = block(&world, &agent, seconds(3600), &["bob"]).await;
    world.look().await;
    world.manager.misbehave(Fault::Undelivered, Times::Once);
    let undo = agent.undo(&first).await.id();
    approve(&world, &undo, &["bob"]).await;
    world.pass_for_all(Duration::from_mins(15));
    world.look().await;
    assert_eq!(agent.get(&undo).await.outcomes(), ["001: unconfirmed"]);
    let found = [("endpoint", "001"), ("ruling", "not_done"), ("comment", "still blocked")];
    world.person("carol").await.vote(&undo, "resolve", &found).await;
    assert_eq!(agent.get(&first).await.outcomes(), ["001: unconfirmed"]);
    assert!(world.audit_kinds().await.contains(&"response.undo_failed".to_owned()));
    world.look().await;
    assert_eq!(agent.get(&first).await.outcomes(), ["001: confirmed"], "its alert is still there");
    assert_eq!(agent.get(&first).await.json["undo"]["possible"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_lapses_when_request_would_now_shorten() {
    let world = world().await;
    let agent = world.agent().await;
    let longer = agent.block("203.0.113.9", seconds(3600)).await.id();
    world.pass_for_all(Duration::from_secs(1));
    let shorter = agent.block("203.0.113.9", seconds(600)).await.id();
    for id in [&longer, &shorter] {
        world.person("bob").await.approve(id).await;
    }
    world.pass_for_all(Duration::from_secs(1));
    world.work().await;
    assert_eq!(world.manager.received().len(), 1, "the shorter one was approved beside nothing");
    assert_eq!(agent.get(&shorter).await.state(), "pending");
    let page = world.person("bob").await.get(&format!("/requests/{shorter}")).await;
    page.shows("what it would cut short began after it was approved by bob");
    world.pass_for_all(Duration::from_secs(1));
    approve(&world, &shorter, &["bob"]).await;
    assert_eq!(world.manager.received().len(), 2);
    assert_eq!(agent.get(&shorter).await.state(), "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_request_meets_nothing() {
    let world = world().await;
    let agent = world.agent().await;
    block(&world, &agent, seconds(3600), &["bob"]).await;
    let second = agent.block("203.0.113.9", seconds(600)).await;
    assert!(second.json["already_active"].is_array());
    agent.cancel(&second.id()).await;
    let cancelled = agent.get(&second.id()).await;
    assert_eq!(cancelled.json["already_active"], Value::Null, "{cancelled:?}");
    assert!(!cancelled.text.contains("already blocked"), "{}", cancelled.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_of_older_version_move_at_start() {
    let world = world().await;
    let agent = world.agent().await;
    let first = block(&world, &agent, seconds(3600), &["bob"]).await;
    let second = block(&world, &agent, seconds(600), &["bob"]).await;
    world.look().await;
    world.execute("UPDATE request_endpoint SET ends_at = since + 3600000000").await;
    let world = world.restart().await;
    let agent = world.agent().await;
    assert_eq!(until(&agent, &first).await, until(&agent, &second).await);
    world.pass_for_all(Duration::from_secs(601));
    world.look().await;
    assert_eq!(agent.get(&first).await.outcomes(), ["001: ended"]);
}
