//! Who reads through which connections: nobody waits for what another part of the broker reads.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::visible::views;
use crate::store::{
    Reader, Store, StoreError,
    sqlite::{
        self,
        pool::{Counters, Options, Pool, Thread},
    },
};

/// For agents, and on the command line.
const READERS_MAX: u32 = 4;
/// For the worker alone: whatever the others read, it is never in their queue.
const WORKER_READERS_MAX: u32 = 4;
/// For pages and probes: they hold up neither the agents nor the worker.
const PAGE_READERS_MAX: u32 = 4;
/// For feeds, which may have much to catch up with.
const FEED_READERS_MAX: u32 = 2;
/// What a page reads ends after this.
const PAGE_READ_MAX: Duration = Duration::from_secs(10);
/// After so many steps of a statement it is asked whether its time is over.
const DEADLINE_STEPS: i32 = 10_000;

impl From<sqlite::Error> for StoreError {
    fn from(error: sqlite::Error) -> Self {
        // Only the deadline of a page interrupts.
        if error.is_interrupt() { Self::TooLong } else { Self::Database(error) }
    }
}

/// The connections that cannot write.
#[derive(Debug, Clone)]
pub(in crate::store) struct Readers {
    /// Those that this store reads through.
    used: Pool,
    /// How long it may read.
    read_max: Option<Duration>,
    agents: Pool,
    worker: Pool,
    pages: Pool,
    /// For the pages of people who do not see everything.
    pub(super) visible: Pool,
    feeds: Pool,
    /// For the walk along the audit.
    walk: Pool,
}

impl Readers {
    /// Connects one of the agents; the others when they are needed.
    pub(in crate::store) async fn connect(
        options: &Options,
        counters: &Arc<Counters>,
    ) -> Result<Self, sqlite::Error> {
        let pool = |thread, most| Pool::new(options.clone(), (thread, most), Arc::clone(counters));
        let visible = Options { temporary: views(), ..options.clone() };
        let agents = pool(Thread::Own, READERS_MAX);
        drop(agents.acquire().await?);
        Ok(Self {
            used: agents.clone(),
            read_max: None,
            agents,
            worker: pool(Thread::Own, WORKER_READERS_MAX),
            pages: pool(Thread::Blocking, PAGE_READERS_MAX),
            visible: Pool::new(visible, (Thread::Blocking, PAGE_READERS_MAX), Arc::clone(counters)),
            feeds: pool(Thread::Blocking, FEED_READERS_MAX),
            walk: pool(Thread::Blocking, 1),
        })
    }

    /// All of them.
    pub(in crate::store) fn pools(&self) -> [Pool; 6] {
        let Self { agents, worker, pages, visible, feeds, walk, .. } = self;
        [agents, worker, pages, visible, feeds, walk].map(Clone::clone)
    }
}

impl Store {
    /// The same store, whose readers are the worker's own.
    pub fn for_worker(&self) -> Self {
        self.reading_through(&self.readers.worker, None)
    }

    /// The same store, whose readers are those of the pages: what they read must end in time.
    pub fn for_pages(&self) -> Self {
        self.reading_through(&self.readers.pages, Some(PAGE_READ_MAX))
    }

    /// The same store for feeds: its readers are theirs alone, and its changes let those of people and
    /// the worker go first.
    pub fn for_feeds(&self) -> Self {
        self.reading_through(&self.readers.feeds, None).for_agents()
    }

    /// The same store with one reader, for one long walk.
    pub fn for_walk(&self) -> Self {
        self.reading_through(&self.readers.walk, None)
    }

    /// The same store, whose readers have this long: [`StoreError::TooLong`] after that.
    #[must_use]
    pub fn reading_at_most(&self, read_max: Duration) -> Self {
        self.reading_through(&self.readers.used, Some(read_max))
    }

    fn reading_through(&self, used: &Pool, read_max: Option<Duration>) -> Self {
        let readers = Readers { used: used.clone(), read_max, ..self.readers.clone() };
        Self { readers, ..self.clone() }
    }

    /// A connection for reading. What it reads may be a moment old.
    pub async fn reader(&self) -> Result<Reader, StoreError> {
        self.lend(&self.readers.used).await
    }

    pub(super) async fn lend(&self, from: &Pool) -> Result<Reader, StoreError> {
        let mut reader = from.acquire().await?;
        let end = self.readers.read_max.map(|read_max| Instant::now() + read_max);
        let over = end.map(|end| move || Instant::now() >= end);
        reader.raw()?.progress_handler(DEADLINE_STEPS, over).map_err(sqlite::Error::from)?;
        Ok(Reader(reader))
    }
}
