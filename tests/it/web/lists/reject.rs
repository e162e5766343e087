//! Many requests rejected with one reason.

use serde_json::json;

use super::super::{
    browser::Browser,
    fixtures::{Room, path},
};
use crate::harness::page::encoded;

async fn asked(room: &Room, last: u32, endpoint: &str) -> countersign::domain::request::Request {
    let address = format!("203.0.113.{last}");
    room.asked_with(json!({ "srcip": address, "agent_ids": [endpoint] })).await
}

/// The form of the page with all its boxes as they are.
fn ticked(browser: &Browser, comment: &str) -> Vec<(String, String)> {
    let mut fields = browser.page.hidden_fields("/reject");
    for rest in browser.page.html.split("name=\"pick\" value=\"").skip(1) {
        fields.push(("pick".to_owned(), rest.split('"').next().unwrap().to_owned()));
    }
    fields.push(("comment".to_owned(), comment.to_owned()));
    fields
}

async fn follow(browser: &mut Browser) {
    let next = browser.page.leads_to().to_owned();
    browser.open(&next).await;
}

#[tokio::test]
async fn requests_of_filter_are_rejected_with_one_reason() {
    let room = Room::start().await;
    let (one, two, other) =
        (asked(&room, 1, "002").await, asked(&room, 2, "002").await, asked(&room, 3, "003").await);
    let mut bob = room.browser_of("bob").await;
    bob.open("/?endpoint=002").await.shows("href=\"/reject?endpoint=002&amp;all=yes\"");
    bob.open("/reject?endpoint=002").await.shows("Block 203.0.113.1 on web-02 (002)");
    assert!(!bob.page.has("203.0.113.3"));
    let fields = ticked(&bob, "our own scanner");
    bob.post("/reject", &fields).await;
    follow(&mut bob).await;
    bob.page.shows("You rejected 2 requests.");
    for request in [&one, &two] {
        let now = room.now(request).await;
        assert_eq!(now.state.name().name(), "rejected");
    }
    assert_eq!(room.now(&other).await.state.name().name(), "pending");
    let kinds = room.audit_kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "request.rejected").count(), 2);
    bob.open(&path(&one)).await.shows("our own scanner");
}

#[tokio::test]
async fn changed_requests_are_named_and_left_alone() {
    let room = Room::start().await;
    let (one, two, gone) =
        (asked(&room, 1, "002").await, asked(&room, 2, "003").await, asked(&room, 3, "002").await);
    let mut bob = room.browser_of("bob").await;
    bob.open("/reject?all=yes").await;
    let fields = ticked(&bob, "no");
    for (name, request, verb) in [("anna", &two, "approve"), ("anna", &gone, "approve")] {
        let mut person = room.browser_of(name).await;
        person.open(&path(request)).await;
        person.submit(&format!("{}/{verb}", path(request)), &[]).await;
    }
    bob.post("/reject", &fields).await;
    follow(&mut bob).await;
    bob.page.shows("You rejected 1 request. Left alone:");
    bob.page.shows("It changed since you looked: look at it again.");
    bob.page.shows(&path(&two));
    bob.page.shows(&path(&gone));
    assert_eq!(room.now(&one).await.state.name().name(), "rejected");
    assert_eq!(room.now(&two).await.state.name().name(), "pending");
    assert_eq!(room.now(&gone).await.state.name().name(), "approved");
}

#[tokio::test]
async fn ticked_rows_lead_to_what_will_be_rejected() {
    let room = Room::start().await;
    let (one, two) = (asked(&room, 1, "002").await, asked(&room, 2, "002").await);
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await;
    let mut fields = bob.page.hidden_fields("/inbox");
    fields.push(("pick".to_owned(), one.id.to_string()));
    fields.push(("act".to_owned(), "reject".to_owned()));
    bob.post("/inbox", &fields).await;
    follow(&mut bob).await;
    bob.page.shows(&one.id.to_string());
    bob.page.shows(&one.digest.prefix());
    assert!(!bob.page.has(&two.id.to_string()));
    assert_eq!(room.now(&one).await.state.name().name(), "pending");
}

#[tokio::test]
async fn one_form_rejects_fifty_and_counts_the_rest() {
    let room = Room::start().await;
    for last in 1..=53 {
        asked(&room, last, "002").await;
    }
    let mut bob = room.browser_of("bob").await;
    bob.open("/reject?target=203.0.113.").await.shows("These are the first 50; 3 more are left");
    let fields = ticked(&bob, "noise");
    assert_eq!(fields.iter().filter(|(name, _)| name == "pick").count(), 50);
    bob.post("/reject", &fields).await;
    follow(&mut bob).await;
    bob.page.shows("You rejected 50 requests.");
    assert_eq!(ticked(&bob, "").iter().filter(|(name, _)| name == "pick").count(), 3);
}

