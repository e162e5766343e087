//! What people read holds up nobody else, and the walk along the audit that System shows.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use countersign::store::{Read as _, Store, StoreError, sqlite::query};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn busy_pages_hold_up_no_agent() {
    let world = World::start().await;
    let pages = world.store.clone().unwrap().for_pages();
    let mut curious = Vec::new();
    for _ in 0..4 {
        curious.push(pages.reader().await.unwrap());
    }
    let asked = world.agent().await.block("203.0.113.1", json!({ "agent_ids": ["002"] })).await;
    assert!(asked.id().starts_with("req_"));
    drop(curious);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_views_of_system_fail_no_ask() {
    let world = World::start().await;
    // The walk cannot begin: nothing waits for it but those who look.
    let walk = world.store.clone().unwrap().for_walk().reader().await.unwrap();
    let otto = world.person("otto").await;
    let views = async {
        tokio::join!(
            otto.get("/system"),
            otto.get("/system"),
            otto.get("/system"),
            otto.get("/system")
        )
    };
    let agent = world.agent().await;
    let ask = agent.block("203.0.113.1", json!({ "agent_ids": ["002"] }));
    let ((one, two, three, four), asked) = tokio::join!(views, ask);
    assert!(asked.id().starts_with("req_"));
    for page in [one, two, three, four] {
        assert!(page.has("so far"), "{}", page.html);
    }
    drop(walk);
}

const EDIT_1: &str = "UPDATE audit SET detail = '[]' WHERE seq = 1";
const EDIT_2: &str = "UPDATE audit SET detail = '[]' WHERE seq = 2";

#[tokio::test(flavor = "multi_thread")]
async fn system_shows_a_broken_row() {
    let world = World::start().await;
    world.execute("DROP TRIGGER audit_is_not_changed").await;
    world.execute(EDIT_2).await;
    let system = world.person("otto").await.get("/system").await;
    assert!(system.has("Broken at row 2:"), "{}", system.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn walk_goes_on_from_where_it_was() {
    let world = World::start().await;
    let system = world.person("otto").await.get("/system").await;
    assert!(system.has(", all of them"), "{}", system.html);
    world.execute("DROP TRIGGER audit_is_not_changed").await;
    world.execute(EDIT_1).await;
    // Row 1 was verified and is not read again…
    let system = world.person("otto").await.get("/system").await;
    assert!(system.has(", all of them"), "{}", system.html);
    // …until the next day.
    world.pass(Duration::from_hours(25));
    let system = world.person("otto").await.get("/system").await;
    assert!(system.has("Broken at row 1:"), "{}", system.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_were_cut_off_are_seen_at_once() {
    let world = World::start().await;
    let system = world.person("otto").await.get("/system").await;
    assert!(system.has(", all of them"), "{}", system.html);
    for sql in ["DROP TRIGGER audit_is_not_changed", "DROP TRIGGER audit_is_not_deleted"] {
        world.execute(sql).await;
    }
    // The newest are gone, and the one before them was edited: nobody who only goes on would see it.
    world.execute(EDIT_2).await;
    world.execute("DELETE FROM audit WHERE seq > 2").await;
    let system = world.person("otto").await.get("/system").await;
    assert!(system.has("Broken at row 2:"), "{}", system.html);
}

const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                       SELECT count(*) FROM n";

#[tokio::test]
async fn page_read_ends_at_its_deadline() {
    const LONG: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
                        SELECT count(*) FROM n";
    let folder = TempDir::new().unwrap();
    let pages = Store::open(&folder.path().join("countersign.db")).await.unwrap().for_pages();
    let hurried = pages.clone().reading_at_most(Duration::ZERO);
    for _ in 0..2 {
        let mut reader = hurried.reader().await.unwrap();
        let ended = query(LONG).fetch_one(reader.connection()).await;
        let ended = StoreError::from(ended.err().unwrap());
        assert!(matches!(ended, StoreError::TooLong), "{ended}");
        drop(reader);
        // The same connection, for somebody with time.
        let mut reader = pages.reader().await.unwrap();
        query(LONG).fetch_one(reader.connection()).await.unwrap();
    }
}

/// The lock on the file goes after the last connection: to close it sooner drops those of `SQLite`.
#[tokio::test]
async fn close_waits_for_statement_whose_caller_vanished() {
    let folder = TempDir::new().unwrap();
    let pages = Store::open(&folder.path().join("countersign.db")).await.unwrap().for_pages();
    let mut reader = pages.reader().await.unwrap();
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (tell, over) = (Arc::clone(&begun), Arc::clone(&end));
    let step = move || {
        tell.notify_one();
        over.load(Ordering::SeqCst)
    };
    reader.connection().run(move |raw| raw.progress_handler(100, Some(step))).await.unwrap();
    let read = tokio::spawn(async move { query(ENDLESS).fetch_one(reader.connection()).await });
    begun.notified().await;
    read.abort();
    assert!(read.await.unwrap_err().is_cancelled());
    let mut close = pin!(pages.disconnect());
    for _ in 0..100 {
        tokio::select! {
            biased;
            () = &mut close => panic!("it closed under a statement"),
            () = tokio::task::yield_now() => {}
        }
    }
    end.store(true, Ordering::SeqCst);
    close.await;
}
