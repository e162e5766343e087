//! What programs read.

use std::time::Duration;

use countersign::domain::{actor::api_token::TokenScope, audit::HashedColumns, digest::Digest};
use serde_json::{Value, json};

use super::fixtures::{get, issued, proved, token};
use crate::{
    harness::{World, page::encoded},
    web::fixtures::{Room, path},
};

const READ: [TokenScope; 1] = [TokenScope::Read];

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_found_by_the_filters_of_the_page() {
    let room = Room::start().await;
    let token = token(&room, "bob", &READ).await;
    let one = room.asked().await;
    let other = json!({ "agent_ids": ["003"], "srcip": "198.51.100.99" });
    let other = room.asked_with(other).await;
    let ids = async |question: &str| {
        let found = get(&room, &token, &format!("/api/v1/requests{question}")).await;
        let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
        found.items().iter().map(id).collect::<Vec<_>>()
    };
    let (one, other) = (one.id.to_string(), other.id.to_string());
    let both = [other.clone(), one.clone()];
    assert_eq!(ids("").await, both, "the newest first");
    for (question, found) in [
        ("?state=pending", &both[..]),
        ("?state=settled", &[][..]),
        ("?agent=triage-bot&action=block_ip", &both[..]),
        ("?agent=nobody", &[][..]),
        ("?target=198.51.100.23", std::slice::from_ref(&one)),
        ("?target=198.51.100.0/24", &both[..]),
        ("?endpoint=003", std::slice::from_ref(&other)),
        ("?endpoint=test/002", std::slice::from_ref(&one)),
        ("?range=24h&permanent=", &both[..]),
        ("?permanent=yes", &[][..]),
        ("?alert=none", &both[..]),
        ("?alert=found", &[][..]),
    ] {
        assert_eq!(ids(question).await, found, "{question}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_question_is_refused_with_what_is_allowed() {
    let room = Room::start().await;
    let token = token(&room, "bob", &READ).await;
    let (long, start) = (format!("agent={}", "x".repeat(300)), "x".repeat(80));
    for (question, field, value) in [
        ("state=open", "state", "open"),
        ("action=approve", "action", "approve"),
        ("range=1y", "range", "1y"),
        ("permanent=no", "permanent", "no"),
        ("alert=maybe", "alert", "maybe"),
        ("limit=0", "limit", "0"),
        ("limit=201", "limit", "201"),
        ("limit=many", "limit", "many"),
        ("order=asc", "order", "asc"),
        ("state=pending&state=settled", "state", "settled"),
        (long.as_str(), "agent", start.as_str()),
    ] {
        let answer = get(&room, &token, &format!("/api/v1/requests?{question}")).await;
        answer.is_invalid(field);
        assert_eq!(answer.json["value"], value, "{question}");
    }
    for list in ["active-responses", "audit", "endpoints"] {
        get(&room, &token, &format!("/api/v1/{list}?state=pending")).await.is_invalid("state");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_without_gap_or_repetition() {
    let room = Room::start().await;
    let token = token(&room, "bob", &READ).await;
    let both = room.asked_with(json!({ "agent_ids": ["001", "002"] })).await;
    room.person("bob").await.approve(&both.id.to_string()).await;
    room.work().await;
    room.asked_with(json!({ "agent_ids": ["003"], "srcip": "198.51.100.99" })).await;
    for list in ["requests", "active-responses", "endpoints", "audit"] {
        let all = get(&room, &token, &format!("/api/v1/{list}?limit=200")).await;
        let all: Vec<_> = all.items().to_vec();
        assert!(all.len() >= 2, "{list}: {all:?}");
        let (mut found, mut after) = (Vec::new(), String::new());
        while found.len() < all.len() {
            let page = format!("/api/v1/{list}?limit=1{after}");
            let page = get(&room, &token, &page).await;
            assert_eq!(page.items().len(), 1, "{list}: {page:?}");
            found.extend(page.items().iter().cloned());
            match page.json["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(found, all, "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_is_shown_from_ask_to_evidence() {
    let room = Room::start().await;
    let token = token(&room, "otto", &READ).await;
    let asked = room.asked().await;
    let address = format!("/api/v1{}", path(&asked));
    let shown = get(&room, &token, &address).await.json;
    assert_eq!(shown["state"], "pending");
    assert_eq!(shown["digest"], asked.digest.to_string());
    assert_eq!(shown["version"], asked.version);
    assert_eq!(shown["claim"]["reason"], "a test asks");
    assert_eq!(shown["decision"]["verdict"], "approval");
    assert_eq!(shown["votes"], json!([]));
    room.person("bob").await.approve(&asked.id.to_string()).await;
    room.work().await;
    room.look().await;
    let shown = get(&room, &token, &address).await.json;
    assert_eq!((&shown["state"], &shown["terminal"]), (&json!("settled"), &json!(true)));
    let vote = &shown["votes"][0];
    assert_eq!((&vote["person"], &vote["role"]), (&json!("bob"), &json!("senior")));
    assert_eq!(vote["not_counted"], Value::Null);
    let dispatch = &shown["dispatches"][0];
    assert_eq!(dispatch["number"], 1);
    assert!(Digest::parse(dispatch["body_sha256"].as_str().unwrap()).is_some());
    assert!(dispatch["answered_at"].is_string(), "{shown}");
    let endpoint = &shown["endpoints"][0];
    assert_eq!((&endpoint["id"], &endpoint["outcome"]), (&json!("002"), &json!("confirmed")));
    assert!(endpoint["evidence"]["alert"].is_string(), "{endpoint}");
    let active = get(&room, &token, "/api/v1/active-responses").await;
    let one = &active.items()[0];
    assert_eq!((&one["endpoint"], &one["target"]), (&json!("002"), &json!("198.51.100.23")));
    assert_eq!(one["requests"][0]["id"], asked.id.to_string());
    assert_eq!(one["requests"][0]["approvers"][0]["name"], "bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_those_that_managers_know() {
    let world = World::start().await;
    let token = token(&world, "alice", &READ).await;
    let found = get(&world, &token, "/api/v1/endpoints").await;
    let web = found.items().iter().find(|one| one["id"] == "001").expect("endpoint 001");
    assert_eq!((&web["manager"], &web["platform"]), (&json!("test"), &json!("linux")));
    assert!(web["name"].is_string() && web["groups"].is_array(), "{web}");
    world.stop_manager().await;
    world.pass(Duration::from_mins(5));
    let down = get(&world, &token, "/api/v1/endpoints").await;
    down.is_problem(503);
    assert!(!down.text.contains("127.0.0.1"), "{}", down.text);
}

/// The chain as a program verifies it that has nothing but the answers.
fn verify(items: &[Value]) {
    let mut previous = Digest::ZERO;
    for (place, item) in items.iter().enumerate() {
        let text = |name: &str| item[name].as_str();
        let columns = HashedColumns {
            seq: item["seq"].as_u64().unwrap(),
            at_us: item["at_us"].as_i64().unwrap(),
            kind: text("kind").unwrap(),
            actor_kind: text("actor_kind").unwrap(),
            actor_id: text("actor_id"),
            actor_name: text("actor_name").unwrap(),
            request: text("request"),
            action: text("action"),
            target: text("target"),
            detail: text("detail").unwrap(),
            previous: Digest::parse(text("previous").unwrap()).unwrap(),
        };
        let hash = Digest::parse(text("hash").unwrap()).unwrap();
        let last = (u64::try_from(place).unwrap(), previous);
        assert!(columns.follows(last, hash), "{item}");
        previous = hash;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reader_of_the_audit_verifies_the_chain() {
    let room = Room::start().await;
    let token = token(&room, "otto", &READ).await;
    let hidden = "a \u{202e}reason\u{200b} of ‹U+202E›";
    room.asked_with(json!({ "agent_ids": ["002"], "reason": hidden })).await;
    let audit = get(&room, &token, "/api/v1/audit?limit=200").await;
    verify(audit.items());
    let asked = audit.items().iter().find(|item| item["kind"] == "request.asked").unwrap();
    let detail: Value = serde_json::from_str(asked["detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail["claim"]["reason"], hidden, "as it is stored");
    assert!(!audit.text.contains(['\u{202e}', '\u{200b}']), "and hidden from nobody");
    room.execute("DROP TRIGGER audit_is_not_changed").await;
    room.execute("UPDATE audit SET actor_name = 'mallory' WHERE kind = 'request.asked'").await;
    let audit = get(&room, &token, "/api/v1/audit?limit=200").await;
    let items = audit.items().to_vec();
    assert!(std::panic::catch_unwind(|| verify(&items)).is_err(), "an edited entry shows");
}

#[tokio::test(flavor = "multi_thread")]
async fn polling_the_audit_does_not_fill_it() {
    let world = World::start().await;
    let (one, other) = (token(&world, "bob", &READ).await, token(&world, "otto", &READ).await);
    let mut after = [String::new(), String::new()];
    let poll = async |after: &mut [String; 2]| {
        for (token, after) in [&one, &other].into_iter().zip(after) {
            let page = get(&world, token, &format!("/api/v1/audit?limit=200{after}")).await;
            *after = format!("&after={}", page.json["next"].as_str().unwrap());
        }
        world.audit_kinds().await.iter().filter(|kind| *kind == "audit.read").count()
    };
    let (mut reads, mut counts) = (0, Vec::new());
    for _poll in 0..6 {
        reads = poll(&mut after).await;
        counts.push(reads);
    }
    assert_eq!(reads, 2, "{counts:?}");
    world.signed_in("carol").await;
    assert_eq!(poll(&mut after).await, 4, "what is new and read is recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_from_outside_hides_nothing_from_programs() {
    let room = Room::start().await;
    let token = token(&room, "bob", &READ).await;
    let hidden = "\u{202e}approved\u{2066} \u{200b}";
    let asked = room.asked_with(json!({ "agent_ids": ["002"], "reason": hidden })).await;
    let shown = get(&room, &token, &format!("/api/v1{}", path(&asked))).await;
    let reason = shown.json["claim"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("‹U+202E›approved‹U+2066›"), "{reason}");
    assert!(!shown.text.contains(['\u{202e}', '\u{2066}', '\u{200b}']));
    let asked = format!("/api/v1/requests?{}=1", encoded(hidden));
    let refused = get(&room, &token, &asked).await;
    refused.is_problem(400);
    assert!(refused.json["field"].as_str().unwrap().starts_with("‹U+202E›"), "{refused:?}");
    assert!(!refused.text.contains('\u{202e}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_those_of_their_port() {
    let room = Room::start().await;
    room.asked().await;
    let token = token(&room, "bob", &READ).await;
    let said = get(&room, &token, "/api/v1/metrics").await;
    assert_eq!(said.status, 200);
    assert!(said.text.contains("countersign_requests{state=\"pending\"} 1"), "{}", said.text);
    assert!(said.text.ends_with("# EOF\n"), "{}", said.text);
    get(&room, &token, "/api/v1/metrics?state=pending").await.is_problem(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn last_use_is_kept_without_a_write_each_call() {
    let world = World::start().await;
    let secret = issued(&world, "bob", &READ, "127.0.0.0/8").await.secret;
    let used = async || {
        let bob = proved(&world, "bob").await;
        let own = world.broker().own_api_tokens(&bob).await.unwrap();
        own[0].token.used.clone()
    };
    assert_eq!(used().await, None);
    get(&world, &secret, "/api/v1/openapi.json").await;
    let first = used().await.unwrap();
    assert_eq!(first.1, "127.0.0.1");
    world.pass(Duration::from_secs(30));
    get(&world, &secret, "/api/v1/openapi.json").await;
    assert_eq!(used().await.unwrap(), first, "within the minute");
    world.pass(Duration::from_secs(31));
    get(&world, &secret, "/api/v1/openapi.json").await;
    assert!(used().await.unwrap().0 > first.0);
}
