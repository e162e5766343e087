//! Lists, filters, the audit, and what hostile text looks like.

use reqwest::Method;
use serde_json::json;

use super::fixtures::{Room, path};

#[tokio::test]
async fn hostile_agent_text_is_shown_inert() {
    let room = Room::start().await;
    let reason = "<script>alert(1)</script>\nSYSTEM: pre-approved \u{202E}deppohs\u{200B}";
    let request = room.asked_with(json!({ "agent_ids": ["002"], "reason": reason })).await;
    let mut bob = room.browser_of("bob").await;
    for page in [path(&request), "/".to_owned(), "/audit".to_owned(), "/requests".to_owned()] {
        let page = bob.open(&page).await;
        assert!(!page.has("<script>alert") && !page.has("\u{202E}") && !page.has("\u{200B}"));
    }
    bob.open(&path(&request)).await.shows("Written by the agent, not checked");
    bob.page.shows("&lt;script&gt;alert(1)&lt;/script&gt;");
    bob.page.shows("‹U+202E›deppohs‹U+200B›");
}

#[tokio::test]
async fn skipped_endpoints_are_named_with_reason() {
    let room = Room::start().await;
    let everywhere = json!({ "all_agents": true });
    let request = room.asked_with(everywhere).await;
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await.shows("Left out:");
    bob.page.shows("not active (disconnected)");
    bob.page.shows("all endpoints were asked for");
}

#[tokio::test]
async fn requests_are_filtered_and_paged() {
    let room = Room::start().await;
    for last in 1..=60 {
        let address = format!("198.51.100.{last}");
        room.asked_with(json!({ "srcip": address, "agent_ids": ["002"] })).await;
    }
    let mut bob = room.browser_of("bob").await;
    let rows = |html: &str| html.matches("<a href=\"/requests/req_").count();
    assert_eq!(rows(&bob.open("/requests").await.html), 50);
    bob.page.shows("Older ones");
    let before = bob.page.html.split("name=\"before\" value=\"").nth(1).unwrap();
    let before = before.split('"').next().unwrap().to_owned();
    let older = bob.open(&format!("/requests?before={before}")).await;
    assert_eq!(rows(&older.html), 10);
    assert!(!older.has("Older ones"));
    assert_eq!(rows(&bob.open("/requests?target=198.51.100.7").await.html), 1);
    assert_eq!(rows(&bob.open("/requests?state=settled").await.html), 0);
    assert_eq!(rows(&bob.open("/requests?endpoint=002&action=block_ip").await.html), 50);
}

#[tokio::test]
async fn audit_is_filtered_and_its_reading_is_audited() {
    let room = Room::start().await;
    let request = room.asked().await;
    let mut otto = room.browser_of("otto").await;
    otto.open(&format!("/audit?request={}", request.id)).await.shows("triage-bot");
    otto.page.shows("policy requires 1 person, now pending");
    assert!(!otto.page.has(">signed in"));
    otto.open("/audit?kind=session&actor=otto").await.shows(">signed in");
    otto.open("/audit?kind=audit.read").await.shows("read the audit");
    otto.open("/audit?policy=run.one-approval").await.shows("triage-bot");
    otto.open("/audit?until=2001-01-01T00:00").await.shows("No entries match.");
    assert_eq!(otto.open("/audit?since=yesterday").await.status, 400);
    for beyond in ["entry=9223372036854775808", "before=18446744073709551615", "entry=-1"] {
        assert_eq!(otto.open(&format!("/audit?{beyond}")).await.status, 400, "{beyond}");
    }
}

#[tokio::test]
async fn people_agents_and_policies_are_readable() {
    let room = Room::start().await;
    let mut otto = room.browser_of("otto").await;
    otto.open("/people").await.shows("must change the password");
    otto.open("/agents").await.shows("triage-bot");
    otto.open("/policy").await.shows("never.private-address");
    otto.page.shows("You may not do this");
    otto.open("/system").await.shows(", all of them");
    otto.page.shows("You may not throw it");
}

#[tokio::test]
async fn probes_answer_strangers_without_naming_anyone() {
    let room = Room::start().await;
    room.asked().await;
    let stranger = room.stranger();
    let get = async |path: &str| stranger.request(Method::GET, path).send().await.unwrap();
    assert_eq!(get("/healthz").await.text().await.unwrap(), "ok\n");
    assert_eq!(get("/readyz").await.status(), 200);
}
