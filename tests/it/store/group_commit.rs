//! Changes that wait are committed together; what happens to one of them happens to it alone.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use countersign::{
    domain::{
        Time,
        actor::Actor,
        audit::{AuditDetail, AuditEvent, detail::accounts::NoFacts},
        halt::HaltCause,
    },
    store::{Read as _, Store, StoreError, WRITERS_WAITING_MAX, audit, sqlite::query},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::harness::{World, line::count_commits};

/// A database, and the number of its commits so far.
struct Database {
    store: Store,
    commits: Arc<AtomicUsize>,
    /// Whether no commit succeeds any more.
    fails: Arc<AtomicBool>,
    _folder: TempDir,
}

fn at() -> Time {
    Time::from_timestamp_micros(1_795_000_000_000_000).unwrap()
}

fn event(who: &str) -> AuditEvent {
    let mut event = AuditEvent::new(Actor::System, None, AuditDetail::Resumed(NoFacts {}));
    event.target = Some(who.to_owned());
    event
}

/// An entry that says who made it.
async fn note(store: Store, who: &'static str) -> Result<u64, StoreError> {
    note_and(store, who, Ok(())).await
}

/// The same, but what follows it in its change ends like that.
async fn note_and(
    store: Store,
    who: &'static str,
    then: Result<(), ()>,
) -> Result<u64, StoreError> {
    let event = &event(who);
    store
        .write(|tx| {
            Box::pin(async move {
                let seq = audit::append(tx, event, at()).await?;
                then.map(|()| seq).map_err(|()| StoreError::Conflict)
            })
        })
        .await
}

impl Database {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("countersign.db")).await.unwrap();
        let (commits, fails) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let hook = (&commits, &fails);
        let prepared = store.write(|tx| {
            Box::pin(async move {
                let (counter, fails) = (Arc::clone(hook.0), Arc::clone(hook.1));
                let hook = move || {
                    counter.fetch_add(1, Ordering::SeqCst);
                    fails.load(Ordering::SeqCst)
                };
                tx.connection().run(move |raw| raw.commit_hook(Some(hook))).await?;
                Ok::<_, StoreError>(())
            })
        });
        prepared.await.unwrap();
        commits.store(0, Ordering::SeqCst);
        Self { store, commits, fails, _folder: folder }
    }

    /// A change that keeps all others waiting until it is told to end.
    async fn hold(&self) -> (CancellationToken, JoinHandle<Result<(), StoreError>>) {
        let (begun, end) = (Arc::new(Notify::new()), CancellationToken::new());
        let (store, tell, wait) = (self.store.for_agents(), Arc::clone(&begun), end.clone());
        let held = tokio::spawn(async move {
            let (tell, wait) = (&tell, &wait);
            store
                .write(|_tx| {
                    Box::pin(async move {
                        tell.notify_one();
                        wait.cancelled().await;
                        Ok(())
                    })
                })
                .await
        });
        begun.notified().await;
        (end, held)
    }

    /// Who made the entries, in their order.
    async fn entries(&self) -> Vec<String> {
        let mut reader = self.store.reader().await.unwrap();
        assert_eq!(audit::verify(&mut reader).await.unwrap().broken, None);
        let entries = audit::after(&mut reader, 0, 1000).await.unwrap();
        entries.into_iter().map(|(entry, _hash)| entry.target.unwrap()).collect()
    }

    fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

/// Begins a change, and returns when it waits in line.
async fn begin<T: Send + 'static>(
    change: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let mut change = Box::pin(change);
    // The first poll takes the place in line.
    let pending = poll_once(&mut change).await;
    assert!(pending, "it did not wait");
    tokio::spawn(change)
}

/// Whether it is not ready yet.
async fn poll_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    std::future::poll_fn(|context| {
        let polled = std::pin::Pin::new(&mut *future).poll(context);
        std::task::Poll::Ready(polled.is_pending())
    })
    .await
}

#[tokio::test]
async fn changes_that_wait_are_committed_together() {
    let database = Database::open().await;
    let (end, held) = database.hold().await;
    let mut waiting = Vec::new();
    for _ in 0..64 {
        waiting.push(begin(note(database.store.for_agents(), "agent")).await);
    }
    end.cancel();
    held.await.unwrap().unwrap();
    for (place, change) in (1..).zip(waiting) {
        assert_eq!(change.await.unwrap().unwrap(), place);
    }
    assert_eq!(database.entries().await.len(), 64);
    assert_eq!(database.commits(), 1);
}

