//! One server for a database: a lock on the file itself, whatever name it is opened by.
//!
//! It is a `flock`, which on a local file system is independent of the byte-range locks that `SQLite`
//! takes on the same file. But closing any descriptor of a file drops all byte-range locks that the
//! process has on it (`fcntl(2)`, "Record locks"), and with them those of `SQLite`: another process
//! could then delete the write-ahead log under this one. So the locked descriptor is closed after
//! `SQLite` is, or with the process.

use std::{
    fs::{File, OpenOptions, TryLockError},
    mem::ManuallyDrop,
    path::Path,
};

use tokio::runtime::Handle;

use crate::store::{
    Store, StoreError,
    files::{check_regular, file_error},
    sqlite::pool::Pool,
};

/// Takes the lock on a database; the file must be there.
pub(in crate::store) fn lock(path: &Path) -> Result<File, StoreError> {
    // For writing: a file that cannot be written to is told of here, with its name.
    let opened = OpenOptions::new().append(true).open(path);
    let file = opened.map_err(|error| file_error(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(file_error(path, &error)),
    }
}

impl Store {
    /// Whether a server has a database now. Only before this process opens that database: see above.
    ///
    /// A server that starts in the very moment in which this looks takes the file for locked.
    pub fn is_served(path: &Path) -> Result<bool, StoreError> {
        if !path.exists() {
            return Ok(false);
        }
        check_regular(path)?;
        let file = File::open(path).map_err(|error| file_error(path, &error))?;
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(file_error(path, &error)),
        }
    }
}

/// The lock of a server, with the connections that must be closed before it.
#[derive(Debug)]
pub(in crate::store) struct ServerLock {
    file: Option<File>,
    connections: [Pool; 7],
}

impl ServerLock {
    pub(in crate::store) const fn new(file: File, connections: [Pool; 7]) -> Self {
        Self { file: Some(file), connections }
    }
}

impl Drop for ServerLock {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        // What is cut off here, or has no runtime to run on, leaves the file open: the process ends.
        let file = ManuallyDrop::new(file);
        let Ok(runtime) = Handle::try_current() else { return };
        let connections = self.connections.clone();
        runtime.spawn(async move {
            for pool in connections {
                pool.close().await;
            }
            drop(ManuallyDrop::into_inner(file));
        });
    }
}
