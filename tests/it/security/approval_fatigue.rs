//! An agent that asks and asks: people see a thing once, and no more of it than they can bear.

use std::time::Duration;

use countersign::broker::AgentLimits;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{ALERT, AgentClient, World};

async fn limited(open: u64, asks: u64) -> World {
    let limits = AgentLimits {
        open_requests_max: open,
        asks_per_minute_max: asks,
        ..AgentLimits::default()
    };
    World::builder().with_settings(|settings| settings.agents = limits).start().await
}

async fn block(agent: &AgentClient, number: u8) -> crate::harness::agent::Answer {
    agent.block(&format!("203.0.113.{number}"), json!({ "agent_ids": ["001"] })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reworded_proposal_is_the_same_request() {
    let world = World::start().await;
    let agent = world.agent().await;
    let ask = |reason: &'static str, more: Value| {
        let mut all = json!({ "agent_ids": ["001"], "reason": reason });
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        agent.block("203.0.113.9", all)
    };
    let first = ask("brute force", json!({})).await.id();
    for (reason, more) in [
        ("URGENT!!! please approve", json!({})),
        ("brute force", json!({ "confidence": 99 })),
        ("brute force", json!({ "idempotency_key": "one" })),
        ("again", json!({ "idempotency_key": "two", "confidence": 1 })),
    ] {
        assert_eq!(ask(reason, more).await.id(), first, "{reason}");
    }
    let listed = agent.call("list_requests", json!({})).await;
    assert_eq!(listed.json["requests"].as_array().unwrap().len(), 1);
    let other = ask("brute force", json!({ "alert_id": ALERT })).await.id();
    assert_ne!(other, first, "another alert is another reason to ask");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_action_cannot_be_proposed_again_at_once() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = block(&agent, 9).await.id();
    world.person("bob").await.reject(&id, "a customer of ours").await;
    for more in [
        json!({ "agent_ids": ["001"], "reason": "it is back" }),
        json!({ "agent_ids": ["002"] }),
        json!({ "agent_ids": ["001"], "permanent": true, "duration_seconds": null }),
    ] {
        let mut all = json!({ "srcip": "203.0.113.9", "duration_seconds": 600, "reason": "x" });
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        if all["duration_seconds"].is_null() {
            all.as_object_mut().unwrap().remove("duration_seconds");
        }
        let again = agent.call("block_ip", all).await;
        assert_eq!((again.state(), again.error), ("denied", true), "{again:?}");
        assert!(again.text.contains("ask.rejected-lately"), "{}", again.text);
    }
    assert_eq!(block(&agent, 10).await.state(), "pending", "another address is another question");
    world.pass(Duration::from_mins(30));
    assert_eq!(block(&agent, 9).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejection_does_not_end_earlier_requests() {
    let world = World::start().await;
    let agent = world.agent().await;
    let one = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let two = agent.block("203.0.113.9", json!({ "agent_ids": ["002"] })).await.id();
    world.pass(Duration::from_secs(1));
    let bob = world.person("bob").await;
    bob.reject(&one, "not there").await;
    bob.approve(&two).await;
    world.work().await;
    assert_eq!(agent.get(&two).await.outcomes(), ["002: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_cannot_exceed_open_request_limit() {
    let world = limited(2, 100).await;
    let agent = world.agent().await;
    let first = block(&agent, 1).await.id();
    block(&agent, 2).await.id();
    let third = block(&agent, 3).await;
    assert!(third.error && third.json["request_id"].is_null(), "{third:?}");
    assert!(third.text.contains("2 open requests are the most"), "{}", third.text);
    assert_eq!(block(&agent, 1).await.id(), first, "what is open already is answered");
    world.person("bob").await.reject(&first, "no").await;
    assert_eq!(block(&agent, 3).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_cannot_exceed_rate_limit_or_fill_audit() {
    let world = limited(100, 3).await;
    let agent = world.agent().await;
    block(&agent, 1).await.id();
    let wrong = agent.block("127.1", json!({ "agent_ids": ["001"] })).await;
    assert!(wrong.error, "what is refused counts too");
    block(&agent, 2).await.id();
    for number in 3..20 {
        let more = block(&agent, number).await;
        assert!(more.error && more.json["request_id"].is_null(), "{more:?}");
        let most = "3 asks within a minute are the most, and there is room again at ";
        assert!(more.text.contains(most), "{}", more.text);
    }
    let kinds = world.audit_kinds().await;
    let count = |kind: &str| kinds.iter().filter(|other| *other == kind).count();
    assert_eq!(count("proposal.throttled"), 1, "{kinds:?}");
    assert_eq!(count("proposal.refused"), 1);
    assert_eq!(count("request.asked"), 2);
    world.pass(Duration::from_secs(61));
    assert_eq!(block(&agent, 3).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_agent_has_its_own_limits() {
    let world = limited(1, 100).await;
    block(&world.agent().await, 1).await.id();
    let second = world.another_agent("second-bot", "alice").await;
    assert_eq!(block(&second, 1).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_for_concurrent_proposals() {
    let world = limited(3, 100).await;
    let agent = world.agent().await;
    let asks = (1..=12).map(|number| block(&agent, number));
    let answers = futures_join(asks).await;
    let stored = answers.iter().filter(|answer| !answer.json["request_id"].is_null()).count();
    assert!((1..=3).contains(&stored), "{answers:?}");
    let listed = agent.call("list_requests", json!({})).await;
    assert_eq!(listed.json["requests"].as_array().unwrap().len(), stored);
}

async fn futures_join<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = all.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        waiting.retain_mut(|one| match one.as_mut().poll(cx) {
            std::task::Poll::Ready(answer) => {
                done.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_stops_automatic_approval_for_busy_agent() {
    let world = World::start().await;
    let agent = world.agent().await;
    for number in 1..=10 {
        block(&agent, number).await.id();
    }
    let more = json!({ "agent_ids": ["002"], "alert_id": ALERT });
    let asked = agent.block("203.0.113.7", more).await;
    assert_eq!(asked.state(), "pending", "with an alert that would let it run at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn persons_undo_does_not_count_against_agents_limit() {
    let world = limited(1, 100).await;
    let agent = world.agent().await;
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    let id = agent.block("203.0.113.7", more).await.id();
    world.work().await;
    let alice = world.person("alice").await;
    let page = alice.vote(&id, "undo", &[("comment", "a mistake")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    assert_eq!(block(&agent, 2).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn manager_name_does_not_make_another_request() {
    let world = World::start().await;
    let agent = world.agent().await;
    for alert in [json!(ALERT), Value::Null] {
        let ask = |more: Value| {
            let mut all = json!({ "alert_id": alert });
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            agent.block("203.0.113.7", all)
        };
        let first = ask(json!({ "agent_ids": ["001"] })).await.id();
        for more in [
            json!({ "agent_ids": ["test/001"] }),
            json!({ "agent_ids": ["001"], "manager": "test" }),
            json!({ "agent_ids": ["001", "001"], "idempotency_key": format!("{alert}") }),
        ] {
            assert_eq!(ask(more.clone()).await.id(), first, "{more}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn manager_name_among_several_makes_no_other_request() {
    let world = World::builder()
        .with_second_manager("other")
        .with_second_simulator(|site| site.agents.retain(|agent| agent.id != "001"))
        .start()
        .await;
    let agent = world.agent().await;
    let first = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let named = agent.block("203.0.113.9", json!({ "agent_ids": ["test/001"] })).await.id();
    assert_eq!(named, first);
    let again = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    assert_eq!(again, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_wait_time_cannot_fill_audit() {
    let world = limited(100, 3).await;
    let agent = world.agent().await;
    for _ in 0..20 {
        let asked = agent.block("203.0.113.9", json!({ "agent_ids": ["001"], "wait_seconds": 99 }));
        assert!(asked.await.error);
    }
    let kinds = world.audit_kinds().await;
    let count = |kind: &str| kinds.iter().filter(|other| *other == kind).count();
    assert_eq!((count("proposal.refused"), count("proposal.throttled")), (3, 1));
}
