//! The file of the high-water mark: one record of fixed size with a checksum, overwritten in place.
//!
//! It is written after each commit that appended to the audit, so before each call, and synced by
//! [`Store::keep_mark`]. What the kernel has survives a killed process. A power cut can take what was
//! not synced yet. A record that was written in part does not have its checksum: it cannot be read.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        audit::{
            high_water_mark::{ChainHead, Gap, HighWaterMark},
            installation::proof,
        },
        digest::{Canonical, Digest},
        halt::{Halt, HaltCause},
        len_u64,
    },
    store::{Read, Store, StoreError, audit},
};

/// The size of the file: one sector, which a disk writes whole or not at all.
const RECORD: usize = 512;

/// The record: JSON, filled up with blanks.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u8,
    #[serde(flatten)]
    head: ChainHead,
    installation: Digest,
    sha256: Digest,
}

impl Record {
    const VERSION: u8 = 1;

    fn of(mark: &HighWaterMark) -> Self {
        let HighWaterMark { head, installation } = *mark;
        let sha256 = Canonical::new(Self::VERSION, "high-water mark")
            .number(head.seq)
            .bytes(head.hash.bytes())
            .text(&head.at.to_rfc3339())
            .bytes(installation.bytes())
            .digest();
        Self { version: Self::VERSION, head, installation, sha256 }
    }

    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.resize(RECORD - 1, b' ');
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn parse(bytes: &[u8]) -> Result<HighWaterMark, String> {
        let no_mark = |_why: serde_json::Error| "it is damaged, or no high-water mark".to_owned();
        let record: Self = serde_json::from_slice(bytes).map_err(no_mark)?;
        let mark = HighWaterMark { head: record.head, installation: record.installation };
        if record.sha256 != Self::of(&mark).sha256 {
            return Err("it does not have its checksum: it was damaged".to_owned());
        }
        Ok(mark)
    }
}

/// The mark that a file holds; none where there is no such file.
fn read(path: &Path) -> Result<Option<HighWaterMark>, String> {
    let told = |error: io::Error| format!("{}: {error}", path.display());
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Err(format!("{}: it is no file", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(told(error)),
    }
    let mut bytes = Vec::with_capacity(RECORD);
    let record = File::open(path).map_err(told)?.take(len_u64(RECORD) + 1).read_to_end(&mut bytes);
    record.map_err(told)?;
    Record::parse(&bytes).map(Some).map_err(|why| format!("{}: {why}", path.display()))
}

/// Where the mark is kept unless the configuration says otherwise.
pub(in crate::store) fn beside(database: &Path) -> PathBuf {
    super::beside(database, ".mark")
}

/// What the file holds, and what keeps it from holding more.
#[derive(Debug)]
pub(in crate::store) struct MarkFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Where there is one, the mark is not touched.
    gap: Option<Gap>,
    installation: Option<Digest>,
    file: Option<Arc<File>>,
    written: Option<HighWaterMark>,
    /// Whether something was written since it was last synced.
    dirty: bool,
    /// Why the last one could not be written or synced.
    failure: Option<String>,
}

