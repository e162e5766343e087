//! Tokens that must open nothing, and what a token must not open.

use std::time::Duration;

use countersign::{
    broker::admin::people::PersonChange,
    domain::actor::{Actor, Role, api_token::TokenScope},
};
use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;

use super::fixtures::{ALL, Answer, LIST, bare, get, issued, post, proved, send, service, token};
use crate::{
    harness::{PASSWORD, World, stored::assert_same},
    web::fixtures::{Room, path},
};

async fn change(world: &World, name: &str, change: PersonChange) {
    world.operator().change_person(&Actor::CommandLine, name, &change).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn token_that_opens_nothing_says_not_why() {
    let world = World::start().await;
    let good = token(&world, "bob", &ALL).await;
    let mut answers: Vec<Answer> = Vec::new();
    let elsewhere = issued(&world, "bob", &ALL, "192.0.2.0/24").await.secret;
    answers.push(get(&world, &elsewhere, LIST).await);
    let of_carol = issued(&world, "carol", &ALL, "127.0.0.0/8").await;
    let carol = proved(&world, "carol").await;
    world.broker().revoke_api_token(&carol, of_carol.token.id).await.unwrap();
    answers.push(get(&world, &of_carol.secret, LIST).await);
    let (own, of_service) = (token(&world, "alice", &ALL).await, service(&world, &ALL).await);
    change(&world, "alice", PersonChange::Disable).await;
    answers.push(get(&world, &own, LIST).await);
    assert_eq!(get(&world, &of_service, LIST).await.status, 200);
    let bad = [
        String::new(),
        good.to_uppercase(),
        format!("{good}0"),
        good.replace("csapi_", "cs_"),
        format!("csapi_{}", "0".repeat(64)),
    ];
    for token in &bad {
        answers.push(get(&world, token, LIST).await);
        world.pass(Duration::from_hours(2));
    }
    assert_eq!(get(&world, &good, LIST).await.status, 200);
    world.pass(Duration::from_hours(24 * 90));
    answers.push(get(&world, &good, LIST).await);
    for answer in &answers {
        answer.is_problem(401);
        assert_eq!(answer.text, answers[0].text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_bearer_header_lets_in() {
    let room = Room::start().await;
    let good = token(&room, "bob", &ALL).await;
    let bob = room.browser_of("bob").await;
    let list = || bare(&room, Method::GET, LIST);
    let bearer = format!("Bearer {good}");
    for request in [
        list(),
        list().header(COOKIE, &bob.person.cookie),
        list().bearer_auth(&room.token),
        list().header(AUTHORIZATION, format!("Basic {good}")),
        list().header(AUTHORIZATION, &bearer).header(AUTHORIZATION, &bearer),
        bare(&room, Method::GET, &format!("{LIST}?access_token={good}")),
    ] {
        let answer = request.try_clone().unwrap().send().await.unwrap();
        assert_eq!(answer.headers()[WWW_AUTHENTICATE], "Bearer", "{request:?}");
        send(request).await.is_problem(401);
        room.pass(Duration::from_hours(2));
    }
    assert_eq!(send(list().header(AUTHORIZATION, bearer)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn api_token_opens_no_page_and_no_mcp() {
    let room = Room::start().await;
    let token = token(&room, "carol", &ALL).await;
    let asked = room.asked().await;
    for page in ["/", "/requests", "/audit", "/account/tokens", &path(&asked)] {
        let answer = bare(&room, Method::GET, page).bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{page}");
    }
    let approve = format!("{}/approve", path(&asked));
    let form = bare(&room, Method::POST, &approve).bearer_auth(&token).header(ORIGIN, room.url());
    assert_eq!(form.send().await.unwrap().status(), 401);
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let call = bare(&room, Method::POST, "/mcp").bearer_auth(&token).json(&call);
    let call = call.header("accept", "application/json, text/event-stream");
    assert_eq!(call.send().await.unwrap().status(), 401);
    let metrics = bare(&room, Method::GET, "/metrics").bearer_auth(&token).send().await.unwrap();
    assert_eq!(metrics.status(), 404);
}

/// Policies that let everybody do everything, for as far as they are asked.
const EVERYTHING: &str = r#"
@id("test.ask") @why("agents may ask")
permit (principal is Countersign::Agent, action in Countersign::Action::"ask", resource);
@id("test.run") @why("nothing runs without people")
permit (principal is Countersign::Agent, action in Countersign::Action::"run", resource)
when { context.votes.people >= 1 };
@id("test.all") @why("everybody may do everything")
permit (principal, action, resource)
unless { action in [Countersign::Action::"ask", Countersign::Action::"run"] };
"#;

/// What people do on their pages.
const SYSTEM: [&str; 24] = [
    "approve",
    "together",
    "freeze",
    "unfreeze",
    "policy",
    "policy/activate",
    "people",
    "people/add",
    "people/bob",
    "people/bob/role",
    "people/bob/disable",
    "agents",
    "agents/add",
    "agents/triage-bot/rotate",
    "account",
    "account/tokens",
    "tokens",
    "system",
    "kill-switch",
    "break-glass",
    "plans",
    "views/save",
    "sign-in",
    "password",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_policy_lets_a_token_approve_or_administer() {
    let room = Room::governed_by(EVERYTHING).await;
    let token = token(&room, "carol", &ALL).await;
    let asked = room.asked().await;
    let before = room.stored(&["audit.read"]).await;
    let of_request =
        ["approve", "passkey", "retract", "cancel", "undo", "resolve", "break-glass", "review"];
    let mut paths: Vec<_> =
        of_request.iter().map(|verb| format!("/api/v1/requests/{}/{verb}", asked.id)).collect();
    paths.extend(SYSTEM.iter().map(|path| format!("/api/v1/{path}")));
    paths.push(format!("/api/v2/requests/{}/approve", asked.id));
    paths.push(format!("/api/requests/{}/approve", asked.id));
    paths.push("/api/".to_owned());
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let there =
        ["/api/v1/requests", "/api/v1/audit", "/api/v1/endpoints", "/api/v1/active-responses"];
    let of_one = format!("/api/v1/requests/{}", asked.id);
    let body = json!({
        "version": asked.version, "digest": asked.digest.to_string(), "comment": "yes", "reason": "yes",
    });
    let call = async |method: &str, path: &str| {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = bare(&room, method, path).bearer_auth(&token);
        send(request.header(CONTENT_TYPE, "application/json").body(body.to_string())).await
    };
    for method in methods {
        for path in &paths {
            let answer = call(method, path).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
        }
        for path in there.into_iter().chain([of_one.as_str()]).filter(|_| method != "GET") {
            let answer = call(method, path).await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text);
        }
        for act in ["comments", "reject"].into_iter().filter(|_| method != "POST") {
            let answer = call(method, &format!("{of_one}/{act}")).await;
            assert_eq!(answer.status, 405, "{method} {act}: {}", answer.text);
        }
    }
    assert_same(&before, &room.stored(&["audit.read"]).await, "a token that tries everything");
    assert_eq!(get(&room, &token, &of_one).await.json["state"], "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_scope_is_refused_whatever_role_says() {
    let room = Room::start().await;
    let asked = room.asked().await;
    let of_one = format!("/api/v1{}", path(&asked));
    let comment = json!({ "comment": "a comment" });
    let reject = json!({
        "version": asked.version, "digest": asked.digest.to_string(), "reason": "no",
    });
    for has in TokenScope::ALL {
        let token = token(&room, "bob", &[has]).await;
        let reads = ["requests", "active-responses", "audit", "endpoints"];
        for list in reads.map(|list| format!("/api/v1/{list}")).iter().chain([&of_one]) {
            let answer = get(&room, &token, list).await;
            let status = if has == TokenScope::Read { 200 } else { 403 };
            assert_eq!(answer.status, status, "{has} {list}: {}", answer.text);
        }
        if has != TokenScope::Comment {
            let answer = post(&room, &token, &format!("{of_one}/comments"), &comment).await;
            answer.is_problem(403);
            assert_eq!(answer.json["allowed"], "a token with the scope comment");
        }
        if has != TokenScope::Reject {
            post(&room, &token, &format!("{of_one}/reject"), &reject).await.is_problem(403);
        }
    }
    assert_eq!(room.now(&asked).await.version, asked.version);
}

#[tokio::test(flavor = "multi_thread")]
async fn demotion_and_reset_are_felt_at_once() {
    let room = Room::start().await;
    let asked = room.asked().await;
    let (own, of_service) = (token(&room, "bob", &ALL).await, service(&room, &ALL).await);
    change(&room, "bob", PersonChange::Role(Role::Auditor)).await;
    let reject = json!({
        "version": asked.version, "digest": asked.digest.to_string(), "reason": "no",
    });
    let to = format!("/api/v1{}/reject", path(&asked));
    for token in [&own, &of_service] {
        post(&room, token, &to, &reject).await.is_problem(403);
        assert_eq!(get(&room, token, LIST).await.status, 200);
    }
    let dora = proved(&room, "dora").await;
    let once = room.broker().reset_password(&dora, "bob").await.unwrap();
    for token in [&own, &of_service] {
        get(&room, token, LIST).await.is_problem(401);
    }
    let mut bob = room.stranger();
    bob.sign_in("bob", &once).await;
    bob.person.choose_password(&once, PASSWORD).await;
    get(&room, &own, LIST).await.is_problem(401);
    assert_eq!(get(&room, &of_service, LIST).await.status, 200, "it is the service's");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_are_throttled_and_right_ones_never() {
    let room = Room::start().await;
    let good = token(&room, "bob", &ALL).await;
    let wrong = format!("csapi_{}", "0".repeat(64));
    for _try in 0..5 {
        get(&room, &wrong, LIST).await.is_problem(401);
    }
    let request = bare(&room, Method::GET, LIST).bearer_auth(&wrong);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 429);
    let wait: u64 = answer.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((50..=61).contains(&wait), "{wait}");
    assert_eq!(get(&room, &good, LIST).await.status, 200);
    room.browser_of("carol").await;
    room.pass(Duration::from_secs(wait));
    get(&room, &wrong, LIST).await.is_problem(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_pages_and_hosts_are_refused() {
    let world = World::start().await;
    let token = token(&world, "bob", &ALL).await;
    let list = || bare(&world, Method::GET, LIST).bearer_auth(&token);
    for request in [
        list().header(HOST, "evil.example"),
        list().header(ORIGIN, "https://evil.example"),
        list().header("sec-fetch-site", "cross-site"),
    ] {
        send(request).await.is_problem(403);
    }
    let preflight = bare(&world, Method::OPTIONS, LIST).header(ORIGIN, world.url());
    let preflight = preflight.header("access-control-request-method", "GET");
    assert!([401, 405].contains(&send(preflight).await.status));
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_ids_and_cursors_find_nothing() {
    let room = Room::start().await;
    let token = token(&room, "bob", &ALL).await;
    let one = room.asked().await;
    room.asked_with(json!({ "agent_ids": ["003"], "srcip": "198.51.100.99" })).await;
    for id in [
        "req_1",
        "req_%27%20OR%201=1%20--",
        "..%2f..%2fetc%2fpasswd",
        "%E2%80%AEreq",
        &one.id.to_string().replace("req_", "agt_"),
        &one.id.to_string().to_uppercase(),
        &format!("req_{}", "0".repeat(32)),
    ] {
        get(&room, &token, &format!("/api/v1/requests/{id}")).await.is_problem(404);
        let body = json!({ "comment": "a" });
        let comments = format!("/api/v1/requests/{id}/comments");
        post(&room, &token, &comments, &body).await.is_problem(404);
    }
    let next = get(&room, &token, &format!("{LIST}?limit=1&state=pending")).await;
    let next = next.json["next"].as_str().unwrap().to_owned();
    let ok = get(&room, &token, &format!("{LIST}?limit=2&state=pending&after={next}")).await;
    assert_eq!(ok.status, 200);
    for forged in [
        format!("{LIST}?after={next}"),
        format!("{LIST}?state=settled&after={next}"),
        format!("/api/v1/audit?after={next}"),
        format!("/api/v1/endpoints?after={next}"),
        format!("/api/v1/active-responses?after={next}"),
        format!("{LIST}?state=pending&after={next}x"),
        format!("{LIST}?after=%27%20OR%201=1%20--"),
        format!("{LIST}?after={}", one.id),
    ] {
        get(&room, &token, &forged).await.is_invalid("after");
    }
    let target = format!("{LIST}?target=%27%20OR%20%271%27=%271");
    assert_eq!(get(&room, &token, &target).await.items().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_are_problems_of_their_kind() {
    let room = Room::start().await;
    let token = token(&room, "bob", &ALL).await;
    let asked = room.asked().await;
    let to = format!("/api/v1{}/comments", path(&asked));
    let with = |kind: &'static str, body: String| {
        let request = bare(&room, Method::POST, &to).bearer_auth(&token);
        send(request.header(CONTENT_TYPE, kind).body(body))
    };
    with("text/plain", "{}".to_owned()).await.is_problem(415);
    with("application/x-www-form-urlencoded", "comment=a".to_owned()).await.is_problem(415);
    for body in ["", "{", "[]", "\"a\"", "{\"comment\": \"a\"} x", "null"] {
        with("application/json", body.to_owned()).await.is_problem(400);
    }
    let twice = r#"{ "comment": "a", "comment": "b" }"#;
    with("application/json", twice.to_owned()).await.is_invalid("comment");
    let large = format!(r#"{{ "comment": "{}" }}"#, "x".repeat(20_000));
    with("application/json", large).await.is_problem(413);
    let asks = bare(&room, Method::POST, &format!("{to}?vote=approve")).bearer_auth(&token);
    send(asks.json(&json!({ "comment": "a" }))).await.is_problem(400);
}
