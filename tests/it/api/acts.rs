//! What programs do: they comment and reject, in whose name the audit says.

use countersign::domain::{actor::api_token::TokenScope, request::Request};
use serde_json::{Value, json};

use super::fixtures::{ALL, get, post, service, token};
use crate::web::fixtures::{Room, path};

fn rejection(request: &Request, reason: &str) -> Value {
    json!({
        "version": request.version, "digest": request.digest.to_string(), "reason": reason,
    })
}

/// The newest audit entry of a kind: who did it, and its facts.
async fn newest(room: &Room, kind: &str) -> (String, String, Value) {
    let entries = room.operator().audit_after(0).await.unwrap();
    let entry = entries.into_iter().rfind(|entry| entry.kind == kind).expect(kind);
    (entry.actor_kind, entry.actor_name, serde_json::from_str(&entry.detail).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn rejection_names_the_person_and_the_token() {
    let room = Room::start().await;
    let token = token(&room, "bob", &[TokenScope::Reject]).await;
    let asked = room.asked().await;
    let to = format!("/api/v1{}/reject", path(&asked));
    let answer = post(&room, &token, &to, &rejection(&asked, "a false alarm")).await;
    assert_eq!((answer.status, &answer.json["state"]), (200, &json!("rejected")), "{answer:?}");
    let (kind, name, facts) = newest(&room, "request.rejected").await;
    assert_eq!((kind.as_str(), name.as_str()), ("person", "bob"));
    assert_eq!((&facts["role"], &facts["reason"]), (&json!("senior"), &json!("a false alarm")));
    assert_eq!(facts["token"]["name"], "script");
    assert_eq!(facts["token"]["owner"], Value::Null);
    let page = room.browser_of("bob").await.open(&path(&asked)).await.clone();
    page.shows("with the API token script");
}

#[tokio::test(flavor = "multi_thread")]
async fn service_acts_in_its_own_name_with_owner() {
    let room = Room::start().await;
    let token = service(&room, &ALL).await;
    let asked = room.asked().await;
    let comment = json!({ "comment": "seen in the SIEM" });
    let to = format!("/api/v1{}/comments", path(&asked));
    assert_eq!(post(&room, &token, &to, &comment).await.status, 200);
    let (kind, name, facts) = newest(&room, "request.commented").await;
    assert_eq!((kind.as_str(), name.as_str()), ("service", "siem"));
    assert_eq!(facts["token"]["owner"], "bob");
    let shown = get(&room, &token, &format!("/api/v1{}", path(&asked))).await.json;
    let comment = &shown["comments"][0];
    assert_eq!((&comment["by_kind"], &comment["by"]), (&json!("service"), &json!("siem")));
    assert_eq!(
        (&comment["token"]["owner"], &comment["text"]),
        (&json!("bob"), &json!("seen in the SIEM"))
    );
    let to = format!("/api/v1{}/reject", path(&asked));
    assert_eq!(post(&room, &token, &to, &rejection(&asked, "known")).await.status, 200);
    let (kind, name, _) = newest(&room, "request.rejected").await;
    assert_eq!((kind.as_str(), name.as_str()), ("service", "siem"));
    let shown = get(&room, &token, &format!("/api/v1{}", path(&asked))).await.json;
    assert_eq!(shown["ended"]["by"], "siem");
}

#[tokio::test(flavor = "multi_thread")]
async fn comment_sent_again_with_its_key_is_kept_once() {
    let room = Room::start().await;
    let (bob, carol) = (token(&room, "bob", &ALL).await, token(&room, "carol", &ALL).await);
    let asked = room.asked().await;
    let to = format!("/api/v1{}/comments", path(&asked));
    let comment = |text: &str| json!({ "comment": text, "idempotency_key": "ticket-7" });
    for created in [true, false, false] {
        let answer = post(&room, &bob, &to, &comment("one")).await;
        assert_eq!((answer.status, &answer.json["created"]), (200, &json!(created)));
    }
    let other = post(&room, &bob, &to, &comment("another")).await;
    other.is_invalid("idempotency_key");
    assert_eq!(other.json["value"], "ticket-7");
    let of_carol = post(&room, &carol, &to, &comment("one")).await;
    assert_eq!(of_carol.json["created"], true, "a key is its token's own");
    let shown = get(&room, &bob, &format!("/api/v1{}", path(&asked))).await.json;
    assert_eq!(shown["comments"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_or_ended_is_not_rejected() {
    let room = Room::start().await;
    let token = token(&room, "bob", &ALL).await;
    let asked = room.asked().await;
    let to = format!("/api/v1{}/reject", path(&asked));
    let stale = json!({ "version": 99, "digest": asked.digest.to_string(), "reason": "no" });
    post(&room, &token, &to, &stale).await.is_problem(409);
    let other = json!({ "version": asked.version, "digest": "0".repeat(64), "reason": "no" });
    post(&room, &token, &to, &other).await.is_problem(409);
    let blank = post(&room, &token, &to, &rejection(&asked, "  ")).await;
    blank.is_invalid("reason");
    assert_eq!(room.now(&asked).await.version, asked.version);
    assert_eq!(post(&room, &token, &to, &rejection(&asked, "no")).await.status, 200);
    let again = post(&room, &token, &to, &rejection(&asked, "no")).await;
    again.is_problem(409);
    let detail = again.json["detail"].as_str().unwrap();
    assert!(detail.contains("nothing was changed") && detail.contains("rejected"), "{detail}");
    let (_, name, facts) = newest(&room, "vote.refused").await;
    assert_eq!((name.as_str(), &facts["token"]["name"]), ("bob", &json!("script")));
}

#[tokio::test(flavor = "multi_thread")]
async fn body_that_is_wrong_is_named() {
    let room = Room::start().await;
    let token = token(&room, "bob", &ALL).await;
    let asked = room.asked().await;
    let to = format!("/api/v1{}/comments", path(&asked));
    for (body, field) in [
        (json!({}), "comment"),
        (json!({ "comment": 7 }), "comment"),
        (json!({ "comment": "" }), "comment"),
        (json!({ "comment": "x".repeat(2001) }), "comment"),
        (json!({ "comment": "a", "vote": "approve" }), "vote"),
        (json!({ "comment": "a", "idempotency_key": "a b" }), "idempotency_key"),
        (json!({ "comment": "a", "idempotency_key": "" }), "idempotency_key"),
    ] {
        post(&room, &token, &to, &body).await.is_invalid(field);
    }
    let reject = format!("/api/v1{}/reject", path(&asked));
    for (change, field) in [("version", "version"), ("digest", "digest"), ("reason", "reason")] {
        let mut body = rejection(&asked, "no");
        body[change] = json!([1]);
        post(&room, &token, &reject, &body).await.is_invalid(field);
        body.as_object_mut().unwrap().remove(change);
        post(&room, &token, &reject, &body).await.is_invalid(field);
    }
    let shown = get(&room, &token, &format!("/api/v1{}", path(&asked))).await.json;
    assert_eq!((&shown["comments"], &shown["state"]), (&json!([]), &json!("pending")));
}

#[tokio::test(flavor = "multi_thread")]
async fn role_of_the_owner_decides_what_token_may() {
    let room = Room::start().await;
    let asked = room.asked().await;
    for (name, rejects, comments) in [("otto", 403, 403), ("dora", 403, 403), ("bob", 200, 200)] {
        let token = token(&room, name, &ALL).await;
        let to = format!("/api/v1{}", path(&asked));
        let comment = json!({ "comment": "a comment" });
        let commented = post(&room, &token, &format!("{to}/comments"), &comment).await;
        let rejected = post(&room, &token, &format!("{to}/reject"), &rejection(&asked, "no")).await;
        assert_eq!((rejected.status, commented.status), (rejects, comments), "{name}");
    }
}
