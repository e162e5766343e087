//! Counts for whoever watches the broker: who may read them, and what they are read from.

use std::time::Duration;

use countersign::store::{
    Read as _, Store,
    sqlite::{Row, query},
};
use reqwest::Method;
use serde_json::json;

use crate::harness::{World, fixtures::RUN_AT_ONCE};

pub(crate) mod format;
mod port;
mod values;

const TOKEN: &str = "a-token-for-metrics";

async fn watched() -> World {
    World::builder().with_metrics_token(TOKEN).start().await
}

/// Status and text of `/metrics` with this `Authorization`.
async fn metrics(world: &World, authorization: &str) -> (u16, String) {
    let stranger = crate::harness::PersonClient::stranger(&world.url());
    let request = stranger.request(Method::GET, "/metrics");
    let answer = request.header("authorization", authorization).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn counted(world: &World) -> String {
    let (status, text) = metrics(world, &format!("Bearer {TOKEN}")).await;
    assert_eq!(status, 200, "{text}");
    text
}

/// Name and number of each line of a query.
async fn numbers(store: &Store, sql: &'static str) -> Vec<(String, String, i64)> {
    let mut reader = store.reader().await.unwrap();
    let rows = query(sql).fetch_all(reader.connection()).await.unwrap();
    let column = |row: &Row, name| row.get(name).unwrap();
    rows.iter()
        .map(|row| (column(row, "what"), column(row, "name"), row.get("number").unwrap()))
        .collect()
}

/// The counters, and the same counted from all there is.
async fn assert_counters_are_right(store: &Store) {
    let kept = "SELECT what, name, number FROM counter WHERE number <> 0 ORDER BY what, name";
    let history =
        "SELECT 'request' AS what, state AS name, count(*) AS number FROM request GROUP BY state
         UNION SELECT 'request_endpoint', outcome, count(*) FROM request_endpoint
         WHERE outcome IS NOT NULL GROUP BY outcome ORDER BY 1, 2";
    let kept = numbers(store, kept).await;
    assert_eq!(kept, numbers(store, history).await);
    assert!(kept.len() > 2, "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_without_token_are_refused() {
    let world = watched().await;
    world.agent().await.block("198.51.100.23", json!({ "agent_ids": ["002"] })).await;
    for wrong in ["", "Bearer", "Bearer ", "Bearer another", TOKEN, "Basic YTpi"] {
        let (status, text) = metrics(&world, wrong).await;
        assert_eq!((status, text.contains("countersign_")), (401, false), "{wrong}");
    }
    let bob = world.person("bob").await;
    assert_eq!(bob.get("/metrics").await.status, 401);
    let text = counted(&world).await;
    assert!(text.contains("countersign_requests{state=\"pending\"} 1\n"), "{text}");
    for name in ["triage-bot", "alice", "198.51.100.23", "web-02"] {
        assert!(!text.contains(name), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_closed_where_no_token_is_configured() {
    let world = World::start().await;
    for given in ["Bearer ", &format!("Bearer {TOKEN}")] {
        assert_eq!(metrics(&world, given).await.0, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_follow_every_change() {
    let world = watched().await;
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let sent = agent.block("203.0.113.1", json!({ "agent_ids": ["002"] })).await.id();
    bob.approve(&sent).await;
    world.work().await;
    let rejected = agent.block("203.0.113.2", json!({ "agent_ids": ["002"] })).await.id();
    bob.reject(&rejected, "not this one").await;
    agent.block("10.9.8.7", json!({ "agent_ids": ["002"] })).await;
    agent.block("203.0.113.3", json!({ "agent_ids": ["002"] })).await;
    world.look().await;
    assert_counters_are_right(world.store.as_ref().unwrap()).await;
    let text = counted(&world).await;
    for line in [
        "requests{state=\"settled\"} 1",
        "requests{state=\"rejected\"} 1",
        "requests{state=\"denied\"} 1",
        "requests{state=\"pending\"} 1",
        "requests{state=\"approved\"} 0",
        "request_endpoints{outcome=\"confirmed\"} 1",
    ] {
        assert!(text.contains(&format!("countersign_{line}\n")), "{line} is not in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_system_read_counters_alone() {
    let world = watched().await;
    world.agent().await.block("203.0.113.1", json!({ "agent_ids": ["002"] })).await;
    // Nobody who read the requests would find this many.
    world.execute("UPDATE counter SET number = 4711 WHERE name = 'pending'").await;
    assert!(counted(&world).await.contains("requests{state=\"pending\"} 4711\n"));
    let system = world.person("otto").await.get("/system").await;
    assert!(system.has("4711"), "{}", system.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn migration_counts_what_is_there() {
    let (_folder, path) = crate::store::migrations::first_version().await;
    assert_counters_are_right(&Store::open(&path).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_readers_do_not_hold_up_the_worker() {
    let world = World::start().await;
    let request = json!({ "agent_ids": ["002"] });
    let id = world.agent().await.block("203.0.113.1", request).await.id();
    world.person("bob").await.approve(&id).await;
    let store = world.store.clone().unwrap();
    let mut curious = Vec::new();
    for _ in 0..4 {
        curious.push(store.reader().await.unwrap());
    }
    world.work().await;
    assert_eq!(world.manager.received().len(), 1);
    drop(curious);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_the_managers_limit_are_counted() {
    let world = World::builder().with_metrics_token(TOKEN).with_calls_per_minute(24);
    let world = world.with_only_policy(RUN_AT_ONCE).start().await;
    let agent = world.agent().await;
    for n in 1..=11 {
        let address = format!("203.0.113.{n}");
        agent.block(&address, json!({ "agent_ids": ["002"] })).await.id();
        world.pass(Duration::from_secs(30));
    }
    world.pass(Duration::from_mins(1));
    assert!(counted(&world).await.contains("countersign_requests_over_limit 0\n"));
    world.work().await;
    let left = 11 - world.manager.received().len();
    assert!((1..10).contains(&left), "{left} are left");
    let text = counted(&world).await;
    assert!(text.contains(&format!("countersign_requests_over_limit {left}\n")), "{text}");
    let system = world.person("otto").await.get("/system").await;
    let waiting = format!("{left} approved requests, over the limit of calls");
    assert!(system.has(&waiting), "{waiting}: {}", system.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_asks_leaves_calls_for_what_is_approved() {
    let world = World::builder().with_calls_per_minute(16).start().await;
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let id = agent.block("203.0.113.1", json!({ "agent_ids": ["002"] })).await.id();
    bob.approve(&id).await;
    world.pass(Duration::from_mins(1));
    // Three agents ask until a question is refused.
    for name in ["one-bot", "two-bot", "three-bot", "four-bot"] {
        let flood = world.another_agent(name, "bob").await;
        for n in 10..30 {
            let address = format!("198.51.100.{n}");
            if flood.block(&address, json!({ "agent_ids": ["001"] })).await.error {
                break;
            }
        }
    }
    world.work().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["002: sent"]);
}
