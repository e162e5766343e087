//! Approving, rejecting, taking back, cancelling.

use std::time::Duration;

use countersign::domain::{actor::Actor, request::StateName};
use serde_json::json;

use crate::harness::PASSWORD;
use crate::web::fixtures::{Room, path};

#[tokio::test]
async fn person_approves_shown_request_and_sees_outcome() {
    let room = Room::start().await;
    let request = room.asked().await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await.shows("(1) Inbox");
    bob.page.shows("Block 198.51.100.23 on web-02 (002) for 10 minutes");
    bob.open(&path(&request)).await.shows("Needs 1 person; has none yet.");
    bob.page.shows(&request.digest.prefix());
    bob.page.shows("firewall-drop600");
    let done = bob.submit(&format!("{}/approve", path(&request)), &[("comment", "go on")]).await;
    assert_eq!((done.status.as_u16(), done.leads_to()), (303, path(&request).as_str()));
    room.work().await;
    bob.open(&path(&request)).await.shows("1 sent.");
    bob.page.shows("same SHA-256");
    bob.page.shows("go on");
    assert!(!bob.page.has_form(&format!("{}/approve", path(&request))));
    bob.open("/in-force").await.shows("Block 198.51.100.23");
    bob.open("/").await.shows("Nothing is waiting for you.");
}

#[tokio::test]
async fn request_requiring_two_people_needs_two_different_people() {
    let room = Room::start().await;
    let request = room.asked_with(json!({ "agent_ids": ["003"] })).await;
    let approve = format!("{}/approve", path(&request));
    let mut anna = room.browser_of("anna").await;
    anna.open(&path(&request)).await.shows("Needs 2 people, one of them a senior or lead;");
    let fields = anna.page.hidden_fields(&approve);
    anna.submit(&approve, &[]).await;
    anna.open(&path(&request)).await.shows("has 1 (anna).");
    assert!(!anna.page.has_form(&approve));
    anna.open("/").await.shows("You have approved it; it is waiting for others.");
    assert_eq!(anna.post(&approve, &fields).await.status, 409);
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await;
    assert_eq!(bob.submit(&approve, &[]).await.status, 303);
    assert_eq!(room.now(&request).await.state.name(), StateName::Approved);
}

#[tokio::test]
async fn settled_request_keeps_requirement_and_approvers() {
    let room = Room::start().await;
    let request = room.asked_with(json!({ "agent_ids": ["003"] })).await;
    let approve = format!("{}/approve", path(&request));
    let mut carol = room.browser_of("carol").await;
    carol.open(&path(&request)).await;
    assert!(!carol.page.has("It needed"), "while it waits, the decision says it");
    carol.submit(&approve, &[]).await;
    carol.open(&path(&request)).await;
    carol.submit(&format!("{}/retract", path(&request)), &[]).await;
    for name in ["anna", "bob"] {
        let mut person = room.browser_of(name).await;
        person.open(&path(&request)).await;
        person.submit(&approve, &[]).await;
    }
    room.work().await;
    assert_eq!(room.now(&request).await.state.name(), StateName::Settled);
    room.operator().disable_person(&Actor::CommandLine, "bob").await.unwrap();
    carol.open(&path(&request)).await.shows(
        "It needed 2 people, one of them a senior or lead: an endpoint of criticality 4 or 5 needs \
         two people, one of them a senior or lead",
    );
    carol.page.shows("<code>run.critical-endpoint</code>");
    carol.page.shows("Approved by: <b>anna (analyst), bob (senior)</b>.");
    assert!(!carol.page.has("does not count"), "it ran with this vote");
}

#[tokio::test]
async fn approval_requires_recent_password() {
    let room = Room::start().await;
    let request = room.asked().await;
    let approve = format!("{}/approve", path(&request));
    let mut bob = room.browser_of("bob").await;
    assert!(!bob.open(&path(&request)).await.has("approve-password"));
    room.pass(Duration::from_secs(301));
    bob.open(&path(&request)).await.shows("approve-password");
    let answer = bob.submit(&approve, &[("comment", "half a thought")]).await;
    assert_eq!(answer.status, 401);
    answer.shows("Enter your password");
    answer.shows("half a thought");
    let answer = bob.submit(&approve, &[("password", "not the password")]).await;
    assert_eq!(answer.status, 401);
    answer.shows("The password is wrong. Nothing was changed.");
    assert_eq!(room.now(&request).await.state.name(), StateName::Pending);
    assert_eq!(bob.submit(&approve, &[("password", PASSWORD)]).await.status, 303);
    assert_eq!(room.now(&request).await.state.name(), StateName::Approved);
}

