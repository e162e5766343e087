//! What people lifted, rejected or stopped does not come back by itself.

use std::time::Duration;

use reqwest::StatusCode;

use super::{World, alert, ask, json, web_world};

/// A block of 001 that ran at once and that bob lifted.
async fn lifted() -> (World, String) {
    let world = web_world(3).await;
    let (agent, alert) = (world.agent().await, alert(&world, &json!({})));
    let id = ask(&agent, &alert, &["001"]).await.id();
    world.work().await;
    world.look().await;
    let page = world.person("bob").await.vote(&id, "undo", &[("comment", "a customer")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    (world, alert)
}

/// The same, a second after the undo was sent and seen.
async fn seen_lifted() -> (World, String) {
    let (world, alert) = lifted().await;
    world.work().await;
    world.look().await;
    world.pass_for_all(Duration::from_secs(1));
    (world, alert)
}

#[tokio::test(flavor = "multi_thread")]
async fn lifted_block_does_not_return_on_a_neighbour() {
    let (world, early) = seen_lifted().await;
    let agent = world.agent().await;
    let other = world.another_agent("hunter", "alice").await;
    for (agent, endpoint) in [(&agent, "001"), (&agent, "002"), (&other, "002")] {
        let asked = ask(agent, &early, &[endpoint]).await;
        assert_eq!(asked.state(), "pending", "{endpoint}: {asked:?}");
        assert!(asked.text.contains("run.ended-lately"), "{}", asked.text);
        agent.cancel(&asked.id()).await;
    }
    world.pass_for_all(Duration::from_hours(24));
    let late = alert(&world, &json!({}));
    assert_eq!(ask(&agent, &late, &["002"]).await.state(), "approved", "a day later");
}

#[tokio::test(flavor = "multi_thread")]
async fn block_does_not_return_while_it_is_lifted() {
    let (world, alert) = lifted().await;
    assert_eq!(ask(&world.agent().await, &alert, &["002"]).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn lifted_block_returns_with_one_approval() {
    let (world, alert) = lifted().await;
    world.work().await;
    let agent = world.agent().await;
    let id = ask(&agent, &alert, &["002"]).await.id();
    world.person("bob").await.approve(&id).await;
    world.work().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["002: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejection_holds_for_other_agents() {
    let world = web_world(3).await;
    let early = alert(&world, &json!({}));
    let agent = world.agent().await;
    let asked = agent.block(super::PEER, json!({ "agent_ids": ["001"] })).await.id();
    world.person("bob").await.reject(&asked, "a customer of ours").await;
    let other = world.another_agent("hunter", "alice").await;
    let again = ask(&other, &early, &["002"]).await;
    assert_eq!(again.state(), "denied");
    assert!(again.text.contains("ask.rejected-lately"), "{}", again.text);
    world.pass_for_all(Duration::from_mins(31));
    let asked = ask(&other, &early, &["002"]).await;
    assert_eq!(asked.state(), "pending");
    assert!(asked.text.contains("run.ended-lately"), "{}", asked.text);
    world.pass_for_all(Duration::from_hours(24));
    let late = alert(&world, &json!({}));
    assert_eq!(ask(&other, &late, &["003"]).await.state(), "approved", "a day later");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejection_holds_automatic_request_that_waits() {
    let world = web_world(3).await;
    let (agent, alert) = (world.agent().await, alert(&world, &json!({})));
    let other = world.another_agent("hunter", "alice").await;
    let asked = agent.block(super::PEER, json!({ "agent_ids": ["001"] })).await.id();
    world.freeze("a look first").await;
    let automatic = ask(&other, &alert, &["002"]).await;
    assert_eq!(automatic.state(), "approved");
    world.pass(Duration::from_secs(1));
    world.person("bob").await.reject(&asked, "a customer of ours").await;
    world.unfreeze().await;
    world.work().await;
    assert_eq!(other.get(&automatic.id()).await.state(), "pending");
    assert!(world.manager.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_taken_back_holds_other_agents() {
    let world = web_world(3).await;
    let (agent, alert) = (world.agent().await, alert(&world, &json!({})));
    let other = world.another_agent("hunter", "alice").await;
    let asked = agent.block(super::PEER, json!({ "agent_ids": ["001"] })).await.id();
    let bob = world.person("bob").await;
    bob.approve(&asked).await;
    world.freeze("a look first").await;
    let page = bob.vote(&asked, "retract", &[("comment", "not sure")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    assert_eq!(ask(&other, &alert, &["002"]).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn person_with_an_agents_name_counts_as_person() {
    let world = web_world(3).await;
    let alert = alert(&world, &json!({}));
    let agent = world.another_agent("alice", "alice").await;
    world.freeze("a look first").await;
    let asked = ask(&agent, &alert, &["001"]).await.id();
    world.person("alice").await.vote(&asked, "cancel", &[("comment", "no")]).await;
    assert_eq!(agent.get(&asked).await.state(), "cancelled");
    assert_eq!(ask(&world.agent().await, &alert, &["002"]).await.state(), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_block_does_not_run_again_by_itself() {
    let world = web_world(3).await;
    let (agent, alert) = (world.agent().await, alert(&world, &json!({})));
    world.freeze("a look first").await;
    let own = ask(&agent, &alert, &["001"]).await.id();
    agent.cancel(&own).await;
    let asked = ask(&agent, &alert, &["001"]).await;
    assert_eq!(asked.state(), "approved", "what the agent takes back itself says nothing");
    let page = world.person("alice").await.vote(&asked.id(), "cancel", &[("comment", "no")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    world.unfreeze().await;
    assert_eq!(ask(&agent, &alert, &["002"]).await.state(), "pending");
    world.work().await;
    assert!(world.manager.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn lift_from_the_future_counts_for_nothing() {
    let (world, early) = seen_lifted().await;
    let agent = world.agent().await;
    let asked = ask(&agent, &early, &["002"]).await;
    assert_eq!(asked.state(), "pending", "{asked:?}");
    agent.cancel(&asked.id()).await;
    world
        .execute(
            "UPDATE request SET ended_at = ended_at + 36000000000
             WHERE state IN ('settled', 'cancelled')",
        )
        .await;
    assert_eq!(ask(&agent, &early, &["002"]).await.state(), "approved");
}
