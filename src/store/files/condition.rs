//! What keeps the store from working, and who is to hear of it.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use super::{disk::Disk, high_water_mark::MarkFile};
use crate::{
    domain::{
        audit::high_water_mark::ChainHead,
        halt::{Halt, HaltCause},
    },
    store::{
        sqlite::Connection,
        writer::{measures::CommitMeasures, news::News, versions::Versions},
    },
};

/// The state of a database that is open.
#[derive(Debug)]
pub(in crate::store) struct Condition {
    pub(in crate::store) news: News,
    pub(in crate::store) versions: Versions,
    pub(in crate::store) disk: Disk,
    pub(in crate::store) measures: CommitMeasures,
    /// What the first commit that failed said.
    failed: OnceLock<String>,
    /// Of the server alone.
    mark: OnceLock<Arc<MarkFile>>,
}

impl Condition {
    pub(in crate::store) fn of(database: &Path) -> Self {
        Self {
            news: News::default(),
            versions: Versions::default(),
            disk: Disk::of(database),
            measures: CommitMeasures::default(),
            failed: OnceLock::new(),
            mark: OnceLock::new(),
        }
    }

    /// The store of a server has a mark.
    pub(in crate::store) fn set_mark(&self, mark: MarkFile) {
        let _first = self.mark.set(Arc::new(mark));
    }

    pub(in crate::store) fn mark(&self) -> Option<&Arc<MarkFile>> {
        self.mark.get()
    }

    /// Why nothing may be sent.
    pub(in crate::store) fn halted(&self) -> Option<Halt> {
        if let Some(why) = self.failed.get() {
            let why = format!("a change could not be stored ({why}); restart the broker");
            return Some(Halt { cause: HaltCause::CommitFailed, why });
        }
        self.mark().and_then(|mark| mark.halted()).or_else(|| self.disk.halted())
    }

    /// Nothing is sent any more: nobody knows what the disk has.
    pub(in crate::store) fn fail(&self, error: &dyn std::error::Error) {
        tracing::error!(%error, "a commit failed; nothing is sent until a restart");
        let _first = self.failed.set(error.to_string());
        self.news.pages.count();
    }

    /// Notes that a transaction did not fit. The connection that it was on is not used again. Says
    /// whether there is room now because the reserve was released.
    pub(in crate::store) fn filled_up(
        &self,
        connection: &mut Connection,
        lost: Option<ChainHead>,
    ) -> bool {
        tracing::error!("the disk is full; nothing is sent until there is room again");
        connection.discard();
        let released = self.disk.filled_up(lost);
        self.news.pages.count();
        released
    }
}
