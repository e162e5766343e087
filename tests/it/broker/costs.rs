//! What a request costs, counted: commits, SQL statements, evaluations of policy, calls to the
//! manager. Counts, because time on a shared machine says little.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
};

use countersign::store::{Read as _, Store, StoreError};
use serde_json::json;
use tracing::{Event, Metadata, Subscriber, subscriber::set_global_default};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    registry,
};

use crate::harness::{ALERT, World, fixtures::own_set};

/// What may be spent, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Costs {
    /// Each is a sync of the disk.
    commits: usize,
    /// On all connections.
    statements: usize,
    evaluations: usize,
    /// Logins apart.
    calls: usize,
}

/// An ask that people are to decide.
const ASK: Costs = Costs { commits: 1, statements: 36, evaluations: 6, calls: 1 };
/// What the worker does with a request that people approved.
const EXECUTION: Costs = Costs { commits: 2, statements: 45, evaluations: 2, calls: 2 };
/// An ask that policy lets run at once, to its outcome, where a sender is free.
const AT_ONCE: Costs = Costs { commits: 2, statements: 62, evaluations: 2, calls: 2 };

/// The calls of a request from the ask to the outcome.
const CALLS_MAX: usize = 3;

/// The statements on each connection that somebody counts: each has a thread of its own.
static STATEMENTS: LazyLock<Mutex<HashMap<ThreadId, usize>>> = LazyLock::new(Mutex::default);

/// Hears of each statement that sqlx runs.
struct Counter;

impl<S: Subscriber> Layer<S> for Counter {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        if let Some(number) = STATEMENTS.lock().unwrap().get_mut(&thread::current().id()) {
            *number += 1;
        }
    }
}

/// Counts what a world spends.
struct Meter<'a> {
    world: &'a World,
    threads: Vec<ThreadId>,
    commits: Arc<AtomicUsize>,
}

impl<'a> Meter<'a> {
    async fn of(world: &'a World) -> Self {
        static ONCE: LazyLock<()> =
            LazyLock::new(|| set_global_default(registry().with(Counter)).unwrap());
        LazyLock::force(&ONCE);
        let store = world.store.as_ref().unwrap();
        let (writer, commits) = writer(store).await;
        let mut threads = vec![writer];
        for store in [store, &store.for_worker(), &store.for_pages()] {
            threads.extend(readers(store).await);
        }
        let meter = Self { world, threads, commits };
        let mut counted = STATEMENTS.lock().unwrap();
        counted.extend(meter.threads.iter().map(|thread| (*thread, 0)));
        drop(counted);
        meter
    }

    fn now(&self) -> Costs {
        let statements = STATEMENTS.lock().unwrap();
        let world = self.world;
        Costs {
            commits: self.commits.load(Ordering::SeqCst),
            statements: self.threads.iter().map(|thread| statements[thread]).sum(),
            evaluations: world.broker().engine().evaluations().try_into().unwrap(),
            calls: world.manager.calls(),
        }
    }

    /// What something costs, and what came of it.
    async fn measure<T>(&self, what: impl Future<Output = T>) -> (T, Costs) {
        let before = self.now();
        let done = what.await;
        let after = self.now();
        let costs = Costs {
            commits: after.commits - before.commits,
            statements: after.statements - before.statements,
            evaluations: after.evaluations - before.evaluations,
            calls: after.calls - before.calls,
        };
        (done, costs)
    }
}

impl Costs {
    /// Fails where it is more, and where nothing was counted: then the counter is broken.
    #[track_caller]
    fn assert_within(self, most: Self) {
        let each = [
            ("commits", self.commits, most.commits),
            ("statements", self.statements, most.statements),
            ("evaluations", self.evaluations, most.evaluations),
            ("calls", self.calls, most.calls),
        ];
        for (what, spent, most) in each {
            assert!((1..=most).contains(&spent), "{spent} {what}, at most {most}: {self}");
        }
    }
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commits, statements, evaluations, calls } = self;
        write!(f, "{commits} commits, {statements} statements, {evaluations} evaluations, ")?;
        write!(f, "{calls} calls")
    }
}

/// The thread of the connection that writes, and the number of its commits.
async fn writer(store: &Store) -> (ThreadId, Arc<AtomicUsize>) {
    let (commits, thread) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
    let hook = (&commits, &thread);
    let prepared = store.write_quietly(|tx| {
        Box::pin(async move {
            let (commits, thread) = (Arc::clone(hook.0), Arc::clone(hook.1));
            tx.connection().lock_handle().await?.set_commit_hook(move || {
                *thread.lock().unwrap() = Some(thread::current().id());
                commits.fetch_add(1, Ordering::SeqCst);
                true
            });
            // Only what writes is committed.
            sqlx::query("PRAGMA user_version = 0").execute(tx.connection()).await?;
            Ok::<_, StoreError>(())
        })
    });
    prepared.await.unwrap();
    let thread = thread.lock().unwrap().unwrap();
    (thread, commits)
}

/// The threads of all connections that this store reads through.
async fn readers(store: &Store) -> Vec<ThreadId> {
    let (mut all, mut threads) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        all.push(store.reader().await.unwrap());
    }
    for reader in &mut all {
        let found = Arc::new(Mutex::new(None));
        let told = Arc::clone(&found);
        reader.connection().lock_handle().await.unwrap().set_progress_handler(1, move || {
            *told.lock().unwrap() = Some(thread::current().id());
            true
        });
        sqlx::query("SELECT count(*) FROM request").execute(reader.connection()).await.unwrap();
        reader.connection().lock_handle().await.unwrap().remove_progress_handler();
        threads.push(found.lock().unwrap().unwrap());
    }
    threads
}

/// A world with its own set of policies, whose manager has said which installation it is, and how its
/// endpoints are set: both are asked once in a while. Its agent has a history, so policy is asked what it would say
/// without that too.
async fn world() -> World {
    let world = World::builder().with_only_policy(&own_set()).start().await;
    let first =
        world.agent().await.block("203.0.113.1", json!({ "agent_ids": ["001", "002"] })).await;
    world.person("bob").await.approve(&first.id()).await;
    world.work().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_request_stays_within_its_costs() {
    let world = world().await;
    let (agent, bob) = (world.agent().await, world.person("bob").await);
    let meter = Meter::of(&world).await;
    let ask = agent.block("203.0.113.2", json!({ "agent_ids": ["002"] }));
    let (asked, ask) = meter.measure(ask).await;
    assert_eq!(asked.state(), "pending");
    ask.assert_within(ASK);
    bob.approve(&asked.id()).await;
    let ((), execution) = Box::pin(meter.measure(world.work())).await;
    execution.assert_within(EXECUTION);
    assert!(ask.calls + execution.calls <= CALLS_MAX, "{ask}; {execution}");
    assert_eq!(agent.get(&asked.id()).await.outcomes(), ["002: sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_runs_at_once_stays_within_its_costs() {
    let world = world().await;
    world.broker().open_senders("test");
    let agent = world.agent().await;
    let meter = Meter::of(&world).await;
    let run = async {
        let found = json!({ "agent_ids": ["001"], "alert_id": ALERT });
        let asked = agent.block("203.0.113.7", found).await;
        assert_eq!(asked.state(), "dispatching", "{asked:?}");
        world.work().await;
        asked.id()
    };
    let (id, costs) = Box::pin(meter.measure(run)).await;
    costs.assert_within(AT_ONCE);
    assert_eq!(agent.get(&id).await.outcomes(), ["001: sent"]);
}
