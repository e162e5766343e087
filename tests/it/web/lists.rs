//! The inbox, its number in every title, and what is in force.

use std::time::Duration;

use serde_json::json;

use super::{
    browser::Browser,
    fixtures::{Room, path},
};
use crate::harness::ALERT;

mod inbox;
mod reject;
mod search;
mod triage;

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
    let places = ["on web-02 (002) for 10 minutes", "on web-01 (001) for 10 minutes"];
    in_this_order(&bob, &[places[0], places[1], "<bdi>URGENT FIRST</bdi>"]);
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
        "reason": "a test asks", "alert_id": ALERT, "confidence": 95,
    });
    let alone = room.asked_exactly(&alone).await;
    room.work().await;
    let mut bob = room.browser_of("bob").await;
    let lift = format!("href=\"{}#undo\"", path(&request));
    bob.open("/in-force").await.shows(&lift);
    in_this_order(&bob, &[&path(&alone), "policy; no approval was required", &path(&request)]);
    in_this_order(&bob, &[&path(&request), "<b>anna, bob</b>", "</table>"]);
    bob.open(&path(&request)).await;
    bob.submit(&format!("{}/undo", path(&request)), &[("comment", "our own scanner")]).await;
    let undo = bob.page.leads_to().to_owned();
    bob.open("/in-force").await.shows(">asked for</a>");
    bob.page.shows(&format!("href=\"{undo}\""));
    assert!(!bob.page.has(&lift));
}

/// A block on these endpoints that bob approves and the worker sends.
async fn sent(room: &Room, bob: &mut Browser, srcip: &str, endpoints: &[&str]) {
    let ask = json!({ "srcip": srcip, "agent_ids": endpoints });
    let request = room.asked_with(ask).await;
    bob.open(&path(&request)).await;
    bob.submit(&format!("{}/approve", path(&request)), &[]).await;
    room.work().await;
}

#[tokio::test]
async fn active_responses_are_searched_and_sorted() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    sent(&room, &mut bob, "203.0.113.8", &["002"]).await;
    room.pass(Duration::from_secs(1));
    sent(&room, &mut bob, "203.0.113.9", &["001"]).await;
    let (old, new) = ("Block 203.0.113.8", "Block 203.0.113.9");
    for (order, rows) in [
        ("", [new, old]),
        ("since", [old, new]),
        ("-since", [new, old]),
        ("target", [old, new]),
        ("-target", [new, old]),
        ("where", [new, old]),
        ("ends", [old, new]),
        ("-ends", [new, old]),
    ] {
        bob.open(&format!("/in-force?sort={order}")).await;
        in_this_order(&bob, &rows);
    }
    for (search, found) in [("113.8", old), ("WEB-01", new), ("002", old)] {
        bob.open(&format!("/in-force?search={search}")).await.shows(found);
        assert!(!(bob.page.has(old) && bob.page.has(new)), "{search}");
    }
    bob.open("/in-force?search=nowhere").await.shows("no active responses that match");
    let refused = bob.open("/in-force?sort=size").await;
    assert_eq!(refused.status, 400);
    refused.shows("There is no order “size”.");
    assert_eq!(bob.open("/in-force?before=x").await.status, 400);
}

#[tokio::test]
async fn active_responses_continue_on_next_page() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    for number in 1..=26 {
        sent(&room, &mut bob, &format!("203.0.113.{number}"), &["001", "002"]).await;
        room.pass(Duration::from_secs(10));
    }
    bob.open("/in-force?sort=since").await.shows("Block 203.0.113.1<");
    bob.page.shows("name=\"before\" value=\"1\"");
    assert!(!bob.page.has("Block 203.0.113.26<"));
    bob.open("/in-force?sort=since&before=1").await.shows("Block 203.0.113.26<");
    assert!(!bob.page.has("Block 203.0.113.1<") && !bob.page.has("name=\"before\""));
}

#[tokio::test]
async fn invalid_list_cursor_is_not_found() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    for place in ["/?after=7", "/?others_after=0.x.req_1"] {
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
