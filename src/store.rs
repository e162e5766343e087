//! SQL: every row, every transaction.
//!
//! All writes go through [`Store::write`], one after the other, behind bounded queues; those that
//! wait are committed together. Reads have their own connections, which cannot write.

use std::{
    marker::PhantomData,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use tokio::sync::watch;

use self::{
    files::{
        condition::Condition,
        high_water_mark::{self, MarkFile},
        lock::ServerLock,
        migrations::{self, MigrationError},
        private_file,
        readers::Readers,
    },
    sqlite::{
        Connection,
        pool::{Access, Options, Pool, Thread},
    },
    writer::{Effects, Lane, Loan, Queue, Settled},
};
pub use self::{
    files::{
        disk::{FLOOR_BYTES, FreeSpace, free_bytes, reserve_beside},
        high_water_mark::MarkState,
    },
    sqlite::pool::DatabaseCounts,
    system::set_back::set_back,
    writer::{
        WRITERS_WAITING_MAX,
        measures::{CommitMeasures, CountsByWord},
        versions::{Subject, Version},
    },
};
use crate::{
    clock::Clock,
    domain::{halt::Halt, id::RequestId},
};

pub mod accounts;
pub mod audit;
mod files;
pub mod known_addresses;
pub mod managers;
pub mod notices;
pub mod record;
pub mod requests;
mod row;
pub mod sqlite;
pub mod system;
mod writer;

/// How long a command-line write waits for the server's, and a read for a free connection.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said so.
    #[error("the database failed: {0}")]
    Database(#[source] sqlite::Error),
    /// A commit failed; the same for all whose changes it was to store.
    #[error("the database failed: {0}")]
    Commit(Arc<sqlite::Error>),
    /// The store is closed.
    #[error("the database is closed")]
    Closed,
    /// The file cannot be used.
    #[error("cannot use the database {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The file is damaged, or lacks a part.
    #[error("cannot use the database {}: {why}; {remedy}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A migration failed: the database is as it was before it.
    #[error("cannot bring the database up to date: {0}")]
    Migrate(#[source] MigrationError),
    /// Another server has the file.
    #[error("another countersign process is serving {}", path.display())]
    Locked {
        /// The database that is in use.
        path: PathBuf,
    },
    /// A change that the disk had no room for is stored nevertheless.
    #[error("a change that did not fit on the disk is there nevertheless")]
    NotRolledBack,
    /// What a page asked for takes longer than a page may.
    #[error("there is too much to look through for one page; set more filters, or a time")]
    TooLong,
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

impl StoreError {
    /// Whether the same change may succeed in a moment.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Busy | Self::Database(_) | Self::Commit(_))
    }
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    writer: Pool,
    queue: Queue,
    lane: Lane,
    readers: Readers,
    clock: Clock,
    /// Whether there is a channel that notices go to.
    notifies: bool,
    condition: Arc<Condition>,
    /// Of the server: the command line has none.
    #[expect(dead_code, reason = "it is held, not read")]
    lock: Option<Arc<ServerLock>>,
}

/// A write transaction. The lifetime is that of what its function borrows.
#[derive(Debug)]
pub struct Tx<'a> {
    loan: Loan,
    effects: Effects,
    clock: Clock,
    notifies: bool,
    condition: Arc<Condition>,
    borrows: PhantomData<&'a ()>,
}

/// What a transaction function returns. Boxed: the compiler cannot yet see that an async closure
/// over a borrowed transaction may move between threads.
pub type TxWork<'t, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 't>>;

/// A connection that cannot write.
#[derive(Debug)]
pub struct Reader(Connection);

/// Something that rows can be read through: a transaction or a reader.
pub trait Read: Send {
    /// The connection that a query runs on.
    fn connection(&mut self) -> &mut Connection;
}

impl Tx<'_> {
    /// Does this once the transaction is committed, even where its caller vanished; never, where it
    /// is undone.
    pub fn after_commit(&mut self, follow: impl FnOnce() + Send + Sync + 'static) {
        self.effects.then.push(writer::Then(Box::new(follow)));
    }

    /// Whether one of these moved since, be it by a change of the same batch. What this transaction
    /// itself did does not count.
    pub fn moved_since(&self, since: Version, subjects: &[Subject]) -> bool {
        self.condition.versions.moved_since(since, subjects)
    }

    /// How far the machine's clock is ahead of the moments that the broker counts by.
    fn clock_off(&self) -> TimeDelta {
        self.clock.off()
    }
}

impl Read for Tx<'_> {
    fn connection(&mut self) -> &mut Connection {
        &mut self.loan.connection
    }
}

impl Read for Connection {
    fn connection(&mut self) -> &mut Connection {
        self
    }
}

