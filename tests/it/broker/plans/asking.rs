//! What a plan must be, and what it cannot do that its steps could not do alone.

use std::time::Duration;

use countersign::{broker::AgentLimits, domain::actor::Actor, mcp::tools::ToolName};
use serde_json::{Value, json};

use super::{Asked, REACH_TWO, WEB, block, plan, propose, states, why};
use crate::harness::{AgentClient, World, fixtures::RUN_AT_ONCE};

async fn requests(agent: &AgentClient) -> usize {
    let listed = agent.call("list_requests", json!({})).await;
    listed.json["requests"].as_array().unwrap().len()
}

/// The plan is refused in these words, and nothing of it is stored.
async fn refused(agent: &AgentClient, arguments: Value, words: &str) {
    let before = requests(agent).await;
    let told = agent.call("propose_plan", arguments.clone()).await;
    assert!(told.error && told.json.is_null(), "{arguments}: {told:?}");
    assert!(told.text.contains(words), "{arguments}: {words:?} is not in {}", told.text);
    assert_eq!(requests(agent).await, before, "{arguments}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_step_refuses_whole_plan_by_its_number() {
    let world = World::start().await;
    let agent = world.agent().await;
    let with = |step: Value| plan("stop", &[block("001"), step]);
    let arguments = |change: Value| {
        let mut step = block("002");
        step["arguments"].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        with(step)
    };
    for (wrong, words) in [
        (with(json!("block")), "steps[1] (step 2): \"block\" is not allowed"),
        (with(json!({ "arguments": {} })), "steps[1].action (step 2): it is missing"),
        (with(json!({ "action": "block_ip" })), "steps[1].arguments (step 2): it is missing"),
        (with(json!({ "action": "reboot", "arguments": {} })), "steps[1].action (step 2)"),
        (with(json!({ "action": "get_request", "arguments": {} })), "block_ip, disable_account"),
        (with(json!({ "action": "block_ip", "arguments": 5 })), "steps[1].arguments (step 2): 5"),
        (
            with(json!({ "action": "block_ip", "arguments": {}, "undo": true })),
            "steps[1].undo (step 2): there is no such field",
        ),
        (arguments(json!({ "srcip": "nowhere" })), "steps[1].arguments.srcip (step 2): "),
        (arguments(json!({ "agent_ids": ["999"] })), "steps[1].arguments.agent_ids (step 2): "),
        (arguments(json!({ "command": "sh" })), "steps[1].arguments.command (step 2): there is no"),
        (arguments(json!({ "wait_seconds": 5 })), "steps[1].arguments.wait_seconds (step 2): "),
        (arguments(json!({ "dry_run": true })), "steps[1].arguments.dry_run (step 2): "),
        (arguments(json!({ "idempotency_key": "k" })), "idempotency_key (step 2): a step has none"),
        (with(block("001")), "steps[1] (step 2): a step before it asks for the same"),
    ] {
        refused(&agent, wrong, words).await;
    }
    assert!(world.manager.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_field_of_a_plan_is_named() {
    let world = World::start().await;
    let agent = world.agent().await;
    let sound = plan("stop", &[block("001"), block("002")]);
    let many: Vec<_> = (0..11).map(|_| block("001")).collect();
    for (field, value, words) in [
        ("heading", Value::Null, "heading: it is missing"),
        ("heading", json!(" "), "heading: it is empty"),
        ("heading", json!("x".repeat(121)), "heading: "),
        ("reason", Value::Null, "reason: it is missing"),
        ("on_failure", json!("retry"), "on_failure: \"retry\" is not allowed"),
        ("on_failure", Value::Null, "on_failure: it is missing"),
        ("steps", json!([block("001")]), "steps: it holds 1 steps"),
        ("steps", json!(many), "steps: it holds 11 steps"),
        ("steps", json!({ "1": block("001") }), "steps: "),
        ("undo", json!(true), "undo: there is no such field"),
        ("idempotency_key", json!("two words"), "idempotency_key: "),
    ] {
        let mut wrong = sound.clone();
        wrong[field] = value;
        refused(&agent, wrong, words).await;
    }
    let stored = agent.call("propose_plan", sound).await;
    assert_eq!(states(&stored), ["pending", "pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn same_plan_again_is_the_same_plan() {
    let world = World::start().await;
    let agent = world.agent().await;
    let steps = [block("001"), block("002")];
    let first = Asked::of(&propose(&agent, "stop", &steps).await);
    let mut in_text = plan("stop", &[]);
    in_text["steps"] = json!(json!(steps).to_string());
    in_text["heading"] = json!("in other words");
    let again = Asked::of(&agent.call("propose_plan", in_text).await);
    assert_eq!((&again.id, &again.steps), (&first.id, &first.steps));
    let [one, two] = steps;
    refused(&agent, plan("continue", &[one.clone(), two.clone()]), "you have asked for it").await;
    refused(&agent, plan("stop", &[two, one]), "(step 1): you have asked for it: req_").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_names_one_plan_for_good() {
    let world = World::builder().with_only_policy(RUN_AT_ONCE).start().await;
    let agent = world.agent().await;
    let keyed = |steps: &[Value]| {
        let mut arguments = plan("stop", steps);
        arguments["idempotency_key"] = json!("containment-7");
        arguments
    };
    let first = agent.call("propose_plan", keyed(&[block("001"), block("002")])).await;
    world.work().await;
    let again = agent.call("propose_plan", keyed(&[block("001"), block("002")])).await;
    assert_eq!(Asked::of(&again).id, Asked::of(&first).id);
    assert_eq!(states(&again), ["settled", "settled"]);
    assert_eq!(world.manager.received().len(), 2);
    let another = keyed(&[block("006"), block("007")]);
    refused(&agent, another, "idempotency_key: `containment-7` is the key of pln_").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn step_that_is_active_already_refuses_the_plan() {
    let world = World::builder().with_only_policy(RUN_AT_ONCE).start().await;
    let agent = world.agent().await;
    let alone = agent.block("203.0.113.9", json!({ "agent_ids": ["002"] })).await.id();
    world.work().await;
    let words = format!("steps[1] (step 2): it is active already and rests on {alone}");
    refused(&agent, plan("stop", &[block("001"), block("002")]), &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_clients_are_read_in_each_step() {
    let world = World::start().await;
    let agent = world.agent().await;
    let right = propose(&agent, "stop", &[block("001"), block("002")]).await;
    let second = json!({ "srcip": "203.0.113.9", "agent_ids": "[2]", "duration_seconds": "600",
                         "reason": "", "manager": null, "sessionId": "n8n" });
    let first = json!({ "action": "block_ip", "arguments": block("001")["arguments"].to_string() });
    let form = [first, json!({ "action": "block_ip", "arguments": second })];
    let read = propose(&agent, "stop", &form).await;
    assert_eq!(Asked::of(&read).id, Asked::of(&right).id);
}

#[tokio::test(flavor = "multi_thread")]
async fn step_without_scope_refuses_the_plan() {
    let world = World::start().await;
    let steps = [
        block("001"),
        json!({ "action": "disable_account", "arguments": {
            "dstuser": "mallory", "agent_ids": ["001"], "duration_seconds": 600,
        } }),
    ];
    let agent = world.agent().await;
    assert!(agent.tools().await.contains(&"propose_plan".to_owned()));
    let scopes = [crate::harness::kind("block_ip")];
    world.operator().set_scopes(&Actor::CommandLine, "triage-bot", &scopes).await.unwrap();
    refused(&agent, plan("stop", &steps), "(step 2): \"disable_account\" is not allowed").await;
    assert!(!ToolName::ProposePlan.is_open_to(&[]));
}

fn limited(limits: AgentLimits) -> crate::harness::WorldBuilder {
    World::builder().with_settings(|settings| settings.agents = limits)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_counts_against_the_limits() {
    let three = [block("001"), block("002"), block("006")];
    let few = AgentLimits { asks_per_minute_max: 2, ..AgentLimits::default() };
    let world = limited(few).start().await;
    let agent = world.agent().await;
    refused(&agent, plan("stop", &three), "2 asks within a minute are the most").await;
    let stored = propose(&agent, "stop", &three[..2]).await;
    assert_eq!(states(&stored), ["pending", "pending"]);
    let more = agent.block("203.0.113.77", json!({ "agent_ids": [WEB] })).await;
    assert!(more.error && more.text.contains("2 asks within a minute"), "{more:?}");

    let narrow = AgentLimits { open_requests_max: 2, ..AgentLimits::default() };
    let world = limited(narrow).start().await;
    let agent = world.agent().await;
    refused(&agent, plan("stop", &three), "2 open requests are the most").await;
    assert_eq!(states(&propose(&agent, "stop", &three[..2]).await).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_without_room_costs_the_manager_nothing() {
    let three = [block("001"), block("002"), block("006")];
    let narrow = AgentLimits { open_requests_max: 2, ..AgentLimits::default() };
    let few = AgentLimits { asks_per_minute_max: 2, ..AgentLimits::default() };
    for limits in [narrow, few] {
        let world = limited(limits).start().await;
        let agent = world.agent().await;
        let before = world.manager.calls();
        refused(&agent, plan("stop", &three), " are the most").await;
        assert_eq!(world.manager.calls(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_asked_again_costs_the_manager_nothing() {
    let world = World::start().await;
    let agent = world.agent().await;
    let two = [block("001"), block("002")];
    let first = Asked::of(&propose(&agent, "stop", &two).await);
    world.pass_for_all(Duration::from_mins(1));
    let before = world.manager.calls();
    assert_eq!(Asked::of(&propose(&agent, "stop", &two).await).id, first.id);
    assert_eq!(world.manager.calls(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn reach_counts_all_steps_together() {
    let world = World::builder().with_only_policy(REACH_TWO).start().await;
    let steps = [block("001"), block("002"), block("006")];
    let asked = propose(&world.agent().await, "stop", &steps).await;
    assert_eq!(states(&asked), ["approved", "approved", "pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_step_is_stored_and_its_rule_applies() {
    let protected = json!({ "action": "block_ip", "arguments": {
        "srcip": "198.51.100.1", "agent_ids": ["002"], "duration_seconds": 600,
    } });
    for (rule, last) in [("stop", "withdrawn"), ("continue", "pending")] {
        let world = World::start().await;
        let steps = [block("001"), protected.clone(), block("006")];
        let asked = propose(&world.agent().await, rule, &steps).await;
        assert_eq!(states(&asked), ["pending", "denied", last], "{rule}");
        assert!(!why(&asked, 2).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_of_another_agent_is_not_found() {
    let world = World::start().await;
    let asked =
        Asked::of(&propose(&world.agent().await, "stop", &[block("001"), block("002")]).await);
    let other = world.another_agent("other-bot", "bob").await;
    for tool in ["get_plan", "cancel_plan"] {
        let told = other.call(tool, json!({ "plan_id": asked.id })).await;
        assert!(told.error && told.text.contains("no such plan of yours"), "{told:?}");
    }
    assert_eq!(asked.states(&world).await, ["pending", "pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn step_names_its_plan_and_number_wherever_shown() {
    let world = World::start().await;
    let agent = world.agent().await;
    let alone = agent.block("203.0.113.77", json!({ "agent_ids": [WEB] })).await;
    let asked = Asked::of(&propose(&agent, "stop", &[block("001"), block("002")]).await);
    let listed = agent.call("list_requests", json!({})).await.json["requests"].clone();
    let listed = listed.as_array().unwrap();
    let place = |shown: &Value| (shown["plan_id"].clone(), shown["plan_step"].clone());
    for (number, id) in [(1, &asked.steps[0]), (2, &asked.steps[1])] {
        let whole = agent.get(id).await.json;
        let short = listed.iter().find(|one| one["request_id"] == **id);
        for shown in [&whole, short.unwrap()] {
            assert_eq!(place(shown), (json!(asked.id), json!(number)), "{shown}");
        }
    }
    let short = listed.iter().find(|one| one["request_id"] == alone.id());
    for shown in [&alone.json, short.unwrap()] {
        assert_eq!(place(shown), (Value::Null, Value::Null), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn get_plan_waits_for_the_end() {
    let world = World::builder().with_only_policy(RUN_AT_ONCE).start().await;
    let agent = world.agent().await;
    let asked = Asked::of(&propose(&agent, "stop", &[block("001"), block("002")]).await);
    let wait = json!({ "plan_id": asked.id, "timeout_seconds": 50 });
    let (told, ()) = tokio::join!(agent.call("get_plan", wait), world.work());
    assert_eq!(states(&told), ["settled", "settled"]);
}
