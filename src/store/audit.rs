//! The audit: appended in the transaction of its cause, paged by place, verified from the first row.

use super::{
    Read, StoreError, Subject, Tx,
    row::{At, integer, text},
    sqlite::{Row, query},
    writer::measures::Counted,
};
use crate::domain::{
    Time,
    actor::Actor,
    audit::{
        AuditEntry, AuditEvent,
        high_water_mark::{ChainHead, HighWaterMark},
    },
    digest::Digest,
    id::RequestId,
};

pub mod feeds;
mod page;
mod proofs;
mod stored_row;
mod verify;

pub use page::{AuditFilter, Lead, after, first_of_newest, is_target, of_request, page, targets};
pub use proofs::{VerifiedProofs, verify_proofs};
pub use verify::{Verified, is_at, verify, verify_block};

/// An audit entry as the log names it: no text that somebody wrote.
#[derive(Debug)]
pub(super) struct LogLine {
    pub(super) seq: u64,
    pub(super) kind: &'static str,
    pub(super) actor: String,
    pub(super) request: Option<RequestId>,
    /// What it counts for.
    pub(super) counted: Counted,
}

impl Tx<'_> {
    /// Remembers an entry for the log and the high-water mark, and what it touched.
    fn log_after_commit(&mut self, head: ChainHead, event: &AuditEvent) {
        self.effects.head = Some(head);
        self.effects.touched.extend(Subject::of_event(event));
        self.effects.recorded.push(LogLine {
            seq: head.seq,
            kind: event.kind().name(),
            actor: event.actor.name().to_owned(),
            request: event.request,
            counted: Counted::of(event),
        });
    }
}

