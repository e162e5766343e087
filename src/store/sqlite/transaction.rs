//! Transactions, and single changes in them.

use super::{Connection, Error, query};

/// What a connection knows of what others committed (`PRAGMA data_version`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct DataVersion {
    pub(in crate::store) connection: usize,
    pub(in crate::store) version: i64,
}

impl Connection {
    /// Begins a transaction, which waits for another process.
    pub(in crate::store) async fn begin(&mut self) -> Result<(), Error> {
        self.run_blocking(|raw| raw.execute_batch("BEGIN IMMEDIATE")).await
    }

    /// Commits it, which waits for the disk.
    pub(in crate::store) async fn commit(&mut self) -> Result<(), Error> {
        self.run_blocking(|raw| raw.execute_batch("COMMIT")).await
    }

    /// Another one than before where another connection committed something in between, or where this
    /// connection is another: what was committed before it was opened, nobody knows.
    pub(in crate::store) async fn data_version(&mut self) -> Result<DataVersion, Error> {
        let version = query("PRAGMA data_version").fetch_one(self).await?.get("data_version")?;
        Ok(DataVersion { connection: self.number()?, version })
    }

    /// Begins a change that can be undone alone.
    pub(in crate::store) async fn begin_change(&mut self) -> Result<(), Error> {
        query("SAVEPOINT change").execute(self).await.map(drop)
    }

    /// Makes it a part of the transaction.
    pub(in crate::store) async fn keep_change(&mut self) -> Result<(), Error> {
        query("RELEASE change").execute(self).await.map(drop)
    }

    /// Undoes it.
    pub(in crate::store) async fn undo_change(&mut self) -> Result<(), Error> {
        query("ROLLBACK TO change").execute(self).await?;
        self.keep_change().await
    }

    /// Undoes all. A connection that cannot do that is not used again.
    pub(in crate::store) async fn roll_back(&mut self) {
        if query("ROLLBACK").execute(self).await.is_err() {
            self.discard();
        }
    }
}
