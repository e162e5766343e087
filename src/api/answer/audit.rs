//! The audit, as it is stored: whoever has it verifies the chain.

use serde::Serialize;
use utoipa::ToSchema;

use super::spoken;
use crate::domain::{audit::AuditEntry, digest::Digest};

/// A page of the audit, the oldest first. Its texts are those that are stored.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct AuditPage {
    /// The entries.
    pub(in crate::api) items: Vec<AuditItem>,
    /// The `after` of what comes next, now or later: keep it, and ask again. An empty page is the end
    /// for now.
    pub(in crate::api) next: String,
}

/// An entry.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct AuditItem {
    /// Its place: 1, 2, 3, … without a gap.
    seq: u64,
    /// When, in microseconds since 1970, as the machine's clock had it. This is hashed.
    at_us: i64,
    /// The same (RFC 3339, UTC); null where it is no possible time.
    at: Option<String>,
    /// What happened, such as `vote.approved`.
    kind: String,
    /// `agent`, `person`, `service`, `unknown`, `command line` or `system`.
    actor_kind: String,
    /// The id, where there is one.
    actor_id: Option<String>,
    /// The name. Text from outside.
    actor_name: String,
    /// The request.
    request: Option<String>,
    /// The action.
    action: Option<String>,
    /// What was acted on. Text from outside.
    target: Option<String>,
    /// The facts: the very text, itself JSON, that was hashed. Text from outside.
    detail: String,
    /// The hash of the entry before.
    previous: String,
    /// The hash that is stored with this entry.
    hash: String,
    /// What of it was damaged; null where nothing was.
    damage: Option<String>,
}

impl From<(AuditEntry, Digest)> for AuditItem {
    fn from((entry, hash): (AuditEntry, Digest)) -> Self {
        Self {
            seq: entry.seq,
            at_us: entry.at_us,
            at: entry.time().ok().map(spoken),
            kind: entry.kind,
            actor_kind: entry.actor_kind,
            actor_id: entry.actor_id,
            actor_name: entry.actor_name,
            request: entry.request,
            action: entry.action,
            target: entry.target,
            detail: entry.detail,
            previous: entry.previous.to_string(),
            hash: hash.to_string(),
            damage: entry.damage,
        }
    }
}
