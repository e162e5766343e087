//! What Wazuh's own rules blocked: what a request meets, and what the page lists.

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::{Calls, Endpoint, Fault, Os, Times, Work};

use crate::harness::{ALERT, AgentClient, World, agent::Answer, page::Page, stored::assert_same};

/// The address that [`ALERT`] names, so that a block of it runs at once.
const ADDRESS: &str = "203.0.113.7";
const COMMAND: &str = "firewall-drop600";
const NOBODY: &str = "There are no active responses.";
const OWN: &str = "Wazuh&#39;s own active response";

/// A rule of the manager blocks the address on 001 for ten minutes.
fn rule_blocks(world: &World) {
    world.manager.rule_response("001", COMMAND, &json!({ "srcip": ADDRESS }));
}

async fn ask(agent: &AgentClient, seconds: u32) -> Answer {
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT, "duration_seconds": seconds });
    agent.block(ADDRESS, more).await
}

async fn page(world: &World, query: &str) -> Page {
    world.person("bob").await.get(&format!("/in-force{query}")).await
}

fn met(answer: &Answer) -> &Value {
    &answer.json["already_active"][0]
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_hears_what_rule_blocked_already() {
    let world = World::start().await;
    rule_blocks(&world);
    world.look().await;
    let asked = ask(&world.agent().await, 3600).await;
    let said = "It is already blocked on 001 by Wazuh's own active response since ";
    assert!(asked.text.contains(said), "{}", asked.text);
    assert!(asked.text.contains("nobody knows until when"), "{}", asked.text);
    assert!(met(&asked)["since"].is_string() && met(&asked)["rule_response_since"].is_string());
    assert_eq!(met(&asked).get("until"), None);
    let effect = met(&asked)["effect"].as_str().unwrap();
    assert!(effect.contains("may replace the timer of Wazuh's own"), "{effect}");
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_block_waits_where_rule_blocked_already() {
    let world = World::start().await;
    rule_blocks(&world);
    world.look().await;
    let asked = ask(&world.agent().await, 3600).await;
    assert_eq!(asked.state(), "pending", "{asked:?}");
    assert!(asked.text.contains("run.would-shorten"), "{asked:?}");
    let page = world.person("bob").await.get(&format!("/requests/{}", asked.id())).await;
    page.shows(&format!("Already blocked by {OWN}</strong> on "));
    page.shows("nobody knows until when");
    page.shows(&format!("Approving may replace the timer of {OWN}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_rule_response_stops_block_at_its_dispatch() {
    let world = World::start().await;
    let asked = ask(&world.agent().await, 3600).await;
    assert_eq!(asked.state(), "approved", "{asked:?}");
    rule_blocks(&world);
    world.look().await;
    world.work().await;
    assert_eq!(world.manager.received().len(), 0, "policy is asked again before it is sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_lists_what_rules_blocked() {
    let world = World::start().await;
    rule_blocks(&world);
    world.manager.rule_response("001", "disable-account600", &json!({ "dstuser": "mallory" }));
    world.look().await;
    for query in ["", "?search=203.0.113.7", "?search=001", "?sort=ends", "?sort=-where"] {
        let page = page(&world, query).await;
        page.shows(&format!("Block {ADDRESS}"));
        for text in [OWN, "the manager's configuration", "confirmed", "not known here"] {
            page.shows(text);
        }
    }
    page(&world, "").await.shows("Disable account mallory");
    page(&world, "?search=nowhere").await.shows("There are no active responses that match.");
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_rule_response_is_gone() {
    let world = World::start().await;
    rule_blocks(&world);
    world.look().await;
    world.pass_for_all(Duration::from_secs(601));
    world.look().await;
    page(&world, "").await.shows(NOBODY);
    let agent = world.agent().await;
    let asked = ask(&agent, 600).await;
    assert_eq!(asked.state(), "approved", "{asked:?}");
    assert_eq!(asked.json.get("already_active"), None);
    // The same alerts are read once more, then the rule blocks again.
    world.look().await;
    page(&world, "").await.shows(NOBODY);
    rule_blocks(&world);
    world.look().await;
    page(&world, "").await.shows(OWN);
}

#[tokio::test(flavor = "multi_thread")]
async fn look_without_news_wakes_no_page() {
    let world = World::start().await;
    world.manager.rule_response("001", "firewall-drop6", &json!({ "srcip": ADDRESS }));
    world.pass_for_all(Duration::from_secs(7));
    let mut changes = world.broker().changes();
    changes.mark_unchanged();
    world.look().await;
    assert!(changes.has_changed().unwrap(), "it was news");
    changes.mark_unchanged();
    let before = world.stored(&[]).await;
    world.pass_for_all(Duration::from_secs(5));
    world.look().await;
    assert!(!changes.has_changed().unwrap(), "the same alerts were read again");
    assert_same(&before, &world.stored(&[]).await, "a look without news");
}

#[tokio::test(flavor = "multi_thread")]
async fn start_and_end_in_one_look_leave_nothing() {
    let world = World::start().await;
    rule_blocks(&world);
    world.pass_for_all(Duration::from_secs(601));
    world.look().await;
    page(&world, "").await.shows(NOBODY);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_scripts_keeps_target_blocked() {
    let world = World::start().await;
    rule_blocks(&world);
    world.manager.rule_response("001", "host-deny1200", &json!({ "srcip": ADDRESS }));
    world.look().await;
    world.pass_for_all(Duration::from_secs(601));
    world.look().await;
    page(&world, "").await.shows(OWN);
    world.pass_for_all(Duration::from_mins(10));
    world.look().await;
    page(&world, "").await.shows(NOBODY);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_response_without_end_counts_for_a_day() {
    let world = World::start().await;
    world.manager.rule_response("001", "firewall-drop", &json!({ "srcip": ADDRESS }));
    world.look().await;
    world.pass_for_all(Duration::from_hours(23));
    world.look().await;
    page(&world, "").await.shows(OWN);
    world.pass_for_all(Duration::from_hours(2));
    page(&world, "").await.shows(NOBODY);
    assert_eq!(ask(&world.agent().await, 600).await.json.get("already_active"), None);
    world.manager.rule_response("002", COMMAND, &json!({ "srcip": "203.0.113.8" }));
    world.look().await;
    let stored = world.stored(&[]).await;
    assert_eq!(stored["rule_response"].len(), 1, "what does not count is deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_block_is_no_rule_response() {
    let world = World::start().await;
    let agent = world.agent().await;
    ask(&agent, 3600).await;
    world.work().await;
    world.look().await;
    let page = page(&world, "").await;
    page.shows("asked by triage-bot");
    assert!(!page.has(OWN), "{}", page.html);
    let stored = world.stored(&[]).await;
    assert!(stored["rule_response"].is_empty() && stored["rule_responses_read"].is_empty());
    world.pass_for_all(Duration::from_secs(1));
    assert_eq!(met(&ask(&agent, 7200).await).get("rule_response_since"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_response_beside_own_block_is_strict_too() {
    let world = World::start().await;
    let agent = world.agent().await;
    ask(&agent, 600).await;
    world.work().await;
    world.pass_for_all(Duration::from_secs(1));
    rule_blocks(&world);
    world.look().await;
    let longer = ask(&agent, 3600).await;
    assert_eq!(longer.state(), "pending", "it would only prolong our own: {longer:?}");
    let effect = met(&longer)["effect"].as_str().unwrap();
    assert!(effect.contains("replaces that timer"), "{effect}");
    assert!(effect.contains("Wazuh's own active response is active there too"), "{effect}");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_documents_do_no_harm() {
    let world = World::start().await;
    rule_blocks(&world);
    let good = world.manager.alerts().last().unwrap().clone();
    let odd = [
        ("/data", json!("add")),
        ("/data/command", json!(["add"])),
        ("/data/command", json!("check_keys")),
        ("/data/parameters", json!(7)),
        ("/data/parameters/program", json!("active-response/bin/restart-wazuh")),
        ("/data/parameters/program", Value::Null),
        ("/data/parameters/alert/data", json!([])),
        ("/data/parameters/alert/data/srcip", json!("any")),
        ("/data/parameters/alert/data/srcip", json!("203.0.113.9; reboot")),
        ("/agent/id", json!("../1")),
        ("/agent/id", json!(2)),
        ("/agent", Value::Null),
        ("/rule/id", json!("652")),
        ("/timestamp", json!("2999-01-01T00:00:00.000+0000")),
    ];
    for (field, value) in odd {
        let mut alert = good.clone();
        alert["data"]["parameters"]["alert"]["data"]["srcip"] = json!("203.0.113.66");
        *alert.pointer_mut(field).unwrap() = value;
        world.manager.add_alert(alert);
    }
    world.look().await;
    let stored = world.stored(&[]).await;
    assert_eq!(stored["rule_response"].len(), 1, "{:?}", stored["rule_response"]);
    page(&world, "").await.shows(&format!("Block {ADDRESS}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_responses_of_two_managers_do_not_mix() {
    let web = |id| Endpoint::new(id, &format!("web-{id}"), Os::UBUNTU).groups(&["web"]);
    let world = World::builder()
        .with_manager_name("main")
        .with_second_manager("paris")
        .with_second_simulator(|site| site.agents = vec![web("001")])
        .start()
        .await;
    world.second_manager.rule_response("001", COMMAND, &json!({ "srcip": ADDRESS }));
    world.look().await;
    let agent = world.agent().await;
    let block = async |endpoint: &str| {
        agent.block(ADDRESS, json!({ "agent_ids": [endpoint], "alert_id": ALERT })).await
    };
    assert_eq!(block("main/001").await.json.get("already_active"), None);
    let there = block("paris/001").await;
    assert!(met(&there)["rule_response_since"].is_string(), "{there:?}");
    page(&world, "").await.shows("paris/001");
    world.second_manager.advance(Duration::from_secs(601));
    world.pass(Duration::from_secs(601));
    world.look().await;
    page(&world, "").await.shows(NOBODY);
}

#[tokio::test(flavor = "multi_thread")]
async fn hour_between_the_clocks_changes_nothing() {
    for ahead in [true, false] {
        let world = World::start().await;
        let hour = Duration::from_hours(1);
        if ahead {
            world.manager.advance(hour);
        } else {
            world.manager.turn_back(hour);
        }
        rule_blocks(&world);
        world.look().await;
        page(&world, "").await.shows(OWN);
        world.pass_for_all(Duration::from_secs(601));
        world.look().await;
        page(&world, "").await.shows(NOBODY);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_search_loses_no_rule_response() {
    let world = World::start().await;
    rule_blocks(&world);
    world.manager.misbehave_on(Calls::Search, Fault::Drop(Work::NotDone), Times::Once);
    world.broker().observe("test").await.unwrap();
    world.broker().observe_rule_responses("test").await.unwrap_err();
    world.look().await;
    page(&world, "").await.shows(OWN);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_indexer_no_rule_response_is_known() {
    let world = World::builder().without_indexer().start().await;
    rule_blocks(&world);
    world.look().await;
    page(&world, "").await.shows(NOBODY);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_rule_responses_are_read_in_turn() {
    let world = World::start().await;
    rule_blocks(&world);
    let last = world.manager.alerts().last().unwrap().clone();
    let apart = chrono::TimeDelta::milliseconds(1);
    for number in 0..1500_u16 {
        let mut alert = last.clone();
        let at = world.clock.now() - chrono::TimeDelta::seconds(30) + apart * number.into();
        alert["timestamp"] = json!(at.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string());
        alert["data"]["parameters"]["program"] = json!("active-response/bin/site-script");
        world.manager.add_alert(alert);
    }
    world.look().await;
    page(&world, "").await.shows(NOBODY);
    world.look().await;
    page(&world, "").await.shows(OWN);
}
