//! Identical requests of the lowest tier, approved with one form.

use crate::harness::kind;
use std::time::Duration;

use countersign::domain::{
    actor::Actor,
    kill_switch::Extent,
    request::{Request, StateName},
};
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::PASSWORD;
use crate::web::{
    browser::Browser,
    fixtures::{Room, path},
};

/// Endpoints, alone and in pairs, of which one person may approve each.
const PLACES: [&[&str]; 12] = [
    &["001"],
    &["002"],
    &["006"],
    &["007"],
    &["008"],
    &["009"],
    &["001", "002"],
    &["001", "006"],
    &["001", "007"],
    &["002", "006"],
    &["002", "007"],
    &["006", "007"],
];

#[tokio::test]
async fn stopped_request_does_not_hide_those_alike() {
    let room = Room::start().await;
    let stopped = room.asked_with(json!({ "agent_ids": ["001"] })).await;
    let other = room.another_agent("other-bot", "alice").await;
    let same = json!({ "agent_ids": ["002"], "duration_seconds": 600 });
    let other = other.block("198.51.100.23", same).await.id();
    let (by, agent) = (Actor::CommandLine, Extent::Agent("triage-bot".to_owned()));
    room.operator().freeze(&by, &agent, "a drill").await.unwrap();
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/together?of={other}")).await.shows("Approve the ticked requests");
    bob.page.shows(&other);
    assert!(!bob.page.has(&stopped.id.to_string()));
}

async fn asked(room: &Room, number: usize) -> Vec<Request> {
    let mut requests = Vec::new();
    for place in PLACES.iter().take(number) {
        requests.push(room.asked_with(json!({ "agent_ids": place })).await);
        room.pass(Duration::from_secs(1));
    }
    requests
}

fn pick(request: &Request) -> (String, String) {
    ("pick".to_owned(), format!("{}:{}:{}", request.id, request.version, request.digest))
}

/// Opens the page and sends its form with these boxes ticked.
async fn tick(who: &mut Browser, of: &Request, picks: &[(String, String)]) -> StatusCode {
    who.open(&format!("/together?of={}", of.id)).await;
    let mut fields = who.page.hidden_fields("/together");
    fields.extend(picks.iter().cloned());
    who.post("/together", &fields).await.status
}

async fn states(room: &Room, requests: &[Request]) -> Vec<StateName> {
    let mut states = Vec::new();
    for request in requests {
        states.push(room.now(request).await.state.name());
    }
    states
}

#[tokio::test]
async fn identical_requests_are_shown_and_approved_together() {
    let room = Room::start().await;
    let requests = asked(&room, 3).await;
    let other = room.asked_with(json!({ "srcip": "198.51.100.99", "agent_ids": ["001"] })).await;
    let longer = room.asked_with(json!({ "duration_seconds": 3600, "agent_ids": ["001"] })).await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await.shows("Look at these together");
    bob.open(&path(&requests[1])).await.shows("3 identical requests are waiting: ");
    let link = format!("/together?of={}", requests[1].id);
    assert!(bob.page.links().contains(&link));
    bob.open(&link).await;
    for request in &requests {
        bob.page.shows(&request.id.to_string());
        bob.page.shows(&request.digest.to_string());
        let only = &request.targets[0].endpoint;
        bob.page.shows(&format!("on {} ({}) for 10 minutes", only.name, only.id));
        bob.page.shows(&format!("version {}", request.version));
    }
    assert!(
        !bob.page.has(" checked>") && !bob.page.has("\" checked"),
        "no box is ticked beforehand"
    );
    assert!(!bob.page.has(&other.id.to_string()) && !bob.page.has(&longer.id.to_string()));
    let picks: Vec<_> = requests[..2].iter().map(pick).collect();
    assert_eq!(tick(&mut bob, &requests[1], &picks).await, 303);
    let expected = [StateName::Approved, StateName::Approved, StateName::Pending];
    assert_eq!(states(&room, &requests).await, expected);
    bob.open(&path(&requests[2])).await;
    assert!(!bob.page.has("identical requests are waiting"));
    room.work().await;
    assert_eq!(room.manager.received().len(), 2);
}

#[tokio::test]
async fn unsuitable_request_refuses_whole_bulk_approval_and_is_named() {
    let room = Room::start().await;
    let requests = asked(&room, 2).await;
    let critical = room.asked_with(json!({ "agent_ids": ["003"] })).await;
    let other = room.asked_with(json!({ "srcip": "198.51.100.99", "agent_ids": ["001"] })).await;
    let ended = room.asked_with(json!({ "agent_ids": ["007"] })).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&ended)).await;
    bob.submit(&format!("{}/reject", path(&ended)), &[("comment", "no")]).await;
    let mut newer = requests[1].clone();
    newer.version += 1;
    let mut tampered = requests[1].clone();
    tampered.digest = critical.digest;
    let first = pick(&requests[0]);
    for (wrong, says) in [
        (&newer, "the request has changed since you opened it"),
        (&tampered, "what you were shown differs from what is stored"),
        (&critical, "it asks for more than one person's approval"),
        (&other, "it does not ask for the same as the others"),
        (&ended, "can no longer be approved"),
    ] {
        let status = tick(&mut bob, &requests[0], &[first.clone(), pick(wrong)]).await;
        assert_eq!(status, 409, "{says}");
        let says = says.replace('\'', "&#39;");
        bob.page.shows(&says);
        bob.page.shows(&format!("Nothing was changed: {}", wrong.id));
        assert_eq!(states(&room, &requests).await, [StateName::Pending; 2], "{says}");
    }
    assert!(room.audit_kinds().await.contains(&"vote.refused".to_owned()));
    assert!(!room.audit_kinds().await.contains(&"vote.approved".to_owned()));
}

