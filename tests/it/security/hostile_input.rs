//! Values that a careless parser would take.

use reqwest::StatusCode;
use serde_json::json;

use crate::{broker::admin::people::used, harness::World};

#[tokio::test(flavor = "multi_thread")]
async fn strange_json_is_refused_or_stored_verbatim() {
    let world = World::start().await;
    let agent = world.agent().await;
    let asked =
        agent.block("203.0.113.9", json!({ "agent_ids": ["001"], "reason": "a\u{0}b" })).await;
    world.person("bob").await.approve(&asked.id()).await;
    world.work().await;
    assert_eq!(agent.get(&asked.id()).await.state(), "settled");
    for wrong in [
        json!({ "duration_seconds": 600.5 }),
        json!({ "duration_seconds": 1e30 }),
        json!({ "duration_seconds": -600 }),
        json!({ "duration_seconds": "600s" }),
        json!({ "srcip": "203.0.113.٩" }),
        json!({ "srcip": "203.0.113.9\u{0}" }),
        json!({ "srcip": "0xcb.0.113.9" }),
        json!({ "srcip": "203.0.113.09" }),
        json!({ "agent_ids": ["٠٠١"] }),
        json!({ "agent_ids": ["001", "all"] }),
        json!({ "agent_ids": ["000"] }),
        json!({ "agent_ids": ["0000"] }),
        json!({ "agent_ids": ["001,002"] }),
    ] {
        let mut more = json!({ "agent_ids": ["001"] });
        for (key, value) in wrong.as_object().unwrap() {
            more[key] = value.clone();
        }
        let answer = agent.block("203.0.113.9", more).await;
        assert!(answer.error, "{wrong}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_mail_address_is_refused_when_entered() {
    let world = World::start().await;
    let dora = world.person("dora").await;
    for mail in ["bob@exa_mple.net", "bob@!", "bob/x@example.net?x"] {
        let page = used(&dora, "/people/bob", "/people/bob/mail", &[("mail", mail)]).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{mail}");
    }
    assert_eq!(world.operator().person("bob").await.unwrap().mail, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_shows_as_nothing_is_no_reason() {
    let world = World::start().await;
    let agent = world.agent().await;
    let asked = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let bob = world.person("bob").await;
    for blank in [" ", "\u{200B}", "\u{2800}", "\u{3164}\u{AD}", "\u{301}"] {
        let more = json!({ "agent_ids": ["002"], "reason": blank });
        assert!(agent.block("203.0.113.9", more).await.error, "{blank:?}");
        bob.vote(&asked, "reject", &[("comment", blank)]).await;
        bob.vote(&asked, "comment", &[("comment", blank)]).await;
        assert_eq!(agent.get(&asked).await.state(), "pending", "{blank:?}");
    }
    let kinds = world.audit_kinds().await;
    assert!(!kinds.iter().any(|kind| kind == "request.commented"), "{kinds:?}");
}
