//! A flood of asks harms the agent that sends it, and nobody else.

use serde_json::json;

use crate::harness::{World, agent::Answer};

/// What an agent is told names the manager, and neither where it is nor its words.
#[track_caller]
fn assert_names_no_address(answer: &Answer) {
    let text = format!("{}{}", answer.text, answer.json);
    assert!(!text.contains("127.0.0.1") || text.contains("approval_url"), "{text}");
    assert!(!text.contains(" at http"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn burst_of_one_agent_fails_its_own_asks_alone() {
    let world = World::builder().with_calls_per_minute(24).start().await;
    let (loud, quiet) = (world.agent().await, world.another_agent("quiet-bot", "bob").await);
    let only = || json!({ "agent_ids": ["002"] });
    let mut refused = Vec::new();
    for number in 1..=25 {
        let answer = loud.block(&format!("203.0.113.{number}"), only()).await;
        if answer.error {
            refused.push(answer);
        }
    }
    assert!(refused.len() > 5, "{}", refused.len());
    for answer in &refused {
        let share = "your questions have used up your share of the calls to the manager test. Ask \
                     again in 60 seconds";
        assert!(answer.text.contains(share), "{}", answer.text);
        assert_names_no_address(answer);
    }
    let asked = quiet.block("203.0.113.150", only()).await;
    assert_eq!(asked.state(), "pending", "{asked:?}");
    let kinds = world.audit_kinds().await;
    let count = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
    assert_eq!((count("proposal.throttled"), count("proposal.refused")), (1, 0));
    world.pass(std::time::Duration::from_mins(1));
    let again = loud.block("203.0.113.200", only()).await;
    assert!(!again.error, "{again:?}");
}

/// How often the manager was asked within the last minute.
fn calls(world: &World) -> usize {
    let [manager] = world.broker().managers() else { panic!("one manager") };
    manager.health(world.clock.now()).calls_last_minute
}

#[tokio::test(flavor = "multi_thread")]
async fn fleet_is_read_once_for_asks_of_one_moment() {
    let world = World::start().await;
    let (one, other) = (world.agent().await, world.another_agent("other-bot", "bob").await);
    let fleet = || json!({ "all_agents": true });
    one.block("203.0.113.1", fleet()).await;
    let first = calls(&world);
    assert!(first > 0);
    let asks = [(&one, "203.0.113.2"), (&other, "203.0.113.3"), (&other, "203.0.113.4")];
    for (agent, address) in asks {
        let asked = agent.block(address, fleet()).await;
        assert_eq!(asked.state(), "pending", "{asked:?}");
    }
    assert_eq!(calls(&world), first);
    // What is older is read again, and so is what is about to be sent.
    world.pass(std::time::Duration::from_secs(5));
    one.block("203.0.113.5", fleet()).await;
    assert_eq!(calls(&world), first + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_not_told_where_managers_are() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.1", json!({ "agent_ids": ["002"] })).await.id();
    world.person("bob").await.approve(&id).await;
    world.stop_manager().await;
    for _ in 0..4 {
        let _held = world.step().await;
    }
    let asked = agent.block("203.0.113.2", json!({ "agent_ids": ["002"] })).await;
    assert!(asked.error && asked.text.contains("the manager test"), "{asked:?}");
    assert!(asked.text.contains("Ask again in"), "{asked:?}");
    assert_names_no_address(&asked);
    let held = agent.get(&id).await;
    assert!(held.json["held_because"].as_str().unwrap().contains("the manager test"), "{held:?}");
    assert_names_no_address(&held);
}
