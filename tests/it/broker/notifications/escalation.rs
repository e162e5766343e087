//! Who is told next where nobody decides.

use std::{collections::BTreeMap, time::Duration};

use countersign::broker::admin::people::PersonChange;
use countersign::{
    broker::{Escalation, Settings},
    connector::Channel,
    domain::{
        actor::{Actor, Role},
        decision::Tier,
    },
};
use serde_json::json;

use super::{
    fake_mail_server::{MailServer, Speaks},
    give_addresses, kinds, pending, receiver, tell, webhook,
};
use crate::harness::{World, program::Program};

const ESCALATED: &str = "request.escalated pending";

/// What is of a low tier is told to leads after ten minutes, and with `on_call` to who is on call.
async fn world_with(channel: Channel, roles: &[Role], on_call: bool) -> World {
    let next = Escalation { after: Duration::from_mins(10), roles: roles.to_vec(), on_call };
    let change = |settings: &mut Settings| settings.escalate = BTreeMap::from([(Tier::Low, next)]);
    World::builder().with_channels(vec![channel]).with_settings(change).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn undecided_request_is_escalated_once() {
    let tap = receiver().await;
    let world = world_with(webhook("ops", &tap), &[Role::Lead], false).await;
    pending(&world).await;
    for minutes in [0, 9] {
        world.pass(Duration::from_mins(minutes));
        tell(&world).await;
        assert!(!kinds(&tap).contains(&ESCALATED.to_owned()), "{:?}", kinds(&tap));
    }
    for minutes in [1, 5, 20] {
        world.pass(Duration::from_mins(minutes));
        tell(&world).await;
    }
    assert_eq!(kinds(&tap), ["request.waiting pending", ESCALATED]);
}

#[tokio::test(flavor = "multi_thread")]
async fn decided_request_is_not_escalated() {
    let tap = receiver().await;
    let world = world_with(webhook("ops", &tap), &[Role::Lead], false).await;
    let id = pending(&world).await;
    world.person("bob").await.approve(&id).await;
    world.pass(Duration::from_mins(11));
    tell(&world).await;
    assert!(!kinds(&tap).contains(&ESCALATED.to_owned()), "{:?}", kinds(&tap));
}

#[tokio::test(flavor = "multi_thread")]
async fn request_of_another_tier_is_not_escalated() {
    let tap = receiver().await;
    let world = world_with(webhook("ops", &tap), &[Role::Lead], false).await;
    let permanent = json!({
        "srcip": "203.0.113.9", "agent_ids": ["001"], "permanent": true, "reason": "a test asks",
    });
    assert_eq!(world.agent().await.call("block_ip", permanent).await.state(), "pending");
    world.pass(Duration::from_mins(30));
    tell(&world).await;
    assert_eq!(kinds(&tap), ["request.waiting pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn escalation_is_mailed_to_its_roles_and_on_call() {
    for (roles, on_call, receivers) in [
        (&[Role::Lead][..], false, &["p3@example.org"][..]),
        (&[], true, &["p2@example.org"]),
        (&[Role::Admin, Role::Lead], true, &["p2@example.org", "p3@example.org", "p4@example.org"]),
    ] {
        let mail = MailServer::start(Speaks::Plain).await;
        let world = world_with(mail.channel(), roles, on_call).await;
        give_addresses(&world).await;
        let on_call = PersonChange::OnCall(true);
        world.operator().change_person(&Actor::CommandLine, "bob", &on_call).await.unwrap();
        pending(&world).await;
        tell(&world).await;
        mail.forget();
        world.pass(Duration::from_mins(10));
        tell(&world).await;
        assert_eq!(mail.receivers(), receivers);
    }
}

#[test]
fn wrong_escalation_is_refused_by_name() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:1");
    let right = std::fs::read_to_string(program.path("countersign.toml")).unwrap();
    for (tier, text, key, allowed) in [
        ("urgent", "after_minutes = 5\nto = [\"lead\"]", "notify.escalate", "low, medium, high"),
        ("high", "after_minutes = 0\nto = [\"lead\"]", "high.after_minutes", "from 1 to"),
        ("high", "after_minutes = 43000\nto = [\"lead\"]", "high.after_minutes", "less than"),
        ("high", "after_minutes = 5\nto = []", "high.to", "on_call"),
        ("high", "after_minutes = 5\nto = [\"boss\"]", "high.to", "analyst, senior, lead"),
        ("high", "after_minutes = 5", "to", ""),
        ("high", "after_minutes = 5\nto = [\"lead\"]\nhow = 1", "how", ""),
    ] {
        program.write("countersign.toml", &format!("{right}\n[notify.escalate.{tier}]\n{text}\n"));
        let (code, said) = program.refused(&["notify", "test"]);
        assert_eq!(code, 2, "{text}: {said}");
        assert!(said.contains(key) && said.contains(allowed), "{text}: {said}");
    }
}