#[tokio::test]
async fn change_that_fails_is_undone_alone() {
    let database = Database::open().await;
    let (end, held) = database.hold().await;
    let before = begin(note(database.store.clone(), "before")).await;
    let failing = begin(note_and(database.store.clone(), "failing", Err(()))).await;
    let after = begin(note(database.store.clone(), "after")).await;
    end.cancel();
    held.await.unwrap().unwrap();
    assert_eq!(before.await.unwrap().unwrap(), 1);
    assert!(matches!(failing.await.unwrap(), Err(StoreError::Conflict)));
    assert_eq!(after.await.unwrap().unwrap(), 2);
    assert_eq!(database.entries().await, ["before", "after"]);
    assert_eq!(database.commits(), 1);
}

#[tokio::test]
async fn change_whose_caller_vanishes_is_undone_alone() {
    let database = Database::open().await;
    let (end, held) = database.hold().await;
    let before = begin(note(database.store.clone(), "before")).await;
    let stuck = Arc::new(Notify::new());
    let (store, reached) = (database.store.clone(), Arc::clone(&stuck));
    let event = event("vanishing");
    let vanishing = begin(async move {
        let (event, reached) = (&event, &reached);
        let written = store.write(|tx| {
            Box::pin(async move {
                audit::append(tx, event, at()).await?;
                reached.notify_one();
                std::future::pending::<Result<(), StoreError>>().await
            })
        });
        written.await
    })
    .await;
    let after = begin(note(database.store.clone(), "after")).await;
    let panicking = begin({
        let store = database.store.clone();
        async move {
            let written = store.write(|_tx| Box::pin(async move { panic!("a fault") }));
            let _never: Result<(), StoreError> = written.await;
        }
    })
    .await;
    let last = begin(note(database.store.clone(), "last")).await;
    end.cancel();
    stuck.notified().await;
    vanishing.abort();
    held.await.unwrap().unwrap();
    before.await.unwrap().unwrap();
    after.await.unwrap().unwrap();
    assert!(panicking.await.unwrap_err().is_panic());
    last.await.unwrap().unwrap();
    assert_eq!(database.entries().await, ["before", "after", "last"]);
    assert_eq!(database.commits(), 1);
}

#[tokio::test]
async fn change_is_told_though_its_caller_vanished() {
    let database = Database::open().await;
    let (end, held) = database.hold().await;
    let vanishing = begin(note(database.store.for_agents(), "vanishing")).await;
    // It comes last, so the one before it waits for the commit alone.
    let (reached, go_on) = (Arc::new(Notify::new()), CancellationToken::new());
    let (store, tell, wait) = (database.store.for_agents(), Arc::clone(&reached), go_on.clone());
    let last = begin(async move {
        let (tell, wait) = (&tell, &wait);
        let written = store.write(|_tx| {
            Box::pin(async move {
                tell.notify_one();
                wait.cancelled().await;
                Ok::<_, StoreError>(())
            })
        });
        written.await
    })
    .await;
    let changes = database.store.changes();
    let before = *changes.borrow();
    end.cancel();
    reached.notified().await;
    vanishing.abort();
    assert!(vanishing.await.unwrap_err().is_cancelled());
    go_on.cancel();
    held.await.unwrap().unwrap();
    last.await.unwrap().unwrap();
    assert_eq!(database.entries().await, ["vanishing"]);
    assert_eq!(*changes.borrow(), before + 3);
}

#[tokio::test]
async fn people_go_before_agents() {
    let database = Database::open().await;
    let (end, held) = database.hold().await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(begin(note(database.store.for_agents(), "agent")).await);
    }
    let (store, commits) = (database.store.clone(), Arc::clone(&database.commits));
    let person = begin(async move {
        let noted = note(store, "person").await;
        (noted, commits.load(Ordering::SeqCst))
    });
    let person = person.await;
    end.cancel();
    let (noted, commits) = person.await.unwrap();
    assert_eq!(noted.unwrap(), 1);
    // It did not wait for the agents either.
    assert_eq!(commits, 1);
    for change in waiting {
        change.await.unwrap().unwrap();
    }
    held.await.unwrap().unwrap();
    assert_eq!(database.commits(), 2);
}

