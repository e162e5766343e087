//! Whose evidence is looked for when more waits for it than one look takes in.

use std::time::Duration;

use serde_json::json;
use wazuh_simulator::{Endpoint, Fault, Os, Times, Work};

use crate::harness::{AgentClient, World};

/// Any block runs at once, and people may do anything.
const ANYTHING: &str = r#"
@id("t.ask") @why("agents may ask")
permit (
  principal is Countersign::Agent,
  action in [Countersign::Action::"ask", Countersign::Action::"run"],
  resource is Countersign::Endpoint
);
@id("t.view") @why("agents may look")
permit (
  principal is Countersign::Agent,
  action in [Countersign::Action::"view"],
  resource is Countersign::Request
);
@id("t.people") @why("people may look")
permit (principal is Countersign::Person, action, resource);
"#;

async fn world() -> World {
    let web = |id| Endpoint::new(id, &format!("web-{id}"), Os::UBUNTU).groups(&["web"]);
    World::builder()
        .with_only_policy(ANYTHING)
        .with_simulator(|site| site.agents = vec![web("001"), web("002").log_lost()])
        .start()
        .await
}

/// A block of ten minutes that was sent.
async fn sent(world: &World, agent: &AgentClient, number: u32, endpoint: &str) -> String {
    let address = format!("203.0.113.{number}");
    let id = agent.block(&address, json!({ "agent_ids": [endpoint] })).await.id();
    world.work().await;
    // So many calls fit into a minute.
    if number.is_multiple_of(45) {
        world.pass_for_all(Duration::from_secs(61));
    }
    id
}

async fn crowd(world: &World) -> Option<String> {
    world.broker().observe("test").await.unwrap().crowd
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_outcome_is_looked_for_before_hundred_ends() {
    let world = world().await;
    let agent = world.agent().await;
    for number in 1..=100 {
        sent(&world, &agent, number, "001").await;
    }
    assert_eq!(crowd(&world).await, None);
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    let id = sent(&world, &agent, 101, "001").await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: unknown"]);
    world.look().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: confirmed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_take_turns_where_one_look_is_too_small() {
    let world = world().await;
    let agent = world.agent().await;
    for number in 1..=100 {
        sent(&world, &agent, number, "002").await;
    }
    // Sent last, and by the clock, too: its turn comes last.
    world.pass(Duration::from_secs(1));
    let last = sent(&world, &agent, 101, "001").await;
    let otto = world.person("otto").await;
    let said = "101 requests wait to be seen starting, and one look takes in 100, in turn";
    assert_eq!(crowd(&world).await.unwrap(), said);
    assert_eq!(agent.get(&last).await.outcomes(), ["001: sent"], "it was not its turn");
    assert!(otto.get("/system").await.has(said));
    crowd(&world).await;
    assert_eq!(agent.get(&last).await.outcomes(), ["001: confirmed"]);
    assert_eq!(crowd(&world).await, None);
    assert!(!otto.get("/system").await.has("one look takes in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn system_page_says_why_evidence_cannot_be_read() {
    let world = world().await;
    let agent = world.agent().await;
    sent(&world, &agent, 1, "001").await;
    let otto = world.person("otto").await;
    let down = Fault::Answer { status: 503, body: "not ready".to_owned() };
    world.manager.misbehave_on(wazuh_simulator::Calls::Search, down, Times::UntilCleared);
    world.broker().observe("test").await.unwrap_err();
    let page = otto.get("/system").await;
    assert!(page.has("not all seen") && page.has("503"), "{}", page.html);
    world.manager.behave();
    world.pass(Duration::from_secs(1));
    world.look().await;
    assert!(!otto.get("/system").await.has("not all seen"));
}
