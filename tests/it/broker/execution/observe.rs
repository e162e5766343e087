//! The collector: what an endpoint's own alert shows, what its lack shows, and what shows nothing.

use std::time::Duration;

use chrono::TimeDelta;
use countersign::domain::Time;
use serde_json::{Value, json};
use wazuh_simulator::{Calls, Endpoint, Fault, Os, Times, Work};

use crate::harness::{ALERT, AgentClient, World, agent::Answer};

/// How long an alert may take in these tests' connectors, and some more.
const WINDOW: Duration = Duration::from_secs(121);
/// How long the blocks of these tests last.
const TERM: Duration = Duration::from_mins(10);

/// A block of ten minutes on these endpoints that bob approved and that was sent.
async fn sent(world: &World, agent: &AgentClient, endpoints: &[&str]) -> String {
    let more = json!({ "agent_ids": endpoints });
    let id = agent.block("203.0.113.9", more).await.id();
    world.person("bob").await.approve(&id).await;
    world.work().await;
    id
}

/// A block on 001 that runs at once, for an alert that names the address.
async fn at_once(agent: &AgentClient) -> Answer {
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    agent.block("203.0.113.7", more).await
}

/// From now on what is active does not answer the same ask any more.
fn half_of_its_time_passes(world: &World) {
    world.pass_for_all(Duration::from_secs(301));
}

/// A world whose one endpoint is this.
async fn world_of(endpoints: Vec<Endpoint>) -> World {
    World::builder().with_simulator(|site| site.agents = endpoints).start().await
}

fn web(id: &str) -> Endpoint {
    Endpoint::new(id, &format!("web-{id}"), Os::UBUNTU).groups(&["web"])
}

/// The first endpoint of an answer.
fn first(answer: &Answer) -> &Value {
    &answer.json["endpoints"]["outcomes"][0]
}

