//! What a feed wrote into a file, verified without the database.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
};

use serde_json::Value;

use crate::domain::{audit::AuditEntry, digest::Digest};

/// A crash repeats at most one batch; each of those entries may come again.
const REMEMBERED_MAX: usize = 1000;

/// What the lines of a file are.
#[derive(Debug, Default)]
pub(super) struct FeedFile {
    /// The place of the first entry.
    pub(super) first: u64,
    /// Place and hash of the last sound entry; none before the first.
    pub(super) last: Option<(u64, Digest)>,
    /// How many lines are an entry that came before.
    pub(super) repeated: u64,
    /// How many lines are no JSON: a crash cut them off, and the entry came again.
    pub(super) cut_off: u64,
    /// The first bad line, and what is wrong with it.
    pub(super) broken: Option<(u64, String)>,
    remembered: VecDeque<(u64, Digest)>,
}

impl FeedFile {
    /// Reads the lines until one is bad.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut found = Self::default();
        for (number, line) in (1..).zip(BufReader::new(File::open(path)?).split(b'\n')) {
            if let Err(why) = found.take(&line?) {
                found.broken = Some((number, why));
                break;
            }
        }
        Ok(found)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        if line.is_empty() {
            return Ok(());
        }
        let Ok(line) = serde_json::from_slice::<Value>(line) else {
            self.cut_off += 1;
            return Ok(());
        };
        let (entry, hash) = AuditEntry::from_json(&line).ok_or("it is no entry of the audit")?;
        if self.remembered.contains(&(entry.seq, hash)) && entry.hash() == hash {
            self.repeated += 1;
            return Ok(());
        }
        let before = self.last.unwrap_or_else(|| {
            self.first = entry.seq;
            (entry.seq.saturating_sub(1), entry.previous)
        });
        entry.check_after(before, hash)?;
        self.last = Some((entry.seq, hash));
        self.remembered.push_back((entry.seq, hash));
        if self.remembered.len() > REMEMBERED_MAX {
            self.remembered.pop_front();
        }
        Ok(())
    }
}
