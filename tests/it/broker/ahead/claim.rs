//! The claim of an approved request rests on people too: those who lost their right in between.

use countersign::{
    broker::admin::people::PersonChange,
    domain::actor::{Actor, Role},
    worker,
};

use super::{change, on, store};
use crate::harness::{World, line::Line};

#[tokio::test(flavor = "multi_thread")]
async fn person_disabled_before_the_claim_lifts_nothing() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", on("002")).await.id();
    world.person("bob").await.approve(&id).await;
    world.work().await;
    let page = world.person("bob").await.vote(&id, "undo", &[("comment", "our scanner")]).await;
    let undo = page.leads_to().rsplit('/').next().unwrap().to_owned();
    assert_eq!(agent.get(&undo).await.state(), "approved");
    let line = Line::hold(store(&world)).await;
    let operator = world.operator();
    let disabled = change(&world, async move {
        operator.disable_person(&Actor::CommandLine, "bob").await.unwrap();
    })
    .await;
    let broker = world.broker().clone();
    let step = change(&world, async move { worker::step(&broker).await }).await;
    line.release().await.unwrap();
    disabled.await.unwrap();
    step.await.unwrap().unwrap();
    assert_eq!(agent.get(&undo).await.state(), "pending");
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn voter_demoted_before_the_claim_does_not_count() {
    let world = World::start().await;
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    // Which installation the manager is is written once.
    bob.approve(&agent.block("203.0.113.8", on("002")).await.id()).await;
    world.work().await;
    let id = agent.block("203.0.113.9", on("002")).await.id();
    bob.approve(&id).await;
    let line = Line::hold(store(&world)).await;
    let operator = world.operator();
    let demoted = change(&world, async move {
        let role = PersonChange::Role(Role::Auditor);
        operator.change_person(&Actor::CommandLine, "bob", &role).await.unwrap();
    })
    .await;
    let broker = world.broker().clone();
    let step = change(&world, async move { worker::step(&broker).await }).await;
    line.release().await.unwrap();
    demoted.await.unwrap();
    step.await.unwrap().unwrap();
    assert_eq!(agent.get(&id).await.state(), "pending");
    assert_eq!(world.manager.received().len(), 1);
}
