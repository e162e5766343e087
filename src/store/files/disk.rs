//! What the disk has left: a floor below which nothing is begun, and a reserve that is released when
//! the disk is full, so that what was begun can be stored.
//!
//! Only a full disk is recovered from without a restart: `SQLite` rolls such a transaction back. It is
//! seen to have done so, on a connection that never saw the failure, before anything else is stored.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};

use crate::{
    domain::{
        Time,
        actor::Actor,
        audit::{AuditDetail, AuditEvent, detail::accounts::NoFacts, high_water_mark::ChainHead},
        halt::{Halt, HaltCause},
    },
    store::{
        Store, StoreError, audit,
        files::beside,
        files::file_error,
        sqlite::{self, Connection},
    },
};

/// So much is kept free for the outcomes of calls under way, for votes and the kill switch: below it
/// nothing is begun. A change takes some 60 KiB of the write-ahead log, which grows by up to 16 MiB
/// before it is written into the database.
pub const FLOOR_BYTES: u64 = 32 << 20;
/// The size of the reserve: room for a hundred changes.
pub(in crate::store) const RESERVE_BYTES: u64 = 8 << 20;

/// Says how many bytes are free for the database.
pub type FreeSpace = Arc<dyn Fn() -> io::Result<u64> + Send + Sync>;

/// How many bytes this user may still write to the disk of a file.
pub fn free_bytes(file: &Path) -> io::Result<u64> {
    let disk = statvfs(folder(file))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The file of the reserve, beside the database.
pub fn reserve_beside(database: &Path) -> PathBuf {
    beside(database, ".reserve")
}

fn folder(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}

/// A transaction that did not fit.
#[derive(Debug)]
struct Full {
    /// The last audit entry that it would have appended; none where it is known to be undone.
    lost: Option<ChainHead>,
}

/// The disk of a database.
pub(in crate::store) struct Disk {
    reserve: PathBuf,
    free: Mutex<FreeSpace>,
    full: Mutex<Option<Full>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("full", &self.full).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    pub(in crate::store) fn of(database: &Path) -> Self {
        let path = database.canonicalize().unwrap_or_else(|_| database.to_owned());
        Self {
            reserve: reserve_beside(database),
            free: Mutex::new(Arc::new(move || free_bytes(&path))),
            full: Mutex::new(None),
        }
    }

    fn free(&self) -> io::Result<u64> {
        let free = Arc::clone(&locked(&self.free));
        free()
    }

    /// Why nothing is begun.
    pub(in crate::store) fn halted(&self) -> Option<Halt> {
        if locked(&self.full).is_some() {
            let why = "the disk of the database is full; it goes on by itself when there is room \
                       again";
            return Some(Halt { cause: HaltCause::DiskFull, why: why.to_owned() });
        }
        let left = match self.free() {
            Ok(free) if free >= FLOOR_BYTES => return None,
            Ok(free) => format!("{} MiB are free", free >> 20),
            Err(error) => format!("its free space cannot be read: {error}"),
        };
        let floor = FLOOR_BYTES >> 20;
        let why = format!(
            "the disk of the database is nearly full ({left}, {floor} MiB are kept for what is \
             under way); make room, and it goes on by itself"
        );
        Some(Halt { cause: HaltCause::DiskLow, why })
    }

    /// Notes that a transaction did not fit. Says whether there is room now because the reserve was
    /// released.
    pub(in crate::store) fn filled_up(&self, lost: Option<ChainHead>) -> bool {
        let mut full = locked(&self.full);
        // A second one says nothing of the first.
        let earlier = full.take().and_then(|earlier| earlier.lost);
        *full = Some(Full { lost: earlier.or(lost) });
        std::fs::remove_file(&self.reserve).is_ok()
    }

    /// Fails where the transaction that did not fit is stored after all: then nothing is known of
    /// what the disk has. Asked of a connection that never saw it, before that writes anything.
    pub(in crate::store) async fn check_rollback(
        &self,
        connection: &mut Connection,
    ) -> Result<(), StoreError> {
        let lost = locked(&self.full).as_ref().and_then(|full| full.lost);
        let Some(lost) = lost else { return Ok(()) };
        let there = audit::head_at(connection, lost.seq).await?;
        if there.is_some_and(|there| there.hash == lost.hash) {
            return Err(StoreError::NotRolledBack);
        }
        // Made again in the same moment it is the same entry: that is no proof against it.
        if let Some(full) = locked(&self.full).as_mut() {
            full.lost = None;
        }
        Ok(())
    }

    /// Makes the reserve where it is missing and there is room for it.
    fn keep_reserve(&self) -> io::Result<()> {
        if self.reserve.exists() || self.free()? < FLOOR_BYTES + RESERVE_BYTES {
            return Ok(());
        }
        let made = make_reserve(&self.reserve);
        if made.is_err() {
            let _none = std::fs::remove_file(&self.reserve).is_err();
        }
        made
    }
}

/// A file that surely has its blocks: not one that only has a length.
fn make_reserve(path: &Path) -> io::Result<()> {
    let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = options?;
    match fallocate(&file, FallocateFlags::empty(), 0, RESERVE_BYTES) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(&file),
        Err(error) => Err(error.into()),
    }
}

