//! What becomes active is what was shown, and nothing becomes active by itself.

use std::fs;

use reqwest::StatusCode;
use serde_json::json;

use super::fixtures::hands_off;
use crate::harness::{World, page::Page};

async fn world() -> World {
    World::start().await
}

/// A policy on a line of its own.
fn policy(id: &str, why: &str) -> String {
    let head = "forbid (principal, action in Countersign::Action::\"run\", resource)";
    format!("@id(\"{id}\") @why(\"{why}\") {head} when {{ context.facts.scope > 400 }};\n")
}

fn write(world: &World, file: &str, text: &str) {
    fs::write(world.policies.join(file), text).unwrap();
}

async fn activations(world: &World) -> Vec<String> {
    let entries = world.operator().audit_after(0).await.unwrap();
    let activated = entries.into_iter().filter(|entry| entry.kind == "policy.activated");
    activated.filter_map(|entry| entry.target).collect()
}

/// Nothing became active since the start.
async fn assert_unchanged(world: &World, before: &str) {
    assert_eq!(world.broker().engine().hash().to_string(), before);
    assert_eq!(activations(world).await, [before]);
}

fn listed(page: &Page, kind: &str, name: &str) -> bool {
    let badge = format!("<span class=\"badge {kind}\">{kind}</span> <code>{name}</code>");
    page.has(&badge)
}

#[tokio::test(flavor = "multi_thread")]
async fn page_shows_everything_that_activation_would_change() {
    let world = world().await;
    let dora = world.person("dora").await;
    write(&world, "90_a.cedar", &(policy("site.gone", "x") + &policy("site.same", "x")));
    let fields = dora.get("/policy").await.form("/policy/activate").unwrap();
    assert_eq!(dora.post("/policy/activate", &fields).await.status, StatusCode::SEE_OTHER);
    assert!(dora.get("/policy").await.form("/policy/activate").is_none());

    write(&world, "90_a.cedar", &(policy("site.same", "other words") + &policy("site.new", "x")));
    write(&world, "91_b.cedar", "// A comment alone.\n");
    fs::remove_file(world.policies.join("tests/never.json")).unwrap();
    let page = dora.get("/policy").await;
    for (kind, name) in [
        ("added", "site.new"),
        ("removed", "site.gone"),
        ("changed", "site.same"),
        ("added", "91_b.cedar"),
        ("removed", "tests/never.json"),
    ] {
        assert!(listed(&page, kind, name), "{kind} {name} is not in {}", page.html);
    }
    page.shows("other words");
    page.shows("// A comment alone.");
    assert!(!listed(&page, "changed", "run.at-once"), "{}", page.html);
    dora.get("/system").await.shows("holds another policy set than the active one");
    let fields = page.form("/policy/activate").unwrap();
    assert_eq!(dora.post("/policy/activate", &fields).await.status, StatusCode::SEE_OTHER);
    assert!(!dora.get("/system").await.has("holds another policy set"));
}

