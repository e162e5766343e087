//! The chain: each row holds the hash of the row before, so a row that is changed, removed or put in
//! between shows.
//!
//! A row keeps the exact text that was stored. The hash is taken over that text, so the chain can be
//! verified even where a row cannot be read any more. `store::audit::verify` walks it.

use super::{detail::AuditDetail, event::AuditEvent, kind::EventKind};
use crate::domain::{
    Time,
    digest::{Canonical, Digest},
};

/// One row of the audit, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place: 1, 2, 3, … without a gap.
    pub seq: u64,
    /// When, in microseconds since the Unix epoch, as the machine's clock had it: that clock may have
    /// gone back since the row before. What came first is told by the place alone.
    pub at_us: i64,
    /// [`EventKind::name`].
    pub kind: String,
    /// [`crate::domain::actor::Actor::kind`].
    pub actor_kind: String,
    /// [`crate::domain::actor::Actor::id`].
    pub actor_id: Option<String>,
    /// [`crate::domain::actor::Actor::name`].
    pub actor_name: String,
    /// The request's id.
    pub request: Option<String>,
    /// The action's name.
    pub action: Option<String>,
    /// What was acted on.
    pub target: Option<String>,
    /// The exact JSON text of the detail, which was hashed.
    pub detail: String,
    /// [`AuditEntry::hash`] of the row before; zero for the first.
    pub previous: Digest,
    /// The column that cannot be read as stored, and why: the row was damaged. The fields hold what
    /// is left of it.
    pub damage: Option<String>,
}

/// The columns that the hash is taken over, without a copy of them.
#[derive(Debug, Clone, Copy)]
pub struct HashedColumns<'a> {
    /// [`AuditEntry::seq`].
    pub seq: u64,
    /// [`AuditEntry::at_us`].
    pub at_us: i64,
    /// [`AuditEntry::kind`].
    pub kind: &'a str,
    /// [`AuditEntry::actor_kind`].
    pub actor_kind: &'a str,
    /// [`AuditEntry::actor_id`].
    pub actor_id: Option<&'a str>,
    /// [`AuditEntry::actor_name`].
    pub actor_name: &'a str,
    /// [`AuditEntry::request`].
    pub request: Option<&'a str>,
    /// [`AuditEntry::action`].
    pub action: Option<&'a str>,
    /// [`AuditEntry::target`].
    pub target: Option<&'a str>,
    /// [`AuditEntry::detail`].
    pub detail: &'a str,
    /// [`AuditEntry::previous`].
    pub previous: Digest,
}

impl HashedColumns<'_> {
    /// [`AuditEntry::hash`].
    pub fn hash(&self) -> Digest {
        Canonical::new(1, "audit")
            .number(self.seq)
            .number(u64::try_from(self.at_us).unwrap_or(0))
            .text(self.kind)
            .text(self.actor_kind)
            .maybe(self.actor_id)
            .text(self.actor_name)
            .maybe(self.request)
            .maybe(self.action)
            .maybe(self.target)
            .text(self.detail)
            .bytes(self.previous.bytes())
            .digest()
    }

    /// [`AuditEntry::check_after`], without saying what is wrong.
    pub fn follows(&self, last: (u64, Digest), stored: Digest) -> bool {
        self.seq == last.0 + 1
            && self.previous == last.1
            && self.at_us >= 0
            && self.hash() == stored
    }
}

/// A row that cannot be read: it was not written by this program, or by a later version of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("audit row {seq}: {problem}")]
pub struct UnreadableEntry {
    /// The place of the row.
    pub seq: u64,
    /// What is wrong with it.
    pub problem: EntryProblem,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// There is no such kind of event.
    #[error("`{0}` is not a kind of event")]
    UnknownKind(String),
    /// The detail does not have the facts of its kind.
    #[error("the detail is not that of `{}`: {why}", kind.name())]
    MalformedDetail {
        /// The kind.
        kind: EventKind,
        /// What is wrong.
        why: String,
    },
    /// There is no such moment.
    #[error("{0} microseconds since 1970 is not a possible time")]
    ImpossibleTime(i64),
    /// A column holds what no version of this program writes.
    #[error("it was damaged: {0}")]
    Damaged(String),
}

impl AuditEntry {
    /// The row's hash: over a version byte and every field, the place and the predecessor's hash
    /// included, each with its length.
    pub fn hash(&self) -> Digest {
        HashedColumns {
            seq: self.seq,
            at_us: self.at_us,
            kind: &self.kind,
            actor_kind: &self.actor_kind,
            actor_id: self.actor_id.as_deref(),
            actor_name: &self.actor_name,
            request: self.request.as_deref(),
            action: self.action.as_deref(),
            target: self.target.as_deref(),
            detail: &self.detail,
            previous: self.previous,
        }
        .hash()
    }

    /// Checks that a stored row follows the row with this place and hash, and that its fields give
    /// the hash that is stored with it. The error says what is wrong.
    pub fn check_after(&self, last: (u64, Digest), stored: Digest) -> Result<(), String> {
        let (seq, previous) = last;
        if let Some(damage) = &self.damage {
            return Err(format!("it was damaged: {damage}"));
        }
        if self.seq != seq + 1 {
            return Err(format!("row {} is missing", seq + 1));
        }
        if self.previous != previous {
            return Err("it does not follow the row before: that row was replaced".to_owned());
        }
        // The hash knows no time before 1970.
        if self.at_us < 0 {
            return Err("its time is before 1970: it was edited".to_owned());
        }
        if self.hash() != stored {
            return Err("its fields do not give its hash: it was edited".to_owned());
        }
        Ok(())
    }

    /// Gives an event its place after the row with this place and hash. Fails where the detail cannot
    /// be written as JSON.
    pub fn after(
        last: (u64, Digest),
        event: &AuditEvent,
        at: Time,
    ) -> Result<Self, serde_json::Error> {
        let (seq, previous) = last;
        Ok(Self {
            seq: seq + 1,
            at_us: at.timestamp_micros().max(0),
            kind: event.kind().name().to_owned(),
            actor_kind: event.actor.kind().to_owned(),
            actor_id: event.actor.id(),
            actor_name: event.actor.name().to_owned(),
            request: event.request.map(|id| id.to_string()),
            action: event.action.clone(),
            target: event.target.clone(),
            detail: event.detail.to_stored()?,
            previous,
            damage: None,
        })
    }

    /// When it was written.
    pub fn time(&self) -> Result<Time, UnreadableEntry> {
        Time::from_timestamp_micros(self.at_us)
            .ok_or_else(|| self.unreadable(EntryProblem::ImpossibleTime(self.at_us)))
    }

    /// What happened: kind and detail, put together again.
    pub fn typed_detail(&self) -> Result<AuditDetail, UnreadableEntry> {
        if let Some(damage) = &self.damage {
            return Err(self.unreadable(EntryProblem::Damaged(damage.clone())));
        }
        let kind = EventKind::parse(&self.kind)
            .ok_or_else(|| self.unreadable(EntryProblem::UnknownKind(self.kind.clone())))?;
        AuditDetail::from_stored(kind, &self.detail).map_err(|error| {
            self.unreadable(EntryProblem::MalformedDetail { kind, why: error.to_string() })
        })
    }

    const fn unreadable(&self, problem: EntryProblem) -> UnreadableEntry {
        UnreadableEntry { seq: self.seq, problem }
    }
}
