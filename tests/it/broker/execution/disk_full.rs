//! A disk without room: what is under way is stored, nothing is begun, and it goes on by itself.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use countersign::{
    broker::BrokerError,
    domain::{actor::sign_in::SignInOrigin, halt::HaltCause, request::StateName},
    store::{FLOOR_BYTES, Read as _, StoreError, requests, reserve_beside, sqlite::query},
    worker,
};
use reqwest::StatusCode;
use serde_json::json;

use super::dispatch::{approved, outcomes};
use crate::harness::World;

/// What the world believes to be free on its disk.
struct Disk(Arc<AtomicU64>);

impl Disk {
    fn of(world: &World) -> Self {
        let free = Arc::new(AtomicU64::new(1 << 40));
        let measured = Arc::clone(&free);
        let store = world.store.as_ref().unwrap();
        store.measure_free_space_by(Arc::new(move || Ok(measured.load(Ordering::SeqCst))));
        Self(free)
    }

    fn has(&self, bytes: u64) {
        self.0.store(bytes, Ordering::SeqCst);
    }
}

/// Lets the database grow no more, on the connection that writes now: `SQLite` calls that a full
/// disk.
async fn fill(world: &World) {
    let store = world.store.as_ref().unwrap();
    let full = store.write(|tx| {
        Box::pin(async move {
            query("PRAGMA max_page_count = 1").execute(tx.connection()).await?;
            Ok::<_, StoreError>(())
        })
    });
    full.await.unwrap();
}

/// Asks until one does not fit.
async fn ask_until_full(world: &World) {
    fill(world).await;
    let agent = world.agent().await;
    for last in 1..=20 {
        let more = json!({ "agent_ids": ["003"], "reason": "r".repeat(1500) });
        let asked = agent.block(&format!("203.0.113.{last}"), more).await;
        if asked.error {
            return;
        }
        world.pass(std::time::Duration::from_secs(10));
    }
    panic!("everything fits");
}

