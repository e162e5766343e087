//! What pages say of an undo that nobody saw, that failed, or that others share.

use std::time::Duration;

use serde_json::json;
use wazuh_simulator::{Fault, Times};

use super::undo::{approve, lift, sent, world_with_scripts};
use crate::harness::{AgentClient, World, page::Page};

/// A block on 001 that started there, and an undo of it that never reached the endpoint and that
/// nothing shows.
async fn unseen_undo(world: &World, agent: &AgentClient) -> (String, String) {
    let more = json!({ "agent_ids": ["001"], "duration_seconds": 3600 });
    let id = agent.block("203.0.113.9", more).await.id();
    approve(world, &id, &["bob"]).await;
    world.look().await;
    world.pass_for_all(Duration::from_secs(1));
    world.manager.misbehave(Fault::Undelivered, Times::Once);
    let undo = lift(world, "bob", &id).await;
    world.work().await;
    world.pass_for_all(Duration::from_mins(15));
    world.look().await;
    assert_eq!(agent.get(&undo).await.outcomes(), ["001: unconfirmed"]);
    (id, undo)
}

async fn shown(world: &World, name: &str, path: &str) -> Page {
    world.person(name).await.get(path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn block_whose_undo_was_not_seen_stays_listed() {
    let world = World::start().await;
    let agent = world.agent().await;
    let (id, undo) = unseen_undo(&world, &agent).await;
    let list = shown(&world, "carol", "/in-force").await;
    list.shows("undo sent, not seen");
    list.shows(&format!("<a href=\"/requests/{undo}\">tried, not seen</a>"));
    let page = shown(&world, "carol", &format!("/requests/{id}")).await;
    page.shows("Nothing further will be sent. 1 taken back, not seen.");
    page.shows("It may still be there: its undo was not seen");
    page.shows("<span class=\"badge unconfirmed\">1 unconfirmed</span>");
    // Once a person found that it was done, nothing is left.
    let done = [("endpoint", "001"), ("ruling", "done"), ("comment", "no rule there")];
    world.person("carol").await.vote(&undo, "resolve", &done).await;
    shown(&world, "carol", "/in-force").await.shows("There are no active responses.");
    assert!(!shown(&world, "carol", &format!("/requests/{id}")).await.has("It may still be there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_seen_to_start_leaves_nothing_listed() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    world.pass_for_all(Duration::from_secs(1));
    let undo = lift(&world, "bob", &id).await;
    world.work().await;
    world.pass_for_all(Duration::from_secs(5));
    world.look().await;
    shown(&world, "carol", "/in-force").await.shows("There are no active responses.");
    let page = shown(&world, "carol", &format!("/requests/{undo}")).await;
    page.shows("confirmed</strong>: the undo&#39;s command started on this endpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_says_that_start_is_looked_for_again() {
    let world = World::start().await;
    let agent = world.agent().await;
    let (id, undo) = unseen_undo(&world, &agent).await;
    let asker = shown(&world, "bob", &format!("/requests/{undo}")).await;
    asker.shows("you asked for it yourself, so another person has to");
    let page = shown(&world, "carol", &format!("/requests/{undo}")).await;
    page.shows("> The target is free</label>");
    page.shows("> The target is still blocked</label>");
    let found = [("endpoint", "001"), ("ruling", "not_done"), ("comment", "still blocked")];
    world.person("carol").await.vote(&undo, "resolve", &found).await;
    let said = shown(&world, "carol", &format!("/requests/{undo}")).await;
    said.shows("1 not done (a person checked)");
    let page = shown(&world, "carol", &format!("/requests/{id}")).await;
    page.shows("it may still be there: its start is looked for again");
    page.shows("a person found that the undo was not done. It may still be there");
    page.shows("> The target is blocked, or was</label>");
    page.shows("> The target never was blocked by this</label>");
    assert!(!page.has("nothing shows that it started"), "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_evidence_shows_that_it_overruled_a_person() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = sent(&world, &agent, &["001"]).await;
    world.look().await;
    world.pass_for_all(Duration::from_secs(1));
    world.manager.hold_evidence();
    let undo = lift(&world, "bob", &id).await;
    world.work().await;
    world.pass_for_all(Duration::from_mins(3));
    world.look().await;
    let found = [("endpoint", "001"), ("ruling", "not_done"), ("comment", "still blocked")];
    world.person("carol").await.vote(&undo, "resolve", &found).await;
    world.manager.release_evidence();
    world.look().await;
    let page = shown(&world, "carol", &format!("/requests/{undo}")).await;
    page.shows("although a person had found that it was not done");
    page.shows("a person found otherwise");
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_that_counts_again_was_not_sent_again() {
    let world = world_with_scripts().await;
    let agent = world.agent().await;
    let more = json!({ "agent_ids": ["001"], "permanent": true, "duration_seconds": null });
    let id = agent.block("203.0.113.9", more).await.id();
    approve(&world, &id, &["bob", "carol"]).await;
    world.look().await;
    world.pass_for_all(Duration::from_secs(1));
    world.manager.hold_evidence();
    let undo = agent.undo(&id).await.id();
    approve(&world, &undo, &["bob"]).await;
    world.pass_for_all(Duration::from_mins(3));
    world.look().await;
    let found = [("endpoint", "001"), ("ruling", "not_done"), ("comment", "still blocked")];
    world.person("carol").await.vote(&undo, "resolve", &found).await;
    world.manager.release_evidence();
    world.look().await;
    assert_eq!(agent.get(&id).await.outcomes(), ["001: reverted"]);
    let page = shown(&world, "carol", &format!("/requests/{id}")).await;
    page.shows(&format!("{undo}, which takes it back, was sent to this endpoint"));
    page.shows(&format!("it counts as taken back by {undo} again; nothing was sent"));
    page.shows(&format!("counts it as taken back by {undo}: 001 reverted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn list_says_why_nobody_could_look() {
    let world = World::builder()
        .with_indexer(|indexer| indexer.stale_after = Duration::from_mins(1))
        .start()
        .await;
    let agent = world.agent().await;
    world.manager.hold_evidence();
    sent(&world, &agent, &["001"]).await;
    world.pass_for_all(Duration::from_secs(121));
    world.look().await;
    let list = shown(&world, "carol", "/in-force").await;
    list.shows("nobody could look whether it started");
    list.shows("On 1 of these lines nobody could look whether the response started: ");
    list.shows("the newest document is 4 min old");
    assert!(!list.has("nothing shows that it started"));
}

/// A block of an hour on 001 that bob approved, and one of ten minutes that waits.
async fn shorter_waits(world: &World, agent: &AgentClient) -> (String, String) {
    let block = async |seconds: u32| {
        let more = json!({ "agent_ids": ["001"], "duration_seconds": seconds });
        agent.block("203.0.113.9", more).await.id()
    };
    let first = block(3600).await;
    approve(world, &first, &["bob"]).await;
    world.look().await;
    world.pass_for_all(Duration::from_secs(1));
    (first, block(600).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn shortening_request_alarms_inbox_page_and_button() {
    let world = World::start().await;
    let agent = world.agent().await;
    let (first, second) = shorter_waits(&world, &agent).await;
    let alarm = "cuts short what is there";
    shown(&world, "bob", "/").await.shows(alarm);
    let page = shown(&world, "bob", &format!("/requests/{second}")).await;
    page.shows("It cuts short what others decided");
    page.shows("cuts\">Approve, and cut short what is there: ");
    approve(&world, &second, &["bob"]).await;
    world.look().await;
    let page = shown(&world, "bob", &format!("/requests/{first}")).await;
    page.shows("earlier than asked: another request for the same target moved its end");
    let page = shown(&world, "bob", &format!("/requests/{second}")).await;
    assert!(!page.has("than asked: another request"), "{}", page.html);
    // A longer one prolongs.
    let more = json!({ "agent_ids": ["001"], "duration_seconds": 3600 });
    let longer = agent.block("203.0.113.9", more).await.id();
    let page = shown(&world, "bob", &format!("/requests/{longer}")).await;
    assert!(!page.has("cut short") && !shown(&world, "bob", "/").await.has(alarm));
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_undo_is_announced_to_what_it_lifts() {
    let world = World::start().await;
    let agent = world.agent().await;
    let (first, second) = shorter_waits(&world, &agent).await;
    approve(&world, &second, &["bob"]).await;
    world.look().await;
    let undo = agent.undo(&second).await.id();
    let page = shown(&world, "carol", &format!("/requests/{first}")).await;
    page.shows("Another undo would lift this too");
    page.shows(&format!("href=\"/requests/{undo}\""));
    world.pass_for_all(Duration::from_secs(1));
    approve(&world, &undo, &["bob"]).await;
    world.pass_for_all(Duration::from_secs(3));
    world.look().await;
    let page = shown(&world, "carol", &format!("/requests/{first}")).await;
    assert!(!page.has("Another undo would lift this too"));
    let page = shown(&world, "carol", &format!("/requests/{undo}")).await;
    page.shows(&format!("It also lifted <a href=\"/requests/{first}\">"));
    assert!(!page.has(&format!("It also lifted <a href=\"/requests/{second}\">")));
}

#[tokio::test(flavor = "multi_thread")]
async fn lapsing_and_lapsed_approvals_are_announced() {
    let world = World::start().await;
    let agent = world.agent().await;
    let block = async |seconds: u32| {
        let more = json!({ "agent_ids": ["001"], "duration_seconds": seconds });
        agent.block("203.0.113.9", more).await.id()
    };
    let longer = block(3600).await;
    world.pass_for_all(Duration::from_secs(1));
    let shorter = block(600).await;
    for id in [&longer, &shorter] {
        world.person("bob").await.approve(id).await;
        world.pass_for_all(Duration::from_secs(1));
    }
    assert!(!shown(&world, "carol", &format!("/requests/{shorter}")).await.has("apse"));
    world.step().await;
    shown(&world, "carol", &format!("/requests/{shorter}"))
        .await
        .shows("The approval by <b>bob</b> lapses before it is sent");
    world.work().await;
    let page = shown(&world, "carol", &format!("/requests/{shorter}")).await;
    page.shows("Approvals lapsed: <bdi>what it would cut short began after it was approved by bob");
    world.pass_for_all(Duration::from_secs(1));
    world.person("bob").await.approve(&shorter).await;
    assert!(!shown(&world, "carol", &format!("/requests/{shorter}")).await.has("pprovals lapsed"));
}
