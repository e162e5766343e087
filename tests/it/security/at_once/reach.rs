//! A limit holds for what is done, in however many pieces, by whomever, and however often.

use std::time::Duration;

use countersign::broker::AgentLimits;

use super::{AgentClient, PEER, World, alert, ask, id, json, web, web_world};
use crate::harness::PersonClient;

#[tokio::test(flavor = "multi_thread")]
async fn pieces_are_decided_as_the_whole() {
    for pieces in [&[&["001", "002", "003", "004"][..]][..], &[&["001", "002", "003"], &["004"]]] {
        let world = web_world(6).await;
        let (agent, alert) = (world.agent().await, alert(&world, &json!({})));
        let mut last = String::new();
        for piece in pieces {
            let asked = ask(&agent, &alert, piece).await;
            world.work().await;
            asked.state().clone_into(&mut last);
        }
        assert_eq!(last, "pending", "{pieces:?}");
        assert!(world.manager.delivered_to("004").is_empty(), "{pieces:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_count_before_they_are_sent() {
    let world = web_world(6).await;
    let (agent, alert) = (world.agent().await, alert(&world, &json!({})));
    for endpoints in [["001", "002"], ["003", "004"]] {
        ask(&agent, &alert, &endpoints).await;
    }
    world.work().await;
    assert!(world.manager.delivered_to("002").len() == 1);
    assert!(world.manager.delivered_to("003").is_empty(), "four endpoints want a person");
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_of_other_agents_count() {
    let world = web_world(6).await;
    let alert = alert(&world, &json!({}));
    ask(&world.agent().await, &alert, &["001", "002", "003"]).await;
    world.work().await;
    let other = world.another_agent("hunter", "alice").await;
    assert_eq!(ask(&other, &alert, &["001"]).await.state(), "approved", "it reaches no further");
    assert_eq!(ask(&other, &alert, &["004"]).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_pieces_count_for_an_hour() {
    let world = web_world(6).await;
    let agent = world.agent().await;
    let early = alert(&world, &json!({}));
    ask(&agent, &early, &["001", "002", "003"]).await;
    world.work().await;
    world.pass_for_all(Duration::from_mins(30));
    world.look().await;
    let asked = ask(&agent, &early, &["004"]).await;
    assert_eq!(asked.state(), "pending", "the blocks ended, but within the hour");
    agent.cancel(&asked.id()).await;
    world.pass_for_all(Duration::from_mins(31));
    let late = alert(&world, &json!({}));
    assert_eq!(ask(&agent, &late, &["004"]).await.state(), "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_blocks_count_while_they_are_active() {
    let world = web_world(6).await;
    let agent = world.agent().await;
    let for_ever =
        json!({ "agent_ids": ["001", "002"], "permanent": true, "duration_seconds": null });
    let first = agent.block(PEER, for_ever).await.id();
    for name in ["bob", "carol"] {
        world.person(name).await.approve(&first).await;
    }
    world.work().await;
    world.pass_for_all(Duration::from_hours(40));
    let alert = alert(&world, &json!({}));
    assert_eq!(ask(&agent, &alert, &["003"]).await.state(), "approved", "it is the third");
    world.work().await;
    assert_eq!(ask(&agent, &alert, &["004"]).await.state(), "pending", "it is the fourth");
}

/// Asks for a block on endpoints from one number to another.
async fn on(agent: &AgentClient, numbers: std::ops::RangeInclusive<usize>) -> String {
    let endpoints: Vec<_> = numbers.map(id).collect();
    agent.block(PEER, json!({ "agent_ids": endpoints })).await.id()
}

/// Approves what asks more of people by now than its page says, and again once its page says so.
async fn approve_risen(who: &PersonClient, id: &str) {
    let page = who.vote(id, "approve", &[("comment", "")]).await;
    assert_eq!(page.status, 403, "{}", page.html);
    page.shows("this is of the high tier");
    who.approve(id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn risen_tier_takes_a_proof_of_its_own() {
    let world = web_world(51).await;
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let (first, second) = (on(&agent, 1..=26).await, on(&agent, 27..=51).await);
    bob.approve(&first).await;
    let version = bob.form(&second, "approve").await["version"].clone();
    let page = bob.vote(&second, "approve", &[("comment", "")]).await;
    assert_eq!(page.status, 403, "{}", page.html);
    assert_ne!(bob.form(&second, "approve").await["version"], version, "its page says so");
    bob.approve(&second).await;
    assert_eq!(agent.get(&second).await.state(), "pending", "a lead is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_one_in_two_requests_want_a_lead() {
    let world = web_world(51).await;
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let first = on(&agent, 1..=26).await;
    bob.approve(&first).await;
    world.work().await;
    let second = on(&agent, 27..=51).await;
    bob.approve(&second).await;
    world.work().await;
    let answer = agent.get(&second).await;
    assert_eq!(answer.state(), "pending", "{answer:?}");
    assert!(answer.text.contains("run.many-endpoints"), "{}", answer.text);
    assert!(world.manager.delivered_to("051").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_halves_approved_together_want_a_lead() {
    for later_first in [false, true] {
        let world = web_world(51).await;
        let (agent, bob) = (world.agent().await, world.person("bob").await);
        let mut halves = vec![on(&agent, 1..=26).await];
        world.pass(Duration::from_secs(1));
        halves.push(on(&agent, 27..=51).await);
        if later_first {
            halves.reverse();
        }
        bob.approve(&halves[0]).await;
        if later_first {
            // What was asked first does not count what came later: the claim holds the later one.
            bob.approve(&halves[1]).await;
        } else {
            approve_risen(&bob, &halves[1]).await;
        }
        world.work().await;
        let mut states = Vec::new();
        for half in &halves {
            states.push(agent.get(half).await.state().to_owned());
        }
        states.sort();
        assert_eq!(states, ["pending", "settled"], "{later_first}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn active_block_is_answered_with_its_request() {
    let world = web_world(3).await;
    let (agent, alert) = (world.agent().await, alert(&world, &json!({})));
    let first = ask(&agent, &alert, &["001", "002", "003"]).await.id();
    world.work().await;
    for endpoints in [&["001", "002", "003"][..], &["003"], &["001", "002"]] {
        let again = ask(&agent, &alert, endpoints).await;
        assert_eq!(again.id(), first, "{endpoints:?}");
        assert!(again.text.contains("active already and rests on this earlier"), "{}", again.text);
    }
    world.work().await;
    assert_eq!(world.manager.received().len(), 1);
    world.pass_for_all(Duration::from_secs(301));
    let renewed = ask(&agent, &alert, &["001"]).await;
    assert_ne!(renewed.id(), first, "half of its time is over");
    assert_eq!(renewed.state(), "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_what_is_active_has_a_pace() {
    let limits =
        AgentLimits { open_requests_max: 100, asks_per_minute_max: 3, ..AgentLimits::default() };
    let world = World::builder()
        .with_simulator(|site| site.agents = web(1))
        .with_settings(|settings| settings.agents = limits)
        .start()
        .await;
    let (agent, alert) = (world.agent().await, alert(&world, &json!({})));
    let first = ask(&agent, &alert, &["001"]).await.id();
    world.work().await;
    for _ in 0..2 {
        assert_eq!(ask(&agent, &alert, &["001"]).await.id(), first);
    }
    let fourth = ask(&agent, &alert, &["001"]).await;
    assert!(fourth.error && fourth.text.contains("3 asks within a minute"), "{fourth:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_runs_of_all_agents_are_counted() {
    const POLICY: &str = "
        @id(\"test.ask\") @why(\"x\") permit (principal, action in Countersign::Action::\"ask\",
            resource);
        @id(\"test.two\") @why(\"x\") permit (principal, action in Countersign::Action::\"run\",
            resource) when { context.facts.automatic_last_day < 2 };
        @id(\"test.people\") @why(\"x\") permit (principal, action, resource)
            when { principal is Countersign::Person };
        @id(\"test.vote\") @why(\"x\") permit (principal is Countersign::Agent,
            action in Countersign::Action::\"run\", resource) when { context.votes.people >= 1 };";
    let world = World::builder()
        .with_simulator(|site| site.agents = web(1))
        .with_only_policy(POLICY)
        .start()
        .await;
    let agents = [world.agent().await, world.another_agent("hunter", "alice").await];
    let block = async |agent: &AgentClient, address: &str| {
        let asked = agent.block(address, json!({ "agent_ids": ["001"] })).await;
        world.work().await;
        asked
    };
    assert_eq!(block(&agents[0], "203.0.113.1").await.state(), "approved");
    assert_eq!(block(&agents[1], "203.0.113.2").await.state(), "approved");
    let third = block(&agents[0], "203.0.113.3").await;
    assert_eq!(third.state(), "pending");
    world.person("bob").await.approve(&third.id()).await;
    world.work().await;
    world.pass_for_all(Duration::from_hours(24) + Duration::from_secs(1));
    assert_eq!(block(&agents[1], "203.0.113.4").await.state(), "approved", "a day later");
    assert_eq!(block(&agents[0], "203.0.113.5").await.state(), "approved");
    assert_eq!(block(&agents[0], "203.0.113.6").await.state(), "pending");
}