#[tokio::test]
async fn request_that_waits_for_endpoints_is_not_identical() {
    let room = Room::start().await;
    let requests = asked(&room, 2).await;
    room.manager.set_status("006", wazuh_simulator::Status::Disconnected);
    let waits = room.asked_with(json!({ "agent_ids": ["006"], "when_back": true })).await;
    let mut bob = room.browser_of("bob").await;
    let both = [pick(&requests[0]), pick(&waits)];
    assert_eq!(tick(&mut bob, &requests[0], &both).await, 409);
    bob.page.shows("it does not ask for the same as the others");
    room.asked_with(json!({ "agent_ids": ["007"], "when_back": true })).await;
    bob.open(&format!("/together?of={}", waits.id)).await;
    bob.page.shows("gets it once it is back, until");
    bob.page.shows("Away when it was asked: 006");
    bob.page.shows("The agent names no alert");
}

#[tokio::test]
async fn bulk_approval_refuses_none_duplicates_and_over_ten() {
    let room = Room::start().await;
    let requests = asked(&room, 12).await;
    let all: Vec<_> = requests.iter().map(pick).collect();
    let mut bob = room.browser_of("bob").await;
    assert_eq!(tick(&mut bob, &requests[0], &[]).await, 400);
    bob.page.shows("none is ticked");
    assert_eq!(tick(&mut bob, &requests[0], &all[..11]).await, 400);
    bob.page.shows("11 are ticked");
    let twice = [all[0].clone(), all[1].clone(), all[0].clone()];
    assert_eq!(tick(&mut bob, &requests[0], &twice).await, 400);
    bob.page.shows("one is there twice");
    let odd = [("pick".to_owned(), "req_1:1:0".to_owned())];
    assert_eq!(tick(&mut bob, &requests[0], &odd).await, 400);
    assert!(states(&room, &requests).await.iter().all(|state| *state == StateName::Pending));
    bob.open(&format!("/together?of={}", requests[0].id)).await;
    let shown = |request: &Request| bob.page.has(&request.digest.to_string());
    let listed: Vec<_> = requests.iter().map(shown).collect();
    assert_eq!(listed.iter().filter(|shown| **shown).count(), 10);
    assert!(listed[..10].iter().all(|shown| *shown), "the earliest deadlines first: {listed:?}");
    assert_eq!(tick(&mut bob, &requests[0], &all[..10]).await, 303);
    assert_eq!(
        states(&room, &requests).await[9..],
        [StateName::Approved, StateName::Pending, StateName::Pending]
    );
}

#[tokio::test]
async fn bulk_approval_requires_recent_password_and_permission() {
    let room = Room::start().await;
    let requests = asked(&room, 2).await;
    let picks: Vec<_> = requests.iter().map(pick).collect();
    for name in ["alice", "otto", "dora"] {
        let mut person = room.browser_of(name).await;
        person.open(&format!("/together?of={}", requests[0].id)).await;
        person.page.shows("No identical requests are waiting for you.");
        let mut fields = person.page.hidden_fields("/sign-out");
        fields.push(("of".to_owned(), requests[0].id.to_string()));
        fields.extend(picks.iter().cloned());
        assert_eq!(person.post("/together", &fields).await.status, 403, "{name}");
        person.page.shows("policy does not allow it");
    }
    let mut bob = room.browser_of("bob").await;
    room.pass(Duration::from_secs(301));
    assert_eq!(tick(&mut bob, &requests[0], &picks).await, 401);
    assert_eq!(states(&room, &requests).await, [StateName::Pending; 2]);
    let mut with = picks.clone();
    with.push(("password".to_owned(), PASSWORD.to_owned()));
    assert_eq!(tick(&mut bob, &requests[0], &with).await, 303);
    assert_eq!(states(&room, &requests).await, [StateName::Approved; 2]);
}

#[tokio::test]
async fn bulk_approval_is_offered_only_for_lowest_tier() {
    let room = Room::start().await;
    let request = room.asked().await;
    let critical = room.asked_with(json!({ "agent_ids": ["003"] })).await;
    let arguments = json!({
        "srcip": "198.51.100.23", "permanent": true, "reason": "a test asks", "agent_ids": ["002"],
    });
    let permanent = room.asked_exactly(&arguments).await;
    assert_eq!(permanent.action.kind(), kind("block_ip"));
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/together?of={}", request.id)).await.shows(&request.digest.to_string());
    assert!(!bob.page.has(&critical.digest.to_string()));
    assert!(!bob.page.has(&permanent.digest.to_string()));
    bob.open(&format!("/together?of={}", permanent.id)).await;
    bob.page.shows("No identical requests are waiting for you.");
    assert!(!bob.open("/").await.has("Look at these together"));
}
