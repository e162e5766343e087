//! A file of JSON lines, which others rotate.

use std::{path::PathBuf, time::Duration};

use tokio::{task::spawn_blocking, time::timeout};

use super::line;
use crate::{domain::audit::AuditEntry, trusted_file};

/// How long the disk may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// The file of a feed.
#[derive(Debug, Clone)]
pub struct FeedFileSettings {
    /// Where it is.
    pub path: PathBuf,
    /// What it is made with, and others may have at most: 0600, or 0640 for its group to read it.
    pub mode: u32,
}

impl FeedFileSettings {
    /// Appends an entry to a line. All are there, on the disk, or none counts.
    pub(super) async fn append(&self, entries: &[AuditEntry]) -> Result<(), String> {
        let mut lines = String::new();
        for entry in entries {
            lines.push_str(&line(entry));
            lines.push('\n');
        }
        let Self { path, mode } = self.clone();
        self.on_disk(move || trusted_file::append(&path, mode, &lines)).await
    }

    pub(super) async fn examine(&self) -> Result<String, String> {
        let Self { path, mode } = self.clone();
        self.on_disk(move || trusted_file::check_append(&path, mode)).await?;
        Ok(format!("{} can be written", self.path.display()))
    }

    async fn on_disk(
        &self,
        work: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        let done = match timeout(DEADLINE, spawn_blocking(work)).await {
            Ok(Ok(done)) => done,
            Ok(Err(_stopped)) => Err("writing it was cut off".to_owned()),
            Err(_elapsed) => Err("the disk does not answer in time".to_owned()),
        };
        done.map_err(|why| format!("the file {} cannot be written: {why}", self.path.display()))
    }
}
