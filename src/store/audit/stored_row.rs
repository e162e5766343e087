//! Rows of the audit as they are stored, damaged or not.

use crate::{
    domain::{audit::AuditEntry, digest::Digest},
    store::{StoreError, row::integer, sqlite::Row},
};

/// A row that may have been damaged: what can be read of it is, so that it hides no other row.
pub(super) struct StoredRow<'r> {
    row: &'r Row,
    damage: Option<String>,
}

impl<'r> StoredRow<'r> {
    /// The entry, and the hash that is stored with it.
    pub(super) fn entry(row: &'r Row) -> Result<(AuditEntry, Digest), StoreError> {
        let mut stored = Self { row, damage: None };
        let entry = AuditEntry {
            seq: stored.place()?,
            at_us: integer(row, "at")?,
            kind: stored.text("kind")?,
            actor_kind: stored.text("actor_kind")?,
            actor_id: stored.maybe_text("actor_id")?,
            actor_name: stored.text("actor_name")?,
            request: stored.maybe_text("request_id")?,
            action: stored.maybe_text("action")?,
            target: stored.maybe_text("target")?,
            detail: stored.text("detail")?,
            previous: stored.digest("previous")?,
            damage: None,
        };
        let hash = stored.digest("hash")?;
        Ok((AuditEntry { damage: stored.damage, ..entry }, hash))
    }

    fn place(&mut self) -> Result<u64, StoreError> {
        let seq = integer(self.row, "seq")?;
        Ok(u64::try_from(seq).unwrap_or_else(|_negative| {
            self.note("seq", &format!("{seq} is no place"));
            0
        }))
    }

    fn text(&mut self, column: &'static str) -> Result<String, StoreError> {
        Ok(self.maybe_text(column)?.unwrap_or_default())
    }

    fn maybe_text(&mut self, column: &'static str) -> Result<Option<String>, StoreError> {
        let Some(bytes): Option<Vec<u8>> = self.row.get(column)? else { return Ok(None) };
        Ok(Some(String::from_utf8(bytes).unwrap_or_else(|error| {
            self.note(column, "it is not UTF-8");
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        })))
    }

    fn digest(&mut self, column: &'static str) -> Result<Digest, StoreError> {
        let text = self.text(column)?;
        Ok(Digest::parse(&text).unwrap_or_else(|| {
            self.note(column, &format!("`{text}` is no hash"));
            Digest::ZERO
        }))
    }

    /// The first damage is what is told.
    fn note(&mut self, column: &'static str, why: &str) {
        self.damage.get_or_insert_with(|| format!("`{column}`: {why}"));
    }
}
