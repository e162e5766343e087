//! What is ours is protected by name, and what was once known stays known.

use std::{sync::Arc, time::Duration};

use countersign::{
    connector::{SystemNetwork, Tls},
    domain::address::known::AddressOwner,
    store::known_addresses::known_addresses,
    worker,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::harness::{World, WorldBuilder, network::FakeNetwork};

const SITE: &str = "soc.example.net";
const PARTNER: &str = "partner.example";

/// A world whose page and partner have a name, in a network that a test changes.
fn named() -> (Arc<FakeNetwork>, WorldBuilder) {
    let network = Arc::new(FakeNetwork::default());
    let builder = World::builder()
        .with_network(network.clone())
        .with_public_url(&format!("https://{SITE}"))
        .with_settings(|settings| settings.protected_hosts.push(PARTNER.to_owned()));
    (network, builder)
}

/// What becomes of the wish to block an address, and the policies that say so. The wish is taken
/// back, so that it can be uttered again.
async fn block(world: &World, address: &str) -> (String, Vec<String>) {
    let agent = world.agent().await;
    let asked = agent.block(address, json!({ "agent_ids": ["001"] })).await;
    agent.cancel(&asked.id()).await;
    let policies = asked.json["decision"]["policies"].as_array().unwrap();
    let ids = policies.iter().map(|policy| policy["id"].as_str().unwrap().to_owned());
    (asked.state().to_owned(), ids.collect())
}

async fn assert_protected(world: &World, addresses: &[&str]) {
    for address in addresses {
        let (state, policies) = block(world, address).await;
        assert_eq!(state, "denied", "{address}");
        assert_eq!(policies, ["never.protected-address"], "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_is_protected_by_every_address_of_its_name() {
    let (network, builder) = named();
    network.set(SITE, &["45.33.32.1", "2606:4700::1"]);
    network.set(PARTNER, &["64:ff9b::45.33.32.2"]);
    let world = builder.start().await;
    // The last is the second in another form: that network translates.
    assert_protected(&world, &["45.33.32.1", "2606:4700::1", "45.33.32.2"]).await;
    assert_eq!(block(&world, "45.33.32.3").await.0, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn manager_and_indexer_are_protected_by_name() {
    let (network, builder) = named();
    network.set("indexer.example", &["45.33.32.4"]);
    let world = builder
        .with_indexer(|indexer| {
            "https://indexer.example:9200".clone_into(&mut indexer.url);
            indexer.tls = Tls::Pin { sha256: [0; 32] };
        })
        .start()
        .await;
    assert_protected(&world, &["45.33.32.4"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn address_that_name_once_had_stays_protected() {
    let (network, builder) = named();
    network.set(SITE, &["45.33.32.1"]);
    let world = builder.start().await;
    network.set(SITE, &["45.33.32.2"]);
    assert_eq!(block(&world, "45.33.32.2").await.0, "pending", "it is not known yet");
    let missing = world.broker().look_up_own_addresses().await.unwrap();
    assert_eq!(missing, [PARTNER]);
    assert_protected(&world, &["45.33.32.1"]).await;
    network.set(SITE, &[]);
    let missing = world.broker().look_up_own_addresses().await.unwrap();
    assert_eq!(missing, [PARTNER, SITE]);
    world.pass(Duration::from_hours(24 * 365));
    let world = world.restart().await;
    assert_protected(&world, &["45.33.32.1", "45.33.32.2"]).await;
    // What is not configured any more is not ours.
    let world = world.restart_with(|builder| builder.with_public_url("https://new.example")).await;
    assert_eq!(block(&world, "45.33.32.1").await.0, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_block_of_newly_own_address_is_withdrawn() {
    let network = Arc::new(FakeNetwork::default());
    let world = World::builder()
        .with_network(network.clone())
        .with_settings(|settings| settings.protected_hosts.push(PARTNER.to_owned()))
        .start()
        .await;
    let agent = world.agent().await;
    let asked = agent.block("45.33.32.1", json!({ "agent_ids": ["001"] })).await;
    world.person("bob").await.approve(&asked.id()).await;
    assert_eq!(agent.get(&asked.id()).await.state(), "approved");
    network.set(PARTNER, &["45.33.32.1"]);
    world.broker().look_up_own_addresses().await.unwrap();
    world.work().await;
    assert_eq!(agent.get(&asked.id()).await.state(), "withdrawn");
    assert!(world.manager.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_and_resolvers_are_protected() {
    let (network, builder) = named();
    network.set_neighbours(&["45.33.32.254", "9.9.9.9"]);
    let world = builder.start().await;
    network.set_neighbours(&[]);
    let world = world.restart().await;
    assert_protected(&world, &["45.33.32.254", "9.9.9.9"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn system_looks_up_localhost() {
    let world = World::builder()
        .with_network(Arc::new(SystemNetwork))
        .with_settings(|settings| settings.protected_hosts.push("localhost".to_owned()))
        .start()
        .await;
    let known = known_addresses(&mut world.store.as_ref().unwrap().reader().await.unwrap()).await;
    let localhost = AddressOwner::Host("localhost".to_owned());
    let known: Vec<_> = known.unwrap().into_iter().filter(|known| known.0 == localhost).collect();
    assert!(!known.is_empty() && known.iter().all(|known| known.1.is_loopback()), "{known:?}");
}

/// Endpoints 001 and 002 go out by one address each.
fn public_endpoints() -> WorldBuilder {
    World::builder().with_simulator(|simulator| {
        for (id, ip) in [("001", "45.33.32.11"), ("002", "45.33.32.12")] {
            let endpoint = simulator.agents.iter_mut().find(|endpoint| endpoint.id == id);
            endpoint.unwrap().ip = ip.to_owned();
        }
    })
}

const ENDPOINT: &str = "run.endpoint-address";

#[tokio::test(flavor = "multi_thread")]
async fn blocking_address_of_endpoint_needs_two_people() {
    let world = public_endpoints().start().await;
    // Its own address, which came with the endpoint itself.
    assert_eq!(block(&world, "45.33.32.11").await.1, [ENDPOINT]);
    // That of another one, once the manager was asked.
    assert_ne!(block(&world, "45.33.32.12").await.1, [ENDPOINT]);
    world.broker().read_endpoint_addresses("test").await.unwrap();
    let agent = world.agent().await;
    let asked = agent.block("45.33.32.12", json!({ "agent_ids": ["006"] })).await;
    world.person("bob").await.approve(&asked.id()).await;
    assert_eq!(agent.get(&asked.id()).await.state(), "pending");
    world.person("carol").await.approve(&asked.id()).await;
    assert_eq!(agent.get(&asked.id()).await.state(), "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_address_counts_for_thirty_days() {
    let world = public_endpoints().start().await;
    world.broker().read_endpoint_addresses("test").await.unwrap();
    let world = world.restart().await;
    let ask = async |world: &World| block(world, "2606:4700::5efe:2d21:200c").await.1;
    assert_eq!(ask(&world).await, [ENDPOINT], "in another form");
    world.pass(Duration::from_hours(24 * 31));
    assert_ne!(ask(&world).await, [ENDPOINT]);
    let world = world.restart().await;
    assert_ne!(ask(&world).await, [ENDPOINT]);
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_looks_up_names_and_endpoints_again() {
    let (network, builder) = named();
    let world = builder.start().await;
    let stop = CancellationToken::new();
    let broker = world.broker().clone();
    let work = tokio::spawn(worker::run(broker, Duration::from_secs(5), stop.clone()));
    network.looked_up(8).await;
    let endpoint = AddressOwner::Endpoint("test".to_owned());
    loop {
        let mut reader = world.store.as_ref().unwrap().reader().await.unwrap();
        let known = known_addresses(&mut reader).await.unwrap();
        if known.iter().any(|(owner, ..)| *owner == endpoint) {
            break;
        }
        tokio::task::yield_now().await;
    }
    stop.cancel();
    work.await.unwrap();
}
