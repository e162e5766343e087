//! Who reads through which connections: nobody waits for what another part of the broker reads.

use std::time::{Duration, Instant};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use crate::store::{Reader, Store, StoreError, WAIT_MAX};

/// For agents, and on the command line.
const READERS_MAX: u32 = 4;
/// For the worker alone: whatever the others read, it is never in their queue.
const WORKER_READERS_MAX: u32 = 4;
/// For pages and probes: they hold up neither the agents nor the worker.
const PAGE_READERS_MAX: u32 = 4;
/// What a page reads ends after this.
const PAGE_READ_MAX: Duration = Duration::from_secs(10);
/// After so many steps of a statement it is asked whether its time is over.
const DEADLINE_STEPS: i32 = 10_000;
/// `SQLITE_INTERRUPT`: only the deadline of a page interrupts.
const INTERRUPTED: &str = "9";

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        if code.as_deref() == Some(INTERRUPTED) { Self::TooLong } else { Self::Database(error) }
    }
}

/// The connections that cannot write.
#[derive(Debug, Clone)]
pub(in crate::store) struct Readers {
    /// Those that this store reads through.
    used: SqlitePool,
    /// How long it may read.
    read_max: Option<Duration>,
    agents: SqlitePool,
    worker: SqlitePool,
    pages: SqlitePool,
    /// For the walk along the audit.
    walk: SqlitePool,
}

impl Readers {
    /// Connects those of the agents; the others when they are needed.
    pub(in crate::store) async fn connect(
        options: &SqliteConnectOptions,
    ) -> Result<Self, sqlx::Error> {
        let pool = |most| SqlitePoolOptions::new().max_connections(most).acquire_timeout(WAIT_MAX);
        let lazy = |most| pool(most).connect_lazy_with(options.clone());
        let agents = pool(READERS_MAX).connect_with(options.clone()).await?;
        Ok(Self {
            used: agents.clone(),
            read_max: None,
            agents,
            worker: lazy(WORKER_READERS_MAX),
            pages: lazy(PAGE_READERS_MAX),
            walk: lazy(1),
        })
    }

    /// All of them.
    pub(in crate::store) fn pools(&self) -> [SqlitePool; 4] {
        [&self.agents, &self.worker, &self.pages, &self.walk].map(Clone::clone)
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

    /// The same store with one reader, for one long walk.
    pub fn for_walk(&self) -> Self {
        self.reading_through(&self.readers.walk, None)
    }

    /// The same store, whose readers have this long: [`StoreError::TooLong`] after that.
    #[must_use]
    pub fn reading_at_most(&self, read_max: Duration) -> Self {
        self.reading_through(&self.readers.used, Some(read_max))
    }

    fn reading_through(&self, used: &SqlitePool, read_max: Option<Duration>) -> Self {
        let readers = Readers { used: used.clone(), read_max, ..self.readers.clone() };
        Self { readers, ..self.clone() }
    }

    /// A connection for reading. What it reads may be a moment old.
    pub async fn reader(&self) -> Result<Reader, StoreError> {
        let mut reader = self.readers.used.acquire().await?;
        if let Some(read_max) = self.readers.read_max {
            let end = Instant::now() + read_max;
            let mut handle = reader.lock_handle().await?;
            handle.set_progress_handler(DEADLINE_STEPS, move || Instant::now() < end);
        }
        Ok(Reader(reader))
    }
}
