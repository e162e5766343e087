//! Nobody is told of what their team does not see.

use std::{collections::BTreeMap, time::Duration};

use countersign::{
    broker::{Escalation, Settings},
    domain::{actor::Role, decision::Tier},
};
use serde_json::json;

use super::{
    fake_mail_server::{MailServer, Speaks},
    give_addresses, sql, tell,
};
use crate::{harness::World, security::teams::TEAMS};

const ALICE: &str = "p1@example.org";
const BOB: &str = "p2@example.org";
const CAROL: &str = "p3@example.org";

/// Bob is in the team `office`; alice owns the agent. After ten minutes leads and seniors are told.
async fn world(mail: &MailServer) -> World {
    let roles = vec![Role::Senior, Role::Lead];
    let next = Escalation { after: Duration::from_mins(10), roles, on_call: false };
    let change = |settings: &mut Settings| settings.escalate = BTreeMap::from([(Tier::Low, next)]);
    let builder = World::builder().with_more_policies(TEAMS).with_channels(vec![mail.channel()]);
    let world = builder.with_settings(change).start().await;
    give_addresses(&world).await;
    world.put_into_teams("bob", &["office"]).await;
    world
}

/// What was mailed to whom since the last look.
async fn told(world: &World, mail: &MailServer) -> Vec<String> {
    tell(world).await;
    let receivers = mail.receivers();
    mail.forget();
    receivers
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_go_to_people_who_see_the_request() {
    for (endpoints, with_bob) in [(&["002"][..], false), (&["008"], true), (&["002", "008"], false)]
    {
        let mail = MailServer::start(Speaks::Plain).await;
        let world = world(&mail).await;
        let those = |all: &[&str]| -> Vec<String> {
            let seen = all.iter().filter(|to| **to != BOB || with_bob);
            seen.map(|to| (*to).to_owned()).collect()
        };
        let asked = json!({ "agent_ids": endpoints });
        let id = world.agent().await.block("203.0.113.9", asked).await.id();
        assert_eq!(told(&world, &mail).await, those(&[BOB, CAROL]), "waiting: {endpoints:?}");
        world.pass(Duration::from_mins(10));
        assert_eq!(told(&world, &mail).await, those(&[BOB, CAROL]), "escalated: {endpoints:?}");
        world.person("carol").await.reject(&id, "no").await;
        assert_eq!(told(&world, &mail).await, those(&[ALICE]), "decided: {endpoints:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_is_told_to_people_who_see_every_step() {
    for (second, receivers) in [("002", &[CAROL][..]), ("009", &[BOB, CAROL])] {
        let mail = MailServer::start(Speaks::Plain).await;
        let world = world(&mail).await;
        let step = |endpoint: &str| {
            json!({ "action": "block_ip", "arguments": {
                "srcip": "203.0.113.9", "duration_seconds": 600, "agent_ids": [endpoint],
            } })
        };
        let plan = json!({
            "heading": "two steps", "reason": "a test asks", "on_failure": "stop",
            "steps": [step("008"), step(second)],
        });
        world.agent().await.call("propose_plan", plan).await;
        assert_eq!(told(&world, &mail).await, receivers, "{second}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn owner_outside_of_the_team_is_told_nothing() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = world(&mail).await;
    world.put_into_teams("alice", &["office"]).await;
    sql(&world, "UPDATE person SET mail = NULL WHERE name = 'carol'").await;
    let asked = json!({ "agent_ids": ["002"] });
    let id = world.agent().await.block("203.0.113.9", asked).await.id();
    world.person("carol").await.reject(&id, "no").await;
    assert!(told(&world, &mail).await.is_empty(), "alice owns the agent, and does not see it");
}

#[tokio::test(flavor = "multi_thread")]
async fn notice_that_waits_is_not_told_once_hidden() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = world(&mail).await;
    world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["008"] })).await;
    world.broker().notify().await.unwrap();
    world.put_into_teams("bob", &["second"]).await;
    assert_eq!(told(&world, &mail).await, [CAROL]);
    world.put_into_teams("bob", &["office"]).await;
    world.pass(Duration::from_mins(9));
    assert!(told(&world, &mail).await.is_empty(), "it was given up");
}