impl MarkFile {
    pub(in crate::store) fn new(path: PathBuf, gap: Option<Gap>) -> Self {
        Self { path, state: Mutex::new(State { gap, ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing may be sent: the mark names more than the database has, or less.
    pub(in crate::store) fn halted(&self) -> Option<Halt> {
        let state = self.state();
        if let Some(gap) = &state.gap {
            let why = format!("{gap}; stop the broker and run `countersign recover`");
            return Some(Halt { cause: HaltCause::Recovery, why });
        }
        let (file, why) = (self.path.display(), state.failure.as_ref()?);
        let why = format!("the high-water mark {file} cannot be kept ({why}); it is tried again");
        Some(Halt { cause: HaltCause::MarkNotKept, why })
    }

    /// Writes that the database has come so far.
    pub(in crate::store) fn advance(&self, head: ChainHead) {
        let mut state = self.state();
        if head.seq == 1 {
            state.installation = Some(head.hash);
        }
        self.write(&mut state, head);
    }

    fn write(&self, state: &mut State, head: ChainHead) {
        if state.gap.is_some() || state.written.is_some_and(|known| known.head.seq >= head.seq) {
            return;
        }
        // [`Store::keep_mark`] reads it in a moment.
        let Some(installation) = state.installation else {
            state.failure = Some("the first entry of the audit is not known yet".to_owned());
            return;
        };
        let mark = HighWaterMark { head, installation };
        let written = match state.file.clone().map_or_else(|| self.open(), Ok) {
            Ok(file) => Record::of(&mark)
                .to_bytes()
                .and_then(|bytes| file.write_all_at(&bytes, 0))
                .map(|()| file),
            Err(error) => Err(error),
        };
        match written {
            Ok(file) => {
                (state.file, state.written, state.dirty) = (Some(file), Some(mark), true);
                state.failure = None;
            }
            Err(error) => state.fail(&error),
        }
    }

    /// Opens the file for its owner alone, and makes sure that a new one is found after a power cut.
    fn open(&self) -> io::Result<Arc<File>> {
        let new = !self.path.exists();
        let options = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path);
        let file = Arc::new(options?);
        if let Some(folder) = self.path.parent().filter(|_| new) {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder)?.sync_all()?;
        }
        Ok(file)
    }

    /// Whether its name no longer means the file that is written: it was moved, deleted, or another
    /// one was put in its place.
    fn is_lost(&self, file: &File) -> bool {
        let same = |open: Metadata, named: Metadata| {
            (open.dev(), open.ino()) == (named.dev(), named.ino())
        };
        let named = std::fs::metadata(&self.path);
        !file.metadata().and_then(|open| Ok(same(open, named?))).unwrap_or(false)
    }

    /// Writes again under its name what a lost file holds.
    fn restore(&self, state: &mut State) {
        let lost = state.file.as_ref().is_some_and(|file| self.is_lost(file));
        let Some(written) = state.written.filter(|_| lost) else { return };
        (state.file, state.written) = (None, None);
        self.write(state, written.head);
        let file = self.path.display();
        tracing::error!(%file, "the high-water mark was moved or replaced; it is written again");
    }

    /// Waits until the disk has what was written.
    fn sync(&self) {
        let mut state = self.state();
        if !state.dirty {
            return;
        }
        state.dirty = false;
        let Some(file) = state.file.clone() else { return };
        drop(state);
        if let Err(error) = file.sync_data() {
            self.state().fail(&error);
        }
    }
}

impl State {
    /// After a failure nothing is known of what the file holds: it is opened and written again.
    fn fail(&mut self, error: &io::Error) {
        let why = error.to_string();
        if self.failure.as_ref() != Some(&why) {
            tracing::error!(why, "the high-water mark cannot be kept; nothing is sent");
        }
        (self.file, self.written, self.failure) = (None, None, Some(why));
    }
}

/// How a database stands to the mark in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkState {
    /// There is none, and none was kept before.
    None,
    /// The database has what it names.
    Kept(HighWaterMark),
    /// The database may lack what was sent.
    Gap(Gap),
}

/// Holds a database against the mark in a file.
pub(in crate::store) async fn compare(
    read: &mut impl Read,
    file: &Path,
) -> Result<MarkState, StoreError> {
    let mark = match self::read(file) {
        Ok(mark) => mark,
        Err(why) => return Ok(MarkState::Gap(Gap::Unreadable(why))),
    };
    let Some(mark) = mark else {
        let kept = audit::mark_was_kept(read).await?;
        return Ok(if kept { MarkState::Gap(Gap::NoMark) } else { MarkState::None });
    };
    let Some(first) = audit::head_at(read, 1).await? else {
        return Ok(MarkState::Gap(Gap::Empty(mark)));
    };
    if first.hash != mark.installation {
        return Ok(MarkState::Gap(Gap::OtherInstallation(mark)));
    }
    let there = audit::head_at(read, mark.head.seq).await?;
    if there.is_some_and(|there| there.hash == mark.head.hash) {
        return Ok(MarkState::Kept(mark));
    }
    let since = audit::head_by(read, mark.head.at).await?.unwrap_or(first);
    Ok(MarkState::Gap(Gap::Behind { mark, since }))
}

impl Store {
    /// Writes to the mark how far the database has come, the command line's entries included, and
    /// syncs it. Nothing happens where the mark names more than the database has: see
    /// [`Store::gap`]. Call it at least once a second.
    pub async fn keep_mark(&self) -> Result<(), StoreError> {
        let Some(mark) = self.condition.mark() else { return Ok(()) };
        let mut reader = self.reader().await?;
        if let Some(head) = audit::head(&mut reader).await? {
            let first = audit::head_at(&mut reader, 1).await?;
            let mut state = mark.state();
            state.installation = first.map(|first| first.hash);
            mark.restore(&mut state);
            mark.write(&mut state, head);
        }
        drop(reader);
        let mark = Arc::clone(mark);
        let synced = tokio::task::spawn_blocking(move || mark.sync());
        synced.await.map_err(|error| StoreError::Database(io::Error::other(error).into()))
    }