impl Read for Reader {
    fn connection(&mut self) -> &mut Connection {
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
        let lock = Some(Arc::new(ServerLock::new(lock, store.connections())));
        let gap = match store.compare_with_mark(mark).await? {
            MarkState::Gap(gap) => Some(gap),
            MarkState::None | MarkState::Kept(_) => None,
        };
        let mark = mark.map_or_else(|| high_water_mark::beside(path), Path::to_owned);
        store.condition.set_mark(MarkFile::new(mark, gap));
        let store = Self { lock, ..store };
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

    /// The same, without notices: there is no channel that they could go to.
    #[must_use]
    pub fn without_notices(self) -> Self {
        Self { notifies: false, ..self }
    }

    async fn connect(path: &Path) -> Result<Self, StoreError> {
        let options = Options::new(path, Access::Write, WAIT_MAX);
        let counters = Arc::default();
        let writer = Pool::new(options.clone(), (Thread::Own, 1), Arc::clone(&counters));
        migrations::migrate(&writer).await?;
        let options = Options { access: Access::Read, ..options };
        let readers = Readers::connect(&options, &counters).await?;
        let store = Self::of(path, writer, readers);
        system::recall_entries(&mut store.reader().await?).await?;
        Ok(store)
    }

    /// A store on these connections; its writer is started.
    fn of(path: &Path, writer: Pool, readers: Readers) -> Self {
        let condition = Arc::new(Condition::of(path));
        Self {
            path: path.to_owned(),
            queue: writer::start(writer.clone(), Arc::clone(&condition), Clock::system()),
            writer,
            lane: Lane::First,
            readers,
            clock: Clock::system(),
            notifies: true,
            condition,
            lock: None,
        }
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
        self.change(work, true).await
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
        self.change(work, false).await
    }

    async fn change<'a, T, E>(
        &self,
        work: impl for<'t> Fn(&'t mut Tx<'a>) -> TxWork<'t, T, E> + Send,
        shown: bool,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        let mut alone = false;
        loop {
            let loan = self.queue.borrow(self.lane, alone).await?;
            let (clock, notifies) = (self.clock.clone(), self.notifies);
            let (effects, borrows) = (Effects::default(), PhantomData);
            let condition = Arc::clone(&self.condition);
            let mut tx = Tx { loan, effects, clock, notifies, condition, borrows };
            let done = work(&mut tx).await;
            let Tx { loan, effects, .. } = tx;
            match (loan.settle(done.is_err(), effects, shown).await?, done) {
                (Settled::Again, _) => alone = true,
                (Settled::Failed(error), Ok(_)) => return Err(StoreError::Commit(error).into()),
                (Settled::Committed | Settled::Undone | Settled::Failed(_), done) => return done,
            }
        }
    }

    /// What is read from now on is of this version, or newer. Taken before the first read.
    pub fn version(&self) -> Version {
        self.condition.versions.stored()
    }

    /// Wakes everything that waits for [`Store::changes`].
    pub fn announce(&self) {
        self.condition.news.pages.count();
    }

    /// What this database was asked for since it was opened.
    pub fn counts(&self) -> DatabaseCounts {
        self.writer.counters().read()
    }

    /// What is counted of what is committed.
    pub fn commit_measures(&self) -> &CommitMeasures {
        &self.condition.measures
    }

    /// How many changes wait for those before them, in the line that those of this store wait in.
    pub fn waiting(&self) -> usize {
        self.queue.waiting(self.lane)
    }

    /// The same store, whose changes let those of people and the worker go first.
    pub fn for_agents(&self) -> Self {
        Self { lane: Lane::Agents, ..self.clone() }
    }

    /// Changes whenever this process wrote something that a page may show.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.condition.news.pages.subscribe()
    }

    /// Changes with a request.
    pub fn changes_of(&self, request: RequestId) -> watch::Receiver<u64> {
        self.condition.news.of_request(request)
    }

    /// Changes whenever the worker may have something to send.
    pub fn work(&self) -> watch::Receiver<u64> {
        self.condition.news.work.subscribe()
    }

    /// Changes with accounts, the kill switch and policies.
    pub fn system_changes(&self) -> watch::Receiver<u64> {
        self.condition.news.system.subscribe()
    }

    /// Why there is no room for anything new; none where there is.
    pub fn lacks_room(&self) -> Option<Halt> {
        self.condition.disk.halted()
    }

    /// Why nothing may be sent: a commit has failed, the database may lack what was sent, the
    /// high-water mark cannot be kept, or the disk is full or nearly so.
    pub fn halted(&self) -> Option<Halt> {
        self.condition.halted()
    }
}
