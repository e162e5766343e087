//! Searches of requests, active responses and the audit.

use std::time::Duration;

use serde_json::json;

use super::{
    super::fixtures::{Room, path},
    sent,
};
use crate::harness::page::encoded;

async fn three(room: &Room) {
    for (srcip, endpoint) in
        [("203.0.113.8", "002"), ("203.0.113.80", "001"), ("198.51.100.9", "003")]
    {
        room.asked_with(json!({ "srcip": srcip, "agent_ids": [endpoint] })).await;
        room.pass(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn requests_are_found_by_part_network_and_name() {
    let room = Room::start().await;
    three(&room).await;
    let mut bob = room.browser_of("bob").await;
    let rows = |html: &str| html.matches("<a href=\"/requests/req_").count();
    for (filter, number) in [
        ("target=203.0.113.8", 1),
        ("target=203.0.113.", 2),
        ("target=203.0.113.0/24", 2),
        ("target=198.51.0.0/16&endpoint=003", 1),
        ("endpoint=WEB", 2),
        ("endpoint=test/002", 1),
        ("endpoint=paris/002", 0),
        ("endpoint=web-02&target=203.", 1),
        ("endpoint=002&target=113", 1),
        ("alert=none", 3),
        ("alert=found", 0),
        ("permanent=yes", 0),
        ("agent=triage-bot&range=24h", 3),
        ("agent=nobody", 0),
        ("state=pending&range=7d", 3),
    ] {
        let page = bob.open(&format!("/requests?{filter}")).await;
        assert_eq!((page.status.as_u16(), rows(&page.html)), (200, number), "{filter}");
    }
    room.pass(Duration::from_mins(20));
    bob.open("/requests").await;
    room.pass(Duration::from_mins(20));
    let mut bob = room.browser_of("bob").await;
    assert_eq!(rows(&bob.open("/requests?range=24h").await.html), 3);
}

#[tokio::test]
async fn range_leaves_older_requests_out() {
    let room = Room::start().await;
    three(&room).await;
    room.pass(Duration::from_hours(25));
    room.asked_with(json!({ "srcip": "203.0.113.99", "agent_ids": ["002"] })).await;
    let mut bob = room.browser_of("bob").await;
    let rows = |html: &str| html.matches("<a href=\"/requests/req_").count();
    assert_eq!(rows(&bob.open("/requests?range=24h").await.html), 1);
    assert_eq!(rows(&bob.open("/requests?range=24h&endpoint=002").await.html), 1);
    assert_eq!(rows(&bob.open("/requests?range=7d").await.html), 4);
    bob.open("/requests?range=24h&target=203.0.113.8").await.shows("Without the range: 1 request");
}

#[tokio::test]
async fn search_that_finds_nothing_says_what_would() {
    let room = Room::start().await;
    three(&room).await;
    let mut bob = room.browser_of("bob").await;
    bob.open("/requests?state=settled&target=203.0.113.").await.shows("No requests match.");
    bob.page.shows("<a href=\"/requests?target=203.0.113.\">Without the state: 2 requests</a>");
    assert!(!bob.page.has("Without the target"));
    sent(&room, &mut bob, "203.0.113.77", &["002"]).await;
    bob.open("/in-force?search=203.0.113.77&action=disable_account").await;
    bob.page.shows("Without the action: 1 response");
    let mut otto = room.browser_of("otto").await;
    otto.open("/audit?kind=rules&target=203.0.113.77").await.shows("No entries match.");
    otto.page.shows("Without the kind: ");
}

#[tokio::test]
async fn requests_name_approvers_and_states_in_words() {
    let room = Room::start().await;
    let request = room.asked_with(json!({ "agent_ids": ["003"] })).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await;
    bob.submit(&format!("{}/approve", path(&request)), &[]).await;
    bob.open("/requests").await.shows("<td data-is=\"Approved by\">bob</td>");
    bob.page.shows("<span class=\"badge pending\">waits for people</span>");
}

#[tokio::test]
async fn active_responses_are_found_by_network_and_action() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    sent(&room, &mut bob, "203.0.113.8", &["002"]).await;
    sent(&room, &mut bob, "198.51.100.9", &["001"]).await;
    bob.open("/in-force?search=203.0.113.0/24").await.shows("Block 203.0.113.8");
    assert!(!bob.page.has("Block 198.51.100.9"));
    bob.open("/in-force?action=block_ip&search=web-01").await.shows("Block 198.51.100.9");
    bob.page.shows("href=\"/in-force?search=web-01&amp;action=block_ip&amp;sort=target\"");
    assert_eq!(bob.open("/in-force?action=explode").await.status, 400);
}

#[tokio::test]
async fn audit_is_found_by_group_part_and_network() {
    let room = Room::start().await;
    three(&room).await;
    let mut otto = room.browser_of("otto").await;
    otto.open("/audit?kind=asked&target=203.0.113.0/24").await.shows("203.0.113.80");
    assert!(!otto.page.has("<bdi>198.51.100.9</bdi>"));
    otto.open("/audit?kind=asked&target=.51.").await.shows("<bdi>198.51.100.9</bdi>");
    otto.open("/audit?kind=accounts").await.shows("signed in");
    assert!(!otto.page.has("<bdi>203.0.113.8</bdi>"));
    otto.open("/audit?range=24h&kind=request.asked").await.shows("requested:");
    otto.page.shows("<optgroup label=\"What was decided\">");
    otto.open("/audit?kind=audit.read").await.shows("asked");
    room.pass(Duration::from_hours(25));
    let mut otto = room.browser_of("otto").await;
    otto.open("/audit?range=24h&kind=request.asked").await.shows("Without the time: 3 events");
}

#[tokio::test]
async fn forged_list_address_names_field_value_and_allowed_values() {
    let room = Room::start().await;
    let mut otto = room.browser_of("otto").await;
    let long = "x".repeat(257);
    for (address, said) in [
        (
            "/requests?state=gone".to_owned(),
            "There is no state “gone”. Allowed: pending, approved,",
        ),
        ("/requests?range=1y".to_owned(), "There is no range “1y”. Allowed: 24h, 7d, 30d."),
        ("/requests?alert=x".to_owned(), "There is no alert “x”. Allowed: found, none."),
        ("/requests?permanent=1".to_owned(), "Allowed: yes."),
        (format!("/requests?target={long}"), "The target has 257 characters."),
        (format!("/requests?agent={long}"), "The agent has 257 characters."),
        ("/requests?before=x".to_owned(), "There is no page “x”."),
        ("/in-force?sort=size".to_owned(), "Allowed: target, where, since, ends."),
        (format!("/in-force?search={long}"), "The search has 257 characters."),
        ("/audit?kind=nothing".to_owned(), "There is no kind “nothing”. Allowed: asked, decided,"),
        ("/audit?range=1y".to_owned(), "There is no range “1y”."),
        (format!("/audit?actor={long}"), "The name has 257 characters."),
        (format!("/requests?state={}", encoded("<b>\u{202E}")), "“&lt;b&gt;‹U+202E›”"),
    ] {
        assert_eq!(otto.open(&address).await.status, 400, "{address}");
        otto.page.shows(said);
    }
}
