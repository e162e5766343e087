//! What an agent may ask for is counted exactly, also where its asks are committed together.

use std::{sync::atomic::Ordering, time::Duration};

use countersign::broker::AgentLimits;
use serde_json::json;

use crate::harness::{
    World, WorldBuilder,
    agent::Answer,
    line::{Asks, Line, count_commits},
};

/// How many asks of one agent are in the batch.
const ASKS: usize = 64;

/// Runs a few at once in an hour; people decide the others.
const TEN_AN_HOUR: &str = r#"
@id("ask") @why("a") permit (principal, action in Countersign::Action::"ask", resource);
@id("see") @why("a") permit (principal, action == Countersign::Action::"view", resource);
@id("run") @why("a") permit (principal, action in Countersign::Action::"run", resource)
when { context.facts.ran_last_hour < 10 || context.votes.analyst >= 1 };
"#;

/// A world in which one agent may ask for all of it at once.
fn crowded(limits: AgentLimits) -> WorldBuilder {
    let agents = AgentLimits { at_once_max: 64, ..limits };
    World::builder().with_settings(|settings| settings.agents = agents)
}

fn unlimited() -> AgentLimits {
    AgentLimits { open_requests_max: 1000, asks_per_minute_max: 1000, ..AgentLimits::default() }
}

/// The answers to asks that wait for the same commit, and how many commits there were.
async fn in_one_batch(world: &World) -> (Vec<Answer>, usize) {
    let store = world.store.as_ref().unwrap();
    let commits = count_commits(store).await;
    let line = Line::hold(store).await;
    let asks = Asks::begin(world, &line, ASKS).await;
    line.release().await.unwrap();
    (asks.answers().await, commits.load(Ordering::SeqCst))
}

fn states(answers: &[Answer], state: &str) -> usize {
    answers.iter().filter(|answer| answer.state() == state).count()
}

fn refused(answers: &[Answer], why: &str) -> usize {
    answers.iter().filter(|answer| answer.error && answer.text.contains(why)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn open_limit_is_exact_within_one_batch() {
    let world = crowded(AgentLimits { open_requests_max: 7, ..unlimited() }).start().await;
    let (answers, _) = in_one_batch(&world).await;
    assert_eq!(states(&answers, "pending"), 7);
    assert_eq!(refused(&answers, "7 open requests are the most"), ASKS - 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_limit_is_exact_within_one_batch() {
    let world = crowded(AgentLimits { asks_per_minute_max: 9, ..unlimited() }).start().await;
    let (answers, _) = in_one_batch(&world).await;
    assert_eq!(states(&answers, "pending"), 9);
    assert_eq!(refused(&answers, "9 asks within a minute are the most"), ASKS - 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_limit_is_exact_within_one_batch() {
    let world = crowded(unlimited()).with_only_policy(TEN_AN_HOUR).start().await;
    let (answers, commits) = in_one_batch(&world).await;
    assert_eq!(commits, 1);
    let reached = (states(&answers, "approved"), states(&answers, "pending"));
    assert_eq!(reached, (10, ASKS - 10));
    world.work().await;
    assert_eq!(world.manager.received().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_limit_is_exact_where_claims_share_batch() {
    let builder = crowded(unlimited()).with_only_policy(TEN_AN_HOUR).with_calls_in_flight(4);
    let world = builder.start().await;
    let first = world.agent().await.block("203.0.113.99", json!({ "agent_ids": ["002"] })).await;
    assert_eq!(first.state(), "approved");
    world.work().await;
    world.broker().open_senders("test");
    let (answers, commits) = in_one_batch(&world).await;
    assert_eq!(commits, 1);
    assert_eq!(states(&answers, "dispatching"), 4, "one for each sender");
    assert_eq!(states(&answers, "dispatching") + states(&answers, "approved"), 9);
    world.work().await;
    assert_eq!(world.manager.received().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_limit_is_exact_whatever_order_stores_asks() {
    let world = crowded(AgentLimits { open_requests_max: 3, ..unlimited() }).start().await;
    // The third undoes the batch: those before it are made again after those behind it.
    world
        .execute(
            "CREATE TRIGGER fault BEFORE INSERT ON request WHEN NEW.argument = '203.0.113.3'
                 BEGIN SELECT RAISE(ROLLBACK, 'a fault'); END",
        )
        .await;
    let line = Line::hold(world.store.as_ref().unwrap()).await;
    let mut asks = Asks::of(&world).await;
    for n in 1..=12 {
        asks.ask(n);
        asks.wait(&line, n).await;
        world.pass(Duration::from_millis(5));
    }
    line.release().await.unwrap();
    let answers = asks.answers().await;
    assert_eq!(states(&answers, "pending"), 3, "{answers:#?}");
    assert_eq!(refused(&answers, "3 open requests are the most"), 12 - 3 - 1, "{answers:#?}");
}