fn fill(mut file: &File) -> io::Result<()> {
    let block = [0; 1 << 12];
    for _ in 0..RESERVE_BYTES >> 12 {
        io::Write::write_all(&mut file, &block)?;
    }
    file.sync_all()
}

impl Store {
    /// How many bytes are free for the database.
    pub fn free_bytes(&self) -> io::Result<u64> {
        self.condition.disk.free()
    }

    /// How large the database's file is, in bytes, its log aside.
    pub fn file_bytes(&self) -> io::Result<u64> {
        Ok(std::fs::metadata(&self.path)?.len())
    }

    /// Measures the free space in another way than the system does.
    pub fn measure_free_space_by(&self, free: FreeSpace) {
        *locked(&self.condition.disk.free) = free;
    }

    /// Goes on after a full disk, when there is room again and a commit was synced, and keeps the
    /// reserve. Call it again and again.
    pub async fn keep_disk(&self, now: Time) -> Result<(), StoreError> {
        let disk = &self.condition.disk;
        if locked(&disk.full).is_some() {
            let free = disk.free().map_err(|error| StoreError::from(sqlite::Error::Io(error)))?;
            if free < FLOOR_BYTES + RESERVE_BYTES {
                return Ok(());
            }
            let detail = AuditDetail::Resumed(NoFacts {});
            let event = &AuditEvent::new(Actor::System, None, detail);
            // This commit is the probe: it is synced before it is answered.
            self.write(|tx| Box::pin(async move { audit::append(tx, event, now).await.map(drop) }))
                .await?;
            *locked(&disk.full) = None;
            tracing::info!("the disk has room again; approved requests are sent");
            self.announce();
        }
        disk.keep_reserve().map_err(|error| file_error(&disk.reserve, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{audit::AuditEntry, digest::Digest};

    /// A new database, and an event to append.
    struct Opened {
        store: Store,
        now: Time,
        event: AuditEvent,
        _folder: tempfile::TempDir,
    }

    impl Opened {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(&folder.path().join("countersign.db")).await.unwrap();
            let now = Time::from_timestamp_micros(1_795_000_000_000_000).unwrap();
            let event = AuditEvent::new(Actor::System, None, AuditDetail::Resumed(NoFacts {}));
            Self { store, now, event, _folder: folder }
        }
    }

    async fn append(store: &Store, event: &AuditEvent, now: Time) -> Result<(), StoreError> {
        store
            .write(|tx| Box::pin(async move { audit::append(tx, event, now).await.map(drop) }))
            .await
    }

    #[tokio::test]
    async fn change_made_again_after_full_disk_is_stored() {
        let Opened { store, now, event, .. } = &Opened::new().await;
        // The entry that did not fit is the one that is appended next, bit by bit.
        let entry = AuditEntry::after((0, Digest::ZERO), event, *now).unwrap();
        let lost = ChainHead { seq: entry.seq, hash: entry.hash(), at: *now };
        store.condition.disk.filled_up(Some(lost));
        for _ in 0..2 {
            append(store, event, *now).await.unwrap();
        }
        assert_eq!(store.halted().unwrap().cause, HaltCause::DiskFull);
    }

    #[tokio::test]
    async fn change_that_is_stored_after_all_halts() {
        let Opened { store, now, event, .. } = &Opened::new().await;
        append(store, event, *now).await.unwrap();
        let head = audit::head(&mut store.reader().await.unwrap()).await.unwrap();
        store.condition.disk.filled_up(head);
        let refused = append(store, event, *now).await;
        assert!(matches!(refused, Err(StoreError::NotRolledBack)));
        assert_eq!(store.halted().unwrap().cause, HaltCause::CommitFailed);
        assert!(matches!(store.keep_disk(*now).await, Err(StoreError::NotRolledBack)));
        assert_eq!(store.halted().unwrap().cause, HaltCause::CommitFailed);
    }
}
