//! An indexer that is behind or answers only in part: what runs, and what is said of what was sent.

use std::time::Duration;

use chrono::TimeDelta;
use countersign::connector::IndexerSettings;
use serde_json::{Value, json};
use wazuh_simulator::{Calls, Endpoint, Fault, Os, Times};

use crate::harness::{ALERT, AgentClient, World, agent::Answer};

/// How long an alert may take in these tests' connectors, and some more.
const WINDOW: Duration = Duration::from_secs(121);

fn web(id: &str) -> Endpoint {
    Endpoint::new(id, &format!("web-{id}"), Os::UBUNTU).groups(&["web"])
}

/// The newest alert of the site is two minutes old; here one minute is too old.
fn strict(indexer: &mut IndexerSettings) {
    indexer.stale_after = Duration::from_mins(1);
}

/// A block on 001 that runs at once, for an alert that names the address.
async fn at_once(agent: &AgentClient) -> Answer {
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    agent.block("203.0.113.7", more).await
}

/// A block on 001 that bob approved and that was sent.
async fn sent(world: &World, agent: &AgentClient, more: Value) -> String {
    let mut all = json!({ "agent_ids": ["001"] });
    for (key, value) in more.as_object().unwrap() {
        all[key] = value.clone();
    }
    let id = agent.block("203.0.113.9", all).await.id();
    for name in ["bob", "carol"] {
        let person = world.person(name).await;
        if person.offered(&id, "approve").await {
            person.approve(&id).await;
        }
    }
    world.work().await;
    id
}

fn detail(answer: &Answer) -> &str {
    answer.json["endpoints"]["outcomes"][0]["detail"].as_str().unwrap()
}

/// An indexer whose newest alert is 71 hours old, and an endpoint that leaves none.
async fn stale() -> World {
    let world = World::builder()
        .with_simulator(|site| {
            site.agents = vec![web("001").log_lost()];
            site.alerts = Vec::new();
        })
        .start()
        .await;
    let then = world.clock.now() - TimeDelta::minutes(71 * 60 + 30);
    let timestamp = then.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string();
    world.manager.add_alert(json!({ "id": "1.1", "timestamp": timestamp }));
    world
}