async fn readiness(world: &World) -> (StatusCode, String) {
    let answer = reqwest::get(format!("{}/readyz", world.url())).await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn halted(world: &World) -> HaltCause {
    let step = worker::step(world.broker()).await;
    let Err(BrokerError::Halted(halt)) = step else { panic!("{step:?}") };
    halt.cause
}

fn reserve(world: &World) -> PathBuf {
    reserve_beside(&world.folder.path().join("countersign.db"))
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_ends_after_probe_commit() {
    let world = World::start().await;
    let disk = Disk::of(&world);
    let id = approved(&world, &["001"]).await;
    ask_until_full(&world).await;
    assert_eq!(halted(&world).await, HaltCause::DiskFull);
    let (status, text) = readiness(&world).await;
    assert_eq!((status.as_u16(), text.as_str()), (503, "not ready: the disk is full\n"));
    world
        .person("bob")
        .await
        .get("/")
        .await
        .shows("Nothing is sent: the disk of the database is full");
    let told = world.agent().await.get(&id).await.json.to_string();
    assert!(told.contains("The broker's disk is full") && !told.contains("about to be"), "{told}");
    // There is not enough room yet.
    disk.has(FLOOR_BYTES);
    world.broker().keep_disk().await.unwrap();
    assert_eq!(halted(&world).await, HaltCause::DiskFull);
    assert!(world.manager.received().is_empty());
    disk.has(1 << 40);
    world.broker().keep_disk().await.unwrap();
    assert_eq!(readiness(&world).await.0, StatusCode::OK);
    assert!(world.audit_kinds().await.contains(&"database.resumed".to_owned()));
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: sent"]);
    assert_eq!(world.manager.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_that_does_not_fit_changes_nothing() {
    let world = World::start().await;
    let disk = Disk::of(&world);
    ask_until_full(&world).await;
    disk.has(FLOOR_BYTES - 1);
    for _ in 0..3 {
        world.broker().keep_disk().await.unwrap();
    }
    assert_eq!(halted(&world).await, HaltCause::DiskFull);
    assert!(!world.audit_kinds().await.contains(&"database.resumed".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn reserve_is_released_for_outcome_and_made_again() {
    // The worker waits by a clock that its waiting moves: no approval shall end meanwhile.
    let year = std::time::Duration::from_hours(365 * 24);
    let world = World::builder().with_settings(|set| set.use_approval_within = year).start().await;
    let disk = Disk::of(&world);
    world.broker().keep_disk().await.unwrap();
    assert!(reserve(&world).metadata().unwrap().len() > 1 << 20);
    let id = approved(&world, &["001", "005"]).await;
    world.manager.hold("001");
    let fill_up = async {
        world.manager.until_received(1).await;
        fill(&world).await;
        disk.has(0);
        // Whatever comes next needs a page more.
        let store = world.store.clone().unwrap();
        let mut changes = store.changes();
        store
            .write(|tx| {
                Box::pin(async move {
                    query("CREATE TABLE filled (byte)").execute(tx.connection()).await?;
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
        assert!(!reserve(&world).exists());
        changes.mark_unchanged();
        world.manager.release("001");
        changes.changed().await.unwrap();
        // Not by the agent's door: that waits by a clock that the worker moves.
        let request = requests::load(&mut store.reader().await.unwrap(), id.parse().unwrap()).await;
        assert_eq!(request.unwrap().unwrap().state.name(), StateName::Dispatching);
        assert_eq!(world.manager.received().len(), 1);
        disk.has(1 << 40);
        world.broker().keep_disk().await.unwrap();
    };
    tokio::join!(world.work(), fill_up);
    assert_eq!(outcomes(&world, &id).await, ["001: sent", "005: sent"]);
    assert!(reserve(&world).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn below_floor_nothing_is_begun() {
    let world = World::start().await;
    let disk = Disk::of(&world);
    let id = approved(&world, &["001"]).await;
    let open = world.agent().await.block("203.0.113.8", json!({ "agent_ids": ["002"] })).await.id();
    let bob = world.person("bob").await;
    // A page that was loaded before.
    let fields = bob.form(&open, "approve").await;
    disk.has(FLOOR_BYTES - 1);
    let before = world.audit_kinds().await;
    let asked = world.agent().await.block("203.0.113.7", json!({ "agent_ids": ["002"] })).await;
    assert!(asked.error && asked.text.contains("nothing new is stored or sent"), "{asked:?}");
    world.broker().sign_in("bob", "wrong password", &SignInOrigin::program()).await.unwrap_err();
    assert_eq!(halted(&world).await, HaltCause::DiskLow);
    assert_eq!(readiness(&world).await.1, "not ready: the disk is nearly full\n");
    assert_eq!(world.audit_kinds().await, before);
    let refused = bob.post(&format!("/requests/{open}/approve"), &fields).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.shows("Nothing can be approved, because nothing is sent: the disk of the database");
    bob.reject(&open, "no").await;
    world.freeze("a test").await;
    world.unfreeze().await;
    assert!(world.manager.received().is_empty());
    disk.has(FLOOR_BYTES);
    world.work().await;
    assert_eq!(outcomes(&world, &id).await, ["001: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_by_person_is_refused_below_floor() {
    let world = World::start().await;
    let disk = Disk::of(&world);
    let id = approved(&world, &["001"]).await;
    world.work().await;
    let bob = world.person("bob").await;
    let mut fields = bob.form(&id, "undo").await;
    fields.insert("comment".to_owned(), "wrong one".to_owned());
    disk.has(0);
    let undo = format!("/requests/{id}/undo");
    let page = bob.get(&format!("/requests/{id}")).await;
    assert!(!page.has_form(&undo), "{}", page.html);
    page.shows("It cannot be taken back now, because nothing is sent: the disk of the database");
    let refused = bob.post(&undo, &fields).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.html);
    refused.shows("nearly full");
}