#[tokio::test]
async fn full_line_of_agents_refuses_agents_alone() {
    let database = Database::open().await;
    let (end, held) = database.hold().await;
    let mut waiting = Vec::new();
    for _ in 0..WRITERS_WAITING_MAX {
        waiting.push(begin(note(database.store.for_agents(), "agent")).await);
    }
    let refused = note(database.store.for_agents(), "agent").await;
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    let person = begin(note(database.store.clone(), "person")).await;
    end.cancel();
    assert_eq!(person.await.unwrap().unwrap(), 1);
    held.await.unwrap().unwrap();
    for change in waiting {
        change.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn failed_commit_fails_all_that_it_was_to_store() {
    let database = Database::open().await;
    database.fails.store(true, Ordering::SeqCst);
    let (end, held) = database.hold().await;
    let one = begin(note(database.store.clone(), "one")).await;
    let other = begin(note(database.store.clone(), "other")).await;
    end.cancel();
    for change in [one, other] {
        let failed = change.await.unwrap();
        assert!(matches!(failed, Err(StoreError::Commit(_))), "{failed:?}");
    }
    assert!(held.await.unwrap().is_err());
    assert_eq!(database.store.halted().unwrap().cause, HaltCause::CommitFailed);
    assert!(database.entries().await.is_empty());
}

#[tokio::test]
async fn changes_of_full_disk_are_made_again_alone() {
    let database = Database::open().await;
    let (end, held) = database.hold().await;
    let small = begin(note(database.store.clone(), "small")).await;
    let store = database.store.clone();
    let large = begin(async move {
        let written = store.write(|tx| {
            Box::pin(async move {
                query("PRAGMA max_page_count = 1").execute(tx.connection()).await?;
                let table = "CREATE TABLE large AS SELECT randomblob(100000) AS bytes";
                query(table).execute(tx.connection()).await?;
                Ok::<_, StoreError>(())
            })
        });
        written.await
    })
    .await;
    let after = begin(note(database.store.clone(), "after")).await;
    end.cancel();
    held.await.unwrap().unwrap();
    small.await.unwrap().unwrap();
    after.await.unwrap().unwrap();
    assert!(matches!(large.await.unwrap(), Err(StoreError::Database(_))));
    let mut entries = database.entries().await;
    entries.sort();
    assert_eq!(entries, ["after", "small"]);
    assert_eq!(database.store.halted().unwrap().cause, HaltCause::DiskFull);
}

#[tokio::test]
async fn store_that_is_closed_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = &folder.path().join("countersign.db");
    let store = Store::open(path).await.unwrap();
    store.close().await.unwrap();
    note(store, "late").await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn waiter_wakes_for_its_own_request_alone() {
    let world = World::start().await;
    let agent = world.agent().await;
    let only = || json!({ "agent_ids": ["002"] });
    let own = agent.block("203.0.113.1", only()).await.id();
    let store = world.store.clone().unwrap();
    let mut changes = store.changes_of(own.parse().unwrap());
    let mut work = store.work();
    let other = agent.block("203.0.113.2", only()).await.id();
    world.person("bob").await.reject(&other, "no").await;
    assert!(!changes.has_changed().unwrap());
    work.mark_unchanged();
    agent.block("203.0.113.3", only()).await;
    assert!(!work.has_changed().unwrap(), "what waits for people is no work");
    world.person("bob").await.approve(&own).await;
    assert!(changes.has_changed().unwrap() && work.has_changed().unwrap());
    changes.mark_unchanged();
    world.work().await;
    assert!(changes.has_changed().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn ask_is_one_commit_without_channels() {
    let world = World::start().await;
    let agent = world.agent().await;
    let mut before = world.audit_kinds().await.len();
    let commits = count_commits(world.store.as_ref().unwrap()).await;
    for n in 1..=3 {
        agent.block(&format!("203.0.113.{n}"), json!({ "agent_ids": ["002"] })).await;
        world.broker().notify().await.unwrap();
        assert_eq!(commits.load(Ordering::SeqCst), n);
        before += 1;
        assert_eq!(world.audit_kinds().await.len(), before);
    }
}
