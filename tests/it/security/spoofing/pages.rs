//! What agents and people write, and what stands in an address.

use serde_json::json;
use wazuh_simulator::{Fault, Times, Work};

use super::{
    fixtures::{Stage, address, block},
    hostile_texts::{bundles, megabyte},
    visible_checks::{assert_clean, assert_clean_page},
};
use crate::harness::{
    PASSWORD,
    page::{PersonClient, encoded},
    stored::assert_same,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_hostile_text_is_clean_on_every_page() {
    let mut stage = Stage::start().await;
    for (number, (name, text)) in bundles().into_iter().enumerate() {
        stage.next().await;
        let agent = stage.agent(&format!("bot-{number}")).await;
        let srcip = address(number);
        // Two people are needed here, so an approval leaves it open.
        let more = json!({ "agent_ids": ["003"], "reason": text });
        let id = block(&agent, &srcip, more).await.id();
        stage.say(&stage.bob, &id, "approve", &text).await;
        stage.look(&id, &text, &format!("{name} as reason and comment")).await;
        stage.say(&stage.alice, &id, "cancel", &text).await;
        stage.look(&id, &text, &format!("{name} as reason of a cancellation")).await;
        let id = block(&agent, &srcip, json!({ "reason": text })).await.id();
        stage.say(&stage.bob, &id, "reject", &text).await;
        stage.look(&id, &text, &format!("{name} as reason of a rejection")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_finding_or_undo_reason_is_clean() {
    let mut stage = Stage::start().await;
    for (number, (name, text)) in bundles().into_iter().enumerate() {
        stage.next().await;
        let agent = stage.agent(&format!("bot-{number}")).await;
        let id = block(&agent, &address(number), json!({})).await.id();
        stage.bob.approve(&id).await;
        stage.world.manager.hold_evidence();
        stage.world.manager.misbehave(Fault::Drop(Work::Done), Times::Once);
        stage.world.work().await;
        let found = [("comment", text.as_str()), ("endpoint", "001"), ("ruling", "done")];
        stage.fill(&stage.bob, &id, "resolve", &found).await;
        let undo = stage.say(&stage.bob, &id, "undo", &text).await.location.unwrap();
        stage.look(&id, &text, &format!("{name} as a finding")).await;
        let undo = undo.trim_start_matches("/requests/");
        stage.look(undo, &text, &format!("{name} as reason of an undo")).await;
        stage.world.work().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_form_shows_its_input_clean() {
    let mut stage = Stage::start().await;
    let id = block(&stage.world.agent().await, "203.0.113.9", json!({})).await.id();
    for (name, text) in bundles() {
        stage.next().await;
        // The form is behind, so the page shows again what was typed.
        let stale = [("comment", text.as_str()), ("version", "99")];
        for verb in ["approve", "reject"] {
            let page = stage.bob.vote(&id, verb, &stale).await;
            assert_eq!(page.status, 409);
            assert_clean_page(&page.html, &text, &format!("{name} typed to {verb}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_kill_switch_reason_is_clean_on_every_page() {
    let mut stage = Stage::start().await;
    let id = block(&stage.world.agent().await, "203.0.113.9", json!({})).await.id();
    for (name, text) in bundles() {
        stage.next().await;
        let mut fields = stage.form("/system", "/freeze").await;
        fields.insert("reason".to_owned(), text.clone());
        fields.insert("what".to_owned(), "everything".to_owned());
        assert_eq!(stage.bob.post("/freeze", &fields).await.status, 303, "{name}");
        let pages = ["/", "/requests", "/audit", "/in-force", "/system", "/people", "/policy"];
        let what = format!("{name} as reason of the kill switch");
        stage.look_at(&pages, &text, &what).await;
        stage.look(&id, &text, &what).await;
        stage.world.unfreeze().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_sign_in_name_is_clean_everywhere() {
    let mut stage = Stage::start().await;
    let mut stranger = PersonClient::stranger(&stage.world.url());
    for (name, text) in bundles() {
        stage.next().await;
        let page = stranger.try_sign_in(&text, "a wrong password").await;
        assert!(page.status.is_client_error(), "{name}");
        assert_clean_page(&page.html, &text, &format!("{name} as a name"));
        let audit = stage.bob.get("/audit").await;
        assert_clean_page(&audit.html, &text, &format!("{name} as a name in the audit"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_query_text_is_clean_on_page() {
    let mut stage = Stage::start().await;
    block(&stage.world.agent().await, "203.0.113.9", json!({})).await.id();
    let stranger = PersonClient::stranger(&stage.world.url());
    for (name, text) in bundles() {
        stage.next().await;
        let written = encoded(&text);
        let filters = ["state", "action", "target", "endpoint", "before"];
        let mut pages: Vec<_> =
            filters.map(|field| format!("/requests?{field}={written}")).to_vec();
        for field in
            ["kind", "actor", "target", "endpoint", "request", "policy", "since", "until", "before"]
        {
            pages.push(format!("/audit?{field}={written}"));
        }
        pages.extend([format!("/requests/{written}"), format!("/{written}")]);
        for page in pages {
            let found = stage.bob.get(&page).await;
            assert!(!found.status.is_server_error(), "{name}: {page}: {}", found.status);
            assert_clean_page(&found.html, &text, &format!("{name} at {page}"));
        }
        for page in [format!("/sign-in?next={written}"), format!("/sign-in?after={written}")] {
            assert_clean_page(&stranger.get(&page).await.html, &text, &format!("{name}: {page}"));
        }
        // Reading with a filter is written down, with the filter.
        let audit = stage.bob.get("/audit?kind=audit.read").await;
        assert_clean_page(&audit.html, &text, &format!("{name} as a filter, in the audit"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn megabyte_form_is_refused_and_not_stored() {
    let stage = Stage::start().await;
    let id = block(&stage.world.agent().await, "203.0.113.9", json!({})).await.id();
    let before = stage.world.stored(&[]).await;
    for verb in ["approve", "reject", "retract"] {
        let mut fields = stage.bob.form(&id, "approve").await;
        fields.insert("comment".to_owned(), megabyte());
        let page = stage.bob.post(&format!("/requests/{id}/{verb}"), &fields).await;
        assert_eq!(page.status, 413, "{verb}");
        assert!(page.html.contains("larger than 64 KiB. Nothing was changed."), "{}", page.html);
    }
    let mut fields = stage.form("/system", "/freeze").await;
    fields.insert("reason".to_owned(), megabyte());
    assert_eq!(stage.bob.post("/freeze", &fields).await.status, 413);
    let mut stranger = PersonClient::stranger(&stage.world.url());
    assert_eq!(stranger.try_sign_in(&megabyte(), PASSWORD).await.status, 413);
    assert_same(&before, &stage.world.stored(&[]).await, "a megabyte");
    // Less than a form may hold, and more than the field may.
    let mut fields = stage.bob.form(&id, "reject").await;
    fields.insert("comment".to_owned(), "x".repeat(2001));
    let page = stage.bob.post(&format!("/requests/{id}/reject"), &fields).await;
    assert_clean(&page.html, "a long comment");
    assert!(page.html.contains("longer than 2000 characters. Nothing was changed."));
    assert_same(&before, &stage.world.stored(&[]).await, "a long comment");
}
