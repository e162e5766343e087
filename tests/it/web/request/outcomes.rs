//! After the call: what a person sees of each endpoint, taking back, saying what happened.

use std::time::Duration;

use countersign::domain::request::{Outcome, Request, StateName};
use serde_json::json;
use wazuh_simulator::{Fault, Times, Work};

use crate::harness::PASSWORD;
use crate::web::{
    browser::Browser,
    fixtures::{Room, path},
};

/// Bob approved it, and it was sent.
async fn sent(room: &Room, bob: &mut Browser) -> Request {
    sent_to(room, bob, &["002"]).await
}

async fn sent_to(room: &Room, bob: &mut Browser, endpoints: &[&str]) -> Request {
    let request = room.asked_with(json!({ "agent_ids": endpoints })).await;
    bob.open(&path(&request)).await;
    bob.submit(&format!("{}/approve", path(&request)), &[]).await;
    room.work().await;
    request
}

/// As [`sent`], but the connection broke when the work was done.
async fn unknown(room: &Room, bob: &mut Browser) -> Request {
    room.manager.hold_evidence();
    room.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    let request = sent(room, bob).await;
    let known = room.now(&request).await.targets[0].outcome.clone().unwrap();
    assert_eq!(known.name(), "unknown");
    request
}

/// The fields of a form that this person is not offered: what another page of theirs gives, and
/// what is stored.
async fn fields(room: &Room, who: &mut Browser, request: &Request) -> Vec<(String, String)> {
    who.open("/").await;
    let mut fields = who.page.hidden_fields("/sign-out");
    let now = room.now(request).await;
    fields.push(("version".to_owned(), now.version.to_string()));
    fields.push(("digest".to_owned(), now.digest.to_string()));
    fields
}

const FOUND: [(&str, &str); 3] =
    [("endpoint", "002"), ("ruling", "done"), ("comment", "iptables -L shows it")];

#[tokio::test]
async fn timeline_reaches_from_proposal_to_alert_with_id() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    let request = sent(&room, &mut bob).await;
    room.pass(Duration::from_secs(10));
    room.look().await;
    bob.open(&path(&request)).await.shows("agent triage-bot requested it");
    bob.page.shows("bob (senior) approved, now approved");
    bob.page.shows("call 1 recorded before it is made, body ");
    bob.page.shows("the manager queued it for this endpoint");
    bob.page.shows("its own alert shows that the script started on this endpoint");
    bob.page.shows("in index <code><bdi>wazuh-alerts-4.x-");
    bob.page.shows("<span class=\"until\">until ");
}

#[tokio::test]
async fn undo_of_block_is_a_separate_request_naming_requester() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    let request = sent(&room, &mut bob).await;
    let undo = format!("{}/undo", path(&request));
    bob.open("/in-force").await.shows(&format!("href=\"{}#undo\"", path(&request)));
    bob.open(&path(&request)).await.shows("Take it back");
    let child = bob.submit(&undo, &[("comment", "it was our scanner")]).await.clone();
    assert_eq!(child.status, 303, "{}", child.html);
    assert_ne!(child.leads_to(), path(&request));
    bob.open(child.leads_to()).await.shows("It takes back");
    bob.page.shows(&format!("href=\"{}\"", path(&request)));
    bob.page.shows("asked by <b>bob</b>");
    bob.page.shows("it was our scanner");
    bob.open(&path(&request)).await.shows(&format!("href=\"{}\"", child.leads_to()));
    let mut carol = room.browser_of("carol").await;
    carol.open(child.leads_to()).await;
    if carol.page.has_form(&format!("{}/approve", child.leads_to())) {
        carol.submit(&format!("{}/approve", child.leads_to()), &[]).await;
    }
    room.work().await;
    let known = room.now(&request).await.targets[0].outcome.clone().unwrap();
    assert_eq!(known.name(), "reverted");
    bob.open(&path(&request)).await.shows("taken back");
    assert!(!bob.page.has_form(&undo));
}

#[tokio::test]
async fn impossible_undo_is_announced_before_decision() {
    let room = Room::start().await;
    let permanent = json!({ "agent_ids": ["002"], "permanent": true });
    let mut arguments = json!({ "srcip": "198.51.100.23", "reason": "a test asks" });
    arguments.as_object_mut().unwrap().extend(permanent.as_object().unwrap().clone());
    let request = room.asked_exactly(&arguments).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await.shows("cannot be undone through Wazuh");
    assert!(!bob.page.has_form(&format!("{}/undo", path(&request))));
}

#[tokio::test]
async fn undo_requires_current_page_reason_and_password() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    let request = sent(&room, &mut bob).await;
    let undo = format!("{}/undo", path(&request));
    let before = room.requests().await;
    bob.open(&path(&request)).await;
    let answer = bob.submit(&undo, &[("comment", "no"), ("version", "1")]).await;
    assert_eq!(answer.status, 409);
    answer.shows("the request has changed since you opened it");
    let other = "0".repeat(64);
    assert_eq!(bob.submit(&undo, &[("comment", "no"), ("digest", &other)]).await.status, 409);
    assert_eq!(bob.submit(&undo, &[("comment", " ")]).await.status, 400);
    room.pass(Duration::from_secs(301));
    bob.open(&path(&request)).await.shows("undo-password");
    let answer = bob.submit(&undo, &[("comment", "half a thought")]).await;
    assert_eq!(answer.status, 401);
    answer.shows("half a thought");
    let wrong = [("comment", "no"), ("password", "not the password")];
    assert_eq!(bob.submit(&undo, &wrong).await.status, 401);
    assert_eq!(room.requests().await, before);
    let right = [("comment", "yes"), ("password", PASSWORD)];
    assert_eq!(bob.submit(&undo, &right).await.status, 303);
    assert_eq!(room.requests().await, before + 1);
}

