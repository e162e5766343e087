//! Two managers: each has its own endpoints, queue, budget and circuit.

use crate::harness::kind;
use std::time::Duration;

use countersign::{
    broker::execution::progress::Progress,
    config::Config,
    connector::for_approved,
    domain::{
        action::{Action, Term},
        endpoint::Selection,
    },
};
use serde_json::{Value, json};
use wazuh_simulator::{Calls, Endpoint, Fault, Os, Times, Work};

use crate::harness::{ALERT, AgentClient, World, WorldBuilder, agent::Answer};

/// The endpoints 001 and 002 are at main alone, 101 at paris alone, and both have a 003, which each
/// has an alert about.
async fn two_managers() -> World {
    let web = |id, name| Endpoint::new(id, name, Os::UBUNTU).groups(&["web"]);
    let main = vec![web("001", "one"), web("002", "two"), web("003", "three")];
    let paris = vec![web("003", "trois"), web("101", "cent-un")];
    World::builder()
        .with_manager_name("main")
        .with_simulator(|site| {
            site.alerts[0]["agent"] = json!({ "id": "003", "name": "three" });
            site.agents = main;
        })
        .with_second_manager("paris")
        .with_second_simulator(|site| {
            site.alerts[0]["agent"] = json!({ "id": "003", "name": "trois" });
            site.agents = paris;
        })
        .start()
        .await
}

async fn block(agent: &AgentClient, endpoint: &str) -> Answer {
    agent.block("203.0.113.9", json!({ "agent_ids": [endpoint] })).await
}

/// A block on this endpoint that bob approved.
async fn approved(world: &World, agent: &AgentClient, endpoint: &str) -> String {
    let id = block(agent, endpoint).await.id();
    world.person("bob").await.approve(&id).await;
    id
}

async fn next(world: &World, manager: &str) -> Progress {
    world.broker().execute_next(manager, || {}).await.unwrap()
}

/// The manager main breaks every connection.
fn main_is_down(world: &World) {
    world.manager.misbehave_on(Calls::Every, Fault::Drop(Work::NotDone), Times::UntilCleared);
}

