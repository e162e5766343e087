//! The files of a database: looked at before they are opened, opened for reading alone, and left
//! whole.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use self::readers::Readers;
use super::{
    Store, StoreError, WAIT_MAX,
    sqlite::{
        pool::{Access, Options, Pool, Thread},
        query,
    },
    system,
};
use crate::domain::len_u64;

pub(super) mod condition;
pub(super) mod disk;
pub(super) mod high_water_mark;
pub(super) mod lock;
pub(super) mod migrations;
pub(super) mod readers;
pub(super) mod visible;

/// How a database begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The length of its header, and of that of its first page behind it, which lists the tables.
const HEADER: usize = 108;
/// What the first page is where all tables fit into it.
const LEAF: u64 = 13;
/// What to do about a damaged file.
const RESTORE: &str = "put the newest copy back (docs/operating.md, \"Back-up and restore\"), and \
                       keep this file to look at";

/// Creates the file for its owner alone, so that no moment exists in which others can read it. One
/// that is there is not even opened: see [`lock`].
pub(super) fn private_file(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if path.exists() {
        return check_regular(path);
    }
    let opened = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    opened.map(drop).map_err(|error| file_error(path, &error))
}

/// A pipe would wait when it is opened, and a device may do anything.
fn check_regular(path: &Path) -> Result<(), StoreError> {
    let meta = path.metadata().map_err(|error| file_error(path, &error))?;
    if meta.is_file() {
        return Ok(());
    }
    let why = "it is no regular file; take it away, or put the database in its place".to_owned();
    Err(StoreError::File { path: path.to_owned(), why })
}

pub(super) fn file_error(path: &Path, error: &io::Error) -> StoreError {
    StoreError::File { path: path.to_owned(), why: error.to_string() }
}

/// A file beside the database itself, also where that is named by a symbolic link.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.canonicalize().unwrap_or_else(|_| database.to_owned()).into_os_string();
    name.push(suffix);
    name.into()
}

/// Whether there is a write-ahead log that holds something.
fn has_log(database: &Path) -> bool {
    beside(database, "-wal").metadata().is_ok_and(|log| log.len() > 0)
}

fn damaged(path: &Path, why: &str) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), why: why.to_owned(), remedy: RESTORE }
}

/// A file in which nothing is.
fn without_tables(path: &Path) -> StoreError {
    let why = "it holds nothing: it was copied without the -wal beside it, or never set up";
    let remedy = "copy both files, or remove it to begin anew";
    StoreError::Damaged { path: path.to_owned(), why: why.to_owned(), remedy }
}

/// Fails where a file is no database, lacks its end, or holds nothing. A new one is empty. With a write-ahead log
/// the length says nothing: the log may hold the end.
pub(super) fn check_whole(path: &Path) -> Result<(), StoreError> {
    check_regular(path)?;
    let looked = (|| {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut header = Vec::with_capacity(HEADER);
        file.take(len_u64(HEADER)).read_to_end(&mut header)?;
        Ok((length, header))
    })();
    let (length, header) = looked.map_err(|error: io::Error| file_error(path, &error))?;
    if length == 0 {
        return Ok(());
    }
    let number = |at: usize, bytes: usize| {
        let field = header.get(at..at + bytes)?;
        Some(field.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    let (Some(size), Some(pages), Some(kind), Some(tables), true) = (
        number(16, 2),
        number(28, 4),
        number(100, 1),
        number(103, 2),
        header.starts_with(MAGIC) && header.len() == HEADER,
    ) else {
        return Err(damaged(path, "it is no SQLite database"));
    };
    if kind == LEAF && tables == 0 && !has_log(path) {
        return Err(without_tables(path));
    }
    // The largest page does not fit the field.
    let whole = pages * if size == 1 { 1 << 16 } else { size };
    if length < whole && !has_log(path) {
        return Err(damaged(path, &format!("it is cut off: it has {length} of {whole} bytes")));
    }
    Ok(())
}

/// Names the file that `SQLite` finds damaged.
pub(super) fn named(path: &Path, error: StoreError) -> StoreError {
    error.damage(path).unwrap_or(error)
}

impl StoreError {
    /// That this database is damaged, where that is what the error says.
    pub fn damage(&self, path: &Path) -> Option<Self> {
        if let Self::Damaged { path, why, remedy } = self {
            return Some(Self::Damaged { path: path.clone(), why: why.clone(), remedy });
        }
        let Self::Database(found) = self else { return None };
        found.is_damage().then(|| damaged(path, &found.to_string()))
    }
}

impl Store {
    /// Opens a database for reading alone: nothing is created, migrated or written, so that it works
    /// on read-only media. Without a write-ahead log no server has the file, and it is read as it
    /// stands. With one, the index that all readers share is used.
    pub async fn read(path: &Path) -> Result<Self, StoreError> {
        check_whole(path)?;
        if path.metadata().is_ok_and(|file| file.len() == 0) && !has_log(path) {
            return Err(without_tables(path));
        }
        let log = beside(path, "-wal").exists();
        let access = if log { Access::Read } else { Access::ReadImmutable };
        let options = Options::new(path, access, WAIT_MAX);
        let counters = Arc::default();
        let readers = Readers::connect(&options, &counters).await.map_err(|error| {
            if has_log(path) && !beside(path, "-shm").exists() {
                let why = format!(
                    "it has a write-ahead log and cannot be read where it is ({error}); copy the \
                     database and its -wal to a folder that can be written to"
                );
                return StoreError::File { path: path.to_owned(), why };
            }
            named(path, error.into())
        })?;
        // The writer cannot write either.
        let writer = Pool::new(options, (Thread::Own, 1), counters);
        let store = Self::of(path, writer, readers);
        system::recall_entries(&mut store.reader().await?).await?;
        Ok(store)
    }

    /// Fails where a server has this database.
    pub fn check_no_server(path: &Path) -> Result<(), StoreError> {
        check_regular(path)?;
        lock::lock(path).map(drop)
    }

    /// Closes all connections. The last process that does writes what is in the write-ahead log into
    /// the database.
    pub async fn disconnect(&self) {
        for pool in self.connections() {
            pool.close().await;
        }
    }

    /// All of them, the writer's last.
    pub(super) fn connections(&self) -> [Pool; 7] {
        let [one, two, three, four, five, six] = self.readers.pools();
        [one, two, three, four, five, six, self.writer.clone()]
    }

    /// Leaves one whole file: what is in the write-ahead log is written into the database. The store
    /// cannot be used any more.
    pub async fn close(&self) -> Result<(), StoreError> {
        // The last one that closes removes the log, and must be able to write.
        for readers in self.readers.pools() {
            readers.close().await;
        }
        let mut writer = self.writer.acquire().await?;
        let left = query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut writer).await;
        drop(writer);
        self.writer.close().await;
        let busy: i64 = left?.get("busy")?;
        if busy != 0 {
            let why = "somebody else reads it, so its newest entries are still in its -wal";
            return Err(StoreError::File { path: self.path.clone(), why: why.to_owned() });
        }
        Ok(())
    }
}
