//! In which order the steps of a plan run, and what a failure does to those after it.

use std::time::Duration;

use serde_json::json;
use wazuh_simulator::{Fault, Status, Times, Work};

use super::{Asked, CORE, REACH_TWO, WEB, block, called, propose, states, why};
use crate::harness::{World, fixtures::RUN_AT_ONCE};

/// More than a use-by, less than a deadline.
const LATER: Duration = Duration::from_mins(20);

async fn at_once(on_failure: &str) -> (World, Asked) {
    let world = World::builder().with_only_policy(RUN_AT_ONCE).start().await;
    let steps = [block("001"), block("002"), block("006")];
    let asked = propose(&world.agent().await, on_failure, &steps).await;
    assert_eq!(states(&asked), ["approved", "approved", "approved"]);
    let asked = Asked::of(&asked);
    (world, asked)
}

async fn waiting(on_failure: &str, endpoints: &[&str]) -> (World, Asked) {
    let world = World::start().await;
    let steps: Vec<_> = endpoints.iter().map(|endpoint| block(endpoint)).collect();
    let asked = propose(&world.agent().await, on_failure, &steps).await;
    assert!(states(&asked).iter().all(|state| state == "pending"), "{asked:?}");
    let asked = Asked::of(&asked);
    (world, asked)
}

