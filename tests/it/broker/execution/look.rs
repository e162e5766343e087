//! Before the claim of what was asked before the start: one look for its tag.

use std::time::Duration;

use countersign::broker::execution::progress::Progress;
use wazuh_simulator::{Calls, Fault, Times};

use super::dispatch::{approved, outcomes};
use crate::harness::World;

/// An approved request, and a broker that started after it was asked.
async fn restarted(world: World) -> (World, String) {
    let id = approved(&world, &["001"]).await;
    world.pass(Duration::from_secs(1));
    (Box::pin(world.restart()).await, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn request_older_than_start_waits_until_indexer_answers() {
    for (fault, why) in [
        (Fault::SearchTimesOut, "it ran out of time"),
        (Fault::Answer { status: 503, body: "no".to_owned() }, "503"),
    ] {
        let (world, id) = restarted(World::start().await).await;
        world.manager.misbehave_on(Calls::Search, fault, Times::UntilCleared);
        let Progress::Held(held) = world.step().await else { panic!("it is not held") };
        let what = "it was asked before the broker started, and the indexer cannot say whether it \
                    was sent: ";
        assert!(held.starts_with(what) && held.contains(why), "{held}");
        assert!(world.manager.received().is_empty());
        let told = world.agent().await.get(&id).await;
        let told = told.json["held_because"].as_str().unwrap();
        assert!(told.starts_with(what) && told.contains(why), "{told}");
        assert!(!told.contains(" at http"), "{told}");
        world.manager.behave();
        world.work().await;
        assert_eq!(outcomes(&world, &id).await, ["001: sent"]);
        assert_eq!(world.manager.received().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_younger_than_start_is_sent_without_look() {
    let (world, _older) = restarted(World::start().await).await;
    world.work().await;
    world.manager.misbehave_on(Calls::Search, Fault::SearchTimesOut, Times::UntilCleared);
    let id = approved(&world, &["002"]).await;
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["002: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_older_than_start_is_sent_without_indexer() {
    let (world, id) = restarted(World::builder().without_indexer().start().await).await;
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: sent"]);
}
