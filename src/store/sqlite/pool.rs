//! Connections: opened when they are needed, lent, and taken back.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rusqlite::OpenFlags;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};
use url::Url;

use super::Error;

/// How many prepared statements a connection keeps: more than there are.
const PREPARED_MAX: usize = 300;

/// How a database is opened.
#[derive(Debug, Clone)]
pub(in crate::store) struct Options {
    pub(in crate::store) path: PathBuf,
    pub(in crate::store) access: Access,
    /// How long a statement waits for another process, and how long one waits for a connection.
    pub(in crate::store) wait_max: Duration,
    /// Statements that make what only the connection has, such as views that stand for tables.
    pub(in crate::store) temporary: String,
}

/// What the connections may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Access {
    Write,
    Read,
    /// Nobody has a file without a write-ahead log: it needs no locks, also on read-only media.
    ReadImmutable,
}

/// Where statements run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Thread {
    /// Where they are asked for: they must be short.
    Own,
    /// On one that may block.
    Blocking,
}

/// What a database was asked for, on all connections of a store and of its copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseCounts {
    /// Commits that stored something: each is a sync of the disk.
    pub commits: u64,
    /// Statements, begins and commits among them.
    pub statements: u64,
    /// Those of them that ran on the connection that writes: other changes waited meanwhile.
    pub on_writer: u64,
}

/// Some connections to one database. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::store) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: Options,
    thread: Thread,
    most: u32,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Open>>,
    counters: Arc<Counters>,
}

/// What ran on all connections of a store.
#[derive(Debug, Default)]
pub(in crate::store) struct Counters {
    /// Those that stored something: each is a sync of the disk.
    commits: AtomicU64,
    statements: AtomicU64,
    on_writer: AtomicU64,
    opened: AtomicUsize,
}

/// A connection that is in use. It goes back to where it came from.
pub struct Connection {
    /// None while a thread has it, and where whoever waited for that thread vanished.
    open: Option<Box<Open>>,
    pool: Pool,
    /// Whether nobody is to use it again.
    discarded: bool,
    /// The result code of the last statement.
    code: Option<i32>,
}

/// The place is free only when the connection is closed or given back: see [`Pool::close`].
#[derive(Debug)]
struct Open {
    raw: rusqlite::Connection,
    /// Which one of its store it is, counted as they were opened.
    number: usize,
    /// None while nobody has it.
    place: Option<OwnedSemaphorePermit>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("discarded", &self.discarded).finish_non_exhaustive()
    }
}

impl Counters {
    pub(in crate::store) fn read(&self) -> DatabaseCounts {
        let [commits, statements, on_writer] = [&self.commits, &self.statements, &self.on_writer]
            .map(|counter| counter.load(Ordering::Relaxed));
        DatabaseCounts { commits, statements, on_writer }
    }
}

impl Pool {
    /// At most so many connections; none is opened yet.
    pub(in crate::store) fn new(
        options: Options,
        (thread, most): (Thread, u32),
        counters: Arc<Counters>,
    ) -> Self {
        let places = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        let (places, idle) = (Arc::new(Semaphore::new(places)), Mutex::default());
        Self(Arc::new(Shared { options, thread, most, places, idle, counters }))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Open>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::store) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Waits for a connection. [`Error::TimedOut`] where none becomes free, [`Error::Closed`] after
    /// [`Pool::close`].
    pub(in crate::store) async fn acquire(&self) -> Result<Connection, Error> {
        let place = timeout(self.0.options.wait_max, Arc::clone(&self.0.places).acquire_owned());
        let place = place.await.map_err(|_elapsed| Error::TimedOut)?;
        let place = place.map_err(|_closed| Error::Closed)?;
        let idle = self.idle().pop();
        let open = if let Some(open) = idle {
            Open { place: Some(place), ..open }
        } else {
            let (options, counters) = (self.0.options.clone(), Arc::clone(&self.0.counters));
            let number = counters.opened.fetch_add(1, Ordering::Relaxed) + 1;
            let open = move || {
                let raw = options.open(counters)?;
                Ok::<_, Error>(Open { raw, number, place: Some(place) })
            };
            blocking(open).await??
        };
        Ok(Connection {
            open: Some(Box::new(open)),
            pool: self.clone(),
            discarded: false,
            code: None,
        })
    }

