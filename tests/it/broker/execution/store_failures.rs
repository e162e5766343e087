//! A database that cannot commit: nothing is sent that is not stored.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use countersign::{
    broker::{BrokerError, admin::people::PersonChange, execution::progress::Progress},
    domain::{actor::Actor, halt::HaltCause},
    store::{Read as _, StoreError},
    worker,
};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::dispatch::{approved, outcomes};
use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn failed_commit_stops_dispatch_until_restart() {
    let world = World::start().await;
    let id = approved(&world, &["001", "005"]).await;
    let commit = commits(&world).await;
    world.manager.hold("001");
    let fail = async {
        world.manager.until_received(1).await;
        commit.fail_once();
        world.manager.release("001");
    };
    let (done, ()) = tokio::join!(worker::step(world.broker()), fail);
    assert!(matches!(done, Ok(Progress::Moved(_))), "{done:?}");
    assert!(commit.failed());
    // The answer was stored when it was tried again, and the second call was not made.
    assert_eq!(outcomes(&world, &id).await, ["001: sent", "005: not_sent"]);
    let answer = world.agent().await.get(&id).await.json.to_string();
    assert!(answer.contains("nothing is sent: a change could not be stored"), "{answer}");
    broken(&world).await;
    let world = world.restart().await;
    let next = approved(&world, &["002"]).await;
    world.work().await;
    assert_eq!(outcomes(&world, &next).await, ["002: sent"]);
    assert_eq!(world.manager.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_with_failed_commit_sends_nothing() {
    let world = World::start().await;
    let id = approved(&world, &["001"]).await;
    let commit = commits(&world).await;
    commit.fail_once();
    let claimed = worker::step(world.broker()).await;
    assert!(matches!(claimed, Err(BrokerError::Store(StoreError::Commit(_)))), "{claimed:?}");
    assert!(commit.failed());
    broken(&world).await;
    let told = world.agent().await.get(&id).await;
    assert_eq!(told.state(), "approved");
    let message = told.json["message"].as_str().unwrap();
    assert!(message.contains("The broker's database fails"), "{message}");
    assert!(world.manager.received().is_empty());
}

/// The worker refuses to do anything.
pub(super) async fn broken(world: &World) {
    let step = worker::step(world.broker()).await;
    let Err(BrokerError::Halted(halt)) = step else { panic!("{step:?}") };
    assert_eq!(halt.cause, HaltCause::CommitFailed);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_approved_while_nothing_is_sent() {
    let world = World::start().await;
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["002"] })).await.id();
    let bob = world.person("bob").await;
    // A page that was loaded before.
    let fields = bob.form(&id, "approve").await;
    halt(&world).await;
    let one = format!("/requests/{id}");
    for form in [format!("{one}/approve"), format!("{one}/break-glass")] {
        let mut fields = fields.clone();
        fields.extend([("typed", "0"), ("comment", "why")].map(|(k, v)| (k.into(), v.into())));
        let refused = bob.post(&form, &fields).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{form}");
        refused.shows("Nothing can be approved, because nothing is sent: a change could not");
    }
    let mut identical = fields.clone();
    let (version, digest) = (&fields["version"], &fields["digest"]);
    identical.insert("of".to_owned(), id.clone());
    identical.insert("pick".to_owned(), format!("{id}:{version}:{digest}"));
    let refused = bob.post("/together", &identical).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.html);
    refused.shows("Nothing can be approved");
    // What stops a response is taken.
    bob.reject(&id, "no").await;
    world.freeze("a test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_says_why_nothing_is_sent() {
    let world = halted().await;
    let bob = world.person("bob").await;
    for page in ["/", "/requests", "/system", "/audit", "/policy", "/nowhere"] {
        let page = bob.get(page).await;
        page.shows(
            "<div class=\"frozen\" role=\"status\"><p><strong>Nothing is sent: a change could",
        );
        page.shows("restart the broker");
    }
    let ready = bob.request(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let said = ready.text().await.unwrap();
    assert_eq!(said, "not ready: a change could not be stored; the broker must be restarted\n");
    let automatic = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    assert!(!automatic.json.to_string().contains("about to be sent"), "{}", automatic.json);
    // Room on the disk changes nothing: it was another failure.
    world.broker().keep_disk().await.unwrap();
    broken(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_offer_no_approval_while_nothing_is_sent() {
    let world = World::start().await;
    let agent = world.agent().await;
    let ask = async |endpoint| {
        let more = json!({ "agent_ids": [endpoint] });
        agent.block("203.0.113.9", more).await.id()
    };
    // Two that are identical, and one that one person alone cannot approve.
    let (id, critical) = (ask("002").await, ask("003").await);
    ask("006").await;
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    let on_call = PersonChange::OnCall(true);
    world.operator().change_person(&Actor::CommandLine, "carol", &on_call).await.unwrap();
    let (one, other) = (format!("/requests/{id}"), format!("/requests/{critical}"));
    let (approve, glass) = (format!("{one}/approve"), format!("{other}/break-glass"));
    let together = format!("/together?of={id}");
    assert!(bob.get(&one).await.has_form(&approve));
    assert!(carol.get(&other).await.has_form(&glass));
    bob.get(&together).await.shows("Approve the ticked requests");
    halt(&world).await;
    let why = "Nothing can be approved, because nothing is sent: a change could not";
    let page = bob.get(&one).await;
    assert!(!page.has_form(&approve) && page.has_form(&format!("{one}/reject")), "{}", page.html);
    page.shows(why);
    assert!(!carol.get(&other).await.has_form(&glass));
    let page = bob.get(&together).await;
    page.shows(why);
    assert!(!page.html.contains("Approve the ticked requests"), "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_is_told_of_halt_while_people_decide() {
    let world = World::start().await;
    let agent = world.agent().await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["002"] })).await.id();
    let message = async || {
        let told = agent.get(&id).await;
        assert_eq!(told.state(), "pending");
        told.json["message"].as_str().unwrap().to_owned()
    };
    assert!(!message().await.contains("database fails"));
    halt(&world).await;
    let said = message().await;
    assert!(said.starts_with("Waiting for an analyst."), "{said}");
    assert!(said.contains("The broker's database fails, so nothing is sent"), "{said}");
    // The log and the page have the cause.
    assert!(!said.contains("could not be stored"), "{said}");
}

/// A world in which a commit failed.
async fn halted() -> World {
    let world = World::start().await;
    halt(&world).await;
    world
}

/// Lets a commit fail.
async fn halt(world: &World) {
    let commit = commits(world).await;
    commit.fail_once();
    let asked = world.agent().await.block("203.0.113.8", json!({ "agent_ids": ["002"] })).await;
    assert!(asked.error, "{asked:?}");
    assert!(commit.failed());
}

/// Lets a commit fail, as on a full disk: the database itself rolls it back.
pub(super) struct Commits(Arc<AtomicBool>);

impl Commits {
    pub(super) fn fail_once(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(super) fn failed(&self) -> bool {
        !self.0.load(Ordering::SeqCst)
    }
}

pub(super) async fn commits(world: &World) -> Commits {
    let fail = Arc::new(AtomicBool::new(false));
    let (store, hook) = (world.store.as_ref().unwrap(), &fail);
    store
        .write(|tx| {
            Box::pin(async move {
                let hook = Arc::clone(hook);
                let fails = move || hook.swap(false, Ordering::SeqCst);
                tx.connection().run(move |raw| raw.commit_hook(Some(fails))).await?;
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
    Commits(fail)
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_waits_while_no_reader_is_free() {
    let world = World::start().await;
    let id = approved(&world, &["001", "005"]).await;
    let store = world.store.clone().unwrap();
    world.manager.hold("001");
    let starve = async {
        world.manager.until_received(1).await;
        let mut readers = Vec::new();
        for _ in 0..4 {
            readers.push(store.for_worker().reader().await.unwrap());
        }
        let mut changes = store.changes();
        world.manager.release("001");
        // The answer of the first call with the second attempt, and then that it could not be made.
        for _ in 0..2 {
            changes.changed().await.unwrap();
        }
    };
    tokio::join!(world.work(), starve);
    assert_eq!(outcomes(&world, &id).await, ["001: sent", "005: sent"]);
    let audit = world.operator().audit_after(0).await.unwrap();
    let lacked = audit.iter().any(|entry| entry.detail.contains("could not be read"));
    assert!(lacked, "{:?}", audit.last());
    assert_eq!(world.manager.received().len(), 2);
}
