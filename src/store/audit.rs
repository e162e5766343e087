//! The audit: appended in the transaction of its cause, paged by place, verified from the first row.

use sqlx::{Row as _, sqlite::SqliteRow};

use super::{
    Read, StoreError, Tx,
    row::{At, integer, text},
};
use crate::domain::{
    Time,
    audit::{
        AuditEntry, AuditEvent,
        high_water_mark::{ChainHead, HighWaterMark},
    },
    digest::Digest,
    id::RequestId,
};

/// How many rows [`verify`] holds in memory at once.
const VERIFY_ROWS: i64 = 1000;

/// An audit entry as the log names it: no text that somebody wrote.
#[derive(Debug)]
pub(super) struct LogLine {
    pub(super) seq: u64,
    pub(super) kind: &'static str,
    pub(super) actor: String,
    pub(super) request: Option<RequestId>,
}

impl Tx<'_> {
    /// Remembers an entry for the log and the high-water mark.
    fn log_after_commit(&mut self, head: ChainHead, event: &AuditEvent) {
        self.effects.head = Some(head);
        self.effects.recorded.push(LogLine {
            seq: head.seq,
            kind: event.kind().name(),
            actor: event.actor.name().to_owned(),
            request: event.request,
        });
    }
}

/// Which entries to show. An absent part does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// At or after this moment.
    pub since: Option<Time>,
    /// Before this moment.
    pub until: Option<Time>,
    /// [`crate::domain::audit::EventKind::name`], or the part before its dot.
    pub kind: Option<String>,
    /// The name or id of a person or agent.
    pub actor: Option<String>,
    /// Events of requests that this endpoint was part of, skipped or not: `001` at whatever manager,
    /// `paris/001` at that one.
    pub endpoint: Option<String>,
    /// The address, account, person or agent acted on.
    pub target: Option<String>,
    /// Events of this request.
    pub request: Option<String>,
    /// Events of requests that this policy decided.
    pub policy: Option<String>,
}

