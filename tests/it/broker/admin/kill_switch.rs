//! The kill switch: it stops as much as it is thrown for, and two people release it.

use std::{collections::BTreeMap, time::Duration};

use countersign::{
    broker::{BrokerError, admin::kill_switch::Unfreeze, execution::progress::Progress},
    domain::{
        actor::Actor,
        kill_switch::{Extent, RELEASE_MINUTES},
        lifecycle::Refusal,
    },
};
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{ALERT, PersonClient, World, page::Page};

/// What runs at once: a block for the alert that the broker finds.
async fn approved(world: &World) -> String {
    let more = json!({ "agent_ids": ["001"], "alert_id": ALERT });
    let asked = world.agent().await.block("203.0.113.7", more).await;
    assert_eq!(asked.state(), "approved", "{asked:?}");
    asked.id()
}

fn fields(page: &Page, form: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut fields = page.form(form).unwrap_or_else(|| panic!("no form {form}: {}", page.html));
    fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    fields
}

async fn throw(person: &PersonClient, what: &str) -> Page {
    let page = person.get("/system").await;
    person.post("/freeze", &fields(&page, "/freeze", &[("what", what), ("reason", "odd")])).await
}

async fn release(person: &PersonClient) -> Page {
    let page = person.get("/system").await;
    person.post("/unfreeze", &fields(&page, "/unfreeze", &[("reason", "looked")])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_stops_only_the_named_extent() {
    let cases = [
        ("everything", true),
        ("manager:test", true),
        ("manager:other", false),
        ("action:block_ip", true),
        ("action:disable_account", false),
        ("action:unblock_ip", false),
        ("agent:triage-bot", true),
        ("agent:another-bot", false),
    ];
    for (what, stops) in cases {
        let world = World::builder().with_second_manager("other").start().await;
        world.add_agent("another-bot", "alice").await;
        let more = json!({ "agent_ids": ["test/001"], "alert_id": ALERT });
        let asked = world.agent().await.block("203.0.113.7", more).await;
        assert_eq!(asked.state(), "approved", "{asked:?}");
        let bob = world.person("bob").await;
        assert_eq!(throw(&bob, what).await.status, StatusCode::SEE_OTHER, "{what}");
        world.work().await;
        assert_eq!(world.manager.received().is_empty(), stops, "{what}");
        let html = bob.get("/audit").await.html;
        assert!(html.contains("Kill switch on"), "{what}: on every page");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_request_does_not_delay_requests_of_other_agents() {
    let world = World::start().await;
    let first = approved(&world).await;
    let operator = world.operator();
    let extent = Extent::Agent("triage-bot".to_owned());
    operator.freeze(&Actor::CommandLine, &extent, "odd").await.unwrap();
    let second = world.another_agent("second-bot", "alice").await;
    let more = json!({ "agent_ids": ["002"], "alert_id": ALERT });
    let later = second.block("203.0.113.7", more).await;
    assert_eq!(later.state(), "approved", "{later:?}");
    world.work().await;
    assert_eq!(second.get(&later.id()).await.state(), "settled");
    assert_eq!(world.agent().await.get(&first).await.state(), "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_is_told_that_kill_switch_stops_its_request() {
    let world = World::start().await;
    let id = approved(&world).await;
    let bob = world.person("bob").await;
    let message = async || {
        let told = world.agent().await.get(&id).await;
        told.json["message"].as_str().unwrap().to_owned()
    };
    assert!(message().await.contains("it is about to be sent"));
    throw(&bob, "agent:another-bot").await;
    assert!(message().await.contains("it is about to be sent"));
    throw(&bob, "agent:triage-bot").await;
    let said = message().await;
    assert!(said.contains("The kill switch keeps it from being sent"), "{said}");
    assert!(!said.contains("about to be sent"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_is_told_of_kill_switch_while_people_decide() {
    for (what, stops) in
        [("agent:another-bot", false), ("agent:triage-bot", true), ("everything", true)]
    {
        let world = World::start().await;
        let agent = world.agent().await;
        let id = agent.block("203.0.113.7", json!({ "agent_ids": ["002"] })).await.id();
        throw(&world.person("bob").await, what).await;
        let told = agent.get(&id).await;
        assert_eq!(told.state(), "pending", "{what}");
        let said = told.json["message"].as_str().unwrap();
        assert!(said.starts_with("Waiting for an analyst."), "{what}: {said}");
        let named = said.contains("The kill switch keeps it from being sent");
        assert_eq!(named, stops, "{what}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_undo_what_stopped_agent_did() {
    let world = World::start().await;
    let id = approved(&world).await;
    world.work().await;
    let bob = world.person("bob").await;
    throw(&bob, "agent:triage-bot").await;
    let page = bob.vote(&id, "undo", &[("comment", "it was wrong")]).await;
    let child = page.location.unwrap().rsplit('/').next().unwrap().to_owned();
    world.work().await;
    assert_eq!(world.agent().await.get(&child).await.state(), "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_alone_cannot_release_kill_switch() {
    let world = World::start().await;
    approved(&world).await;
    let carol = world.person("carol").await;
    throw(&carol, "everything").await;
    assert_eq!(release(&carol).await.status, StatusCode::SEE_OTHER);
    let page = carol.get("/system").await;
    assert!(page.form("/unfreeze").is_none(), "no second form for the same person");
    assert!(page.html.contains("A second person must confirm"), "{}", page.html);
    let operator = world.operator();
    let actor = Actor::from(&operator.person("carol").await.unwrap());
    let again = operator.unfreeze(&actor, &Extent::Everything, "again", |_| true).await;
    assert!(matches!(again, Err(BrokerError::Refused(Refusal::SecondPersonMissing))), "{again:?}");
    assert_eq!(world.step().await, Progress::Stopped);
    assert!(world.manager.received().is_empty());
    assert_eq!(release(&world.person("dora").await).await.status, StatusCode::SEE_OTHER);
    world.work().await;
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_counts_as_one_person() {
    let world = World::start().await;
    world.freeze("stop").await;
    let operator = world.operator();
    let all = &Extent::Everything;
    let first = operator.unfreeze(&Actor::CommandLine, all, "one", |_| true).await.unwrap();
    assert!(matches!(first, Unfreeze::Waits(_)), "{first:?}");
    assert!(operator.unfreeze(&Actor::CommandLine, all, "two", |_| true).await.is_err());
    assert_eq!(operator.frozen().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn first_release_confirmation_expires_after_an_hour() {
    let world = World::start().await;
    world.freeze("stop").await;
    release(&world.person("carol").await).await;
    world.pass(Duration::from_secs(60 * u64::try_from(RELEASE_MINUTES).unwrap() + 1));
    release(&world.person("dora").await).await;
    let frozen = world.operator().frozen().await.unwrap();
    assert_eq!(frozen[0].release.as_ref().unwrap().name, "dora", "hers is the first word now");
}

#[tokio::test(flavor = "multi_thread")]
async fn release_confirmation_of_disabled_person_does_not_count() {
    let world = World::start().await;
    world.freeze("stop").await;
    release(&world.person("carol").await).await;
    let operator = world.operator();
    operator.disable_person(&Actor::CommandLine, "carol").await.unwrap();
    release(&world.person("dora").await).await;
    assert_eq!(operator.frozen().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn second_throw_resets_release_confirmations() {
    let world = World::start().await;
    world.freeze("stop").await;
    release(&world.person("carol").await).await;
    world.freeze("there is more").await;
    release(&world.person("dora").await).await;
    assert_eq!(world.operator().frozen().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_extent_is_refused_with_allowed_values() {
    let world = World::start().await;
    let bob = world.person("bob").await;
    for (what, says) in [
        ("manager:paris", "there is no manager `paris`"),
        ("agent:nobody", "there is no agent `nobody`"),
        ("action:reboot", "`reboot` is not allowed"),
        ("world", "`world` is not allowed"),
        ("everything:else", "no name with everything"),
    ] {
        let page = throw(&bob, what).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{what}");
        let html = page.html.replace("&#39;", "'").replace("&#x60;", "`").replace("&#96;", "`");
        assert!(html.contains(says), "{what}: {html}");
    }
    assert!(world.operator().frozen().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn analyst_may_throw_but_not_release_kill_switch() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    throw(&alice, "everything").await;
    let page = alice.get("/system").await;
    assert!(page.form("/unfreeze").is_none());
    let carol = world.person("carol").await.get("/system").await;
    let mut forged = fields(&carol, "/unfreeze", &[("reason", "mine")]);
    forged.insert("form_token".to_owned(), page.form("/freeze").unwrap()["form_token"].clone());
    assert_eq!(alice.post("/unfreeze", &forged).await.status, StatusCode::FORBIDDEN);
    assert!(world.operator().frozen().await.unwrap()[0].release.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn auditor_cannot_throw_kill_switch() {
    let world = World::start().await;
    let page = world.person("otto").await.get("/system").await;
    assert!(page.form("/freeze").is_none());
    assert!(page.html.contains("You may not throw it"), "{}", page.html);
}
