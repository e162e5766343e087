//! A plan is one message, and what is said of its steps names it.

use std::time::Duration;

use countersign::broker::notifications::DeliveryResult;
use serde_json::{Value, json};

use super::{
    fake_mail_server::{MailServer, Speaks},
    give_addresses, kinds, receiver, tell, webhook, world_with,
};
use crate::{
    broker::plans::{Asked, CORE, WEB, block, propose},
    connector::fake_server::Tap,
    harness::World,
};

/// A plan of blocks of so many addresses; the last on an endpoint that needs two people.
async fn asked(world: &World, steps: u8) -> Asked {
    let step = |number| {
        let mut step = block(if number == steps { CORE } else { WEB });
        step["arguments"]["srcip"] = json!(format!("203.0.113.{number}"));
        step
    };
    let steps: Vec<_> = (1..=steps).map(step).collect();
    Asked::of(&propose(&world.agent().await, "stop", &steps).await)
}

/// What the last message says, and where it leads.
fn last(tap: &Tap) -> (Value, String) {
    let json: Value = serde_json::from_str(&tap.heard("POST").pop().unwrap().body).unwrap();
    let link = json["data"]["link"].as_str().unwrap();
    let path = link.split_once("//").and_then(|(_, rest)| rest.split_once('/')).unwrap().1;
    (json.clone(), path.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_of_ten_steps_is_one_notice() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let plan = asked(&world, 10).await;
    assert_eq!(tell(&world).await, [DeliveryResult::Arrived]);
    let (json, path) = last(&tap);
    assert_eq!(json["type"], "plan.waiting");
    let data = &json["data"];
    assert_eq!((&data["steps"], &data["waiting"]), (&json!(10), &json!(10)));
    assert_eq!(
        (&data["tier"], &data["title"]),
        (&json!("medium"), &json!("A plan waits for approval"))
    );
    assert_eq!((&data["plan"], data.get("more")), (&json!(plan.id), None));
    assert_eq!(path, format!("plans/{}", plan.id));
    assert!(tell(&world).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_may_approve_a_step_get_one_mail() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = world_with(vec![mail.channel()]).await;
    give_addresses(&world).await;
    asked(&world, 4).await;
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p2@example.org", "p3@example.org"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_without_waiting_step_is_no_notice() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let mut denied = block(WEB);
    denied["arguments"]["srcip"] = json!("198.51.100.1");
    propose(&world.agent().await, "stop", &[denied, block(WEB)]).await;
    tell(&world).await;
    assert_eq!(kinds(&tap), ["request.decided withdrawn"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn notice_of_a_step_names_plan_and_number() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let plan = asked(&world, 4).await;
    tell(&world).await;
    let bob = world.person("bob").await;
    bob.approve(&plan.steps[1]).await;
    tell(&world).await;
    let (json, path) = last(&tap);
    assert_eq!((&json["data"]["plan"], &json["data"]["step"]), (&json!(plan.id), &json!(2)));
    assert_eq!(path, format!("requests/{}", plan.steps[1]));
    // What follows for the others is one message, which leads to the plan.
    bob.reject(&plan.steps[0], "no").await;
    assert_eq!(tell(&world).await, [DeliveryResult::Arrived; 2]);
    let (json, path) = last(&tap);
    assert_eq!((&json["data"]["state"], &json["data"]["more"]), (&json!("withdrawn"), &json!(2)));
    assert_eq!(path, format!("plans/{}", plan.id));
    assert_eq!(
        kinds(&tap)[1..],
        ["request.decided approved", "request.decided rejected", "request.decided withdrawn",]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reminder_of_a_plan_is_one_message() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let plan = asked(&world, 5).await;
    world.agent().await.block("203.0.113.77", json!({ "agent_ids": [WEB] })).await;
    tell(&world).await;
    world.person("bob").await.reject(&plan.steps[4], "not this one").await;
    tell(&world).await;
    world.pass(Duration::from_mins(211));
    assert_eq!(tell(&world).await, [DeliveryResult::Arrived]);
    // One of them is no step of it.
    let (json, path) = last(&tap);
    assert_eq!(
        (&json["type"], &json["data"]["more"]),
        (&json!("request.deadline_near"), &json!(4))
    );
    assert_eq!(path, "");
}