#[tokio::test(flavor = "multi_thread")]
async fn unique_endpoint_id_needs_no_manager_name() {
    let world = two_managers().await;
    let agent = world.agent().await;
    for (endpoint, manager) in [("002", "main"), ("101", "paris"), ("paris/101", "paris")] {
        let asked = block(&agent, endpoint).await;
        assert_eq!(asked.json["manager"], manager, "{endpoint}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_endpoint_id_needs_manager_name() {
    let world = two_managers().await;
    let agent = world.agent().await;
    let refused = block(&agent, "003").await;
    assert!(refused.error, "{refused:?}");
    for words in
        ["agent_ids", "more than one manager has 003", "main/003 or paris/003", "main, paris"]
    {
        assert!(refused.text.contains(words), "{words}: {}", refused.text);
    }
    let id = approved(&world, &agent, "paris/003").await;
    world.work().await;
    let answer = agent.get(&id).await;
    assert_eq!(answer.outcomes(), ["003: sent"]);
    assert_eq!(answer.json["endpoints"]["outcomes"][0]["endpoint"], "paris/003");
    assert_eq!(answer.json["endpoints"]["outcomes"][0]["name"], "trois");
    assert_eq!((world.manager.received().len(), world.second_manager.received().len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_endpoint_id_is_refused() {
    let world = two_managers().await;
    let agent = world.agent().await;
    for (endpoint, words) in [
        ("999", "no manager has 999"),
        ("paris/001", "there is no endpoint 001"),
        ("rome/001", "there is no manager `rome`"),
    ] {
        let refused = block(&agent, endpoint).await;
        assert!(refused.error && refused.text.contains(words), "{endpoint}: {}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_agents_selects_endpoints_of_named_manager() {
    let world = two_managers().await;
    let agent = world.agent().await;
    let refused = agent.block("203.0.113.9", json!({ "all_agents": true })).await;
    assert!(refused.error && refused.text.contains("main, paris"), "{}", refused.text);
    let all = json!({ "all_agents": true, "manager": "paris" });
    let asked = agent.block("203.0.113.9", all).await;
    let ids: Vec<_> = asked.outcomes();
    assert_eq!(ids, ["003: none", "101: none"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_manager_does_not_delay_the_other() {
    let world = two_managers().await;
    let agent = world.agent().await;
    let slow = approved(&world, &agent, "main/001").await;
    let quick = approved(&world, &agent, "paris/101").await;
    world.manager.hold("001");
    let main = next(&world, "main");
    let paris = async {
        world.manager.until_received(1).await;
        assert!(matches!(next(&world, "paris").await, Progress::Moved(_)));
        assert_eq!(agent.get(&quick).await.outcomes(), ["101: sent"]);
        assert_eq!(agent.get(&slow).await.state(), "dispatching");
        world.manager.release("001");
    };
    tokio::join!(main, paris);
    assert_eq!(agent.get(&slow).await.outcomes(), ["001: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_manager_delays_no_other_and_recovers_by_itself() {
    let world = two_managers().await;
    let agent = world.agent().await;
    let waiting = approved(&world, &agent, "main/001").await;
    let other = approved(&world, &agent, "paris/101").await;
    main_is_down(&world);
    for _ in 0..4 {
        assert!(matches!(next(&world, "main").await, Progress::Held(_)));
    }
    let held = agent.get(&waiting).await;
    let troubles = held.json["troubles"].as_array().unwrap();
    assert!(troubles[0].as_str().unwrap().starts_with("The manager main does not answer"));
    assert_eq!(troubles.len(), 1, "{held:?}");
    let untroubled = agent.get(&other).await;
    assert!(untroubled.json["troubles"].as_array().is_none_or(Vec::is_empty), "{untroubled:?}");
    assert!(!untroubled.text.contains("Something keeps"), "{}", untroubled.text);
    let html = world.person("bob").await.get("/").await.html;
    assert!(html.contains("The manager main does not answer"), "{html}");
    assert!(!html.contains("The manager paris"), "{html}");
    assert!(matches!(next(&world, "paris").await, Progress::Moved(_)));
    assert_eq!(agent.get(&other).await.outcomes(), ["101: sent"]);
    world.manager.behave();
    world.pass_for_all(Duration::from_secs(31));
    world.broker().expire_overdue().await.unwrap();
    let html = world.person("bob").await.get("/").await.html;
    assert!(!html.contains("does not answer"), "{html}");
    world.work().await;
    assert_eq!(agent.get(&waiting).await.outcomes(), ["001: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn qualified_id_works_while_other_manager_is_down() {
    let world = two_managers().await;
    let agent = world.agent().await;
    main_is_down(&world);
    let unsure = block(&agent, "101").await;
    assert!(unsure.error && unsure.text.contains("Nothing was stored"), "{}", unsure.text);
    assert_eq!(block(&agent, "paris/101").await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_manager_has_its_own_rate_budget() {
    let world = two_managers().await;
    let agent = world.agent().await;
    let waiting = approved(&world, &agent, "main/001").await;
    let other = approved(&world, &agent, "paris/101").await;
    let [main, paris] = world.broker().managers() else { panic!("two managers") };
    let action = Action::parse(kind("block_ip"), "203.0.113.9").unwrap();
    let resolve = || main.resolve(&Selection::All, &action, Term::Permanent, world.clock.now());
    while for_approved(resolve()).await.is_ok() {}
    assert!(matches!(next(&world, "main").await, Progress::Held(_)));
    assert!(paris.health(world.clock.now()).calls_last_minute < 100);
    assert!(matches!(next(&world, "paris").await, Progress::Moved(_)));
    assert_eq!(agent.get(&other).await.outcomes(), ["101: sent"]);
    let held = agent.get(&waiting).await;
    assert!(held.json["held_because"].as_str().unwrap().contains("main"), "{held:?}");
    world.pass_for_all(Duration::from_secs(61));
    world.work().await;
    assert_eq!(agent.get(&waiting).await.outcomes(), ["001: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_outcome_does_not_affect_same_id_elsewhere() {
    let world = two_managers().await;
    let agent = world.agent().await;
    let at_once = |endpoint: &str| {
        let more = json!({ "agent_ids": [endpoint], "alert_id": ALERT });
        let agent = &agent;
        async move { agent.block("203.0.113.7", more).await }
    };
    world.manager.misbehave(Fault::Drop(Work::NotDone), Times::Once);
    let id = at_once("main/003").await.id();
    world.work().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["003: unknown"]);
    assert_eq!(at_once("main/003").await.state(), "pending");
    let other = at_once("paris/003").await;
    assert_eq!(other.state(), "approved");
    world.work().await;
    assert_eq!(agent.get(&other.id()).await.outcomes(), ["003: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_of_removed_manager_is_withdrawn_at_start() {
    let world = two_managers().await;
    let agent = world.agent().await;
    let pending = block(&agent, "paris/101").await.id();
    let ready = approved(&world, &agent, "paris/003").await;
    let kept = approved(&world, &agent, "main/003").await;
    drop(agent);
    let world = world.restart_with(WorldBuilder::without_second_manager).await;
    let agent = world.agent().await;
    for id in [&pending, &ready] {
        let answer = agent.get(id).await;
        assert_eq!(answer.state(), "withdrawn");
        let why = answer.json["ended"]["reason"].as_str().unwrap();
        assert!(why.contains("the manager paris"), "{why}");
    }
    world.work().await;
    assert_eq!(agent.get(&kept).await.outcomes(), ["003: sent"]);
    assert_eq!(world.second_manager.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_through_removed_manager_is_impossible_and_explained() {
    let world = two_managers().await;
    let agent = world.agent().await;
    let id = approved(&world, &agent, "paris/101").await;
    world.work().await;
    drop(agent);
    let world = world.restart_with(WorldBuilder::without_second_manager).await;
    let agent = world.agent().await;
    let answer = agent.get(&id).await;
    assert_eq!(
        (answer.outcomes(), &answer.json["undo"]["possible"]),
        (vec!["101: sent".to_owned()], &Value::Bool(false))
    );
    let note = answer.json["undo"]["note"].as_str().unwrap();
    assert!(note.contains("paris is no longer configured"), "{note}");
    let refused = agent.undo(&id).await;
    assert!(refused.error && refused.text.contains("no longer configured"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_history_belongs_to_its_manager() {
    let world = two_managers().await;
    let agent = world.agent().await;
    let here = block(&agent, "main/003").await.id();
    let there = block(&agent, "paris/003").await.id();
    let bob = world.person("bob").await;
    for (endpoint, main, paris) in [
        ("main%2F003", true, false),
        ("paris%2F003", false, true),
        ("003", true, true),
        ("paris%2F001", false, false),
    ] {
        for page in ["audit", "requests"] {
            let html = bob.get(&format!("/{page}?endpoint={endpoint}")).await.html;
            let shown = (html.contains(&here), html.contains(&there));
            assert_eq!(shown, (main, paris), "{page} of {endpoint}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn active_responses_and_evidence_belong_to_their_manager() {
    let world = two_managers().await;
    let agent = world.agent().await;
    let here = approved(&world, &agent, "main/003").await;
    let there = approved(&world, &agent, "paris/003").await;
    world.work().await;
    let html = world.person("bob").await.get("/in-force").await.html;
    for manager in ["main", "paris"] {
        assert!(html.contains(&format!(">{manager}/003<")), "{html}");
    }
    world.broker().observe("paris").await.unwrap();
    assert_eq!(agent.get(&here).await.outcomes(), ["003: sent"]);
    assert_eq!(agent.get(&there).await.outcomes(), ["003: confirmed"]);
}

#[test]
fn two_names_for_one_manager_are_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("countersign.toml");
    let section = |name: &str, url: &str| {
        format!("[manager.{name}]\nurl = \"{url}\"\nuser = \"a\"\npassword_file = \"x\"\n")
    };
    let server = "[server]\nlisten = \"127.0.0.1:1\"\npublic_url = \"http://127.0.0.1:1\"\n";
    let (east, west) = ("http://127.0.0.1:55000", "http://127.0.0.1:55000/");
    let text = [server, &section("east", east), &section("west", west)].concat();
    std::fs::write(&file, text).unwrap();
    let said = Config::load(&file, std::iter::empty()).unwrap_err().to_string();
    assert!(said.contains("manager.west.url"), "{said}");
}