#[tokio::test]
async fn outdated_form_changes_nothing_and_explains() {
    let room = Room::start().await;
    let request = room.asked_with(json!({ "agent_ids": ["003"] })).await;
    let approve = format!("{}/approve", path(&request));
    let (mut anna, mut bob) = (room.browser_of("anna").await, room.browser_of("bob").await);
    anna.open(&path(&request)).await;
    bob.open(&path(&request)).await;
    anna.submit(&approve, &[]).await;
    let answer = bob.submit(&approve, &[]).await;
    assert_eq!(answer.status, 409);
    answer.shows("the request has changed since you opened it");
    answer.shows("has 1 (anna).");
    assert_eq!(room.now(&request).await.votes.len(), 1);
    let other = "0".repeat(64);
    bob.open(&path(&request)).await;
    let answer = bob.submit(&approve, &[("digest", &other)]).await;
    assert_eq!(answer.status, 409);
    answer.shows("what you were shown differs from what is stored");
    assert_eq!(room.now(&request).await.votes.len(), 1);
}

#[tokio::test]
async fn agents_owner_is_not_offered_approval_and_is_refused() {
    let room = Room::start().await;
    let request = room.asked().await;
    let approve = format!("{}/approve", path(&request));
    let mut alice = room.browser_of("alice").await;
    alice.open("/").await.shows("You may not approve it: a person who owns the agent");
    alice.open(&path(&request)).await.shows("You may not approve it: a person who owns the agent");
    assert!(!alice.page.has_form(&approve));
    let fields = alice.page.hidden_fields(&format!("{}/cancel", path(&request)));
    assert_eq!(alice.post(&approve, &fields).await.status, 403);
    assert!(room.now(&request).await.votes.is_empty());
    let cancel = format!("{}/cancel", path(&request));
    alice.open(&path(&request)).await;
    assert_eq!(alice.submit(&cancel, &[("comment", "false alarm")]).await.status, 303);
    alice.open(&path(&request)).await.shows("alice cancelled it. Nothing was sent.");
    alice.page.shows("false alarm");
}

#[tokio::test]
async fn rejection_requires_reason_and_ends_request() {
    let room = Room::start().await;
    let request = room.asked().await;
    let reject = format!("{}/reject", path(&request));
    let mut anna = room.browser_of("anna").await;
    anna.open(&path(&request)).await;
    let answer = anna.submit(&reject, &[("comment", "  ")]).await;
    assert_eq!(answer.status, 400);
    answer.shows("a reason is required");
    assert_eq!(anna.submit(&reject, &[("comment", "our own scanner")]).await.status, 303);
    anna.open(&path(&request)).await.shows("anna rejected it. Nothing was sent.");
    anna.page.shows("our own scanner");
}

#[tokio::test]
async fn approval_is_retracted_until_claim() {
    let room = Room::start().await;
    let request = room.asked().await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await;
    bob.submit(&format!("{}/approve", path(&request)), &[]).await;
    bob.open(&path(&request)).await;
    bob.submit(&format!("{}/retract", path(&request)), &[]).await;
    let now = room.now(&request).await;
    assert_eq!((now.state.name(), now.votes.len()), (StateName::Pending, 0));
}

#[tokio::test]
async fn auditor_reads_and_is_offered_no_action() {
    let room = Room::start().await;
    let request = room.asked().await;
    let mut otto = room.browser_of("otto").await;
    otto.open(&path(&request)).await.shows("You may not approve it: no policy allows you to.");
    for form in ["approve", "reject", "retract", "cancel", "undo", "resolve"] {
        assert!(!otto.page.has_form(&format!("{}/{form}", path(&request))));
    }
}
