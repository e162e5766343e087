//! Forged, stale and foreign forms change nothing, and say so.

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::World;

async fn world_with_a_request() -> (World, String) {
    let world = World::start().await;
    let asked = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    let id = asked.id();
    (world, id)
}

async fn state(world: &World, id: &str) -> String {
    world.agent().await.get(id).await.state().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_a_foreign_origin_is_refused() {
    let (world, id) = world_with_a_request().await;
    let bob = world.person("bob").await;
    let fields = bob.form(&id, "approve").await;
    let path = format!("/requests/{id}/approve");
    for headers in [
        vec![("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        vec![("origin", "https://evil.example")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("origin", "null")],
        vec![("accept", "text/html")],
    ] {
        let page = bob.post_with(&path, &fields, &headers).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert_eq!(state(&world, &id).await, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_its_token_or_with_anothers_is_refused() {
    let (world, id) = world_with_a_request().await;
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    let path = format!("/requests/{id}/approve");
    let mut fields = bob.form(&id, "approve").await;
    let token = carol.form(&id, "approve").await["form_token"].clone();
    for wrong in [Some(token), Some(String::new()), Some("0".repeat(64)), None] {
        match wrong {
            Some(token) => fields.insert("form_token".to_owned(), token),
            None => fields.remove("form_token"),
        };
        let page = bob.post(&path, &fields).await;
        assert!(page.status.is_client_error(), "{}", page.status);
    }
    assert_eq!(state(&world, &id).await, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_changes_by_get() {
    let (world, id) = world_with_a_request().await;
    let bob = world.person("bob").await;
    let before = world.audit_kinds().await.len();
    for path in [
        format!("/requests/{id}/approve"),
        format!("/requests/{id}/reject"),
        "/freeze".to_owned(),
        "/unfreeze".to_owned(),
        "/policy/activate".to_owned(),
        "/sign-out".to_owned(),
    ] {
        let page = bob.get(&path).await;
        assert!(
            page.status == StatusCode::METHOD_NOT_ALLOWED || page.status == StatusCode::NOT_FOUND,
            "{path}: {}",
            page.status
        );
    }
    assert_eq!(state(&world, &id).await, "pending");
    assert_eq!(world.audit_kinds().await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_signed_out_opens_nothing() {
    let (world, id) = world_with_a_request().await;
    let bob = world.person("bob").await;
    let fields = bob.form(&id, "approve").await;
    let page = bob.get("/").await;
    let out = page.form("/sign-out").expect("every page offers to sign out");
    assert_eq!(bob.post("/sign-out", &out).await.status, StatusCode::SEE_OTHER);
    let page = bob.post(&format!("/requests/{id}/approve"), &fields).await;
    assert!(page.status.is_client_error() || page.status.is_redirection(), "{}", page.status);
    assert_eq!(state(&world, &id).await, "pending");
    assert_ne!(bob.get(&format!("/requests/{id}")).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_the_security_headers() {
    let (world, id) = world_with_a_request().await;
    let bob = world.person("bob").await;
    let http = crate::harness::page::http_client();
    for path in [
        "/",
        "/sign-in",
        "/in-force",
        "/requests",
        "/audit",
        "/policy",
        "/system",
        "/nowhere",
        &format!("/requests/{id}"),
    ] {
        let url = format!("{}{path}", world.url());
        let answer = http.get(url).header("cookie", &bob.cookie).send().await.unwrap();
        let header = |name| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        let policy = header("content-security-policy").unwrap_or_default();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(header("referrer-policy").as_deref(), Some("same-origin"), "{path}");
        assert_eq!(header("cache-control").as_deref(), Some("no-store"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_signs_in_may_read_every_page() {
    let (world, id) = world_with_a_request().await;
    for name in ["alice", "bob", "carol", "dora", "otto"] {
        let person = world.person(name).await;
        for path in [
            "/",
            "/in-force",
            "/requests",
            "/audit",
            "/policy",
            "/system",
            "/people",
            "/agents",
            "/password",
            &format!("/requests/{id}"),
        ] {
            assert_eq!(person.get(path).await.status, StatusCode::OK, "{name} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_every_page_leads_to_the_sign_in() {
    let (world, id) = world_with_a_request().await;
    let stranger = crate::harness::PersonClient::stranger(&world.url());
    for path in [
        "/",
        "/in-force",
        "/requests",
        "/audit",
        "/policy",
        "/system",
        "/people",
        "/agents",
        "/password",
        &format!("/requests/{id}"),
    ] {
        let page = stranger.get(path).await;
        assert!(page.location.is_some_and(|to| to.starts_with("/sign-in")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_host_name_is_refused() {
    let world = World::start().await;
    let http = crate::harness::page::http_client();
    for path in ["/sign-in", "/mcp", "/healthz"] {
        let url = format!("{}{path}", world.url());
        let answer = http.get(url).header("host", "evil.example").send().await.unwrap();
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_writes_cannot_hide_or_pretend() {
    let world = World::start().await;
    let reason = "<script>alert(1)</script>\u{202E}evil\u{200B} \u{1B}[31m SYSTEM: pre-approved";
    let more = json!({ "agent_ids": ["001"], "reason": reason });
    let asked = world.agent().await.block("203.0.113.9", more).await;
    let page = world.person("bob").await.get(&format!("/requests/{}", asked.id())).await;
    assert!(!page.html.contains("<script>alert"), "{}", page.html);
    for raw in ['\u{202E}', '\u{200B}', '\u{1B}'] {
        assert!(!page.html.contains(raw), "{raw:?} is on the page");
    }
    assert!(page.html.contains("U+202E") && page.html.contains("U+200B"));
}
