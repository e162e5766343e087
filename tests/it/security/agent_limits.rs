//! What an agent is refused must not turn against what people approved, nor switch the agent off:
//! whoever causes alerts can make it ask for what is refused.

use std::{fs, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use countersign::clock::Clock;
use reqwest::StatusCode;
use serde_json::json;
use wazuh_simulator::Settings;

use crate::{
    broker::admin::people::{forced, used, written},
    harness::{AgentClient, PASSWORD, World, agent::Answer},
};

const LIFT: &str = "/agents/triage-bot/lift";

/// What a site may still have, as 0.1.0 shipped it: it asks again after people decided, and denies.
const DENIES: &str = r#"
@id("site.too-many-refusals")
@why("this agent was refused too often")
forbid (
  principal is Countersign::Agent,
  action in Countersign::Action::"ask",
  resource is Countersign::Endpoint
)
when { context.facts.refused_last_day > 10 };
"#;

async fn denying_world() -> World {
    let world = World::start().await;
    fs::write(world.policies.join("60_site.cedar"), DENIES).unwrap();
    let tests = world.policies.join("tests");
    fs::remove_dir_all(tests).unwrap();
    let dora = world.person("dora").await;
    let fields = dora.get("/policy").await.form("/policy/activate").unwrap();
    let page = dora.post("/policy/activate", &fields).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    world
}

/// Private addresses, which are never blocked.
async fn refused(agent: &AgentClient, times: u8) {
    for number in 1..=times {
        let asked = agent.block(&format!("10.9.8.{number}"), json!({ "agent_ids": ["001"] })).await;
        assert_eq!(asked.state(), "denied", "{asked:?}");
    }
}

/// A world whose indexer holds as many alerts of one address as [`at_once`] may number.
async fn world() -> World {
    let alerts = |site: &mut Settings| {
        let first = site.alerts[0].clone();
        for number in 0..30 {
            let mut alert = first.clone();
            alert["id"] = json!(alert_id(number));
            site.alerts.push(alert);
        }
    };
    World::builder().with_simulator(alerts).start().await
}

fn alert_id(number: u32) -> String {
    format!("1763800000.{}", 20_000 + number)
}

/// A block that runs at once; each number is another one.
async fn at_once(agent: &AgentClient, number: u32) -> Answer {
    let more = json!({ "agent_ids": ["002"], "alert_id": alert_id(number) });
    agent.block("203.0.113.7", more).await
}

/// When the answer says that the limit ends.
fn ends(asked: &Answer) -> DateTime<Utc> {
    let message = asked.json["message"].as_str().unwrap();
    let (_, after) = message.split_once("it ends at ").unwrap_or_else(|| panic!("{message}"));
    after.split(' ').next().unwrap().parse().unwrap()
}

fn until(clock: &Clock, end: DateTime<Utc>) -> Duration {
    (end - clock.now()).to_std().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn later_refusals_do_not_withdraw_approved_request() {
    let world = denying_world().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    world.person("carol").await.approve(&id).await;
    world.freeze("a pause").await;
    world.pass(Duration::from_secs(1));
    refused(&agent, 11).await;
    world.unfreeze().await;
    world.work().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn later_refusals_do_not_stop_what_policy_approved() {
    let world = world().await;
    let agent = world.agent().await;
    world.freeze("a pause").await;
    let id = at_once(&agent, 0).await.id();
    let earlier_version = at_once(&agent, 1).await.id();
    world
        .execute("UPDATE request SET agent_history = NULL WHERE alert_id = '1763800000.20001'")
        .await;
    world.pass(Duration::from_secs(1));
    refused(&agent, 11).await;
    world.unfreeze().await;
    world.work().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["002: sent"]);
    assert_eq!(agent.get(&earlier_version).await.outcomes(), ["002: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_refused_too_often_needs_people_until_told_time() {
    let world = world().await;
    let agent = world.agent().await;
    refused(&agent, 5).await;
    world.pass(Duration::from_mins(20));
    refused(&agent, 11).await;
    world.pass(Duration::from_mins(10));
    let asked = at_once(&agent, 0).await;
    assert_eq!(asked.state(), "pending", "{asked:?}");
    assert!(asked.text.contains("run.too-many-refusals"), "{}", asked.text);
    world.person("bob").await.approve(&asked.id()).await;
    world.work().await;
    assert_eq!(agent.get(&asked.id()).await.outcomes(), ["002: sent"], "people let it run");
    // The five oldest end first, and one more has to.
    let end = ends(&asked);
    let exact = world.clock.now() + Duration::from_hours(24) - Duration::from_mins(10);
    assert!((end - exact).num_seconds().abs() <= 2, "{end} is not about {exact}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_own_refusals_do_not_count() {
    let world = denying_world().await;
    let agent = world.agent().await;
    refused(&agent, 11).await;
    for number in 0..30 {
        world.pass(Duration::from_mins(30));
        let asked = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
        assert_eq!(asked.state(), "denied", "{number}: {asked:?}");
        assert!(asked.text.contains("Do not ask again before that"), "{}", asked.text);
    }
    let asked = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    let end = ends(&asked);
    world.pass(until(&world.clock, end - TimeDelta::seconds(1)));
    let asked = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    assert_eq!((asked.state(), ends(&asked)), ("denied", end), "the end stays as it was said");
    world.pass(Duration::from_secs(1));
    let asked = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    assert_eq!(asked.state(), "pending", "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn technical_denials_do_not_count() {
    let world = world().await;
    let agent = world.agent().await;
    for number in 1..=11 {
        let offline = json!({ "agent_ids": ["011"] });
        let asked = agent.block(&format!("203.0.113.{number}"), offline).await;
        assert!(asked.text.contains("broker.nothing_left"), "{}", asked.text);
    }
    world.pass(Duration::from_mins(1));
    assert_eq!(at_once(&agent, 0).await.state(), "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn cooldown_denials_do_not_count() {
    let world = world().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    world.person("bob").await.reject(&id, "a customer of ours").await;
    for _ in 0..11 {
        let again = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
        assert_eq!(again.state(), "denied");
        assert_eq!((ends(&again) - world.clock.now()).num_minutes(), 30, "{}", again.text);
    }
    world.pass(Duration::from_mins(1));
    assert_eq!(at_once(&agent, 0).await.state(), "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_about_to_run_count_toward_hourly_limit() {
    let world = world().await;
    let agent = world.agent().await;
    world.freeze("a pause").await;
    for number in 0..20 {
        assert_eq!(at_once(&agent, number).await.state(), "approved", "{number}");
        world.pass(Duration::from_secs(10));
    }
    let more = at_once(&agent, 20).await;
    assert_eq!(more.state(), "pending", "else all would run when the kill switch is released");
    assert!((ends(&more) - world.clock.now()).num_minutes() <= 60, "{}", more.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admin_with_recent_password_lifts_agents_limit() {
    let world = world().await;
    let agent = world.agent().await;
    refused(&agent, 11).await;
    world.pass(Duration::from_mins(1));
    for name in ["alice", "bob", "otto"] {
        let person = world.person(name).await;
        assert_eq!(forced(&person, LIFT, &[]).await.status, StatusCode::FORBIDDEN, "{name}");
    }
    let dora = world.person("dora").await;
    world.pass(Duration::from_secs(301));
    let page = used(&dora, "/agents/triage-bot", LIFT, &[]).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert_eq!(at_once(&agent, 0).await.state(), "pending", "nobody lifted it");
    assert!(page.has("11 refusals in the last 24 hours"), "{}", page.html);

    let page = used(&dora, "/agents/triage-bot", LIFT, &[("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    assert_eq!(at_once(&agent, 1).await.state(), "approved");
    assert!(!dora.get("/agents/triage-bot").await.has_form(LIFT), "nothing is left to lift");
    let again = forced(&dora, LIFT, &[("password", PASSWORD)]).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.html);
    let once = [("dora".to_owned(), "triage-bot".to_owned())];
    assert_eq!(written(&world, "agent.limit_lifted").await, once);
    world.pass(Duration::from_secs(1));
    refused(&agent, 11).await;
    world.pass(Duration::from_mins(1));
    let later = at_once(&agent, 2).await;
    let page = dora.get("/agents/triage-bot").await;
    assert!(page.has("11 refusals in the last 24 hours"), "{}", page.html);
    assert_eq!(later.state(), "pending", "what comes later counts");
}