#[tokio::test]
async fn auditor_cannot_undo_or_resolve() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    let request = unknown(&room, &mut bob).await;
    let before = room.requests().await;
    let mut otto = room.browser_of("otto").await;
    otto.open(&path(&request)).await;
    for form in ["undo", "resolve"] {
        let form = format!("{}/{form}", path(&request));
        assert!(!otto.page.has_form(&form), "{form}");
    }
    otto.page.shows("You may not record what happened: ");
    let mut fields = fields(&room, &mut otto, &request).await;
    fields.extend(FOUND.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for form in ["undo", "resolve"] {
        let form = format!("{}/{form}", path(&request));
        assert_eq!(otto.post(&form, &fields).await.status, 403, "{form}");
    }
    assert_eq!(room.requests().await, before);
    let known = room.now(&request).await.targets[0].outcome.clone().unwrap();
    assert_eq!(known.name(), "unknown");
}

#[tokio::test]
async fn unknown_outcome_stays_highlighted_until_resolved() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    let request = unknown(&room, &mut bob).await;
    let resolve = format!("{}/resolve", path(&request));
    bob.open("/in-force").await.shows("it may or may not have been sent");
    bob.open(&path(&request)).await.shows("What happened is not known on 1 of the endpoints");
    bob.page.shows("it may or may not have been sent");
    assert_eq!(bob.submit(&resolve, &FOUND).await.status, 303);
    let known = room.now(&request).await.targets[0].outcome.clone().unwrap();
    assert!(matches!(known, Outcome::Confirmed(_)));
    bob.open(&path(&request)).await.shows("bob (senior) checked: it was done");
    bob.page.shows("iptables -L shows it");
    assert!(!bob.page.has("What happened is not known"));
    assert!(!bob.page.has_form(&resolve));
    assert_eq!(room.now(&request).await.state.name(), StateName::Settled);
}

#[tokio::test]
async fn finding_applies_only_to_ticked_endpoints() {
    let room = Room::start().await;
    room.manager.hold_evidence();
    room.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
    let mut bob = room.browser_of("bob").await;
    let request = sent_to(&room, &mut bob, &["001", "002", "006"]).await;
    let resolve = format!("{}/resolve", path(&request));
    bob.open(&path(&request)).await.shows("What happened is not known on 3 of the endpoints");
    let mut fields = bob.page.hidden_fields(&resolve);
    let typed = [("endpoint", "001"), ("endpoint", "006"), ("ruling", "not_done")];
    fields.extend(typed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    fields.push(("comment".to_owned(), "no rule there".to_owned()));
    assert_eq!(bob.post(&resolve, &fields).await.status, 303);
    let now = room.now(&request).await;
    let known: Vec<_> =
        now.targets.iter().map(|target| target.outcome.as_ref().unwrap().name()).collect();
    assert_eq!(known, ["refused", "unknown", "refused"]);
    bob.open(&path(&request)).await.shows("bob (senior) checked: it was not done");
    bob.page.shows("What happened is not known on 1 of the endpoints");
}

#[tokio::test]
async fn resolution_requires_current_page_complete_form_and_password() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    let request = unknown(&room, &mut bob).await;
    let resolve = format!("{}/resolve", path(&request));
    bob.open(&path(&request)).await;
    let other = "0".repeat(64);
    let with = |name, value| FOUND.into_iter().chain([(name, value)]).collect::<Vec<_>>();
    for (typed, status) in [
        (with("version", "1"), 409),
        (with("digest", &other), 409),
        (with("comment", "  "), 400),
        (with("ruling", "perhaps"), 400),
        (with("endpoint", "all"), 400),
        (with("endpoint", "001"), 409),
        (FOUND.into_iter().skip(1).collect(), 409),
    ] {
        assert_eq!(bob.submit(&resolve, &typed).await.status, status, "{typed:?}");
        bob.open(&path(&request)).await;
    }
    room.pass(Duration::from_secs(301));
    bob.open(&path(&request)).await.shows("resolve-password");
    assert_eq!(bob.submit(&resolve, &FOUND).await.status, 401);
    let known = room.now(&request).await.targets[0].outcome.clone().unwrap();
    assert_eq!(known.name(), "unknown");
    assert_eq!(bob.submit(&resolve, &with("password", PASSWORD)).await.status, 303);
}

#[tokio::test]
async fn unreachable_manager_is_reported_on_every_page() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/system").await.shows("calls are not held back");
    assert!(!bob.page.has("class=\"troubles\""));
    room.stop_manager().await;
    for _ in 0..3 {
        bob.open("/system").await;
    }
    for page in ["/", "/in-force", "/audit", "/requests/req_1"] {
        bob.open(page).await.shows("The manager test does not answer since ");
    }
    bob.open("/system").await.shows("tried again at");
}