/// The first step waits for its endpoint, which is away.
async fn first_away() -> (World, Asked) {
    let world = World::start().await;
    world.manager.set_status("002", Status::Disconnected);
    let mut first = block("002");
    first["arguments"]["when_back"] = json!(true);
    let asked = propose(&world.agent().await, "stop", &[first, block("001")]).await;
    (world, Asked::of(&asked))
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_a_plan_run_in_order() {
    let (world, plan) = at_once("stop").await;
    let shown = plan.now(&world).await;
    assert_eq!(why(&shown, 2), "it waits for step 1 of its plan");
    for (done, states) in [
        (1, ["settled", "approved", "approved"]),
        (2, ["settled", "settled", "approved"]),
        (3, ["settled", "settled", "settled"]),
    ] {
        world.step().await;
        assert_eq!(plan.states(&world).await, states);
        assert_eq!(called(&world), ["001", "002", "006"][..done]);
    }
    let over = plan.now(&world).await;
    assert!(!over.error && over.json["terminal"] == true, "{over:?}");
    let kinds = world.audit_kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "plan.asked").count(), 1);
    assert_eq!(kinds.iter().filter(|kind| *kind == "plan.turn_came").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_step_waits_for_the_step_before_it() {
    let (world, plan) = waiting("stop", &["001", "002"]).await;
    let bob = world.person("bob").await;
    bob.approve(&plan.steps[1]).await;
    world.work().await;
    assert!(called(&world).is_empty());
    assert_eq!(plan.states(&world).await, ["pending", "approved"]);
    bob.approve(&plan.steps[0]).await;
    world.work().await;
    assert_eq!(called(&world), ["001", "002"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_step_does_not_hold_up_other_requests() {
    let (world, plan) = waiting("stop", &["001", "002"]).await;
    let bob = world.person("bob").await;
    bob.approve(&plan.steps[1]).await;
    let other = world.agent().await.block("203.0.113.77", json!({ "agent_ids": ["006"] })).await;
    bob.approve(&other.id()).await;
    world.work().await;
    assert_eq!(called(&world), ["006"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_outcome_stops_or_continues_by_rule() {
    for (rule, second, calls) in [("stop", "withdrawn", 1), ("continue", "settled", 3)] {
        let (world, plan) = at_once(rule).await;
        world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
        world.work().await;
        assert_eq!(plan.states(&world).await, ["settled", second, second], "{rule}");
        assert_eq!(called(&world).len(), calls, "{rule}");
        let shown = plan.now(&world).await;
        assert_eq!(why(&shown, 1), "it is unknown on endpoint 001");
        let expected =
            if rule == "stop" { "step 1 of its plan is unknown on endpoint 001" } else { "" };
        assert_eq!(why(&shown, 2), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_step_withdraws_only_what_follows() {
    let (world, plan) = waiting("stop", &["001", "002", "006"]).await;
    world.person("bob").await.reject(&plan.steps[1], "not this one").await;
    let shown = plan.now(&world).await;
    assert_eq!(states(&shown), ["pending", "rejected", "withdrawn"]);
    assert_eq!(why(&shown, 3), "step 2 of its plan was rejected");
    world.person("bob").await.approve(&plan.steps[0]).await;
    world.work().await;
    assert_eq!(called(&world), ["001"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_step_of_a_continuing_plan_is_skipped() {
    let (world, plan) = waiting("continue", &["001", "002", "006"]).await;
    let bob = world.person("bob").await;
    bob.approve(&plan.steps[2]).await;
    bob.reject(&plan.steps[1], "not this one").await;
    world.work().await;
    assert!(called(&world).is_empty());
    bob.approve(&plan.steps[0]).await;
    world.work().await;
    assert_eq!(called(&world), ["001", "006"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn undone_step_stops_a_step_that_still_waits() {
    let (world, plan) = waiting("stop", &["001", "002"]).await;
    let bob = world.person("bob").await;
    bob.approve(&plan.steps[0]).await;
    world.work().await;
    assert_eq!(plan.states(&world).await, ["settled", "pending"]);
    let undo = world.agent().await.undo(&plan.steps[0]).await.id();
    bob.approve(&undo).await;
    world.work().await;
    let shown = plan.now(&world).await;
    assert_eq!(states(&shown), ["settled", "withdrawn"]);
    assert_eq!(why(&shown, 2), "step 1 of its plan is reverted on endpoint 001");
}

#[tokio::test(flavor = "multi_thread")]
async fn use_by_runs_from_the_step_before() {
    let (world, plan) = waiting("stop", &["001", "002"]).await;
    let bob = world.person("bob").await;
    bob.approve(&plan.steps[1]).await;
    world.pass(LATER);
    world.broker().expire_overdue().await.unwrap();
    assert_eq!(plan.states(&world).await, ["pending", "approved"]);
    world.person("bob").await.approve(&plan.steps[0]).await;
    world.step().await;
    assert_eq!(plan.states(&world).await, ["settled", "approved"]);
    // From here on it runs, as that of any other request.
    world.pass(LATER);
    world.broker().expire_overdue().await.unwrap();
    assert_eq!(plan.states(&world).await, ["settled", "expired"]);
    world.work().await;
    assert_eq!(called(&world), ["001"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_lasts_while_an_earlier_step_waits() {
    let (world, plan) = first_away().await;
    for step in &plan.steps {
        world.person("bob").await.approve(step).await;
    }
    world.work().await;
    world.pass(Duration::from_hours(23));
    world.broker().expire_overdue().await.unwrap();
    assert_eq!(plan.states(&world).await, ["waiting", "approved"]);
    world.manager.set_status("002", Status::Active);
    world.look_for_returned().await;
    world.work().await;
    assert_eq!(plan.states(&world).await, ["settled", "settled"]);
    assert_eq!(called(&world), ["002", "001"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_for_plan_does_not_hang_on_waiting() {
    let (world, plan) = first_away().await;
    world.person("bob").await.approve(&plan.steps[0]).await;
    world.work().await;
    // No time passes here: only an answer at once ends it.
    let wait = json!({ "plan_id": plan.id, "timeout_seconds": 50 });
    let told = world.agent().await.call("get_plan", wait).await;
    assert_eq!(states(&told), ["waiting", "pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn use_by_of_a_late_approval_runs_from_it() {
    let (world, plan) = waiting("stop", &["001", "002"]).await;
    let bob = world.person("bob").await;
    bob.approve(&plan.steps[0]).await;
    world.work().await;
    bob.approve(&plan.steps[1]).await;
    world.pass(LATER);
    world.broker().expire_overdue().await.unwrap();
    assert_eq!(plan.states(&world).await, ["settled", "expired"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_step_withdraws_what_follows() {
    let (world, plan) = waiting("stop", &["001", "002"]).await;
    world.person("bob").await.approve(&plan.steps[1]).await;
    world.pass(Duration::from_hours(4));
    world.broker().expire_overdue().await.unwrap();
    let shown = plan.now(&world).await;
    assert_eq!(states(&shown), ["expired", "withdrawn"]);
    assert_eq!(why(&shown, 2), "step 1 of its plan was expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn step_that_nobody_sends_expires_at_its_bound() {
    let (world, plan) = at_once("continue").await;
    world.freeze("a test").await;
    // The first at its use-by, the next at its own after that, the bound aside.
    for expired in 1..=3 {
        world.pass(LATER);
        world.broker().expire_overdue().await.unwrap();
        let states = plan.states(&world).await;
        assert_eq!(states.iter().filter(|state| *state == "expired").count(), expired);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_plan_withdraws_its_approved_step() {
    for change in [
        "UPDATE plan SET on_failure = 'continue'",
        "UPDATE plan SET heading = 'another'",
        "UPDATE request SET plan_step = 5 WHERE plan_step = 2",
        "UPDATE request SET reason = 'another' WHERE plan_step = 2",
    ] {
        let (world, plan) = waiting("stop", &["001", "002"]).await;
        world.person("bob").await.approve(&plan.steps[0]).await;
        world.execute(change).await;
        world.work().await;
        assert!(called(&world).is_empty(), "{change}");
        let told = plan.now(&world).await;
        assert_eq!(states(&told)[0], "withdrawn", "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn step_taken_out_of_its_plan_is_withdrawn() {
    let (world, plan) = waiting("stop", &["001", "002"]).await;
    world.person("bob").await.approve(&plan.steps[1]).await;
    world.execute("UPDATE request SET plan_id = NULL, plan_step = NULL WHERE plan_step = 2").await;
    world.work().await;
    assert!(called(&world).is_empty());
    assert_eq!(world.agent().await.get(&plan.steps[1]).await.state(), "withdrawn");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_plan_ends_every_open_step() {
    let (world, plan) = waiting("continue", &["001", "002", "006"]).await;
    let bob = world.person("bob").await;
    bob.approve(&plan.steps[0]).await;
    bob.approve(&plan.steps[1]).await;
    world.step().await;
    let agent = world.agent().await;
    let reason = json!({ "plan_id": plan.id, "reason": "a false alarm" });
    let cancelled = agent.call("cancel_plan", reason.clone()).await;
    assert_eq!(states(&cancelled), ["settled", "cancelled", "cancelled"]);
    assert_eq!(why(&cancelled, 2), "a false alarm");
    world.work().await;
    assert_eq!(called(&world), ["001"]);
    let again = agent.call("cancel_plan", reason).await;
    assert!(again.error && again.text.contains("can no longer be cancelled"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_holds_every_step() {
    let (world, plan) = at_once("stop").await;
    world.step().await;
    world.freeze("a test").await;
    world.work().await;
    assert_eq!(plan.states(&world).await, ["settled", "approved", "approved"]);
    world.unfreeze().await;
    world.work().await;
    assert_eq!(called(&world), ["001", "002", "006"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_keeps_the_order() {
    let (world, plan) = at_once("stop").await;
    world.step().await;
    let world = world.restart().await;
    world.work().await;
    assert_eq!(plan.states(&world).await, ["settled", "settled", "settled"]);
    assert_eq!(called(&world), ["001", "002", "006"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn critical_step_needs_its_own_two_people() {
    let (world, plan) = waiting("stop", &[WEB, CORE]).await;
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    bob.approve(&plan.steps[0]).await;
    bob.approve(&plan.steps[1]).await;
    world.work().await;
    assert_eq!(plan.states(&world).await, ["settled", "pending"]);
    carol.approve(&plan.steps[1]).await;
    world.work().await;
    assert_eq!(called(&world), [WEB, CORE]);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_go_to_several_managers_in_order() {
    let world =
        World::builder().with_only_policy(RUN_AT_ONCE).with_second_manager("paris").start().await;
    let steps = [block("paris/001"), block("test/001")];
    let plan = Asked::of(&propose(&world.agent().await, "stop", &steps).await);
    world.work().await;
    assert_eq!(plan.states(&world).await, ["settled", "settled"]);
    assert_eq!((world.manager.received().len(), world.second_manager.received().len()), (1, 1));
    // The first manager has nothing to do before the second has answered.
    let kinds = world.audit_kinds().await;
    let place = |kind: &str| kinds.iter().position(|one| one == kind).unwrap();
    assert!(place("dispatch.answered") < place("plan.turn_came"));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_step_leaves_senders_to_others() {
    let world = World::builder().with_only_policy(REACH_TWO).start().await;
    let agent = world.agent().await;
    let one = json!({ "agent_ids": ["001"] });
    agent.block("203.0.113.70", one.clone()).await;
    world.work().await;
    world.broker().open_senders("test");
    let mut wide = block("001");
    wide["arguments"]["agent_ids"] = json!(["001", "002", "006"]);
    let mut narrow = block("001");
    narrow["arguments"]["srcip"] = json!("203.0.113.71");
    let asked = propose(&agent, "stop", &[wide, narrow]).await;
    assert_eq!(states(&asked), ["pending", "approved"]);
    // It is claimed with its decision, as if the plan were not there.
    assert_eq!(agent.block("203.0.113.72", one).await.state(), "dispatching");
    world.work().await;
    assert_eq!(called(&world), ["001", "001"]);
}
