//! What a feed wrote into a file, verified without the database.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
};

use serde_json::Value;

use crate::{
    domain::{audit::AuditEntry, digest::Digest},
    text::visible::visible_json,
};

/// A crash repeats at most one batch; each of those entries may come again.
const REMEMBERED_MAX: usize = 1000;

/// How each line begins.
const BEGINNING: &[u8] = b"{\"place\":";

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
        // Opening a pipe waits until somebody writes into it.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
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
        let Ok(value) = serde_json::from_slice::<Value>(line) else {
            if !line.starts_with(BEGINNING) && !BEGINNING.starts_with(line) {
                return Err("it is no line of a feed".to_owned());
            }
            self.cut_off += 1;
            return Ok(());
        };
        let (entry, hash) = AuditEntry::from_json(&value).ok_or("it is no entry of the audit")?;
        if self.remembered.contains(&(entry.seq, hash)) && entry.hash() == hash {
            self.repeated += 1;
            return Ok(());
        }
        let before = self.last.unwrap_or_else(|| {
            self.first = entry.seq;
            (entry.seq.saturating_sub(1), entry.previous)
        });
        entry.check_after(before, hash)?;
        // A key that comes twice, or one more: others would read another entry.
        if visible_json(&entry.to_json()).as_bytes() != line {
            return Err("it is not written as a feed writes it".to_owned());
        }
        self.last = Some((entry.seq, hash));
        self.remembered.push_back((entry.seq, hash));
        if self.remembered.len() > REMEMBERED_MAX {
            self.remembered.pop_front();
        }
        Ok(())
    }
}
