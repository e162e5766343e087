//! The writer's line, which a test holds and fills: what waits in it is committed together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use countersign::store::{Read as _, Store, StoreError};
use serde_json::json;
use tokio::{
    sync::Notify,
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{AgentClient, World, agent::Answer};

/// A change that keeps all others waiting until it is told to end.
pub(crate) struct Line {
    store: Store,
    end: CancellationToken,
    held: JoinHandle<Result<(), StoreError>>,
}

impl Line {
    /// Holds it, as an agent.
    pub(crate) async fn hold(store: &Store) -> Self {
        Self::hold_as(store.for_agents()).await
    }

    /// Holds it, as whoever this store is for.
    pub(crate) async fn hold_as(store: Store) -> Self {
        let (begun, end) = (Arc::new(Notify::new()), CancellationToken::new());
        let (tell, wait, holder) = (Arc::clone(&begun), end.clone(), store.clone());
        let held = tokio::spawn(async move {
            let (tell, wait) = (&tell, &wait);
            let held = holder.write_quietly(|_tx| {
                Box::pin(async move {
                    tell.notify_one();
                    wait.cancelled().await;
                    Ok(())
                })
            });
            held.await
        });
        begun.notified().await;
        Self { store, end, held }
    }

    /// Waits until so many changes wait in its line.
    pub(crate) async fn until(&self, waiting: usize) {
        until_waiting(&self.store, waiting).await;
    }

    /// Lets it go on; what became of the change that held it.
    pub(crate) async fn release(self) -> Result<(), StoreError> {
        self.end.cancel();
        self.held.await.unwrap()
    }
}

/// Waits until so many changes wait in the line of a store.
pub(crate) async fn until_waiting(store: &Store, waiting: usize) {
    let all_wait = async {
        while store.waiting() < waiting {
            tokio::task::yield_now().await;
        }
    };
    let in_time = timeout(Duration::from_mins(1), all_wait).await;
    assert!(in_time.is_ok(), "{} wait, not {waiting}", store.waiting());
}

/// Counts the commits of a store from now on.
pub(crate) async fn count_commits(store: &Store) -> Arc<AtomicUsize> {
    let commits = Arc::new(AtomicUsize::new(0));
    let counter = &commits;
    let prepared = store.write_quietly(|tx| {
        Box::pin(async move {
            let counter = Arc::clone(counter);
            let hook = move || {
                counter.fetch_add(1, Ordering::SeqCst);
                false
            };
            tx.connection().run(move |raw| raw.commit_hook(Some(hook))).await?;
            Ok::<_, StoreError>(())
        })
    });
    prepared.await.unwrap();
    commits.store(0, Ordering::SeqCst);
    commits
}

/// Asks of the agent that end together.
pub(crate) struct Asks {
    /// A client has no more than 32 calls under way.
    clients: Vec<Arc<AgentClient>>,
    begun: JoinSet<(usize, Answer)>,
}

impl Asks {
    pub(crate) async fn of(world: &World) -> Self {
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(Arc::new(world.agent().await));
        }
        Self { clients, begun: JoinSet::new() }
    }

    /// This many, which wait in a line that is held.
    pub(crate) async fn begin(world: &World, line: &Line, number: usize) -> Self {
        let mut asks = Self::of(world).await;
        (1..=number).for_each(|n| asks.ask(n));
        asks.wait(line, number).await;
        asks
    }

    /// Asks to block 203.0.113.n on 002.
    pub(crate) fn ask(&mut self, n: usize) {
        let agent = Arc::clone(&self.clients[n % self.clients.len()]);
        self.begun.spawn(async move {
            (n, agent.block(&format!("203.0.113.{n}"), json!({ "agent_ids": ["002"] })).await)
        });
    }

    /// Returns when so many of them wait.
    pub(crate) async fn wait(&mut self, line: &Line, number: usize) {
        tokio::select! {
            () = line.until(number) => {}
            done = self.begun.join_next() => panic!("it did not wait: {done:#?}"),
        }
    }

    /// Their answers, in their order.
    pub(crate) async fn answers(self) -> Vec<Answer> {
        let mut answers = self.begun.join_all().await;
        answers.sort_unstable_by_key(|(n, _)| *n);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

/// Interrupts each statement of a store that takes more steps.
pub(crate) async fn limit_steps(store: &Store, steps: i32) {
    let mut readers = Vec::new();
    for store in [store, &store.for_worker()] {
        for _ in 0..4 {
            readers.push(store.reader().await.unwrap());
        }
    }
    for reader in &mut readers {
        let limited =
            reader.connection().run(move |raw| raw.progress_handler(steps, Some(|| true)));
        limited.await.unwrap();
    }
    let limited = store.write_quietly(|tx| {
        Box::pin(async move {
            tx.connection().run(move |raw| raw.progress_handler(steps, Some(|| true))).await?;
            Ok::<_, StoreError>(())
        })
    });
    limited.await.unwrap();
}