    /// Waits until all connections are given back, and closes them.
    pub(in crate::store) async fn close(&self) {
        let Ok(_all) = self.0.places.acquire_many(self.0.most).await else { return };
        self.0.places.close();
        let idle = std::mem::take(&mut *self.idle());
        // The last one of a database writes the log into it.
        let _closed = blocking(move || drop(idle)).await;
    }
}

impl Connection {
    /// Runs statements on it, which are short: where this connection's statements run.
    pub async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        if self.pool.0.thread == Thread::Blocking {
            return self.run_blocking(work).await;
        }
        let done = work(self.raw()?);
        self.note(done)
    }

    /// Runs what may wait for the disk or for another process, on a thread that may block.
    pub(in crate::store) async fn run_blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let mut open = self.open.take().ok_or(Error::Closed)?;
        let ran = blocking(move || {
            let done = work(&mut open.raw);
            (open, done)
        });
        let (open, done) = ran.await?;
        self.open = Some(open);
        self.note(done)
    }

    /// Whether views stand for tables: they have no indexes of their own.
    pub(super) fn has_views(&self) -> bool {
        !self.pool.0.options.temporary.is_empty()
    }

    fn note<T>(&mut self, done: rusqlite::Result<T>) -> Result<T, Error> {
        let Shared { counters, options, .. } = &*self.pool.0;
        counters.statements.fetch_add(1, Ordering::Relaxed);
        counters.on_writer.fetch_add((options.access == Access::Write).into(), Ordering::Relaxed);
        let done = done.map_err(Error::Sqlite);
        self.code = done.as_ref().err().and_then(Error::code);
        done
    }

    /// Whether the last statement failed because the disk is full.
    pub(in crate::store) fn was_full(&self) -> bool {
        self.code == Some(rusqlite::ffi::SQLITE_FULL)
    }

    /// Which one of its store it is, counted as they were opened.
    pub(super) fn number(&self) -> Result<usize, Error> {
        self.open.as_ref().map(|open| open.number).ok_or(Error::Closed)
    }

    /// Closes it instead of lending it to somebody else.
    pub(in crate::store) const fn discard(&mut self) {
        self.discarded = true;
    }

    /// For what is no statement: hooks.
    pub(in crate::store) fn raw(&mut self) -> Result<&mut rusqlite::Connection, Error> {
        self.open.as_mut().map(|open| &mut open.raw).ok_or(Error::Closed)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        let place = open.place.take();
        // A transaction that is open is undone when its connection is closed.
        if self.discarded || !open.raw.is_autocommit() || self.pool.0.places.is_closed() {
            drop(open);
        } else {
            self.pool.idle().push(*open);
        }
        drop(place);
    }
}

impl Options {
    /// A file, opened so; whoever waits gives up after this.
    pub(in crate::store) fn new(path: &Path, access: Access, wait_max: Duration) -> Self {
        Self { path: path.to_owned(), access, wait_max, temporary: String::new() }
    }

    fn open(&self, counters: Arc<Counters>) -> rusqlite::Result<rusqlite::Connection> {
        let common = OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let raw = match self.access {
            Access::Write => {
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
                rusqlite::Connection::open_with_flags(&self.path, flags | common)
            }
            Access::Read => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
                rusqlite::Connection::open_with_flags(&self.path, flags | common)
            }
            Access::ReadImmutable => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
                let address = Url::from_file_path(path)
                    .map_err(|()| rusqlite::Error::InvalidPath(self.path.clone()))?;
                let address = format!("{address}?immutable=1");
                rusqlite::Connection::open_with_flags(address, flags | common)
            }
        }?;
        raw.busy_timeout(self.wait_max)?;
        raw.set_prepared_statement_cache_capacity(PREPARED_MAX);
        let pragmas = match self.access {
            Access::Write => {
                "PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 PRAGMA wal_autocheckpoint = 4000"
            }
            // Then the file alone is read only.
            Access::Read if !self.temporary.is_empty() => &self.temporary,
            Access::Read | Access::ReadImmutable => "PRAGMA query_only = ON",
        };
        raw.execute_batch(pragmas)?;
        if self.access != Access::Write {
            return Ok(raw);
        }
        raw.commit_hook(Some(move || {
            counters.commits.fetch_add(1, Ordering::Relaxed);
            // It goes on.
            false
        }))?;
        Ok(raw)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work).await.map_err(|error| Error::Io(std::io::Error::other(error)))
}
