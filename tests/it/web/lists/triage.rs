//! To whom a request is assigned, what is snoozed, and the views that people save.

use std::time::Duration;

use countersign::domain::request::Request;
use serde_json::json;

use super::super::{browser::Browser, fixtures::Room};

/// Does something with ticked rows.
async fn act(browser: &mut Browser, what: &str, requests: &[&Request]) -> u16 {
    browser.open("/").await;
    let token = ("form_token".to_owned(), browser.page.form_token());
    let mut fields = vec![token, ("act".to_owned(), what.to_owned())];
    fields.extend(requests.iter().map(|one| ("pick".to_owned(), one.id.to_string())));
    browser.post("/inbox", &fields).await.status.as_u16()
}

#[tokio::test]
async fn odd_view_leads_back_to_the_inbox() {
    let room = Room::start().await;
    let (one, mut bob) = (room.asked().await, room.browser_of("bob").await);
    bob.open("/").await;
    for here in ["/?\r\nSet-Cookie: a=b", "//evil.example", "/requests", "/?\\evil"] {
        let token = bob.open("/").await.form_token();
        let pick = one.id.to_string();
        let fields =
            [("form_token", token.as_str()), ("act", "assign"), ("pick", &pick), ("here", here)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(bob.post("/inbox", &fields).await.leads_to(), "/", "{here:?}");
    }
}

#[tokio::test]
async fn request_is_assigned_and_unassigned() {
    let room = Room::start().await;
    let one = room.asked().await;
    let other = room.asked_with(json!({ "srcip": "203.0.113.8", "agent_ids": ["002"] })).await;
    let (mut bob, mut anna) = (room.browser_of("bob").await, room.browser_of("anna").await);
    assert_eq!(act(&mut bob, "assign", &[&one]).await, 303);
    anna.open("/").await.shows("assigned to <b>bob</b>");
    anna.open("/?assigned=nobody").await.shows("1 request waiting for you of 2");
    anna.page.shows(&other.id.to_string());
    anna.open("/?assigned=bob").await.shows(&one.id.to_string());
    anna.open("/?assigned=me").await.shows("Without “assigned to”: 2 requests");
    assert_eq!(act(&mut anna, "unassign", &[&one]).await, 303);
    anna.open("/").await;
    assert!(!anna.page.has("assigned to <b>"));
    let kinds = room.audit_kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "request.assigned").count(), 2);
    assert_eq!(room.now(&one).await.version, one.version);
}

#[tokio::test]
async fn snoozed_request_is_hidden_until_its_time() {
    let room = Room::start().await;
    let one = room.asked().await;
    let (mut bob, mut anna) = (room.browser_of("bob").await, room.browser_of("anna").await);
    assert_eq!(act(&mut bob, "snooze-60", &[&one]).await, 303);
    bob.open("/").await.shows("1 of yours is snoozed.");
    bob.page.shows("<title>Inbox");
    assert!(!bob.page.has(&one.id.to_string()));
    bob.open("/?snoozed=yes").await.shows(&one.id.to_string());
    anna.open("/").await.shows(&one.id.to_string());
    room.pass(Duration::from_mins(20));
    bob.open("/").await;
    room.pass(Duration::from_mins(20));
    bob.open("/").await;
    room.pass(Duration::from_mins(21));
    bob.open("/").await.shows(&one.id.to_string());
    act(&mut bob, "snooze-15", &[&one]).await;
    act(&mut bob, "unsnooze", &[&one]).await;
    bob.open("/").await.shows(&one.id.to_string());
}

#[tokio::test]
async fn snooze_ends_at_reminder_before_deadline() {
    let room = Room::start().await;
    let one = room.asked().await;
    // A deadline in four hours, a reminder half an hour before it.
    let mut bob = room.browser_of("bob").await;
    assert_eq!(act(&mut bob, "snooze-240", &[&one]).await, 303);
    room.pass(Duration::from_mins(211));
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await.shows(&one.id.to_string());
    assert_eq!(act(&mut bob, "snooze-15", &[&one]).await, 400);
    bob.page.shows("the reminder before the deadline of");
}