/// Appends an event to the chain. The only way to write to the audit. The entry carries the time of
/// the machine's clock; beside it, outside of the entry, stands the moment as the broker counts, by
/// which asks are counted.
pub async fn append(tx: &mut Tx<'_>, event: &AuditEvent, now: Time) -> Result<u64, StoreError> {
    let last = sqlx::query("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
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
    sqlx::query(
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
    let row = sqlx::query("SELECT seq, at, hash FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_optional(read.connection())
        .await?;
    row.as_ref().map(chain_head).transpose()
}

/// The entry at a place.
pub(super) async fn head_at(
    read: &mut impl Read,
    seq: u64,
) -> Result<Option<ChainHead>, StoreError> {
    let row = sqlx::query("SELECT seq, at, hash FROM audit WHERE seq = $1")
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
    let row = sqlx::query(
        "SELECT seq, at, hash FROM audit
         WHERE seq < ifnull((SELECT min(seq) FROM audit WHERE at > $1), 9223372036854775807)
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
    let row = sqlx::query(
        "SELECT steady_at FROM audit WHERE actor_kind <> 'command_line' ORDER BY seq DESC LIMIT 1",
    )
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
    let row = sqlx::query(
        "SELECT min(seq) AS first FROM audit
         WHERE kind = 'broker.started'
           AND CASE WHEN json_valid(detail) THEN json_extract(detail, '$.gap') END IS NOT NULL
           AND seq > coalesce((SELECT max(seq) FROM audit WHERE kind = 'database.recovered'), 0)",
    )
    .fetch_one(read.connection())
    .await?;
    let first: Option<i64> = row.try_get("first")?;
    let known = match first {
        Some(first) => head_at(read, u64::try_from(first - 1).unwrap_or(0)).await?,
        None => head(read).await?,
    };
    let Some(mark) = mark else { return Ok(known) };
    let marked = head_by(read, mark.head.at).await?;
    Ok(known.zip(marked).map(|(one, other)| if one.seq < other.seq { one } else { other }))
}

/// What is damaged equals nothing: [`verify`] says what it is.
fn chain_head(row: &SqliteRow) -> Result<ChainHead, StoreError> {
    let seq = integer(row, "seq")?;
    let hash: Vec<u8> = row.try_get("hash")?;
    let hash = str::from_utf8(&hash).ok().and_then(Digest::parse).unwrap_or(Digest::ZERO);
    let seq = At { table: "audit", id: &seq.to_string() }.number(seq)?;
    Ok(ChainHead { seq, hash, at: moment(integer(row, "at")?) })
}

fn moment(micros: i64) -> Time {
    Time::from_timestamp_micros(micros).unwrap_or_default()
}

/// Whether a server of this database kept a high-water mark. Versions before 0.2.0 kept none.
pub(super) async fn mark_was_kept(read: &mut impl Read) -> Result<bool, StoreError> {
    let row = sqlx::query(
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

/// The newest entries that match, at most `limit`, older than the place `before`.
pub async fn page(
    read: &mut impl Read,
    filter: &AuditFilter,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<AuditEntry>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM audit
         WHERE ($1 IS NULL OR seq < $1)
           AND ($2 IS NULL OR at >= $2)
           AND ($3 IS NULL OR at < $3)
           AND ($4 IS NULL OR kind = $4 OR substr(kind, 1, length($4) + 1) = $4 || '.')
           AND ($5 IS NULL OR actor_name = $5 OR actor_id = $5)
           AND ($6 IS NULL OR request_id IN
                  (SELECT request_id FROM request_endpoint JOIN request ON request.id = request_id
                   WHERE endpoint_id = substr($6, instr($6, '/') + 1)
                     AND (instr($6, '/') = 0 OR manager = substr($6, 1, instr($6, '/') - 1))))
           AND ($7 IS NULL OR target = $7)
           AND ($8 IS NULL OR request_id = $8)
           AND ($9 IS NULL OR request_id IN
                  (SELECT request_id FROM decision_policy WHERE policy_id = $9))
         ORDER BY seq DESC LIMIT $10",
    )
    .bind(before.map(place).transpose()?)
    .bind(filter.since.map(|time| time.timestamp_micros()))
    .bind(filter.until.map(|time| time.timestamp_micros()))
    .bind(&filter.kind)
    .bind(&filter.actor)
    .bind(&filter.endpoint)
    .bind(&filter.target)
    .bind(&filter.request)
    .bind(&filter.policy)
    .bind(i64::from(limit))
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(|row| Ok(StoredRow::entry(row)?.0)).collect()
}

/// The entries of one request, oldest first.
pub async fn of_request(
    read: &mut impl Read,
    request: &str,
) -> Result<Vec<AuditEntry>, StoreError> {
    let rows = sqlx::query("SELECT * FROM audit WHERE request_id = $1 ORDER BY seq")
        .bind(request)
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(|row| Ok(StoredRow::entry(row)?.0)).collect()
}

/// The entries after a place, oldest first, at most `limit`.
pub async fn after(
    read: &mut impl Read,
    seq: u64,
    limit: u32,
) -> Result<Vec<AuditEntry>, StoreError> {
    let rows = sqlx::query("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(place(seq)?)
        .bind(i64::from(limit))
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(|row| Ok(StoredRow::entry(row)?.0)).collect()
}

/// What a walk along the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many rows are sound, from the first.
    pub rows: u64,
    /// The hash of the last sound row: note it elsewhere to prove later that nothing was cut off.
    pub head: Digest,
    /// The first bad row, and what is wrong with it.
    pub broken: Option<(i64, String)>,
}

/// Walks the whole chain from the first row.
pub async fn verify(read: &mut impl Read) -> Result<Verified, StoreError> {
    let mut verified = Verified { rows: 0, head: Digest::ZERO, broken: None };
    let mut after = i64::MIN;
    loop {
        let rows = sqlx::query("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(after)
            .bind(VERIFY_ROWS)
            .fetch_all(read.connection())
            .await?;
        if rows.is_empty() {
            if verified.rows == 0 && has_history(read).await? {
                let why = "row 1 is missing: there are people or requests, and each left an entry";
                verified.broken = Some((1, why.to_owned()));
            }
            return Ok(verified);
        }
        for row in &rows {
            after = integer(row, "seq")?;
            let last = (verified.rows, verified.head);
            let (entry, stored) = StoredRow::entry(row)?;
            match entry.check_after(last, stored) {
                Ok(()) => {
                    verified.rows = entry.seq;
                    verified.head = stored;
                }
                Err(why) => {
                    verified.broken = Some((after, why));
                    return Ok(verified);
                }
            }
        }
    }
}

/// Whether something happened that is recorded always.
async fn has_history(read: &mut impl Read) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT EXISTS(SELECT 1 FROM person) OR EXISTS(SELECT 1 FROM request) AS happened",
    )
    .fetch_one(read.connection())
    .await?;
    Ok(integer(&row, "happened")? == 1)
}

/// A row that may have been damaged: what can be read of it is, so that it hides no other row.
struct StoredRow<'r> {
    row: &'r SqliteRow,
    damage: Option<String>,
}

impl<'r> StoredRow<'r> {
    /// The entry, and the hash that is stored with it.
    fn entry(row: &'r SqliteRow) -> Result<(AuditEntry, Digest), StoreError> {
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
        let Some(bytes): Option<Vec<u8>> = self.row.try_get(column)? else { return Ok(None) };
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
