//! What a plan would become, without asking for it.

use countersign::broker::AgentLimits;
use serde_json::{Value, json};

use super::{Asked, CORE, REACH_TWO, WEB, block, plan, propose, states, why};
use crate::harness::{AgentClient, World, agent::Answer};

/// It may be blocked nowhere.
fn protected() -> Value {
    let mut step = block("002");
    step["arguments"]["srcip"] = json!("198.51.100.1");
    step
}

async fn tried(agent: &AgentClient, on_failure: &str, steps: &[Value]) -> Answer {
    let mut arguments = plan(on_failure, steps);
    arguments["dry_run"] = true.into();
    agent.call("propose_plan", arguments).await
}

async fn count(world: &World, kind: &str) -> usize {
    world.audit_kinds().await.iter().filter(|found| *found == kind).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_of_plan_tells_decisions_and_stores_nothing() {
    let world = World::start().await;
    let agent = world.agent().await;
    let before = world.stored(&["proposal.dry_run"]).await;
    let mut wide = block("011");
    wide["arguments"]["agent_ids"] = json!([WEB, "011"]);
    let steps = [wide, block(CORE), protected(), block("006")];
    let told = tried(&agent, "stop", &steps).await;
    assert!(!told.error, "{told:?}");
    assert_eq!(states(&told), ["pending", "pending", "denied", "withdrawn"]);
    let step = |number: usize| &told.json["steps"][number - 1];
    let two = json!("2 people, one of them a senior or lead");
    assert_eq!((&step(1)["needs"], &step(2)["needs"]), (&json!("1 person"), &two));
    assert_eq!(step(1)["decision"]["outcome"], "approval");
    assert_eq!(step(1)["endpoints"]["selected"], 1);
    assert_eq!(step(1)["endpoints"]["skipped"][0]["id"], "011");
    assert_eq!(step(3)["decision"]["outcome"], "deny");
    assert!(step(3)["decision"]["policies"][0]["id"].as_str().unwrap().starts_with("never."));
    assert_eq!(why(&told, 4), "step 3 of its plan was denied by policy");
    assert_eq!(told.json["dry_run"], true);
    for absent in ["plan_id", "approval_url"] {
        assert_eq!(told.json.get(absent), None, "{told:?}");
    }
    assert!(step(1).get("request_id").is_none(), "{told:?}");
    let message = told.json["message"].as_str().unwrap();
    assert!(message.starts_with("Dry run: nothing was asked"), "{message}");
    assert!(message.contains("Steps 1, 2 would wait for people."), "{message}");
    assert_eq!(world.stored(&["proposal.dry_run"]).await, before);
    assert_eq!(count(&world, "proposal.dry_run").await, 4);
    assert!(world.manager.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_of_plan_decides_as_the_ask_does() {
    let world = World::builder().with_only_policy(REACH_TWO).start().await;
    let agent = world.agent().await;
    let steps = [block("001"), block("002"), block("006")];
    for _ in 0..2 {
        let told = tried(&agent, "stop", &steps).await;
        assert_eq!(states(&told), ["approved", "approved", "pending"]);
    }
    let asked = propose(&agent, "stop", &steps).await;
    assert_eq!(states(&asked), ["approved", "approved", "pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_names_open_plan_that_it_repeats() {
    let world = World::start().await;
    let agent = world.agent().await;
    let steps = [block("001"), block("002")];
    let open = Asked::of(&propose(&agent, "stop", &steps).await).id;
    let told = tried(&agent, "stop", &steps).await;
    let message = told.json["message"].as_str().unwrap();
    assert!(message.ends_with(&format!("an ask would give you {open} again.")), "{message}");
    assert_eq!(states(&told), ["pending", "pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_dry_run_plan_never_count() {
    let world = World::start().await;
    let agent = world.agent().await;
    for _ in 0..6 {
        let told = tried(&agent, "continue", &[protected(), block("001")]).await;
        assert_eq!(states(&told), ["denied", "pending"]);
    }
    let asked = agent.block("203.0.113.77", json!({ "agent_ids": [WEB] })).await;
    assert_eq!(asked.json["decision"]["needs"], "1 person", "{asked:?}");
    assert_eq!(count(&world, "proposal.refused").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_of_dry_run_counts_as_ask() {
    let few =
        AgentLimits { asks_per_minute_max: 3, open_requests_max: 1, ..AgentLimits::default() };
    let world = World::builder().with_settings(|settings| settings.agents = few).start().await;
    let agent = world.agent().await;
    let steps = [block("001"), block("002")];
    assert!(!tried(&agent, "stop", &steps).await.error, "what is open does not matter");
    let told = tried(&agent, "stop", &steps).await;
    assert!(told.error && told.text.contains("3 asks within a minute"), "{told:?}");
    assert_eq!(count(&world, "proposal.dry_run").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn unsound_dry_run_of_plan_is_refused() {
    let world = World::start().await;
    let agent = world.agent().await;
    let sound = [block("001"), block("002")];
    let mut wrong = plan("stop", &sound);
    wrong["dry_run"] = json!("yes");
    let told = agent.call("propose_plan", wrong).await;
    assert!(told.error && told.text.contains("dry_run: \"yes\" is not allowed"), "{told:?}");
    let told = tried(&agent, "stop", &[block("001"), block("999")]).await;
    assert!(told.error && told.text.contains("agent_ids (step 2): "), "{told:?}");
    propose(&agent, "continue", &sound).await;
    let told = tried(&agent, "stop", &sound).await;
    assert!(told.error && told.text.contains("(step 1): you have asked for it: req_"), "{told:?}");
}
