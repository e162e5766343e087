//! The five facts under the title, and what makes a request risky.

use serde_json::{Value, json};

use crate::harness::{World, page::Page};

const ID: &str = "1763800000.60001";

/// Adds an alert about an endpoint that names 203.0.113.50.
fn add(world: &World, endpoint: &str, name: &str) {
    world.manager.add_alert(json!({
        "id": ID, "agent": { "id": endpoint, "name": name }, "rule": { "level": 10 },
        "data": { "srcip": "203.0.113.50" },
    }));
}

async fn page_of(world: &World, more: Value) -> Page {
    let asked = world.agent().await.block("203.0.113.50", more).await;
    world.person("bob").await.get(&format!("/requests/{}", asked.id())).await
}

/// A sign as the page has it.
fn sign(tone: &str, words: &str) -> (String, String) {
    (format!("<li class=\"sign {tone}\">"), format!("<bdi>{words}</bdi></li>"))
}

#[track_caller]
fn shows(page: &Page, tone: &str, words: &str) {
    let (start, end) = sign(tone, words);
    let found = page.html.split(&start).skip(1).any(|rest| {
        rest.split("</li>").next().is_some_and(|one| format!("{one}</li>").ends_with(&end))
    });
    assert!(found, "no {tone} sign {words:?}:\n{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn signs_say_what_was_found() {
    let world = World::start().await;
    add(&world, "002", "web-02");
    let page = page_of(&world, json!({ "agent_ids": ["002"], "alert_id": ID })).await;
    shows(&page, "good", "alert found");
    shows(&page, "good", "names the target");
    shows(&page, "good", "seen on web-02 (002)");
    shows(&page, "good", "asked for the first time");
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_of_another_machine_is_a_warning() {
    let world = World::start().await;
    add(&world, "001", "web-01");
    let page = page_of(&world, json!({ "agent_ids": ["003"], "alert_id": ID })).await;
    shows(&page, "bad", "seen on web-01 (001), not on db-01 (003)");
    let inbox = world.person("bob").await.get("/").await;
    inbox.shows("alert of another machine");
}

#[tokio::test(flavor = "multi_thread")]
async fn address_next_to_protected_one_looks_risky() {
    let hosts = ["198.51.100.7", "2001:db8::1"].map(str::to_owned);
    let builder =
        World::builder().with_settings(|settings| settings.protected_hosts = hosts.into());
    let world = builder.start().await;
    let says = "next to 198.51.100.7, which is protected";
    let page_of = async |target: &str| {
        let asked = world.agent().await.block(target, json!({ "agent_ids": ["001"] })).await;
        world.person("bob").await.get(&format!("/requests/{}", asked.id())).await
    };
    page_of("198.51.100.71").await.shows(says);
    page_of("2001:db8::2").await.shows("next to 2001:db8::1, which is protected");
    for far in ["198.51.101.7", "2001:db8:0:1::1"] {
        assert!(!page_of(far).await.has("which is protected"), "{far}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_characters_in_reason_look_risky() {
    let world = World::start().await;
    let says = "hidden characters in what was written";
    let reason = "two lines,\n\n  indented\tand more";
    let plain = json!({ "agent_ids": ["001"], "reason": reason });
    assert!(!page_of(&world, plain).await.has(says));
    for (endpoint, hidden) in [("002", "a\u{202E}b"), ("003", "a\u{200B}b"), ("004", "a\u{1B}[2J")]
    {
        page_of(&world, json!({ "agent_ids": [endpoint], "reason": hidden })).await.shows(says);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_without_alert_says_so() {
    let world = World::start().await;
    let page = page_of(&world, json!({ "agent_ids": ["002"] })).await;
    shows(&page, "open", "no alert named");
    shows(&page, "open", "machine of the alert unknown");
    shows(&page, "open", "age unknown");
    let missing = json!({ "agent_ids": ["003"], "alert_id": "1763800000.1" });
    shows(&page_of(&world, missing).await, "bad", "alert not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_before_is_a_warning() {
    let world = World::start().await;
    let first = world.agent().await.block("203.0.113.50", json!({ "agent_ids": ["001"] })).await;
    world.person("bob").await.reject(&first.id(), "our own scanner").await;
    world.pass(std::time::Duration::from_hours(25));
    let page = page_of(&world, json!({ "agent_ids": ["002"] })).await;
    shows(&page, "bad", "asked before: once, refused once");
    world.pass(std::time::Duration::from_secs(1));
    let page = page_of(&world, json!({ "agent_ids": ["003"] })).await;
    shows(&page, "bad", "asked before: twice, refused once");
}

#[tokio::test(flavor = "multi_thread")]
async fn permanent_request_looks_risky() {
    let world = World::start().await;
    let calm = page_of(&world, json!({ "agent_ids": ["002"] })).await;
    assert!(!calm.has("risk: "), "{}", calm.html);
    let asked = json!({
        "srcip": "203.0.113.50", "agent_ids": ["002"], "permanent": true, "reason": "a test asks",
    });
    let id = world.agent().await.call("block_ip", asked).await.id();
    let page = world.person("bob").await.get(&format!("/requests/{id}")).await;
    page.shows("<span class=\"unseen\">risk: </span>permanent");
    page.shows("<span class=\"badge risk\"><bdi>permanent</bdi></span>");
    page.shows("<button class=\"approve cuts\">Approve: block on web-02 (002)</button>");
}
