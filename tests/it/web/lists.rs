//! The inbox, its number in every title, and what is in force.

use std::time::Duration;

use serde_json::json;

use super::{
    browser::Browser,
    fixtures::{Room, path},
};

/// Where the texts stand on the page, each after the one before.
#[track_caller]
fn in_this_order(browser: &Browser, texts: &[&str]) {
    let mut rest = browser.page.html.as_str();
    for text in texts {
        let found = rest.split_once(text);
        rest = found.unwrap_or_else(|| panic!("{text:?} is missing or too early:\n{rest}")).1;
    }
}

#[tokio::test]
async fn repeated_proposals_form_one_card_at_earliest_deadline() {
    let room = Room::start().await;
    let first = room.asked_with(json!({ "srcip": "203.0.113.8", "agent_ids": ["002"] })).await;
    room.pass(Duration::from_mins(1));
    let between = json!({ "srcip": "203.0.113.9", "agent_ids": ["002"] });
    let between = room.asked_with(between).await;
    room.pass(Duration::from_mins(1));
    let again = json!({ "srcip": "203.0.113.8", "agent_ids": ["001"], "reason": "URGENT FIRST" });
    let again = room.asked_with(again).await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/").await.shows("3 requests waiting for you");
    let links = [&first, &again, &between].map(|request| format!("href=\"{}\"", path(request)));
    let [first, again, between] = links.each_ref().map(String::as_str);
    in_this_order(&bob, &["Block 203.0.113.8", "2 requests", first, again, "</ul>", between]);
    assert!(!bob.page.has("URGENT"));
    in_this_order(&bob, &["on 002 for 10 minutes", "web-02", "on 001 for 10 minutes", "web-01"]);
}

#[tokio::test]
async fn every_page_title_counts_requests_waiting_for_viewer() {
    let room = Room::start().await;
    let one = path(&room.asked().await);
    let two = room.asked_with(json!({ "srcip": "203.0.113.8", "agent_ids": ["003"] })).await;
    let (mut alice, mut anna) = (room.browser_of("alice").await, room.browser_of("anna").await);
    let places = ["/", "/in-force", "/requests", "/audit", "/policy", "/system", "/people"];
    let more = ["/agents", "/password", "/nowhere", "/freeze", "/requests/req_1", one.as_str()];
    for place in places.into_iter().chain(more) {
        anna.open(place).await.shows("<title>(2) ");
        alice.open(place).await.shows("<title>");
        assert!(!alice.page.has("<title>("), "{place}: nobody approves for an agent they own");
    }
    anna.open(&path(&two)).await;
    anna.submit(&format!("{}/approve", path(&two)), &[]).await;
    anna.open("/audit").await.shows("<title>(1) Audit · Countersign</title>");
    anna.open("/").await.shows("1 request waiting for you");
    anna.page.shows("You have approved it; it is waiting for others.");
}

#[tokio::test]
async fn active_response_names_approvers_and_pending_undo() {
    let room = Room::start().await;
    let request = room.asked_with(json!({ "agent_ids": ["003"] })).await;
    for name in ["anna", "bob"] {
        let mut person = room.browser_of(name).await;
        person.open(&path(&request)).await;
        person.submit(&format!("{}/approve", path(&request)), &[]).await;
    }
    room.work().await;
    // Ids of the same millisecond have no order.
    room.pass(Duration::from_secs(1));
    let alone = json!({
        "srcip": "203.0.113.7", "agent_ids": ["001"], "duration_seconds": 600,
        "reason": "a test asks", "alert_id": "1763800000.10001", "confidence": 95,
    });
    let alone = room.asked_exactly(&alone).await;
    room.work().await;
    let mut bob = room.browser_of("bob").await;
    let lift = format!("href=\"{}#undo\"", path(&request));
    bob.open("/in-force").await.shows(&lift);
    in_this_order(&bob, &[&path(&alone), "policy; no approval was required", &path(&request)]);
    in_this_order(&bob, &[&path(&request), "<b>anna, bob</b>", "</section>"]);
    bob.open(&path(&request)).await;
    bob.submit(&format!("{}/undo", path(&request)), &[("comment", "our own scanner")]).await;
    let undo = bob.page.location.clone();
    bob.open("/in-force").await.shows("A request to lift it is open");
    bob.page.shows(&format!("href=\"{undo}\""));
    assert!(!bob.page.has(&lift));
}

#[tokio::test]
async fn active_responses_continue_after_a_given_request() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    let mut sent = Vec::new();
    for srcip in ["203.0.113.8", "203.0.113.9"] {
        let request = room.asked_with(json!({ "srcip": srcip, "agent_ids": ["002"] })).await;
        bob.open(&path(&request)).await;
        bob.submit(&format!("{}/approve", path(&request)), &[]).await;
        sent.push(request);
        // Ids of the same millisecond have no order.
        room.pass(Duration::from_secs(1));
    }
    room.work().await;
    bob.open("/in-force").await;
    in_this_order(&bob, &["203.0.113.9", "203.0.113.8"]);
    bob.open(&format!("/in-force?before={}", sent[1].id)).await.shows("203.0.113.8");
    assert!(!bob.page.has("203.0.113.9"));
    bob.open(&format!("/in-force?before={}", sent[0].id))
        .await
        .shows("There are no older active responses.");
}

#[tokio::test]
async fn invalid_list_cursor_is_not_found() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    for place in ["/?after=7", "/?others_after=x.req_1", "/in-force?before=7"] {
        assert_eq!(bob.open(place).await.status, 404, "{place}");
    }
}

#[tokio::test]
async fn page_offers_reload_link_without_scripts() {
    let room = Room::start().await;
    let request = room.asked().await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await;
    let again = format!("<a href=\"{}\">Reload</a>", path(&request));
    bob.page.shows(&again);
    bob.submit(&format!("{}/reject", path(&request)), &[("comment", " ")]).await.shows(&again);
    for page in ["/in-force", "/"] {
        bob.open(page).await.shows("<a href=\"\">Reload</a>");
        assert!(!bob.page.has("http-equiv"));
    }
}