async fn page(world: &World, path: &str) -> String {
    world.person("bob").await.get(path).await.html
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_confirms_start_with_index_and_id() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    world.look().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: confirmed"]);
    let evidence = &first(&answer)["evidence"];
    let (index, alert) = (evidence["index"].as_str().unwrap(), evidence["alert"].as_str().unwrap());
    assert!(index.starts_with("wazuh-alerts-4.x-"), "{evidence}");
    assert!(alert.starts_with("sim"), "{evidence}");
    assert_eq!((&evidence["rule"], first(&answer)["doubt"].is_null()), (&json!("651"), true));
    assert_eq!(evidence["proves"], "the script started on this endpoint");
    assert!(answer.text.contains("not that it had its effect"), "{}", answer.text);
    let html = page(&world, &format!("/requests/{id}")).await;
    assert!(html.contains("whether it worked is not known"), "{html}");
    assert!(html.contains(index) && html.contains(alert), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn late_alert_confirms_after_unconfirmed_warning() {
    let world = World::start().await;
    let agent = world.agent().await;
    world.manager.hold_evidence();
    let id = sent(&world, &agent, &["001"]).await;
    world.pass_for_all(Duration::from_secs(119));
    world.look().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: sent"], "its time is not over");
    world.pass_for_all(Duration::from_secs(2));
    world.look().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: unconfirmed"]);
    for word in ["UNCONFIRMED", "WARNING", "do not rely on it", "a person has to check"] {
        assert!(answer.text.contains(word), "{word}: {}", answer.text);
    }
    let path = format!("/requests/{id}");
    let loud = "What happened is not known on 1 of the endpoints";
    let html = page(&world, &path).await;
    assert!(html.contains(loud) && html.contains("within 2 minutes"), "{html}");
    assert!(page(&world, "/in-force").await.contains("nothing shows that it started"));
    world.manager.release_evidence();
    world.look().await;
    let late = agent.get(&id).await;
    assert_eq!(late.outcomes(), ["001: confirmed"]);
    assert!(!late.text.contains("WARNING"), "{}", late.text);
    assert!(!page(&world, &path).await.contains(loud));
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_log_leaves_unconfirmed_until_assumed_end() {
    let world = world_of(vec![web("001").log_lost()]).await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    world.pass_for_all(WINDOW);
    world.look().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: unconfirmed"]);
    world.pass_for_all(Duration::from_secs(479));
    world.look().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: unconfirmed"], "its alert may take a while");
    world.pass_for_all(WINDOW);
    world.look().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: ended"]);
    assert!(first(&answer)["evidence"].is_null());
    assert!(answer.text.contains("should have ended; nobody saw it"), "{}", answer.text);
    let html = page(&world, &format!("/requests/{id}")).await;
    assert!(html.contains("should have ended (not seen)"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn contrary_evidence_is_a_doubt_beside_the_confirmation() {
    let windows = Endpoint::new("001", "files", Os::WINDOWS_SERVER).groups(&["windows"]);
    for (endpoint, doubt) in [
        (windows.firewall_off(), "Windows firewall is off"),
        (web("001").script_fails("Unable to run iptables"), "Unable to run iptables"),
    ] {
        let world = world_of(vec![endpoint]).await;
        let agent = world.agent().await;
        let id = sent(&world, &agent, &["001"]).await;
        assert_eq!(world.manager.active_responses("001"), Vec::<String>::new());
        world.look().await;
        let answer = agent.get(&id).await;
        assert_eq!(answer.outcomes(), ["001: confirmed"]);
        assert!(first(&answer)["doubt"].as_str().unwrap().contains(doubt), "{answer:?}");
        assert!(answer.text.contains("Something speaks against its effect"), "{}", answer.text);
        let html = page(&world, &format!("/requests/{id}")).await;
        assert!(html.contains("There is a sign that it did not work"), "{html}");
        assert!(html.contains(doubt), "{html}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn end_of_block_is_observed() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    world.look().await;
    assert_eq!(world.manager.active_responses("001"), ["firewall-drop 203.0.113.9"]);
    assert!(page(&world, "/in-force").await.contains(&id));
    world.pass_for_all(TERM);
    world.look().await;
    assert_eq!(world.manager.active_responses("001"), Vec::<String>::new());
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: ended"]);
    let evidence = &first(&answer)["evidence"];
    assert_eq!((&evidence["rule"], &first(&answer)["until"]), (&json!("652"), &Value::Null));
    assert_eq!(evidence["proves"], "the endpoint took the response back");
    assert!(answer.text.contains("Ended (seen)"), "{}", answer.text);
    assert!(!page(&world, "/in-force").await.contains(&id));
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_endpoint_ends_block_early_and_is_observed() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001", "002"]).await;
    world.look().await;
    world.pass_for_all(Duration::from_mins(1));
    world.manager.restart_agent("001");
    world.look().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: ended", "002: confirmed"]);
    assert_eq!(first(&answer)["evidence"]["rule"], "652");
    assert!(answer.json["endpoints"]["outcomes"][1]["until"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_indexer_outcome_stays_sent_until_assumed_end() {
    let world = World::builder().without_indexer().start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    world.pass_for_all(WINDOW);
    world.look().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: sent"]);
    assert!(answer.text.contains("Nothing checked whether it ran"), "{}", answer.text);
    let html = page(&world, &format!("/requests/{id}")).await;
    assert!(html.contains("not checked: no indexer is configured"), "{html}");
    world.pass_for_all(TERM);
    world.look().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: ended"]);
    assert!(answer.text.contains("Ended (not seen)"), "{}", answer.text);
}

/// The alert that 001 would have left of the call with this mark.
fn alert(mark: &str) -> Value {
    json!({
        "id": "1790000000.1",
        "rule": { "id": "651", "level": 3 },
        "agent": { "id": "001" },
        "data": {
            "command": "add",
            "parameters": {
                "extra_args": [mark], "program": "active-response/bin/firewall-drop",
            },
        },
        "full_log": "made up",
    })
}

fn stamp(at: Time) -> Value {
    at.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_or_older_alerts_confirm_nothing() {
    let world = world_of(vec![web("001").log_lost(), web("002").log_lost()]).await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    let other = agent.block("203.0.113.10", json!({ "agent_ids": ["002"] })).await.id();
    world.person("bob").await.approve(&other).await;
    world.work().await;
    let marks: Vec<_> =
        world.manager.received().into_iter().map(|call| call.arguments[0].clone()).collect();
    let [own, others] = marks.as_slice() else { panic!("{marks:?}") };
    let (forged, _) = own.rsplit_once('/').unwrap();
    let before = stamp(world.clock.now() - TimeDelta::hours(1));
    let changed = |field: &str, value: Value| {
        let mut alert = alert(own);
        *alert.pointer_mut(field).unwrap() = value;
        alert
    };
    let mut older = alert(own);
    older["timestamp"] = before;
    for (what, alert) in [
        ("another request", alert(others)),
        ("a forged digest", alert(&format!("{forged}/{}", "0".repeat(12)))),
        ("a part of the mark", alert(forged)),
        ("another endpoint", changed("/agent/id", json!("002"))),
        ("an endpoint that nobody asked", changed("/agent/id", json!("003"))),
        ("an older time", older),
        ("another rule", changed("/rule/id", json!("5763"))),
        ("neither start nor end", changed("/data/command", json!("continue"))),
    ] {
        world.manager.add_alert(alert);
        world.look().await;
        assert_eq!(agent.get(&id).await.outcomes(), ["001: sent"], "{what}");
        assert_eq!(agent.get(&other).await.outcomes(), ["002: sent"], "{what}");
    }
    let document = world.manager.add_alert(alert(own));
    world.look().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: confirmed"]);
    assert_eq!(first(&answer)["evidence"]["alert"], document);
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_difference_of_an_hour_does_not_prevent_confirmation() {
    let hour = Duration::from_hours(1);
    for ahead in [true, false] {
        let world = World::start().await;
        if ahead {
            world.manager.advance(hour);
        } else {
            world.manager.turn_back(hour);
        }
        let agent = world.agent().await;
        let id = sent(&world, &agent, &["001"]).await;
        world.look().await;
        let answer = agent.get(&id).await;
        assert_eq!(answer.outcomes(), ["001: confirmed"], "{ahead}");
        let at: Time = first(&answer)["evidence"]["at"].as_str().unwrap().parse().unwrap();
        assert!((at - world.clock.now()).abs() < TimeDelta::minutes(2), "by our clock: {at}");
        world.pass_for_all(TERM);
        world.look().await;
        let answer = agent.get(&id).await;
        assert_eq!(
            (answer.outcomes(), &first(&answer)["evidence"]["rule"]),
            (vec!["001: ended".to_owned()], &json!("652"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_indexer_only_delays_conclusions() {
    let world = world_of(vec![web("001"), web("002").log_lost()]).await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001", "002"]).await;
    let down = Fault::Answer { status: 503, body: "OpenSearch is not ready".to_owned() };
    for fault in [Fault::Drop(Work::NotDone), Fault::NoJson(Work::NotDone), down] {
        world.manager.misbehave_on(Calls::Search, fault.clone(), Times::UntilCleared);
        world.pass_for_all(WINDOW);
        world.broker().observe("test").await.unwrap_err();
        let waiting = ["001: sent", "002: sent"];
        assert_eq!(agent.get(&id).await.outcomes(), waiting, "{fault:?}");
        world.manager.behave();
    }
    world.look().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: confirmed", "002: unconfirmed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn confirmed_unknown_allows_automatic_approval_again() {
    let world = World::start().await;
    let agent = world.agent().await;
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    let first = at_once(&agent).await.id();
    world.work().await;
    assert_eq!(agent.get(&first).await.outcomes(), ["001: unknown"]);
    let waiting = at_once(&agent).await;
    assert_eq!(waiting.state(), "pending");
    agent.cancel(&waiting.id()).await;
    world.look().await;
    assert_eq!(agent.get(&first).await.outcomes(), ["001: confirmed"]);
    assert_eq!(at_once(&agent).await.id(), first, "it stands");
    half_of_its_time_passes(&world);
    assert_eq!(at_once(&agent).await.state(), "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_without_alert_still_requires_a_person() {
    let world = World::start().await;
    let agent = world.agent().await;
    world.manager.misbehave(Fault::Drop(Work::NotDone), Times::Once);
    let id = at_once(&agent).await.id();
    world.work().await;
    for _ in 0..10 {
        world.pass_for_all(Duration::from_mins(5));
        world.look().await;
    }
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: unknown"]);
    assert!(answer.text.contains("do not repeat it there"), "{}", answer.text);
    assert_eq!(at_once(&agent).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn resolved_unknown_allows_automatic_approval_again() {
    for (ruling, outcome) in [("done", "001: confirmed"), ("not_done", "001: refused")] {
        let world = World::start().await;
        let agent = world.agent().await;
        world.manager.misbehave(Fault::Drop(Work::NotDone), Times::Once);
        let id = at_once(&agent).await.id();
        world.work().await;
        assert!(!world.person("alice").await.offered(&id, "resolve").await, "she owns the agent");
        let found = [("endpoint", "001"), ("ruling", ruling), ("comment", "I looked there")];
        world.person("bob").await.vote(&id, "resolve", &found).await;
        let answer = agent.get(&id).await;
        assert_eq!(answer.outcomes(), [outcome]);
        assert!(first(&answer)["detail"].as_str().unwrap().contains("bob: I looked there"));
        half_of_its_time_passes(&world);
        assert_eq!(at_once(&agent).await.state(), "approved", "{ruling}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn observation_without_news_signals_no_change() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    let mut changes = world.broker().changes();
    world.look().await;
    assert!(changes.has_changed().unwrap(), "what was seen is told");
    changes.mark_unchanged();
    world.look().await;
    assert!(!changes.has_changed().unwrap());
    assert_eq!(agent.get(&id).await.outcomes(), ["001: confirmed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousand_endpoints_are_observed_with_few_searches() {
    let world = world_of((1..=1000).map(|n| web(&format!("{n:03}"))).collect()).await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "all_agents": true })).await.id();
    for name in ["bob", "carol"] {
        world.person(name).await.approve(&id).await;
    }
    world.work().await;
    // The fifth search fails, and with it the look.
    world.manager.misbehave_on(Calls::Search, Fault::Delay(Duration::ZERO), Times::N(4));
    world.manager.misbehave_on(Calls::Search, Fault::Forbidden, Times::UntilCleared);
    world.look().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.json["endpoints"]["counts"]["confirmed"], 1000, "{answer:?}");
}
