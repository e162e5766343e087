//! The request at a glance, and what a settled one tells.

use serde_json::json;

use crate::web::fixtures::{Room, path};

#[tokio::test]
async fn glance_shows_reach_approvals_and_life() {
    let room = Room::start().await;
    let request = room.asked_with(json!({ "agent_ids": ["002", "003"] })).await;
    let mut anna = room.browser_of("anna").await;
    let page = anna.open(&path(&request)).await;
    page.shows("Block 198.51.100.23 on db-01 and web-02 for 10 minutes</h1>");
    page.shows("class=\"square c5\"");
    let places = ["db-01 (003)</bdi>, criticality 5", "web-02 (002)</bdi>"];
    let places = places.map(|name| page.html.find(name).unwrap());
    assert!(places[0] < places[1], "the most critical first");
    assert_eq!(page.html.matches("<li class=\"seat free\">").count(), 2);
    page.shows("aria-current=\"step\">asked");
    page.shows("<li class=\"open\">approved 0 of 2");
    anna.submit(&format!("{}/approve", path(&request)), &[]).await;
    let page = anna.open(&path(&request)).await;
    page.shows("<span aria-hidden=\"true\">AN</span><span class=\"unseen\">anna approved</span>");
    assert_eq!(page.html.matches("<li class=\"seat free\">").count(), 1);
    page.shows("aria-current=\"step\">approved 1 of 2");
}

#[tokio::test]
async fn settled_request_tells_its_decision_and_prints() {
    let room = Room::start().await;
    let request = room.asked().await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await;
    assert!(!bob.page.has("Evidence sheet"));
    let why = [("comment", "seen in the proxy log")];
    bob.submit(&format!("{}/approve", path(&request)), &why).await;
    room.work().await;
    let page = bob.open(&path(&request)).await;
    page.shows("<p class=\"decided\"><b>bob</b> <span class=\"role\">senior</span> approved <time");
    page.shows("Evidence sheet");
    page.shows(&request.digest.to_string());
    let (_, sheet) = page.html.split_once("<section class=\"sheet\"").unwrap();
    for part in
        ["Block 198.51.100.23 on web-02 (002)", "seen in the proxy log", "It needed 1 person"]
    {
        assert!(sheet.contains(part), "{part}: {sheet}");
    }
    assert!(sheet.contains("<dt>Place in the audit</dt><dd>entries "));
}
