//! SQL: every row, every transaction.
//!
//! All writes go through [`Store::write`], one at a time, behind a bounded queue. Reads have their
//! own connections, which cannot write.

use std::{
    marker::PhantomData,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use sqlx::{
    Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{Semaphore, watch};

use self::{
    audit::LogLine,
    files::{
        disk::{self, Disk, Fullness},
        lock::ServerLock,
        private_file,
    },
    high_water_mark::MarkFile,
};
pub use self::{
    files::disk::{FLOOR_BYTES, FreeSpace, free_bytes, reserve_beside},
    high_water_mark::MarkState,
    set_back::set_back,
};
use crate::{
    clock::Clock,
    domain::{
        audit::{EventKind, high_water_mark::ChainHead},
        halt::{Halt, HaltCause},
    },
    failpoint,
};

pub mod accounts;
pub mod audit;
mod files;
mod high_water_mark;
pub mod known_addresses;
pub mod managers;
mod migrations;
pub mod notices;
pub mod requests;
mod row;
mod set_back;
pub mod system;

/// How many writers may wait. One more gets [`StoreError::Busy`].
pub const WRITERS_WAITING_MAX: usize = 256;
/// How long a command-line write waits for the server's, and a read for a free connection.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a write waits for those before it.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(30);
/// For pages, agents and probes.
const READERS_MAX: u32 = 4;
/// For the worker alone: whatever the others read, it is never in their queue.
const WORKER_READERS_MAX: u32 = 4;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said so.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The file cannot be used.
    #[error("cannot use the database {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A migration failed: the database is as it was before it.
    #[error("cannot bring the database up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Another server has the file.
    #[error("another countersign process is serving {}", path.display())]
    Locked {
        /// The database that is in use.
        path: PathBuf,
    },
    /// A change that the disk had no room for is stored nevertheless.
    #[error("a change that did not fit on the disk is there nevertheless")]
    NotRolledBack,
    /// Too many writers wait.
    #[error("too many changes at once; try again in a moment")]
    Busy,
    /// The row was changed by another transaction first.
    #[error("it was changed in the meantime; look at it again")]
    Conflict,
    /// A row holds what it cannot hold.
    #[error("row {id} of table {table} is inconsistent: {why}")]
    Inconsistent {
        /// The table, for a person with a database shell.
        table: &'static str,
        /// The row: its id, or how it was found.
        id: String,
        /// What does not fit.
        why: String,
    },
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    writer: SqlitePool,
    queue: Arc<Semaphore>,
    readers: SqlitePool,
    worker_readers: SqlitePool,
    changed: Arc<watch::Sender<u64>>,
    clock: Clock,
    /// What the first commit that failed said.
    failed: Arc<OnceLock<String>>,
    disk: Arc<Disk>,
    /// Of the server: the command line has none.
    #[expect(dead_code, reason = "it is held, not read")]
    lock: Option<Arc<ServerLock>>,
    /// Of the server too.
    mark: Option<Arc<MarkFile>>,
}

/// A write transaction. The lifetime is that of what its function borrows.
#[derive(Debug)]
pub struct Tx<'a> {
    open: Transaction<'static, Sqlite>,
    /// What was appended to the audit. It goes to the log once it is committed.
    recorded: Vec<LogLine>,
    /// The newest entry that was appended.
    head: Option<ChainHead>,
    clock: Clock,
    borrows: PhantomData<&'a ()>,
}

/// What a transaction function returns. Boxed: the compiler cannot yet see that an async closure
/// over a borrowed transaction may move between threads.
pub type TxWork<'t, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 't>>;

/// A connection that cannot write.
#[derive(Debug)]
pub struct Reader(PoolConnection<Sqlite>);

/// Something that rows can be read through: a transaction or a reader.
pub trait Read: Send {
    /// The connection that a query runs on.
    fn connection(&mut self) -> &mut SqliteConnection;
}

impl Tx<'_> {
    /// How far the machine's clock is ahead of the moments that the broker counts by.
    fn clock_off(&self) -> TimeDelta {
        self.clock.off()
    }
}

impl Read for Tx<'_> {
    fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.open
    }
}

impl Read for Reader {
    fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }
}

impl Store {
    /// Opens a database as its only server, creating and migrating it. The high-water mark is kept
    /// in that file, or else beside the database. Where the database lacks what the mark names,
    /// [`Store::halted`] says so.
    pub async fn serve(path: &Path, mark: Option<&Path>) -> Result<Self, StoreError> {
        private_file(path)?;
        let lock = files::lock::lock(path)?;
        let store = Self::open(path).await?;
        let connections =
            [store.writer.clone(), store.readers.clone(), store.worker_readers.clone()];
        let lock = Some(Arc::new(ServerLock::new(lock, connections)));
        let gap = match store.compare_with_mark(mark).await? {
            MarkState::Gap(gap) => Some(gap),
            MarkState::None | MarkState::Kept(_) => None,
        };
        let mark = mark.map_or_else(|| high_water_mark::beside(path), Path::to_owned);
        let store = Self { lock, mark: Some(Arc::new(MarkFile::new(mark, gap))), ..store };
        store.keep_mark().await?;
        Ok(store)
    }

