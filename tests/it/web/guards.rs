//! What no page lets through, and what every answer carries.

use std::collections::BTreeSet;

use countersign::domain::request::StateName;
use reqwest::{Method, header};

use super::{
    browser::form,
    room::{Room, path},
};

/// Every address that shows something to somebody who is signed in.
const PAGES: [&str; 9] = [
    "/",
    "/in-force",
    "/requests",
    "/audit",
    "/policy",
    "/system",
    "/people",
    "/agents",
    "/password",
];
/// Every address that changes something.
const CHANGES: [&str; 5] = ["/policy/activate", "/freeze", "/unfreeze", "/password", "/sign-out"];
/// Every form on a request's page.
const FORMS: [&str; 6] = ["approve", "reject", "retract", "cancel", "undo", "resolve"];

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_sign_in_and_every_change_is_refused() {
    let room = Room::start().await;
    let request = path(&room.asked().await);
    let mut stranger = room.stranger();
    for page in PAGES.into_iter().chain([request.as_str()]) {
        let answer = stranger.request(Method::GET, page).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{page}");
        let to = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
        assert!(to.starts_with("/sign-in"), "{page}");
    }
    let votes = FORMS.map(|verb| format!("{request}/{verb}"));
    for change in CHANGES.into_iter().chain(votes.iter().map(String::as_str)) {
        let page = stranger.post(change, &[]).await;
        assert_eq!(page.status, 401, "{change}");
        page.shows("Your session is over. Nothing was changed.");
    }
}

#[tokio::test]
async fn a_form_without_its_token_or_with_anothers_changes_nothing() {
    let room = Room::start().await;
    let request = room.asked().await;
    let (mut anna, mut bob) = (room.browser_of("anna").await, room.browser_of("bob").await);
    let approve = format!("{}/approve", path(&request));
    anna.open(&path(&request)).await;
    let of_anna = anna.page.hidden_fields(&approve);
    let without: Vec<_> =
        of_anna.iter().filter(|(name, _)| name != "form_token").cloned().collect();
    for fields in [of_anna, without, Vec::new()] {
        let page = bob.post(&approve, &fields).await;
        assert_eq!(page.status, 403);
        page.shows("That form does not belong to your session");
    }
    let votes = FORMS.map(|verb| format!("{}/{verb}", path(&request)));
    for change in CHANGES.into_iter().chain(votes.iter().map(String::as_str)) {
        assert_eq!(bob.post(change, &[]).await.status, 403, "{change}");
    }
    assert!(room.now(&request).await.votes.is_empty());
    assert!(room.broker().keeper().frozen().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_form_from_elsewhere_changes_nothing() {
    let room = Room::start().await;
    let request = room.asked().await;
    let approve = format!("{}/approve", path(&request));
    let mut bob = room.browser_of("bob").await;
    bob.open(&path(&request)).await;
    let fields = bob.page.hidden_fields(&approve);
    let origin = room.url();
    let own = (header::ORIGIN.as_str(), origin.as_str());
    for headers in [
        vec![],
        vec![(header::ORIGIN.as_str(), "https://evil.example")],
        vec![(header::ORIGIN.as_str(), "null")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![own, ("sec-fetch-site", "cross-site")],
    ] {
        let mut post = form(bob.request(Method::POST, &approve), &fields);
        for (name, value) in &headers {
            post = post.header(*name, *value);
        }
        assert_eq!(post.send().await.unwrap().status(), 403, "{headers:?}");
    }
    for verb in FORMS {
        let post = form(bob.request(Method::POST, &format!("{}/{verb}", path(&request))), &fields);
        let post = post.header(header::ORIGIN, "https://evil.example").send().await.unwrap();
        assert_eq!(post.status(), 403, "{verb}");
    }
    assert_eq!(room.now(&request).await.state.name(), StateName::Pending);
    let post = form(bob.request(Method::POST, &approve), &fields);
    let post = post.header("sec-fetch-site", "same-origin").send().await.unwrap();
    assert_eq!(post.status(), 303);
}

#[tokio::test]
async fn another_name_for_this_machine_is_not_answered() {
    let room = Room::start().await;
    let bob = room.browser_of("bob").await;
    for page in ["/", "/sign-in", "/healthz", "/metrics", "/nowhere"] {
        let request = bob.request(Method::GET, page).header(header::HOST, "evil.example");
        assert_eq!(request.send().await.unwrap().status(), 421, "{page}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let room = Room::start().await;
    let request = path(&room.asked().await);
    let bob = room.browser_of("bob").await;
    let others = ["/sign-in", "/nowhere", "/requests/req_1", "/freeze", "/healthz", &request];
    for page in PAGES.into_iter().chain(others) {
        let answer = bob.request(Method::GET, page).send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let csp = header("content-security-policy");
        assert!(csp.contains("default-src 'none'"), "{page}");
        assert!(csp.contains("frame-ancestors 'none'") && !csp.contains("unsafe"), "{page}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{page}");
        assert_eq!(header("referrer-policy"), "same-origin", "{page}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{page}");
        assert_eq!(header("cache-control"), "no-store", "{page}");
        let html = answer.text().await.unwrap();
        assert!(!html.contains("style=\"") && !html.contains(" onclick"), "{page}");
    }
}

#[tokio::test]
async fn whoever_follows_every_link_changes_nothing() {
    let room = Room::start().await;
    room.asked().await;
    let mut carol = room.browser_of("carol").await;
    let before = room.written().await;
    let (mut seen, mut next) = (BTreeSet::new(), vec!["/".to_owned()]);
    while let Some(link) = next.pop() {
        if !link.starts_with('/') || !seen.insert(link.clone()) {
            continue;
        }
        let page = carol.open(&link).await;
        assert!(page.status < 400, "{link}: {}", page.status);
        next.extend(page.links());
    }
    assert!(seen.len() > 10, "{seen:?}");
    assert_eq!(room.written().await, before);
}

#[tokio::test]
async fn what_is_not_there_is_a_page_with_a_way_onward() {
    let room = Room::start().await;
    let mut bob = room.browser_of("bob").await;
    let missing = "/requests/req_00000000000000000000000000000000";
    for page in ["/nowhere", "/requests/req_1", missing] {
        let page = bob.open(page).await;
        assert_eq!(page.status, 404);
        page.shows("There is nothing at this address.");
        page.shows("href=\"/\"");
    }
    assert_eq!(bob.open("/freeze").await.status, 405);
    assert_eq!(bob.open("/requests?state=odd").await.status, 400);
    bob.page.shows("There is no state “odd”.");
    let large = vec![("reason".to_owned(), "x".repeat(70_000))];
    assert_eq!(bob.post("/freeze", &large).await.status, 413);
}
