//! Endpoints that are away: asked for, approved with the rest, and sent to once they are back.

use std::time::Duration;

use countersign::{
    broker::admin::people::PersonChange,
    domain::actor::{Actor, Role},
};
use serde_json::{Value, json};
use wazuh_simulator::{AgentError, Fault, Status, Times, Work};

use crate::harness::{AgentClient, World, agent::Answer};

mod ended;
mod undo;

const ADDRESS: &str = "203.0.113.9";
const HOUR: Duration = Duration::from_hours(1);

/// A world in which 002 is away.
async fn world() -> World {
    let world = World::start().await;
    world.manager.set_status("002", Status::Disconnected);
    world
}

async fn ask(agent: &AgentClient, endpoints: &[&str]) -> Answer {
    let why = json!({ "agent_ids": endpoints, "when_back": true });
    agent.block(ADDRESS, why).await
}

/// Asked for on 001 and on 002, which is away, and approved: the ids of both requests.
async fn waiting(world: &World) -> (AgentClient, String, String) {
    let agent = world.agent().await;
    let asked = ask(&agent, &["001", "002"]).await;
    assert_eq!(asked.state(), "pending", "{asked:?}");
    world.person("bob").await.approve(&asked.id()).await;
    world.work().await;
    let parent = agent.get(&asked.id()).await;
    assert_eq!(parent.state(), "waiting", "{parent:?}");
    let child = child(&parent);
    (agent, asked.id(), child)
}

/// The one request that waits, or waited, for an endpoint of this one.
fn child(parent: &Answer) -> String {
    let [only] = parent.json["when_back"]["requests"].as_array().unwrap().as_slice() else {
        panic!("{parent:?}")
    };
    only["request_id"].as_str().unwrap().to_owned()
}

async fn back(world: &World) {
    world.manager.set_status("002", Status::Active);
    look(world).await;
}

