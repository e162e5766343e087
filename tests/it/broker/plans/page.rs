//! The page of a plan.

use countersign::domain::{actor::Actor, kill_switch::Extent};
use reqwest::StatusCode;
use serde_json::json;

use super::{Asked, CORE, WEB, block, called, plan, propose, states};
use crate::{
    harness::{World, kind},
    web::{browser::Browser, fixtures::Room},
};

async fn asked(world: &World) -> Asked {
    let steps = [block(WEB), block(CORE), block("002")];
    let asked = propose(&world.agent().await, "stop", &steps).await;
    assert_eq!(states(&asked), ["pending", "pending", "pending"]);
    Asked::of(&asked)
}

fn form_of(plan: &Asked) -> String {
    format!("/plans/{}/approve", plan.id)
}

/// The fields of the form with the boxes of all steps ticked that have one.
fn ticked(who: &Browser, plan: &Asked) -> Vec<(String, String)> {
    let mut fields = who.page.hidden_fields(&form_of(plan));
    let box_of = |part: &str| Some(part.split_once("value=\"")?.1.split_once('"')?.0.to_owned());
    let boxes = who.page.html.split("name=\"pick\"").skip(1).filter_map(box_of);
    fields.extend(boxes.map(|value| ("pick".to_owned(), value)));
    fields
}

