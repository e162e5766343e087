//! Responses on as many endpoints as a large site has.

use serde_json::json;
use wazuh_simulator::{Endpoint, Os};

use crate::harness::World;

/// How often the manager was called within the last minute.
fn calls(world: &World) -> usize {
    let [manager] = world.broker().managers() else { panic!("one manager") };
    manager.health(world.clock.now()).calls_last_minute
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_endpoints_take_twenty_calls() {
    let machine = |number: usize| {
        let id = &*format!("{number:03}").leak();
        Endpoint::new(id, id, Os::UBUNTU).groups(&["linux"])
    };
    let agents: Vec<_> = (1..=10_000).map(machine).collect();
    let world = World::builder().with_simulator(|site| site.agents = agents).with_batches_of(500);
    let world = world.start().await;
    let asked = world.agent().await.block("203.0.113.9", json!({ "all_agents": true })).await;
    for name in ["carol", "bob"] {
        world.person(name).await.approve(&asked.id()).await;
    }
    let before = calls(&world);
    world.work().await;
    let received = world.manager.received();
    assert_eq!(received.len(), 20);
    assert!(received.iter().all(|call| call.asked.len() == 500));
    // Five to read the endpoints again, and one that says which installation it is.
    assert_eq!(calls(&world) - before, 20 + 5 + 1);
    let counts = &world.agent().await.get(&asked.id()).await.json["endpoints"]["counts"];
    assert_eq!(counts["sent"], 10_000);
}