/// Appends an event to the chain. The only way to write to the audit. The entry carries the time of
/// the machine's clock; beside it, outside of the entry, stands the moment as the broker counts, by
/// which asks are counted.
pub async fn append(tx: &mut Tx<'_>, event: &AuditEvent, now: Time) -> Result<u64, StoreError> {
    let last = query("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_optional(tx.connection())
        .await?;
    let last = match last {
        None => (0, Digest::ZERO),
        Some(row) => {
            let seq = integer(&row, "seq")?;
            let at = At { table: "audit", id: &seq.to_string() };
            let hash = at.read(&text(&row, "hash")?, Digest::parse)?;
            (at.number(seq)?, hash)
        }
    };
    let next = (last.0 + 1).to_string();
    let at = At { table: "audit", id: &next };
    let entry = AuditEntry::after(last, event, now + tx.clock_off());
    let entry = entry.map_err(|error| at.wrong(error.to_string()))?;
    let seq = place(entry.seq)?;
    query(
        "INSERT INTO audit (seq, at, kind, actor_kind, actor_id, actor_name, request_id, action,
                            target, detail, previous, hash, steady_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(seq)
    .bind(entry.at_us)
    .bind(&entry.kind)
    .bind(&entry.actor_kind)
    .bind(&entry.actor_id)
    .bind(&entry.actor_name)
    .bind(&entry.request)
    .bind(&entry.action)
    .bind(&entry.target)
    .bind(&entry.detail)
    .bind(entry.previous.to_string())
    .bind(entry.hash().to_string())
    .bind(now.timestamp_micros())
    .execute(tx.connection())
    .await?;
    let head = ChainHead { seq: entry.seq, hash: entry.hash(), at: moment(entry.at_us) };
    tx.log_after_commit(head, event);
    Ok(entry.seq)
}

/// The newest entry.
pub async fn head(read: &mut impl Read) -> Result<Option<ChainHead>, StoreError> {
    let row = query("SELECT seq, at, hash FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_optional(read.connection())
        .await?;
    row.as_ref().map(chain_head).transpose()
}

/// The entry at a place.
pub(super) async fn head_at(
    read: &mut impl Read,
    seq: u64,
) -> Result<Option<ChainHead>, StoreError> {
    let row = query("SELECT seq, at, hash FROM audit WHERE seq = $1")
        .bind(place(seq)?)
        .fetch_optional(read.connection())
        .await?;
    row.as_ref().map(chain_head).transpose()
}

/// The newest entry before the first that is younger than this: where the clock went back, what was
/// written after that is taken for younger too.
pub(super) async fn head_by(
    read: &mut impl Read,
    at: Time,
) -> Result<Option<ChainHead>, StoreError> {
    let row = query(
        "SELECT seq, at, hash FROM audit
         WHERE seq < ifnull((
             SELECT min(seq) FROM audit
             WHERE at > $1 AND seq >= (SELECT min(first) FROM audit_hour
                                       WHERE hour >= $1 / 3600000000)), 9223372036854775807)
         ORDER BY seq DESC LIMIT 1",
    )
    .bind(at.timestamp_micros())
    .fetch_optional(read.connection())
    .await?;
    row.as_ref().map(chain_head).transpose()
}

/// The moment of the newest entry of the server as the broker counts; none where no version that
/// notes it wrote one.
pub async fn last_moment(read: &mut impl Read) -> Result<Option<Time>, StoreError> {
    let row = query("SELECT steady_at FROM audit WHERE actor_kind <> $1 ORDER BY seq DESC LIMIT 1")
        .bind(Actor::CommandLine.kind())
        .fetch_optional(read.connection())
        .await?;
    let at = At { table: "audit", id: "the newest" };
    row.map_or(Ok(None), |row| at.columns(&row).maybe_time("steady_at"))
}

/// The last entry that a newer copy of this database has too, or an older one: it is not younger
/// than the mark, and older than the first start that knew of the gap. None where all is in the gap.
pub async fn head_before_gap(
    read: &mut impl Read,
    mark: Option<HighWaterMark>,
) -> Result<Option<ChainHead>, StoreError> {
    let row = query(
        "SELECT min(seq) AS first FROM audit
         WHERE kind = 'broker.started'
           AND CASE WHEN json_valid(detail) THEN json_extract(detail, '$.gap') END IS NOT NULL
           AND seq > coalesce((SELECT max(seq) FROM audit WHERE kind = 'database.recovered'), 0)",
    )
    .fetch_one(read.connection())
    .await?;
    let first: Option<i64> = row.get("first")?;
    let known = match first {
        Some(first) => head_at(read, u64::try_from(first - 1).unwrap_or(0)).await?,
        None => head(read).await?,
    };
    let Some(mark) = mark else { return Ok(known) };
    let marked = head_by(read, mark.head.at).await?;
    Ok(known.zip(marked).map(|(one, other)| if one.seq < other.seq { one } else { other }))
}

/// What is damaged equals nothing: [`verify`] says what it is.
fn chain_head(row: &Row) -> Result<ChainHead, StoreError> {
    let seq = integer(row, "seq")?;
    let hash: Vec<u8> = row.get("hash")?;
    let hash = str::from_utf8(&hash).ok().and_then(Digest::parse).unwrap_or(Digest::ZERO);
    let seq = At { table: "audit", id: &seq.to_string() }.number(seq)?;
    Ok(ChainHead { seq, hash, at: moment(integer(row, "at")?) })
}

fn moment(micros: i64) -> Time {
    Time::from_timestamp_micros(micros).unwrap_or_default()
}

/// Whether a server of this database kept a high-water mark. Versions before 0.2.0 kept none.
pub(super) async fn mark_was_kept(read: &mut impl Read) -> Result<bool, StoreError> {
    let row = query(
        "SELECT EXISTS(SELECT 1 FROM audit WHERE kind = 'broker.started'
                       AND CASE WHEN json_valid(detail)
                           THEN json_extract(detail, '$.high_water_mark') END IS NOT NULL) AS kept",
    )
    .fetch_one(read.connection())
    .await?;
    Ok(integer(&row, "kept")? == 1)
}

/// The place of an entry, as `SQLite` holds it.
fn place(seq: u64) -> Result<i64, StoreError> {
    At { table: "audit", id: &seq.to_string() }.integer(seq)
}