async fn post(who: &mut Browser, plan: &Asked, fields: &[(String, String)]) -> StatusCode {
    who.post(&form_of(plan), fields).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn inbox_shows_a_plan_as_one_card() {
    let room = Room::start().await;
    let plan = asked(&room).await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await.shows("A plan: <bdi>contain web-01</bdi>");
    assert_eq!(bob.page.html.matches("<li class=\"card\">").count(), 1);
    assert!(bob.page.links().contains(&format!("/plans/{}", plan.id)));
    for step in &plan.steps {
        assert!(bob.page.links().contains(&format!("/requests/{step}")));
        bob.open(&format!("/requests/{step}")).await;
        assert!(bob.page.links().contains(&format!("/plans/{}", plan.id)));
        bob.open("/").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn low_steps_are_approved_together_and_high_one_alone() {
    let room = Room::start().await;
    let plan = asked(&room).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/plans/{}", plan.id)).await.shows("contain web-01");
    bob.page.shows("Steps 1, 3 need one person each. Tick those");
    bob.page.shows("Decide about this step by itself");
    let fields = ticked(&bob, &plan);
    assert_eq!(post(&mut bob, &plan, &fields).await, 303);
    assert_eq!(plan.states(&room).await, ["approved", "pending", "approved"]);
    room.work().await;
    assert_eq!(called(&room), [WEB]);
    for name in ["bob", "carol"] {
        room.person(name).await.approve(&plan.steps[1]).await;
    }
    room.work().await;
    assert_eq!(called(&room), [WEB, CORE, "002"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_or_outdated_plan_form_changes_nothing() {
    let room = Room::start().await;
    let plan = asked(&room).await;
    let other = room.asked().await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/plans/{}", plan.id)).await;
    let sound = ticked(&bob, &plan);
    let forged = |name: &str, change: &dyn Fn(&str) -> String| {
        let mut fields = sound.clone();
        let field = fields.iter_mut().find(|(one, _)| one == name).unwrap();
        field.1 = change(&field.1);
        fields
    };
    let flip = |text: &str| {
        let last = if text.ends_with('0') { '1' } else { '0' };
        let mut text = text.to_owned();
        text.pop();
        text.push(last);
        text
    };
    let stranger = format!("{}:{}:{}", other.id, other.version, other.digest);
    for fields in [
        forged("digest", &flip),
        forged("pick", &flip),
        forged("pick", &|pick| pick.replace(":1:", ":2:")),
        forged("pick", &|_| stranger.clone()),
        forged("pick", &|pick| {
            let critical = pick.replace(&plan.steps[0], &plan.steps[1]);
            assert_ne!(critical, pick);
            critical
        }),
    ] {
        assert_eq!(post(&mut bob, &plan, &fields).await, 409, "{fields:?}");
        assert_eq!(plan.states(&room).await, ["pending", "pending", "pending"], "{fields:?}");
    }
    assert!(room.audit_kinds().await.contains(&"vote.refused".to_owned()));
    assert_eq!(post(&mut bob, &plan, &sound).await, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_step_does_not_hide_the_others() {
    let room = Room::start().await;
    let lock = json!({ "action": "disable_account", "arguments": {
        "dstuser": "eve", "duration_seconds": 600, "agent_ids": ["002"],
    } });
    let asked = propose(&room.agent().await, "continue", &[block(WEB), lock]).await;
    let plan = Asked::of(&asked);
    let (by, blocks) = (Actor::CommandLine, Extent::Action(kind("block_ip")));
    room.operator().freeze(&by, &blocks, "a drill").await.unwrap();
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/plans/{}", plan.id)).await.shows("Step 2 needs one person each.");
    let fields = ticked(&bob, &plan);
    assert_eq!(fields.iter().filter(|(name, _)| name == "pick").count(), 1);
    assert_eq!(post(&mut bob, &plan, &fields).await, 303);
    assert_eq!(plan.states(&room).await, ["pending", "approved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_form_is_recorded_of_a_step_only() {
    let room = Room::start().await;
    let plan = asked(&room).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/plans/{}", plan.id)).await;
    let mut fields = ticked(&bob, &plan);
    let made_up = "req_019ad0b1a7c67a2fb1d4f2c5d9d3a111";
    let pick = fields.iter_mut().find(|(name, _)| name == "pick").unwrap();
    pick.1 = pick.1.replace(&plan.steps[0], made_up);
    assert_eq!(post(&mut bob, &plan, &fields).await, 409);
    let entries = room.operator().audit_after(0).await.unwrap();
    let refused: Vec<_> = entries.iter().filter(|entry| entry.kind == "vote.refused").collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].request.as_ref().map(ToString::to_string).as_ref(), Some(&plan.steps[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn step_shows_its_own_reason_alert_and_wait() {
    let room = Room::start().await;
    room.manager.set_status("002", wazuh_simulator::Status::Disconnected);
    let mut second = block("002");
    for (name, value) in [
        ("reason", json!("words of its own")),
        ("alert_id", json!("1700000000.1")),
        ("confidence", json!(3)),
        ("when_back", json!(true)),
    ] {
        second["arguments"][name] = value;
    }
    let plan = Asked::of(&propose(&room.agent().await, "stop", &[block(WEB), second]).await);
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/plans/{}", plan.id)).await.shows("words of its own");
    bob.page.shows("Away when it was asked: 002");
    bob.page.shows("did not find the alert that the agent names");
    bob.page.shows("3% sure");
}

#[tokio::test(flavor = "multi_thread")]
async fn critical_step_cannot_be_approved_with_the_low_ones() {
    let room = Room::start().await;
    let plan = asked(&room).await;
    let critical = room.request(&plan.steps[1]).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/plans/{}", plan.id)).await;
    let mut fields = ticked(&bob, &plan);
    let pick = format!("{}:{}:{}", critical.id, critical.version, critical.digest);
    fields.push(("pick".to_owned(), pick));
    assert_eq!(post(&mut bob, &plan, &fields).await, 409);
    bob.page.shows("it asks for more than one person");
    assert_eq!(plan.states(&room).await, ["pending", "pending", "pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_plan_cannot_be_approved() {
    let room = Room::start().await;
    let plan = asked(&room).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/plans/{}", plan.id)).await;
    let fields = ticked(&bob, &plan);
    room.execute("UPDATE plan SET on_failure = 'continue'").await;
    assert_eq!(post(&mut bob, &plan, &fields).await, 409);
    assert_eq!(plan.states(&room).await, ["pending", "pending", "pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn owner_of_the_agent_is_offered_no_plan_form() {
    let room = Room::start().await;
    let plan = asked(&room).await;
    let (mut alice, mut bob) = (room.browser_of("alice").await, room.browser_of("bob").await);
    alice.open(&format!("/plans/{}", plan.id)).await.shows("You may not approve it");
    assert!(!alice.page.has_form(&form_of(&plan)));
    bob.open(&format!("/plans/{}", plan.id)).await;
    let mut fields = ticked(&bob, &plan);
    for (name, value) in &mut fields {
        if name == "form_token" {
            *value = alice.page.form_token();
        }
    }
    let status = post(&mut alice, &plan, &fields).await;
    assert!(status.is_client_error(), "{status}");
    assert_eq!(plan.states(&room).await, ["pending", "pending", "pending"]);
    let unknown = json!("pln_00000000000000000000000000000000");
    let page = bob.open(&format!("/plans/{}", unknown.as_str().unwrap())).await;
    assert_eq!(page.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_heading_of_a_plan_stays_text() {
    let room = Room::start().await;
    let mut arguments = plan("stop", &[block(WEB), block("002")]);
    arguments["heading"] = json!("<script>alert(1)</script>\u{202E}");
    let asked = Asked::of(&room.agent().await.call("propose_plan", arguments).await);
    let mut bob = room.browser_of("bob").await;
    for path in ["/".to_owned(), format!("/plans/{}", asked.id), "/audit".to_owned()] {
        bob.open(&path).await.shows("&lt;script&gt;alert(1)");
        assert!(!bob.page.has("<script>alert") && !bob.page.has("\u{202E}"), "{path}");
    }
}

fn cancel_of(plan: &Asked) -> String {
    format!("/plans/{}/cancel", plan.id)
}

/// The owner sends the form for cancelling, with a reason.
async fn cancel(who: &mut Browser, plan: &Asked) -> StatusCode {
    let to = cancel_of(plan);
    let mut fields = who.page.hidden_fields(&to);
    fields.push(("comment".to_owned(), "a false alarm".to_owned()));
    who.post(&to, &fields).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn owner_cancels_whole_plan_with_one_form() {
    let room = Room::start().await;
    let plan = asked(&room).await;
    room.person("bob").await.approve(&plan.steps[0]).await;
    room.work().await;
    let mut alice = room.browser_of("alice").await;
    alice.open(&format!("/plans/{}", plan.id)).await.shows("Cancelling the plan ends steps 2, 3.");
    assert_eq!(cancel(&mut alice, &plan).await, 303);
    assert_eq!(plan.states(&room).await, ["settled", "cancelled", "cancelled"]);
    assert_eq!(super::why(&plan.now(&room).await, 3), "a false alarm");
    let cancelled = room.audit_kinds().await.into_iter().filter(|kind| kind == "request.cancelled");
    assert_eq!(cancelled.count(), 2);
    alice.open(&format!("/plans/{}", plan.id)).await;
    assert!(!alice.page.has_form(&cancel_of(&plan)));
    room.work().await;
    assert_eq!(called(&room), [WEB]);
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_that_is_over_cannot_be_cancelled() {
    let room = Room::start().await;
    let plan = asked(&room).await;
    let mut alice = room.browser_of("alice").await;
    alice.open(&format!("/plans/{}", plan.id)).await;
    room.person("bob").await.reject(&plan.steps[0], "no").await;
    assert_eq!(cancel(&mut alice, &plan).await, 409);
    alice.page.shows("can no longer be cancelled");
    assert_eq!(plan.states(&room).await, ["rejected", "withdrawn", "withdrawn"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owner_of_the_agent_cancels_its_plan() {
    let room = Room::start().await;
    let plan = asked(&room).await;
    let mut alice = room.browser_of("alice").await;
    alice.open(&format!("/plans/{}", plan.id)).await;
    let sound = alice.page.hidden_fields(&cancel_of(&plan));
    for name in ["bob", "carol", "dora"] {
        let mut other = room.browser_of(name).await;
        other.open(&format!("/plans/{}", plan.id)).await;
        assert!(!other.page.has_form(&cancel_of(&plan)), "{name}");
        let token = other.open("/password").await.form_token();
        let own = [("form_token".to_owned(), token)];
        assert_eq!(other.post(&cancel_of(&plan), &own).await.status, 403, "{name}");
        assert!(other.post(&cancel_of(&plan), &sound).await.status.is_client_error(), "{name}");
    }
    assert_eq!(plan.states(&room).await, ["pending", "pending", "pending"]);
}