async fn page(world: &World, id: &str) -> crate::harness::page::Page {
    world.person("bob").await.get(&format!("/requests/{id}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_without_people_while_indexer_is_behind() {
    let world = World::builder().with_indexer(strict).start().await;
    let agent = world.agent().await;
    let asked = at_once(&agent).await;
    assert_eq!(asked.state(), "pending");
    let shown = page(&world, &asked.id()).await;
    shown.shows("run.indexer-behind");
    shown.shows("nobody could look: <bdi>the newest document is ");
    shown.shows("it names <bdi>203.0.113.7</bdi>");
    // One person is enough, as for anything else.
    world.person("bob").await.approve(&asked.id()).await;
    world.work().await;
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_alert_lets_it_run_at_once_again() {
    let world = World::builder().with_indexer(strict).start().await;
    world.manager.add_alert(json!({ "id": "1.1" }));
    assert_eq!(at_once(&world.agent().await).await.state(), "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_or_refused_answer_needs_people() {
    let text = Fault::Answer {
        status: 400,
        body: json!({ "error": { "reason": "all shards failed", "root_cause": [
            { "type": "illegal_argument_exception", "reason": "Text fields are not optimised" },
        ] } })
        .to_string(),
    };
    for (fault, why) in [
        (Fault::ShardsFail("other-*".to_owned()), "1 of 3 shards failed"),
        (Fault::SearchTimesOut, "it ran out of time"),
        (text, "all shards failed: Text fields are not optimised"),
    ] {
        let world = World::start().await;
        let agent = world.agent().await;
        // The alert itself is found; whether the indexer keeps up is not.
        let usual = Fault::Delay(Duration::ZERO);
        world.manager.misbehave_on(Calls::Search, usual, Times::Once);
        world.manager.misbehave_on(Calls::Search, fault, Times::Once);
        let asked = at_once(&agent).await;
        assert_eq!(asked.state(), "pending", "{why}");
        page(&world, &asked.id()).await.shows(why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_request_waits_when_indexer_falls_behind_meanwhile() {
    let world = World::start().await;
    let agent = world.agent().await;
    let asked = at_once(&agent).await;
    assert_eq!(asked.state(), "approved");
    world.manager.misbehave_on(Calls::Search, Fault::SearchTimesOut, Times::UntilCleared);
    world.work().await;
    assert_eq!(agent.get(&asked.id()).await.state(), "pending");
    assert_eq!(world.manager.received().len(), 0);
    page(&world, &asked.id()).await.shows("run.indexer-behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_request_is_sent_whatever_the_indexer_says() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    world.person("bob").await.approve(&id).await;
    world.manager.misbehave_on(Calls::Search, Fault::SearchTimesOut, Times::UntilCleared);
    world.work().await;
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn system_page_says_whether_indexer_keeps_up() {
    let system = async |world: &World| world.person("bob").await.get("/system").await;
    let current = World::start().await;
    let row = "<dt>Indexer</dt>\n<dd><span class=\"badge";
    let page = system(&current).await;
    page.shows(&format!("{row} sent\">keeps up</span> the newest document is 2 min old"));
    let behind = system(&stale().await).await;
    let why = "<bdi>the newest document is 71 h old</bdi>";
    behind.shows(&format!("{row} unknown\">nobody can look</span> {why}"));
    current.manager.misbehave_on(Calls::Search, Fault::SearchTimesOut, Times::UntilCleared);
    system(&current).await.shows("it ran out of time");
    let without = World::builder().without_indexer().start().await;
    system(&without).await.shows("none is configured: no alert can be looked up");
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_indexer_means_nobody_could_look() {
    let world = stale().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, json!({})).await;
    world.pass_for_all(WINDOW);
    world.look().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: unconfirmed"]);
    assert_eq!(detail(&answer), "nobody could look: the newest document is 71 h old");
    assert!(answer.text.contains("nobody could look whether it started"), "{}", answer.text);
    let shown = page(&world, &id).await;
    shown.shows("nobody could look for the endpoint's own alert: <q class=\"said\"><bdi>the newest document is 71 h old</bdi></q>");
    shown.shows("sent, but nobody could look whether it started");
    assert!(!shown.has("It may not have run there"), "{}", shown.html);
    let audit = world.operator().audit_after(0).await.unwrap();
    let missed = audit.iter().find(|entry| entry.kind == "evidence.missed").unwrap();
    assert!(missed.detail.contains("\"gap\":\"the newest document is 71 h old\""), "{missed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn look_that_brings_nothing_is_concluded_once_possible() {
    let world = stale().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, json!({ "permanent": true, "duration_seconds": null })).await;
    world.pass_for_all(WINDOW);
    for _ in 0..3 {
        world.look().await;
    }
    assert!(detail(&agent.get(&id).await).starts_with("nobody could look"));
    world.manager.add_alert(json!({ "id": "1.2" }));
    for _ in 0..3 {
        world.look().await;
    }
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: unconfirmed"]);
    assert_eq!(detail(&answer), "the endpoint's own alert did not come within 2 minutes");
    let shown = page(&world, &id).await;
    shown.shows("It may not have run there");
    shown.shows("nobody could look whether it started");
    shown.shows("nothing shows that it started");
    let kinds = world.audit_kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "evidence.missed").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_comes_late_confirms_after_all() {
    let world = World::builder().with_indexer(strict).start().await;
    let agent = world.agent().await;
    world.manager.hold_evidence();
    let id = sent(&world, &agent, json!({})).await;
    world.pass_for_all(WINDOW);
    world.look().await;
    assert_eq!(
        detail(&agent.get(&id).await),
        "nobody could look: the newest document is 4 min old"
    );
    world.manager.release_evidence();
    world.look().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: confirmed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_answer_confirms_what_it_holds() {
    let world = World::builder()
        .with_simulator(|site| site.agents = vec![web("001"), web("002").log_lost()])
        .start()
        .await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, json!({ "agent_ids": ["001", "002"] })).await;
    world.pass_for_all(WINDOW);
    let broken = Fault::ShardsFail("wazuh-alerts-4.x-2000.01.01".to_owned());
    world.manager.misbehave_on(Calls::Search, broken, Times::UntilCleared);
    let gap = world.broker().observe("test").await.unwrap().gap.unwrap();
    assert!(gap.contains("1 of 3 shards failed"), "{gap}");
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: confirmed", "002: unconfirmed"]);
    page(&world, &id).await.shows("nobody could look: the indexer could search a part");
}

#[tokio::test(flavor = "multi_thread")]
async fn response_whose_time_is_over_ends_all_the_same() {
    let world = stale().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, json!({})).await;
    world.pass_for_all(WINDOW);
    world.look().await;
    world.pass_for_all(Duration::from_mins(10));
    world.look().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["001: ended"]);
    assert!(answer.text.contains("Ended (not seen)"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn overdue_look_says_that_indexer_does_not_answer() {
    let world = stale().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, json!({})).await;
    page(&world, &id).await.shows("waiting for the endpoint&#39;s own alert");
    let down = Fault::Answer { status: 503, body: "not ready".to_owned() };
    world.manager.misbehave_on(Calls::Search, down, Times::UntilCleared);
    world.pass_for_all(Duration::from_mins(5));
    world.broker().observe("test").await.unwrap_err();
    page(&world, &id).await.shows("nobody could look for the endpoint&#39;s own alert so far");
}

/// Anything runs at once that the indexer can see.
const IF_SEEN: &str = r#"
@id("t.ask") @why("agents may ask")
permit (
  principal is Countersign::Agent,
  action in Countersign::Action::"ask",
  resource is Countersign::Endpoint
);
@id("t.run") @why("what can be seen runs")
permit (
  principal is Countersign::Agent,
  action in Countersign::Action::"run",
  resource is Countersign::Endpoint
)
when { !context.facts.indexer_behind };
@id("t.view") @why("agents may look")
permit (
  principal is Countersign::Agent,
  action in [Countersign::Action::"view"],
  resource is Countersign::Request
);
"#;

#[tokio::test(flavor = "multi_thread")]
async fn missing_indexer_counts_as_behind() {
    let usual = World::builder().with_only_policy(IF_SEEN);
    for (builder, state) in [(usual.clone(), "approved"), (usual.without_indexer(), "denied")] {
        let world = builder.start().await;
        let asked = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
        assert_eq!(asked.state(), state, "{asked:?}");
    }
}
