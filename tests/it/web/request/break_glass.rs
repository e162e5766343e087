//! Breaking the glass: who may, when, how long it counts, and who looks back at it.

use std::time::Duration;

use countersign::domain::{
    decision::{Tally, Verdict},
    request::{Request, StateName},
};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};

use crate::harness::PASSWORD;
use crate::web::{
    browser::Browser,
    fixtures::{Room, path},
};

const ON_CALL: &str = "UPDATE person SET on_call = 1 WHERE name = 'carol'";

/// Changes people as an admin would, but at once.
async fn change(room: &Room, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(room.folder.path().join("countersign.db"));
    let mut connection = options.connect().await.unwrap();
    let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{sql}");
}

/// A request on db-01, which needs two people; carol, a lead, is on call.
async fn stuck() -> (Room, Request, Browser) {
    let room = Box::pin(Room::start()).await;
    change(&room, ON_CALL).await;
    let request = Box::pin(room.asked_with(json!({ "agent_ids": ["003"] }))).await;
    let carol = room.browser_of("carol").await;
    (room, request, carol)
}

fn verb(request: &Request, verb: &str) -> String {
    format!("{}/{verb}", path(request))
}

/// What somebody types who breaks the glass.
fn typed(request: &Request) -> Vec<(String, String)> {
    let fields = [("typed", request.digest.prefix()), ("comment", "nobody answers".to_owned())];
    fields.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// The fields of a form that this person is not offered: what another page of theirs gives, and
/// what is stored.
async fn outsider(room: &Room, who: &mut Browser, request: &Request) -> Vec<(String, String)> {
    who.open("/").await;
    let mut fields = who.page.hidden_fields("/sign-out");
    let now = room.now(request).await;
    fields.push(("version".to_owned(), now.version.to_string()));
    fields.push(("digest".to_owned(), now.digest.to_string()));
    fields.extend(typed(request));
    fields
}

/// Breaks the glass with the form of the page, some of it changed: the status.
async fn break_with(who: &mut Browser, request: &Request, more: &[(&str, &str)]) -> StatusCode {
    who.open(&path(request)).await;
    let prefix = request.digest.prefix();
    let right = [("typed", prefix.as_str()), ("comment", "nobody answers")];
    let given = |name| more.iter().any(|(other, _)| *other == name);
    let mut fields: Vec<_> = right.into_iter().filter(|(name, _)| !given(*name)).collect();
    fields.extend(more);
    who.submit(&verb(request, "break-glass"), &fields).await.status
}

async fn state(room: &Room, request: &Request) -> StateName {
    room.now(request).await.state.name()
}

#[tokio::test]
async fn lead_on_call_runs_request_without_missing_approvers() {
    let (room, request, mut carol) = stuck().await;
    carol.open(&path(&request)).await.shows("Needs 2 people, one of them a senior or lead;");
    carol.page.shows("The people who were skipped are notified");
    assert!(!carol.page.has("autofocus"));
    assert_eq!(break_with(&mut carol, &request, &[]).await, 303);
    let now = room.now(&request).await;
    assert_eq!((now.state.name(), now.decision.verdict), (StateName::Approved, Verdict::Run));
    // What is written down is what there was.
    assert!(now.decision.break_glass);
    assert_eq!(now.decision.tally, Tally { people: 1, analyst: 1, senior: 1, lead: 1 });
    carol.open(&path(&request)).await.shows("The glass was broken: it runs without the missing");
    carol.page.shows("<strong>broke the glass</strong>");
    carol.page.shows("nobody answers");
    room.work().await;
    room.work().await;
    assert_eq!(state(&room, &request).await, StateName::Settled);
    assert_eq!(room.manager.received().len(), 1);
    carol.open("/in-force").await.shows("<b>carol (broke the glass)</b>");
    assert!(room.audit_kinds().await.contains(&"vote.broke_glass".to_owned()));
}

#[tokio::test]
async fn typed_text_must_be_prefix_of_digest() {
    let (room, request, mut carol) = stuck().await;
    for wrong in ["", "000000000000", &request.digest.to_string(), &request.id.to_string()] {
        assert_eq!(break_with(&mut carol, &request, &[("typed", wrong)]).await, 400, "{wrong}");
        let prefix = request.digest.prefix();
        carol.page.shows(&format!("type the first 12 characters of the digest: {prefix}"));
        carol.page.shows("nobody answers");
    }
    assert_eq!(state(&room, &request).await, StateName::Pending);
    assert!(room.now(&request).await.review.is_none());
    assert!(room.audit_kinds().await.contains(&"vote.refused".to_owned()));
}

#[tokio::test]
async fn break_glass_requires_a_reason() {
    let (room, request, mut carol) = stuck().await;
    for blank in ["", " \t"] {
        assert_eq!(break_with(&mut carol, &request, &[("comment", blank)]).await, 400);
    }
    assert_eq!(state(&room, &request).await, StateName::Pending);
}

#[tokio::test]
async fn only_lead_on_call_may_break_glass() {
    let (room, request, _) = stuck().await;
    change(&room, "UPDATE person SET on_call = 1 WHERE name = 'bob'").await;
    change(&room, "UPDATE person SET on_call = 0 WHERE name = 'carol'").await;
    for name in ["alice", "anna", "bob", "carol", "dora", "otto"] {
        let mut person = room.browser_of(name).await;
        person.open(&path(&request)).await;
        assert!(!person.page.has_form(&verb(&request, "break-glass")), "{name}");
        let fields = outsider(&room, &mut person, &request).await;
        let page = person.post(&verb(&request, "break-glass"), &fields).await;
        assert_eq!(page.status, 403, "{name}: {}", page.html);
    }
    assert!(room.now(&request).await.votes.is_empty());
}

#[tokio::test]
async fn owner_cannot_break_glass_for_own_agent() {
    let (room, request, _) = stuck().await;
    change(&room, "UPDATE person SET on_call = 1, role = 'lead' WHERE name = 'alice'").await;
    let mut alice = room.browser_of("alice").await;
    alice.open(&path(&request)).await;
    assert!(!alice.page.has_form(&verb(&request, "break-glass")));
    let fields = outsider(&room, &mut alice, &request).await;
    let page = alice.post(&verb(&request, "break-glass"), &fields).await;
    assert_eq!(page.status, 403);
    page.shows("owns the agent");
    assert_eq!(state(&room, &request).await, StateName::Pending);
}

#[tokio::test]
async fn break_glass_requires_recent_password() {
    let (room, request, mut carol) = stuck().await;
    room.pass(Duration::from_secs(301));
    assert_eq!(break_with(&mut carol, &request, &[]).await, 401);
    assert_eq!(break_with(&mut carol, &request, &[("password", "not the password")]).await, 401);
    assert_eq!(state(&room, &request).await, StateName::Pending);
    assert_eq!(break_with(&mut carol, &request, &[("password", PASSWORD)]).await, 303);
    assert_eq!(state(&room, &request).await, StateName::Approved);
}

#[tokio::test]
async fn outdated_page_cannot_break_glass() {
    let (room, request, mut carol) = stuck().await;
    carol.open(&path(&request)).await;
    let behind = carol.page.clone();
    let mut anna = room.browser_of("anna").await;
    anna.open(&path(&request)).await;
    anna.submit(&verb(&request, "approve"), &[]).await;
    carol.page = behind;
    let mut fields = carol.page.hidden_fields(&verb(&request, "break-glass"));
    fields.extend(typed(&request));
    let page = carol.post(&verb(&request, "break-glass"), &fields).await;
    assert_eq!(page.status, 409);
    page.shows("the request has changed since you opened it");
    assert_eq!(state(&room, &request).await, StateName::Pending);
}

#[tokio::test]
async fn break_glass_is_refused_after_rejection_or_twice() {
    let (room, request, mut carol) = stuck().await;
    assert_eq!(break_with(&mut carol, &request, &[]).await, 303);
    let again = outsider(&room, &mut carol, &request).await;
    let page = carol.post(&verb(&request, "break-glass"), &again).await;
    assert_eq!(page.status, 409);
    page.shows("the request is approved and can no longer be let through by breaking the glass");
    carol.open(&path(&request)).await;
    assert!(!carol.page.has_form(&verb(&request, "break-glass")));
    carol.submit(&verb(&request, "reject"), &[("comment", "a mistake")]).await;
    let after = outsider(&room, &mut carol, &request).await;
    assert_eq!(carol.post(&verb(&request, "break-glass"), &after).await.status, 409);
    assert_eq!(state(&room, &request).await, StateName::Rejected);
    room.work().await;
    assert!(room.manager.received().is_empty());
}

#[tokio::test]
async fn break_glass_cannot_run_denied_request() {
    let (room, _, mut carol) = stuck().await;
    let never = json!({ "srcip": "10.0.0.7", "agent_ids": ["003"] });
    let denied = room.asked_with(never).await;
    assert_eq!(denied.state.name(), StateName::Denied);
    carol.open(&path(&denied)).await;
    assert!(!carol.page.has_form(&verb(&denied, "break-glass")));
    let fields = outsider(&room, &mut carol, &denied).await;
    assert_eq!(carol.post(&verb(&denied, "break-glass"), &fields).await.status, 409);
    assert_eq!(state(&room, &denied).await, StateName::Denied);
}

#[tokio::test]
async fn break_glass_request_is_withdrawn_when_policy_denies() {
    let (room, request, mut carol) = stuck().await;
    change(&room, "UPDATE agent SET revoked_at = 1 WHERE name = 'triage-bot'").await;
    assert_eq!(break_with(&mut carol, &request, &[]).await, 303);
    room.work().await;
    carol.open(&path(&request)).await.shows("Policy or facts changed and no longer allow it.");
    assert!(room.manager.received().is_empty());
}

#[tokio::test]
async fn break_glass_stops_counting_when_lead_loses_eligibility() {
    for lost in [
        "UPDATE person SET role = 'senior' WHERE name = 'carol'",
        "UPDATE person SET role = 'admin' WHERE name = 'carol'",
        "UPDATE person SET on_call = 0 WHERE name = 'carol'",
        "UPDATE person SET disabled_at = 1 WHERE name = 'carol'",
        "UPDATE person SET must_change_password = 1 WHERE name = 'carol'",
    ] {
        let (room, request, mut carol) = stuck().await;
        assert_eq!(break_with(&mut carol, &request, &[]).await, 303);
        change(&room, lost).await;
        room.work().await;
        assert_eq!(state(&room, &request).await, StateName::Pending, "{lost}");
        assert!(!room.now(&request).await.decision.break_glass, "{lost}");
        assert!(room.manager.received().is_empty(), "{lost}");
    }
}

#[tokio::test]
async fn break_glass_can_be_retracted_until_claim_without_review() {
    let (room, request, mut carol) = stuck().await;
    assert_eq!(break_with(&mut carol, &request, &[]).await, 303);
    carol.open(&path(&request)).await.shows("Break-glass review");
    assert_eq!(carol.submit(&verb(&request, "retract"), &[]).await.status, 303);
    let now = room.now(&request).await;
    assert_eq!((now.state.name(), now.votes.len()), (StateName::Pending, 0));
    assert_eq!(now.review, None);
    room.work().await;
    assert!(room.manager.received().is_empty());
    assert_eq!(break_with(&mut carol, &request, &[]).await, 303);
    room.work().await;
    carol.open(&path(&request)).await;
    assert!(!carol.page.has_form(&verb(&request, "retract")));
}

#[tokio::test]
async fn kill_switch_stops_break_glass_request() {
    let (room, request, mut carol) = stuck().await;
    assert_eq!(break_with(&mut carol, &request, &[]).await, 303);
    room.freeze("stop all").await;
    room.work().await;
    assert_eq!(state(&room, &request).await, StateName::Approved);
    assert!(room.manager.received().is_empty());
}

#[tokio::test]
async fn broken_glass_is_called_that_everywhere() {
    let (room, request, mut carol) = stuck().await;
    assert_eq!(break_with(&mut carol, &request, &[]).await, 303);
    room.work().await;
    carol
        .open(&path(&request))
        .await
        .shows("<b>carol</b> <span class=\"role\">lead</span> broke the glass");
    carol.page.shows("carol broke the glass");
    carol.page.shows("glass broken");
    assert!(!carol.page.has("carol approved") && !carol.page.has("approved by 1"));
}

#[tokio::test]
async fn glass_is_not_broken_while_kill_switch_is_on() {
    let (room, request, mut carol) = stuck().await;
    carol.open(&path(&request)).await;
    room.freeze("stop all").await;
    let prefix = request.digest.prefix();
    let typed = [("typed", prefix.as_str()), ("comment", "nobody answers")];
    assert_eq!(carol.submit(&verb(&request, "break-glass"), &typed).await.status, 409);
    carol.page.shows("the kill switch stops it");
    assert_eq!(state(&room, &request).await, StateName::Pending);
}

#[tokio::test]
async fn break_glass_replaces_leads_own_approval() {
    let (room, request, mut carol) = stuck().await;
    carol.open(&path(&request)).await;
    carol.submit(&verb(&request, "approve"), &[]).await;
    carol.open(&path(&request)).await.shows("has 1 (carol).");
    assert_eq!(break_with(&mut carol, &request, &[]).await, 303);
    let now = room.now(&request).await;
    assert_eq!((now.state.name(), now.votes.len()), (StateName::Approved, 1));
    assert!(now.votes[0].break_glass);
}

#[tokio::test]
async fn break_glass_is_not_offered_when_own_approval_suffices() {
    let (room, _, mut carol) = stuck().await;
    let small = room.asked().await;
    carol.open(&path(&small)).await;
    assert!(carol.page.has_form(&verb(&small, "approve")));
    assert!(!carol.page.has_form(&verb(&small, "break-glass")));
}

#[tokio::test]
async fn another_person_reviews_break_glass_once() {
    let (room, request, mut carol) = stuck().await;
    assert_eq!(break_with(&mut carol, &request, &[]).await, 303);
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await.shows("Break-glass review");
    assert!(!bob.page.has_form(&verb(&request, "review")), "it is not over");
    room.work().await;
    carol.open(&path(&request)).await.shows("somebody else must review it");
    let own = outsider(&room, &mut carol, &request).await;
    carol.page.shows("Inbox");
    assert!(!carol.page.has("Reviews due"));
    assert_eq!(carol.post(&verb(&request, "review"), &own).await.status, 403);
    let mut anna = room.browser_of("anna").await;
    let fields = outsider(&room, &mut anna, &request).await;
    assert!(!anna.page.has("Reviews due"));
    assert_eq!(anna.post(&verb(&request, "review"), &fields).await.status, 403);
    bob.open("/").await.shows("Reviews due");
    bob.open(&path(&request)).await;
    let blank = bob.submit(&verb(&request, "review"), &[("comment", " ")]).await;
    assert_eq!(blank.status, 400);
    let found = [("comment", "<b>right</b> call")];
    assert_eq!(bob.submit(&verb(&request, "review"), &found).await.status, 303);
    bob.open(&path(&request)).await.shows("&lt;b&gt;right&lt;/b&gt;");
    bob.page.shows("<b>bob</b> reviewed it <time");
    assert!(!bob.page.has_form(&verb(&request, "review")));
    bob.open("/").await;
    assert!(!bob.page.has("Reviews due"));
    let again = outsider(&room, &mut bob, &request).await;
    assert_eq!(bob.post(&verb(&request, "review"), &again).await.status, 409);
}

#[tokio::test]
async fn overdue_review_is_marked() {
    let (room, request, mut carol) = stuck().await;
    assert_eq!(break_with(&mut carol, &request, &[]).await, 303);
    room.work().await;
    room.pass(Duration::from_hours(25));
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await.shows("<strong class=\"warn\">overdue</strong>");
    bob.open(&path(&request)).await.shows("<strong>Overdue.</strong>");
    let found = [("comment", "nobody was there")];
    assert_eq!(bob.submit(&verb(&request, "review"), &found).await.status, 303);
    bob.open(&path(&request)).await;
    assert!(!bob.page.has("Overdue."));
}

#[tokio::test]
async fn vote_that_does_not_count_is_shown_with_reason() {
    let (room, request, _) = stuck().await;
    let mut anna = room.browser_of("anna").await;
    anna.open(&path(&request)).await;
    anna.submit(&verb(&request, "approve"), &[]).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await.shows("has 1 (anna).");
    for (sql, why) in [
        ("UPDATE person SET role = 'auditor' WHERE name = 'anna'", "is no longer an analyst"),
        ("UPDATE person SET disabled_at = 1 WHERE name = 'anna'", "this person is disabled"),
    ] {
        change(&room, sql).await;
        bob.open(&path(&request)).await.shows("does not count: ");
        bob.page.shows(why);
        bob.page.shows("has none yet.");
    }
    bob.submit(&verb(&request, "approve"), &[]).await;
    assert_eq!(state(&room, &request).await, StateName::Pending, "one vote counts, two are needed");
}

#[tokio::test]
async fn voter_demoted_before_claim_no_longer_counts() {
    for lost in [
        "UPDATE person SET role = 'auditor' WHERE name = 'bob'",
        "UPDATE person SET disabled_at = 1 WHERE name = 'bob'",
    ] {
        let room = Room::start().await;
        let request = room.asked().await;
        let mut bob = room.browser_of("bob").await;
        bob.open(&path(&request)).await;
        bob.submit(&verb(&request, "approve"), &[]).await;
        assert_eq!(state(&room, &request).await, StateName::Approved);
        change(&room, lost).await;
        room.work().await;
        assert_eq!(state(&room, &request).await, StateName::Pending, "{lost}");
        assert!(room.manager.received().is_empty(), "{lost}");
    }
}