    /// Opens a database beside a server that may be running, creating and migrating it.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        private_file(path)?;
        files::check_whole(path)?;
        Self::connect(path).await.map_err(|error| files::named(path, error))
    }

    /// The same, with the clock that its transactions go by; the machine's where this is not called.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    async fn connect(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(WAIT_MAX)
            .pragma("wal_autocheckpoint", "4000");
        let stale = Arc::new(AtomicBool::new(false));
        let disk = Arc::new(Disk::of(path, Arc::clone(&stale)));
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WRITE_WAIT_MAX)
            // SQLite itself rolls back where a disk is full or fails. sqlx does not notice, and
            // would refuse every transaction after that: such a connection is replaced.
            .before_acquire(move |writer, _| {
                let replaced = stale.swap(false, Ordering::SeqCst) || writer.is_in_transaction();
                Box::pin(async move { Ok(!replaced) })
            })
            .connect_with(options.clone())
            .await?;
        migrations::migrator().run(&writer).await?;
        let options = options.read_only(true).pragma("query_only", "ON");
        let pool = SqlitePoolOptions::new().acquire_timeout(WAIT_MAX);
        let readers =
            pool.clone().max_connections(READERS_MAX).connect_with(options.clone()).await?;
        let worker_readers = pool.max_connections(WORKER_READERS_MAX).connect_lazy_with(options);
        Ok(Self {
            path: path.to_owned(),
            writer,
            queue: Arc::new(Semaphore::new(WRITERS_WAITING_MAX)),
            readers,
            worker_readers,
            changed: Arc::new(watch::Sender::new(0)),
            clock: Clock::system(),
            failed: Arc::new(OnceLock::new()),
            disk,
            lock: None,
            mark: None,
        })
    }

    /// Runs a function in a transaction and commits what it did; an error undoes it. Everything
    /// that waits for [`Store::changes`] wakes up.
    ///
    /// The function must have no other effect: it may be run again. It may wait for nothing but
    /// the database.
    pub async fn write<'a, T, E>(
        &self,
        work: impl for<'t> Fn(&'t mut Tx<'a>) -> TxWork<'t, T, E> + Send,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        let done = self.write_quietly(work).await?;
        self.announce();
        Ok(done)
    }

    /// [`Store::write`] for rows that no page shows: nothing wakes up. Otherwise every page would
    /// load again and show the same.
    pub async fn write_quietly<'a, T, E>(
        &self,
        work: impl for<'t> Fn(&'t mut Tx<'a>) -> TxWork<'t, T, E> + Send,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        let _place = self.queue.try_acquire().map_err(|_full| StoreError::Busy)?;
        let mut again = true;
        let (done, recorded, head) = loop {
            let mut tx = self.begin().await?;
            let (error, full) = match work(&mut tx).await {
                Ok(done) => match self.commit(tx).await {
                    Ok((recorded, head)) => break (done, recorded, head),
                    Err((error, full)) => (error.into(), full),
                },
                Err(error) => (error, self.note_if_full(tx).await),
            };
            // Once more, where the reserve made room.
            if full != Fullness::Released || !again {
                return Err(error);
            }
            again = false;
        };
        if recorded.iter().any(|line| line.kind == EventKind::DispatchClaimed.name()) {
            failpoint::reached("before the mark").await;
        }
        if let (Some(mark), Some(head)) = (&self.mark, head) {
            mark.advance(head);
        }
        for LogLine { seq, kind, actor, request } in recorded {
            let request = request.map(tracing::field::display);
            tracing::info!(audit.seq = seq, kind, actor, request.id = request, "recorded");
        }
        Ok(done)
    }

    async fn begin<'a>(&self) -> Result<Tx<'a>, StoreError> {
        let open = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let (recorded, clock) = (Vec::new(), self.clock.clone());
        let mut tx = Tx { open, recorded, head: None, clock, borrows: PhantomData };
        let checked = disk::check_rollback(&mut tx, self.disk.lost()).await;
        if let Err(error @ StoreError::NotRolledBack) = &checked {
            self.fail(error);
        }
        checked.map(|()| tx)
    }

    /// Commits; a failure, with what became of the disk.
    async fn commit(
        &self,
        tx: Tx<'_>,
    ) -> Result<(Vec<LogLine>, Option<ChainHead>), (StoreError, Fullness)> {
        let Tx { open, recorded, head, .. } = tx;
        match open.commit().await {
            Ok(()) => Ok((recorded, head)),
            Err(error) if disk::is_full(&error) => Err((error.into(), self.filled_up(head))),
            Err(error) => {
                self.fail(&error);
                Err((error.into(), Fullness::NotFull))
            }
        }
    }

    /// Nothing is sent any more: nobody knows what the disk has.
    fn fail(&self, error: &dyn std::error::Error) {
        tracing::error!(%error, "a commit failed; nothing is sent until a restart");
        let _first = self.failed.set(error.to_string());
        self.announce();
    }

    /// Wakes everything that waits for [`Store::changes`].
    pub fn announce(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The same store, whose readers are the worker's own.
    pub fn for_worker(&self) -> Self {
        Self { readers: self.worker_readers.clone(), ..self.clone() }
    }

    /// A connection for reading. What it reads may be a moment old.
    pub async fn reader(&self) -> Result<Reader, StoreError> {
        Ok(Reader(self.readers.acquire().await?))
    }

    /// Changes whenever this process wrote something that a page may show.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Why there is no room for anything new; none where there is.
    pub fn lacks_room(&self) -> Option<Halt> {
        self.disk.halted()
    }

    /// Why nothing may be sent: a commit has failed, the database may lack what was sent, the
    /// high-water mark cannot be kept, or the disk is full or nearly so.
    pub fn halted(&self) -> Option<Halt> {
        if let Some(why) = self.failed.get() {
            let why = format!("a change could not be stored ({why}); restart the broker");
            return Some(Halt { cause: HaltCause::CommitFailed, why });
        }
        let mark = self.mark.as_ref().and_then(|mark| mark.halted());
        mark.or_else(|| self.disk.halted())
    }
}
