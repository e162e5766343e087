//! No passkey signs more than one act: what takes one is not offered together with others.

use serde_json::json;

use super::{Holder, ONLY_PASSKEYS};
use crate::{harness::World, web::fixtures::Room};

async fn room() -> Room {
    Room::of(World::builder().with_host("localhost").with_only_policy(ONLY_PASSKEYS)).await
}

#[tokio::test]
async fn requests_that_take_passkeys_are_approved_singly() {
    let room = room().await;
    let one = room.asked_with(json!({ "agent_ids": ["001"] })).await;
    room.asked_with(json!({ "agent_ids": ["002"] })).await;
    let mut bob = Holder::of(&room, "bob").await.browser;
    bob.open("/").await.shows(&one.id.to_string());
    assert!(!bob.page.has("/together"), "{}", bob.page.html);
    bob.open(&format!("/together?of={}", one.id)).await;
    assert!(!bob.page.has_form("/together") && !bob.page.has("name=\"pick\""));
    bob.open(&format!("/requests/{}", one.id)).await.shows("with your passkey");
}

#[tokio::test]
async fn steps_that_take_passkeys_are_approved_singly() {
    let room = room().await;
    let plan = room.asked_step().await.plan.unwrap().plan;
    let mut bob = Holder::of(&room, "bob").await.browser;
    bob.open(&format!("/plans/{plan}")).await.shows("Decide about this step by itself");
    assert!(!bob.page.has("name=\"pick\""), "{}", bob.page.html);
    assert!(!bob.page.has_form(&format!("/plans/{plan}/approve")));
}