#[tokio::test]
async fn open_requests_of_agent_are_rejected_from_its_page() {
    let room = Room::start().await;
    let waits = asked(&room, 1, "003").await;
    let approved = asked(&room, 2, "002").await;
    let mut anna = room.browser_of("anna").await;
    anna.open(&path(&approved)).await;
    anna.submit(&format!("{}/approve", path(&approved)), &[]).await;
    let mut dora = room.browser_of("dora").await;
    dora.open("/agents/triage-bot").await.shows("Reject all open ones…");
    let mut bob = room.browser_of("bob").await;
    bob.open("/reject?open_of=triage-bot").await;
    let fields = ticked(&bob, "it went mad");
    bob.post("/reject", &fields).await;
    follow(&mut bob).await;
    bob.page.shows("You rejected 2 requests.");
    for request in [&waits, &approved] {
        assert_eq!(room.now(request).await.state.name().name(), "rejected");
    }
    assert_eq!(bob.open("/reject?open_of=nobody").await.status, 404);
}

#[tokio::test]
async fn rejection_of_many_needs_a_reason_and_boxes() {
    let room = Room::start().await;
    let one = asked(&room, 1, "002").await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/reject?all=yes").await;
    let blank = ticked(&bob, " ");
    assert_eq!(bob.post("/reject", &blank).await.status, 400);
    bob.page.shows("a reason is required");
    bob.open("/reject?all=yes").await;
    let mut none = ticked(&bob, "kept words");
    none.retain(|(name, _)| name != "pick");
    assert_eq!(bob.post("/reject", &none).await.status, 400);
    bob.page.shows("none is ticked");
    bob.page.shows("kept words");
    let mut many = none.clone();
    let digest = one.digest;
    many.extend((0..51).map(|_| ("pick".to_owned(), format!("{}:1:{digest}", one.id))));
    assert_eq!(bob.post("/reject", &many).await.status, 400);
    bob.page.shows("51 requests are ticked");
    let mut broken = none;
    broken.push(("pick".to_owned(), "x:1:2".to_owned()));
    assert_eq!(bob.post("/reject", &broken).await.status, 400);
    assert_eq!(room.now(&one).await.state.name().name(), "pending");
}

#[tokio::test]
async fn auditor_cannot_reject_many() {
    let room = Room::start().await;
    let one = asked(&room, 1, "002").await;
    let mut otto = room.browser_of("otto").await;
    otto.open("/reject?all=yes").await.shows("You may not reject it");
    let mut fields = otto.page.hidden_fields("/reject");
    fields.push(("pick".to_owned(), format!("{}:{}:{}", one.id, one.version, one.digest)));
    fields.push(("comment".to_owned(), "no".to_owned()));
    assert_eq!(otto.post("/reject", &fields).await.status, 403);
    assert_eq!(room.now(&one).await.state.name().name(), "pending");
}

#[tokio::test]
async fn outcome_of_rejections_is_read_from_requests_not_address() {
    let room = Room::start().await;
    let one = asked(&room, 1, "002").await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/reject?was={}", one.id))
        .await
        .shows("You rejected 0 requests. Left alone:");
    for forged in ["/reject?was=req_1", "/reject?pick=req_1", "/reject?after=x"] {
        assert_eq!(bob.open(forged).await.status, 404, "{forged}");
    }
    let long = format!("/reject?open_of={}", encoded(&"x".repeat(300)));
    assert_eq!(bob.open(&long).await.status, 400);
    let many = "&pick=req_01c08fvk400007000000000001".repeat(51);
    assert!(matches!(bob.open(&format!("/reject?{many}")).await.status.as_u16(), 400 | 404));
}

#[tokio::test]
async fn few_that_were_ticked_never_become_all() {
    let room = Room::start().await;
    let (one, other) = (asked(&room, 1, "002").await, asked(&room, 2, "002").await);
    let mut bob = room.browser_of("bob").await;
    bob.open(&format!("/reject?pick={}", one.id)).await.shows(&one.id.to_string());
    let mut none = ticked(&bob, "kept words");
    none.retain(|(name, _)| name != "pick");
    assert_eq!(bob.post("/reject", &none).await.status, 400);
    bob.page.shows("kept words");
    bob.page.shows(&one.id.to_string());
    assert!(!bob.page.has(&other.id.to_string()));
    let fields = ticked(&bob, "no");
    bob.post("/reject", &fields).await;
    follow(&mut bob).await;
    bob.page.shows("You rejected 1 request");
    assert!(!bob.page.has(&other.id.to_string()));
    bob.open("/reject").await.shows("There is nothing to reject.");
}
