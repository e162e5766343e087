//! An entry as programs read it: `audit query --json`, `audit verify --feed` and the feeds.

use serde_json::{Map, Value, json};

use super::AuditEntry;
use crate::domain::{Time, digest::Digest};

impl AuditEntry {
    /// The row as stored. A row that cannot be read says so under `problem`, and a detail that is not
    /// even JSON is shown as its text.
    pub fn to_json(&self) -> Value {
        let mut row = json!({
            "place": self.seq,
            "time": self.time().ok().map(|time| time.to_rfc3339()),
            "kind": self.kind,
            "actor": { "kind": self.actor_kind, "id": self.actor_id, "name": self.actor_name },
            "request": self.request,
            "action": self.action,
            "target": self.target,
            "detail": serde_json::from_str::<Value>(&self.detail)
                .unwrap_or_else(|_no_json| json!(self.detail)),
            "previous": self.previous.to_string(),
            "hash": self.hash().to_string(),
        });
        let problem = self.time().and_then(|_| self.typed_detail()).err();
        if let (Some(problem), Some(row)) = (problem, row.as_object_mut()) {
            row.insert("problem".to_owned(), json!(problem.to_string()));
        }
        row
    }

    /// What is left of [`AuditEntry::to_json`] where there is no room for the whole: its place in the
    /// chain, and how many bytes the whole has.
    pub fn to_short_json(&self, bytes: usize) -> Value {
        json!({
            "place": self.seq,
            "time": self.time().ok().map(|time| time.to_rfc3339()),
            "kind": self.kind,
            "left_out": format!("the rest of {bytes} bytes: a datagram has no room for it"),
            "previous": self.previous.to_string(),
            "hash": self.hash().to_string(),
        })
    }

    /// Reads [`AuditEntry::to_json`] back, with the hash that it names; none where it is another
    /// form. The detail gets the very text that was hashed: JSON here keeps the order of its keys.
    pub fn from_json(row: &Value) -> Option<(Self, Digest)> {
        let row = row.as_object()?;
        let digest = |key| Digest::parse(row.get(key)?.as_str()?);
        let actor = row.get("actor")?.as_object()?;
        let entry = Self {
            seq: row.get("place")?.as_u64()?,
            at_us: row.get("time")?.as_str()?.parse::<Time>().ok()?.timestamp_micros(),
            kind: text(row, "kind")?,
            actor_kind: text(actor, "kind")?,
            actor_id: text(actor, "id"),
            actor_name: text(actor, "name")?,
            request: text(row, "request"),
            action: text(row, "action"),
            target: text(row, "target"),
            detail: row.get("detail")?.to_string(),
            previous: digest("previous")?,
            damage: None,
        };
        Some((entry, digest("hash")?))
    }
}

fn text(row: &Map<String, Value>, key: &str) -> Option<String> {
    row.get(key)?.as_str().map(str::to_owned)
}
