//! The worker: claims, sends once, says what is known, and stops when told to.

use std::time::Duration;

use countersign::broker::execution::progress::Progress;
use serde_json::{Value, json};
use wazuh_simulator::{AgentError, Calls, Endpoint, Fault, Os, Outage, Status, Times, Work};

use crate::harness::{ALERT, World};

/// A block on these endpoints that bob approved.
pub(super) async fn approved(world: &World, endpoints: &[&str]) -> String {
    let more = json!({ "agent_ids": endpoints });
    let id = world.agent().await.block("203.0.113.9", more).await.id();
    world.person("bob").await.approve(&id).await;
    id
}

pub(super) async fn outcomes(world: &World, id: &str) -> Vec<String> {
    let answer = world.agent().await.get(id).await;
    assert_eq!(answer.state(), "settled", "{answer:?}");
    answer.outcomes()
}

#[tokio::test(flavor = "multi_thread")]
async fn manager_receives_exactly_command_target_and_correlation_tag() {
    let world = World::start().await;
    let id = approved(&world, &["001"]).await;
    world.work().await;
    let told = world.manager.received();
    let [call] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(call.command, "firewall-drop600");
    assert_eq!(call.alert, json!({ "data": { "srcip": "203.0.113.9" } }));
    assert_eq!(call.asked, ["001"]);
    let [mark] = call.arguments.as_slice() else { panic!("{call:?}") };
    assert!(mark.starts_with(&format!("countersign={id}/att_")), "{mark}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_platform_receives_its_own_command() {
    let world = World::start().await;
    approved(&world, &["001", "005", "010"]).await;
    world.work().await;
    let mut told: Vec<_> =
        world.manager.received().into_iter().map(|call| (call.command, call.asked)).collect();
    told.sort();
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            ("firewall-drop600".to_owned(), ids(&["001", "010"])),
            ("netsh600".to_owned(), ids(&["005"])),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn permanent_block_uses_untimed_command() {
    let world = World::start().await;
    let agent = world.agent().await;
    let more = json!({ "agent_ids": ["001"], "permanent": true, "duration_seconds": null });
    let asked = agent.block("203.0.113.9", more).await;
    for name in ["bob", "carol"] {
        world.person(name).await.approve(&asked.id()).await;
    }
    world.work().await;
    assert_eq!(world.manager.received()[0].command, "!firewall-drop");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_request_is_sent_in_batches_of_fifty() {
    let web = |n| Endpoint::new(&format!("{n:03}"), &format!("web-{n}"), Os::UBUNTU);
    let endpoints = (1..=120).map(|n| web(n).groups(&["web"])).collect();
    let world = World::builder().with_simulator(|site| site.agents = endpoints).start().await;
    let asked = world.agent().await.block("203.0.113.9", json!({ "all_agents": true })).await;
    for name in ["bob", "carol"] {
        world.person(name).await.approve(&asked.id()).await;
    }
    world.work().await;
    let sizes: Vec<_> = world.manager.received().iter().map(|call| call.asked.len()).collect();
    assert_eq!(sizes, [50, 50, 20]);
    assert_eq!(world.agent().await.get(&asked.id()).await.state(), "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_and_four_digit_ids_are_sent_together() {
    let web = |id| Endpoint::new(id, &format!("web-{id}"), Os::UBUNTU).groups(&["web"]);
    let endpoints = ["101", "999", "1000"].map(web).into();
    let world = World::builder().with_simulator(|site| site.agents = endpoints).start().await;
    let id = approved(&world, &["1000", "999", "101"]).await;
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["101: sent", "999: sent", "1000: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_is_unknown_and_never_sent_again() {
    for fault in [
        Fault::Drop(Work::Done),
        Fault::Drop(Work::NotDone),
        Fault::Fail(Outage::Timeout, Work::Done),
        Fault::Fail(Outage::Timeout, Work::NotDone),
        Fault::NoJson(Work::Done),
    ] {
        let world = World::start().await;
        let id = approved(&world, &["001"]).await;
        world.manager.misbehave(fault.clone(), Times::Once);
        world.work().await;
        world.work().await;
        assert_eq!(outcomes(&world, &id).await, ["001: unknown"], "{fault:?}");
        assert!(world.manager.received().len() <= 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_outcome_blocks_automatic_approval_of_same_action() {
    let world = World::start().await;
    let agent = world.agent().await;
    let more = || json!({ "agent_ids": ["001"], "alert_id": ALERT });
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    let first = agent.block("203.0.113.7", more()).await;
    world.work().await;
    assert_eq!(outcomes(&world, &first.id()).await, ["001: unknown"]);
    let second = agent.block("203.0.113.7", more()).await;
    assert_eq!(second.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn unsent_call_is_retried_within_claim() {
    for fault in [Fault::Unauthorized, Fault::TooManyRequests] {
        let world = World::start().await;
        let id = approved(&world, &["001"]).await;
        world.manager.misbehave(fault.clone(), Times::Once);
        world.work().await;
        assert_eq!(outcomes(&world, &id).await, ["001: sent"], "{fault:?}");
        assert_eq!(world.manager.received().len(), 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outcome_is_not_sent_after_three_tries() {
    let world = World::start().await;
    let id = approved(&world, &["001"]).await;
    world.manager.misbehave(Fault::TooManyRequests, Times::UntilCleared);
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: not_sent"]);
    assert!(world.manager.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_missing_from_answer_is_unknown() {
    let world = World::start().await;
    let id = approved(&world, &["001", "002"]).await;
    world.manager.misbehave(Fault::LeaveOut(vec!["002".to_owned()], Work::NotDone), Times::Once);
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: sent", "002: unknown"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn response_after_silent_answer_waits_for_people() {
    let world = World::start().await;
    let agent = world.agent().await;
    let more = || json!({ "agent_ids": ["001"], "alert_id": ALERT });
    // Something in between loses what the manager said of it.
    world.manager.misbehave(Fault::LeaveOut(vec!["001".to_owned()], Work::Done), Times::Once);
    let first = agent.block("203.0.113.7", more()).await;
    world.work().await;
    assert_eq!(outcomes(&world, &first.id()).await, ["001: unknown"]);
    assert_eq!(agent.block("203.0.113.7", more()).await.state(), "pending");
    world.work().await;
    assert_eq!(world.manager.delivered_to("001").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_by_gateway_is_never_sent_again() {
    for status in [401, 403, 429] {
        let world = World::start().await;
        let id = approved(&world, &["001"]).await;
        world.manager.misbehave(Fault::Gateway(status, Work::Done), Times::UntilCleared);
        world.work().await;
        assert_eq!(outcomes(&world, &id).await, ["001: unknown"], "{status}");
        assert_eq!(world.manager.received().len(), 1, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_carries_managers_error_code() {
    let world = World::start().await;
    let id = approved(&world, &["001", "014"]).await;
    world.manager.misbehave(Fault::EveryAgent(AgentError::NotConfigured), Times::Once);
    world.work().await;
    let answer = world.agent().await.get(&id).await;
    assert_eq!(answer.json["endpoints"]["outcomes"][0]["code"], Value::from(1652));
    assert!(answer.error, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn dispatch_continues_after_unknown_batch_when_manager_answers() {
    let world = World::start().await;
    let id = approved(&world, &["001", "005"]).await;
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: unknown", "005: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_ends_wait_for_manager() {
    let month = Duration::from_hours(30 * 24);
    let world = World::builder().with_settings(|s| s.use_approval_within = month).start().await;
    let id = approved(&world, &["001", "005"]).await;
    let asked = world.clock.now();
    world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    // The call hangs until the manager is down: else a read right after it could still succeed.
    // By the test's clock hours of the wait pass while the kill switch is thrown.
    world.manager.hold("001");
    let freeze = async {
        world.manager.until_received(1).await;
        let down = Fault::Fail(Outage::Restarting, Work::NotDone);
        world.manager.misbehave_on(Calls::Reads, down, Times::UntilCleared);
        world.manager.release("001");
        world.freeze("stop").await;
    };
    tokio::join!(world.work(), freeze);
    assert_eq!(outcomes(&world, &id).await, ["001: unknown", "005: not_sent"]);
    let waited = world.clock.now() - asked;
    assert!(waited < chrono::TimeDelta::days(29), "{waited}");
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_manager_holds_request_until_use_by() {
    let world = World::start().await;
    let id = approved(&world, &["001"]).await;
    world.stop_manager().await;
    assert!(matches!(world.step().await, Progress::Held(_)));
    let html = world.person("bob").await.get(&format!("/requests/{id}")).await.html;
    assert!(html.contains("cannot be reached") || html.contains("refused"), "{html}");
    world.pass(Duration::from_secs(601));
    world.step().await;
    let answer = world.agent().await.get(&id).await;
    assert_eq!((answer.state(), answer.error), ("expired", true));
    assert!(world.manager.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn undecided_request_expires_and_is_never_approved() {
    let world = World::start().await;
    let asked = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    world.pass(Duration::from_hours(4));
    world.work().await;
    assert_eq!(world.agent().await.get(&asked.id()).await.state(), "expired");
    assert!(world.manager.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_stops_claims_until_released() {
    let world = World::start().await;
    let id = approved(&world, &["001"]).await;
    let carol = world.person("carol").await;
    let mut fields = carol.get("/system").await.form("/freeze").unwrap();
    fields.insert("what".to_owned(), "everything".to_owned());
    fields.insert("reason".to_owned(), "something is wrong".to_owned());
    carol.post("/freeze", &fields).await;
    assert_eq!(world.step().await, Progress::Stopped);
    assert!(carol.get("/").await.html.contains("something is wrong"), "on every page");
    for name in ["carol", "dora"] {
        assert_eq!(world.step().await, Progress::Stopped);
        let person = world.person(name).await;
        let mut fields = person.get("/system").await.form("/unfreeze").unwrap();
        fields.insert("reason".to_owned(), "all is well".to_owned());
        person.post("/unfreeze", &fields).await;
    }
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_stops_remaining_batches() {
    let world = World::start().await;
    let id = approved(&world, &["001", "005"]).await;
    world.manager.hold("001");
    let work = world.work();
    let freeze = async {
        world.manager.until_received(1).await;
        world.freeze("stop").await;
        world.manager.release("001");
    };
    tokio::join!(work, freeze);
    assert_eq!(outcomes(&world, &id).await, ["001: sent", "005: not_sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn re_enrolled_endpoint_withdraws_request() {
    let world = World::start().await;
    let id = approved(&world, &["001"]).await;
    world.manager.re_enrol("001");
    world.work().await;
    let answer = world.agent().await.get(&id).await;
    assert_eq!((answer.state(), answer.error), ("withdrawn", true));
    assert!(answer.text.contains("another machine"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_endpoint_is_skipped_without_a_new_vote() {
    let world = World::start().await;
    let id = approved(&world, &["001", "002"]).await;
    world.manager.set_status("002", Status::Disconnected);
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: sent", "002: not_sent"]);
    assert_eq!(world.manager.received()[0].asked, ["001"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_during_call_leaves_unknown_and_sends_nothing() {
    let world = World::start().await;
    let id = approved(&world, &["001", "005"]).await;
    world.manager.hold("001");
    {
        // Dropping the step half way is what a crash leaves behind: an attempt without an answer.
        let step = world.step();
        tokio::pin!(step);
        tokio::select! {
            _ = &mut step => panic!("the call cannot end while the endpoint is held"),
            () = world.manager.until_received(1) => {}
        }
    }
    let world = world.restart().await;
    world.manager.release("001");
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: unknown", "005: not_sent"]);
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_login_holds_request() {
    let world = World::start().await;
    let id = approved(&world, &["001"]).await;
    world.manager.revoke_tokens();
    world.manager.misbehave_on(Calls::Login, Fault::Forbidden, Times::Once);
    assert!(matches!(world.step().await, Progress::Held(_)));
    assert_eq!(world.agent().await.get(&id).await.state(), "approved");
}