    /// Begins the mark anew at the end of this database, whatever it named before. Only
    /// `countersign recover` may do that.
    pub async fn begin_mark(&self) -> Result<(), StoreError> {
        let Some(mark) = self.condition.mark() else { return Ok(()) };
        // Whoever named another file by mistake must not lose it.
        let length = std::fs::metadata(&mark.path).map_or(0, |meta| meta.len());
        if length > len_u64(RECORD) {
            let why = "it is no high-water mark; move it away".to_owned();
            return Err(StoreError::File { path: mark.path.clone(), why });
        }
        *mark.state() = State::default();
        self.keep_mark().await?;
        let failure = mark.state().failure.clone();
        let failed = |why| Err(StoreError::File { path: mark.path.clone(), why });
        failure.map_or(Ok(()), failed)
    }

    /// How this database stands to the mark in that file, or else in the one beside it. Beside a
    /// server that runs it is a moment old.
    pub async fn compare_with_mark(&self, file: Option<&Path>) -> Result<MarkState, StoreError> {
        let file = file.map_or_else(|| beside(&self.path), Path::to_owned);
        compare(&mut self.reader().await?, &file).await
    }

    /// The answer of this database to a challenge; none where its audit is empty.
    pub async fn proof(&self, challenge: Digest) -> Result<Option<Digest>, StoreError> {
        let first = audit::head_at(&mut self.reader().await?, 1).await?;
        Ok(first.map(|first| proof(first.hash, challenge)))
    }

    /// Why this database may lack what was sent; none where it has all.
    pub fn gap(&self) -> Option<Gap> {
        self.condition.mark()?.state().gap.clone()
    }

    /// What the mark is at; none where there is none yet.
    pub fn mark(&self) -> Option<HighWaterMark> {
        self.condition.mark()?.state().written
    }

    /// The file of the mark; none beside a server.
    pub fn mark_file(&self) -> Option<&Path> {
        Some(&self.condition.mark()?.path)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn mark() -> HighWaterMark {
        let at = DateTime::from_timestamp_micros(1_795_000_000_123_456).unwrap();
        let head = ChainHead { seq: u64::MAX, hash: Digest::of(b"head"), at };
        HighWaterMark { head, installation: Digest::of(b"first") }
    }

    #[test]
    fn record_of_any_mark_fills_one_sector() {
        let bytes = Record::of(&mark()).to_bytes().unwrap();
        assert_eq!(bytes.len(), RECORD);
        assert_eq!(Record::parse(&bytes), Ok(mark()));
    }

    #[test]
    fn damaged_record_is_not_read() {
        let bytes = Record::of(&mark()).to_bytes().unwrap();
        let changed = |at: usize, byte: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            bytes
        };
        let text = String::from_utf8(bytes.clone()).unwrap();
        let (seq, hash) = (text.find("\"seq\":").unwrap() + 6, text.find("\"hash\":").unwrap() + 8);
        for damaged in [
            changed(seq, b'2'),
            changed(hash, if bytes[hash] == b'0' { b'1' } else { b'0' }),
            bytes[..200].to_vec(),
            vec![0; RECORD],
            [&bytes[..256], &[0; 256]].concat(),
        ] {
            Record::parse(&damaged).unwrap_err();
        }
    }
}