#[tokio::test]
async fn triage_of_several_is_all_or_nothing() {
    let room = Room::start().await;
    let one = room.asked().await;
    let gone = room.asked_with(json!({ "srcip": "203.0.113.8", "agent_ids": ["002"] })).await;
    room.person("anna").await.reject(&gone.id.to_string(), "no").await;
    let mut bob = room.browser_of("bob").await;
    assert_eq!(act(&mut bob, "assign", &[&one, &gone]).await, 400);
    bob.page.shows(&format!("{} is rejected by now", gone.id));
    bob.open("/").await;
    assert!(!bob.page.has("assigned to <b>"));
    for (what, said) in [("explode", "there is no such thing to do"), ("snooze-7", "snooze-15")] {
        assert_eq!(act(&mut bob, what, &[&one]).await, 400);
        bob.page.shows(said);
    }
    assert_eq!(act(&mut bob, "assign", &[&one, &one]).await, 400);
    bob.page.shows("one is there twice");
    assert_eq!(act(&mut bob, "assign", &[]).await, 400);
    bob.page.shows("none is ticked");
}

#[tokio::test]
async fn auditor_cannot_assign_or_snooze() {
    let room = Room::start().await;
    let one = room.asked().await;
    let mut otto = room.browser_of("otto").await;
    for what in ["assign", "snooze-15"] {
        assert_eq!(act(&mut otto, what, &[&one]).await, 403);
    }
}

async fn save(browser: &mut Browser, name: &str, address: &str) -> u16 {
    let token = browser.open("/password").await.form_token();
    let fields = [("form_token", token.as_str()), ("view", name), ("address", address)];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    browser.post("/views/save", &fields).await.status.as_u16()
}

#[tokio::test]
async fn views_are_saved_for_their_person_alone() {
    let room = Room::start().await;
    let (mut bob, mut anna) = (room.browser_of("bob").await, room.browser_of("anna").await);
    bob.open("/?tier=low&sort=newest").await.shows("value=\"/?tier=low&amp;sort=newest\"");
    let name = "<b>mine</b> \u{202E}x";
    let address = "/?tier=low&sort=newest";
    bob.submit("/views/save", &[("view", name), ("address", address)]).await;
    assert_eq!(bob.page.leads_to(), "/?tier=low&sort=newest");
    bob.open("/").await.shows(
        "<a href=\"/?tier=low&amp;sort=newest\"><bdi>&lt;b&gt;mine&lt;/b&gt; ‹U+202E›x</bdi></a>",
    );
    anna.open("/").await;
    assert!(!anna.page.has("Saved views"));
    bob.submit("/views/delete", &[("view", name)]).await;
    bob.open("/").await;
    assert!(!bob.page.has("Saved views"));
}

#[tokio::test]
async fn views_are_bounded_and_lead_to_lists_alone() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    for number in 0..20 {
        assert_eq!(save(&mut bob, &format!("view {number}"), "/?sort=newest").await, 303);
    }
    assert_eq!(save(&mut bob, "one more", "/?sort=newest").await, 400);
    bob.page.shows("you have 20 already");
    assert_eq!(save(&mut bob, "view 3", "/audit?kind=session").await, 303);
    let long = format!("/?agent={}", "x".repeat(2000));
    for (name, address) in [
        ("view 3", "//evil.example/"),
        ("view 3", "/system"),
        ("view 3", "https://evil.example"),
        ("view 3", "/?a#b"),
        ("view 3", "/?a=\u{202E}"),
        ("view 3", long.as_str()),
        ("", "/?sort=newest"),
    ] {
        assert_eq!(save(&mut bob, name, address).await, 400, "{address}");
    }
    assert_eq!(save(&mut bob, &"x".repeat(41), "/?sort=newest").await, 400);
    bob.page.shows("1 to 40 characters");
}