#[tokio::test(flavor = "multi_thread")]
async fn folder_changed_after_it_was_shown_is_not_activated() {
    let world = world().await;
    let before = world.broker().engine().hash().to_string();
    let dora = world.person("dora").await;
    write(&world, "90_a.cedar", &policy("site.shown", "x"));
    let fields = dora.get("/policy").await.form("/policy/activate").unwrap();
    // Even what policy never sees.
    write(&world, "tests/empty.json", "[]");
    let answer = dora.post("/policy/activate", &fields).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    answer.shows("the policies have changed since you were shown the difference");
    assert_unchanged(&world, &before).await;
    // The answer shows what there is now.
    let fields = answer.form("/policy/activate").unwrap();
    assert_eq!(dora.post("/policy/activate", &fields).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn difference_from_another_active_set_is_not_activated() {
    let world = world().await;
    let dora = world.person("dora").await;
    write(&world, "90_a.cedar", &policy("site.shown", "x"));
    let stale = dora.get("/policy").await.form("/policy/activate").unwrap();
    write(&world, "90_a.cedar", &policy("site.between", "x"));
    let fields = dora.get("/policy").await.form("/policy/activate").unwrap();
    assert_eq!(dora.post("/policy/activate", &fields).await.status, StatusCode::SEE_OTHER);
    // The folder is as it was shown, but the set that it was compared with is not active any more.
    write(&world, "90_a.cedar", &policy("site.shown", "x"));
    assert_eq!(dora.post("/policy/activate", &stale).await.status, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn activation_without_shown_difference_is_refused() {
    let world = world().await;
    let before = world.broker().engine().hash().to_string();
    let dora = world.person("dora").await;
    write(&world, "90_a.cedar", &policy("site.blind", "x"));
    let mut fields = dora.get("/").await.form("/sign-out").unwrap();
    assert_eq!(dora.post("/policy/activate", &fields).await.status, StatusCode::BAD_REQUEST);
    fields.insert("shown".to_owned(), before.clone());
    assert_eq!(dora.post("/policy/activate", &fields).await.status, StatusCode::CONFLICT);
    assert_unchanged(&world, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_activations_of_one_difference_activate_once() {
    let world = world().await;
    let dora = world.person("dora").await;
    write(&world, "90_a.cedar", &policy("site.twice", "x"));
    let fields = dora.get("/policy").await.form("/policy/activate").unwrap();
    let (one, other) = tokio::join!(
        dora.post("/policy/activate", &fields),
        dora.post("/policy/activate", &fields)
    );
    let mut statuses = [one.status, other.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::CONFLICT]);
    let activated = activations(&world).await;
    assert_eq!(activated.len(), 2, "{activated:?}");
    assert_eq!(activated.last(), Some(&world.broker().engine().hash().to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_folder_at_start_leaves_active_set() {
    let world = world().await;
    let before = world.broker().engine().hash().to_string();
    hands_off(&world, "office");
    let world = world.restart().await;
    assert_unchanged(&world, &before).await;
    let more = json!({ "agent_ids": ["008"] });
    let asked = world.agent().await.block("203.0.113.9", more).await;
    assert_eq!(asked.state(), "pending", "the folder's policies decided");
    let dora = world.person("dora").await;
    dora.get("/system").await.shows("holds another policy set than the active one");
    let fields = dora.get("/policy").await.form("/policy/activate").unwrap();
    assert_eq!(dora.post("/policy/activate", &fields).await.status, StatusCode::SEE_OTHER);
    let active = world.broker().engine().hash();
    let world = world.restart().await;
    assert_eq!(world.broker().engine().hash(), active);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_folder_at_start_leaves_active_set() {
    let world = world().await;
    let before = world.broker().engine().hash().to_string();
    write(&world, "90_a.cedar", "nonsense");
    let world = world.restart().await;
    assert_unchanged(&world, &before).await;
    fs::remove_dir_all(&world.policies).unwrap();
    let world = world.restart().await;
    assert_unchanged(&world, &before).await;
    world.person("dora").await.get("/system").await.shows("The policy folder cannot be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn database_without_kept_policies_takes_the_folder_once() {
    let world = world().await;
    let before = world.broker().engine().hash().to_string();
    // As a version that kept none leaves it.
    world.execute("DELETE FROM active_policy_file").await;
    let world = world.restart().await;
    assert_unchanged(&world, &before).await;
    write(&world, "90_a.cedar", &policy("site.later", "x"));
    let world = world.restart().await;
    assert_unchanged(&world, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_set_decides_before_open_requests_are_decided_again() {
    let world = world().await;
    let more = json!({ "agent_ids": ["008"] });
    let id = world.agent().await.block("203.0.113.9", more).await.id();
    world.person("carol").await.approve(&id).await;
    hands_off(&world, "office");
    // The activation is recorded, and comes no further.
    world
        .execute(
            "CREATE TRIGGER fault BEFORE UPDATE ON request
                 BEGIN SELECT RAISE(ABORT, 'a fault'); END",
        )
        .await;
    let dora = world.person("dora").await;
    let fields = dora.get("/policy").await.form("/policy/activate").unwrap();
    let answer = dora.post("/policy/activate", &fields).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", answer.html);
    world.execute("DROP TRIGGER fault").await;
    let agent = world.agent().await;
    assert_eq!(agent.get(&id).await.state(), "approved", "it still has the old set's answer");
    world.work().await;
    assert_eq!(agent.get(&id).await.state(), "withdrawn");
    assert!(world.manager.received().is_empty());
}