/// Looks whether endpoints are back, and sends.
async fn look(world: &World) {
    world.look_for_returned().await;
    world.work().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_that_comes_back_is_sent_to_once() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    assert_eq!(agent.get(&parent).await.outcomes(), ["001: sent", "002: not_sent"]);
    let told = agent.get(&child).await;
    assert_eq!(told.state(), "waiting", "{told:?}");
    assert_eq!(told.json["when_back"]["parent"], Value::from(parent.clone()));
    look(&world).await;
    assert!(world.manager.delivered_to("002").is_empty());
    back(&world).await;
    for id in [&child, &parent] {
        assert_eq!(agent.get(id).await.state(), "settled");
    }
    assert_eq!(agent.get(&child).await.outcomes(), ["002: sent"]);
    look(&world).await;
    assert_eq!(world.manager.delivered_to("002").len(), 1);
    assert_eq!(world.manager.delivered_to("001").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_of_away_endpoints_alone_waits() {
    let world = world().await;
    let agent = world.agent().await;
    let asked = ask(&agent, &["002"]).await;
    assert_eq!(asked.json["when_back"]["away"], json!(["002"]), "{asked:?}");
    world.person("bob").await.approve(&asked.id()).await;
    look(&world).await;
    let parent = agent.get(&asked.id()).await;
    assert_eq!((parent.state(), parent.error), ("waiting", false), "{parent:?}");
    back(&world).await;
    assert_eq!(agent.get(&child(&parent)).await.outcomes(), ["002: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_lost_before_sending_is_waited_for() {
    let world = World::start().await;
    let agent = world.agent().await;
    let asked = ask(&agent, &["001", "002"]).await;
    world.person("bob").await.approve(&asked.id()).await;
    world.manager.set_status("002", Status::Disconnected);
    look(&world).await;
    let parent = agent.get(&asked.id()).await;
    assert_eq!(parent.state(), "waiting", "{parent:?}");
    back(&world).await;
    assert_eq!(agent.get(&child(&parent)).await.outcomes(), ["002: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_when_back_away_endpoint_is_left_out() {
    let world = world().await;
    let agent = world.agent().await;
    let asked = agent.block(ADDRESS, json!({ "agent_ids": ["001", "002"] })).await;
    assert_eq!(asked.skipped(), ["002"]);
    assert_eq!(asked.json["when_back"], Value::Null);
    world.person("bob").await.approve(&asked.id()).await;
    look(&world).await;
    assert_eq!(agent.get(&asked.id()).await.state(), "settled");
    back(&world).await;
    assert!(world.manager.delivered_to("002").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn never_connected_endpoint_is_not_waited_for() {
    let world = World::start().await;
    let agent = world.agent().await;
    let asked = ask(&agent, &["001", "012"]).await;
    assert_eq!(asked.skipped(), ["012"]);
    let alone = ask(&agent, &["012"]).await;
    assert_eq!((alone.state(), alone.error), ("denied", true), "{alone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_for_all_endpoints_is_denied() {
    let world = world().await;
    let agent = world.agent().await;
    let asked = agent.block(ADDRESS, json!({ "all_agents": true, "when_back": true })).await;
    assert_eq!((asked.state(), asked.error), ("denied", true), "{asked:?}");
    assert!(asked.text.contains("no policy lets this wait"), "{asked:?}");
    look(&world).await;
    assert!(world.manager.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_do_not_know_waiting_deny_it() {
    let world = World::builder().with_only_policy(
        r#"@id("all") @why("a test") permit (principal, action in [Countersign::Action::"ask", Countersign::Action::"run", Countersign::Action::"view"], resource);"#,
    );
    let world = world.start().await;
    let agent = world.agent().await;
    let asked = ask(&agent, &["001"]).await;
    assert_eq!(asked.state(), "denied", "{asked:?}");
    assert!(asked.text.contains("broker.may_not_wait"), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unsound_when_back_is_refused_with_allowed_values() {
    let world = World::start().await;
    let agent = world.agent().await;
    let why = json!({ "agent_ids": ["001"], "when_back": "yes" });
    let told = agent.block(ADDRESS, why).await;
    assert!(told.error && told.text.contains("when_back") && told.text.contains("true or false"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_machine_under_old_id_withdraws_child() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    world.manager.re_enrol("002");
    back(&world).await;
    assert_eq!(agent.get(&child).await.state(), "withdrawn");
    assert_eq!(agent.get(&parent).await.state(), "settled");
    assert!(world.manager.delivered_to("002").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn approver_who_was_demoted_no_longer_lets_it_run() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    let demoted = PersonChange::Role(Role::Auditor);
    let operator = world.operator();
    operator.change_person(&Actor::CommandLine, "bob", &demoted).await.unwrap();
    back(&world).await;
    let told = agent.get(&child).await;
    assert_eq!((told.state(), told.error), ("withdrawn", true), "{told:?}");
    assert_eq!(agent.get(&parent).await.state(), "settled");
    assert!(world.manager.delivered_to("002").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_gone_at_the_call_is_waited_for_again() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    let gone = Fault::EveryAgent(AgentError::NotActive);
    world.manager.misbehave(gone, Times::Once);
    back(&world).await;
    assert_eq!(agent.get(&child).await.state(), "waiting");
    assert_eq!(agent.get(&parent).await.state(), "waiting");
    // Not at once: the manager may not know yet that it is gone.
    look(&world).await;
    assert_eq!(world.manager.received().len(), 2);
    world.pass_for_all(Duration::from_secs(61));
    look(&world).await;
    assert_eq!(agent.get(&child).await.outcomes(), ["002: sent"]);
    assert_eq!(agent.get(&parent).await.state(), "settled");
    assert_eq!(world.manager.delivered_to("002").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn doubt_about_call_ends_wait_as_unknown() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    back(&world).await;
    assert_eq!(agent.get(&child).await.outcomes(), ["002: unknown"]);
    assert_eq!(agent.get(&parent).await.state(), "settled");
    world.pass_for_all(HOUR);
    look(&world).await;
    assert_eq!(world.manager.delivered_to("002").len(), 1, "it is never tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn deadline_ends_wait_and_settles_parent() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    world.pass_for_all(23 * HOUR);
    look(&world).await;
    assert_eq!(agent.get(&child).await.state(), "waiting");
    world.pass_for_all(HOUR);
    look(&world).await;
    assert_eq!(agent.get(&child).await.state(), "expired");
    assert_eq!(agent.get(&parent).await.state(), "settled");
    back(&world).await;
    assert!(world.manager.delivered_to("002").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_holds_endpoint_that_came_back() {
    let world = world().await;
    let (agent, _, child) = waiting(&world).await;
    world.freeze("a drill").await;
    back(&world).await;
    assert_eq!(agent.get(&child).await.state(), "approved");
    assert!(world.manager.delivered_to("002").is_empty());
    world.unfreeze().await;
    look(&world).await;
    assert_eq!(agent.get(&child).await.outcomes(), ["002: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_parent_cancels_what_waits() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    let told = agent.cancel(&parent).await;
    assert_eq!((told.state(), told.error), ("settled", false), "{told:?}");
    assert_eq!(agent.get(&child).await.state(), "cancelled");
    back(&world).await;
    assert!(world.manager.delivered_to("002").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_of_child_settles_parent() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    assert_eq!(agent.cancel(&child).await.state(), "cancelled");
    assert_eq!(agent.get(&parent).await.state(), "settled");
    back(&world).await;
    assert!(world.manager.delivered_to("002").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn person_rejects_what_waits() {
    let world = world().await;
    let (agent, parent, child) = waiting(&world).await;
    world.person("carol").await.reject(&parent, "not any more").await;
    assert_eq!(agent.get(&child).await.state(), "rejected");
    assert_eq!(agent.get(&parent).await.state(), "settled");
    back(&world).await;
    assert!(world.manager.delivered_to("002").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_keeps_waiting() {
    let world = world().await;
    let (_, parent, child) = waiting(&world).await;
    let world = world.restart().await;
    let agent = world.agent().await;
    assert_eq!(agent.get(&child).await.state(), "waiting");
    back(&world).await;
    assert_eq!(agent.get(&child).await.outcomes(), ["002: sent"]);
    assert_eq!(agent.get(&parent).await.state(), "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn same_ask_while_waiting_is_same_request() {
    let world = world().await;
    let (agent, parent, _) = waiting(&world).await;
    assert_eq!(ask(&agent, &["001", "002"]).await.id(), parent);
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_for_decision_does_not_hang_on_waiting() {
    let world = world().await;
    let (agent, parent, _) = waiting(&world).await;
    let wait = json!({ "request_id": parent, "timeout_seconds": 50 });
    let told = agent.call("wait_for_decision", wait).await;
    assert_eq!(told.state(), "waiting");
    assert_eq!(told.json["terminal"], Value::Bool(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_manager_withdraws_what_waits() {
    let world = world().await;
    let (_, parent, child) = waiting(&world).await;
    let world = world.restart_with(|builder| builder.with_manager_name("hq")).await;
    let agent = world.agent().await;
    assert_eq!(agent.get(&child).await.state(), "withdrawn");
    assert_eq!(agent.get(&parent).await.state(), "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_action_of_child_is_not_sent() {
    let world = world().await;
    let (agent, _, child) = waiting(&world).await;
    world.execute("UPDATE request SET argument = '203.0.113.200' WHERE parent IS NOT NULL").await;
    back(&world).await;
    assert_eq!(agent.get(&child).await.state(), "withdrawn");
    assert!(world.manager.delivered_to("002").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn page_shows_what_waits_and_until_when() {
    let world = world().await;
    let agent = world.agent().await;
    let asked = ask(&agent, &["001", "002"]).await.id();
    let bob = world.person("bob").await;
    bob.get(&format!("/requests/{asked}")).await.shows("Away when it was asked: <bdi>web-02 (002)");
    bob.approve(&asked).await;
    look(&world).await;
    let child = child(&agent.get(&asked).await);
    bob.get(&format!("/requests/{asked}")).await.shows(&child);
    bob.get(&format!("/requests/{child}")).await.shows("Its endpoint is away");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_lists_endpoints_that_missed_a_block() {
    let world = world().await;
    let (agent, _, child) = waiting(&world).await;
    let other = json!({ "agent_ids": ["007", "011"] });
    let left_out = agent.block(ADDRESS, other).await.id();
    let bob = world.person("bob").await;
    let missed = bob.get(&format!("/missed?target={ADDRESS}")).await;
    for shown in [child.as_str(), &left_out, "web-02", "laptop-cleo"] {
        missed.shows(shown);
    }
    assert!(!missed.has("web-01"), "001 was sent to");
    bob.get("/missed?target=203.0.113.77").await.shows("No endpoint missed it");
    back(&world).await;
    let missed = bob.get(&format!("/missed?target={ADDRESS}")).await;
    assert!(!missed.has(&child) && missed.has(&left_out));
}
