//! The walk along the chain.

use rusqlite::{Row, types::ValueRef};

use super::stored_row::StoredRow;
use crate::{
    domain::{audit::HashedColumns, digest::Digest},
    store::{Read, StoreError, row::integer, sqlite::query},
};

/// How many rows one statement walks. Other readers of the log wait for none of it.
const BLOCK_ROWS: i64 = 1000;

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

impl Default for Verified {
    fn default() -> Self {
        Self { rows: 0, head: Digest::ZERO, broken: None }
    }
}

/// Walks the whole chain from the first row.
pub async fn verify(read: &mut impl Read) -> Result<Verified, StoreError> {
    let mut verified = Verified::default();
    while verify_block(read, &mut verified).await? {}
    Ok(verified)
}

/// Whether the chain still has the last row that was verified.
pub async fn is_at(read: &mut impl Read, verified: &Verified) -> Result<bool, StoreError> {
    let head = super::head_at(read, verified.rows).await?;
    Ok(head.is_some_and(|head| head.hash == verified.head))
}

/// Goes on with the next block of rows. Whether there may be more. A block that does not follow is
/// walked again row by row, to say what is wrong.
pub async fn verify_block(
    read: &mut impl Read,
    verified: &mut Verified,
) -> Result<bool, StoreError> {
    let last = (verified.rows, verified.head);
    // A row that was put before the first is bad too.
    let after = if verified.rows == 0 { i64::MIN } else { super::place(verified.rows)? };
    if let Some((place, head)) = sound_block(read, after, last).await? {
        (verified.rows, verified.head) = (place, head);
        return Ok(true);
    }
    if walk_rows(read, after, verified).await? {
        return Ok(verified.broken.is_none());
    }
    if verified.rows == 0 && has_history(read).await? {
        let why = "row 1 is missing: there are people or requests, and each left an entry";
        verified.broken = Some((1, why.to_owned()));
    }
    Ok(false)
}

/// The next rows.
const BLOCK: &str = "SELECT seq, at, kind, actor_kind, actor_id, actor_name, request_id, action,
        target, detail, previous, hash
    FROM audit WHERE seq > ?1 AND seq <= ?2 ORDER BY seq";

/// The place and the hash of the last of the next rows, if there are some and all follow this one.
async fn sound_block(
    read: &mut impl Read,
    after: i64,
    last: (u64, Digest),
) -> Result<Option<(u64, Digest)>, StoreError> {
    let until = super::place(last.0)?.saturating_add(BLOCK_ROWS);
    Ok(read.connection().run(move |raw| follow(raw, (after, until), last)).await?)
}

/// Hashes the rows where `SQLite` has them: to copy them first would cost more than that.
fn follow(
    raw: &rusqlite::Connection,
    block: (i64, i64),
    mut last: (u64, Digest),
) -> rusqlite::Result<Option<(u64, Digest)>> {
    let mut statement = raw.prepare_cached(BLOCK)?;
    let mut rows = statement.query(block)?;
    let mut any = false;
    while let Some(row) = rows.next()? {
        let Some((columns, stored)) = hashed(row)? else { return Ok(None) };
        if !columns.follows(last, stored) {
            return Ok(None);
        }
        (last, any) = ((columns.seq, stored), true);
    }
    Ok(any.then_some(last))
}

/// What is hashed of a row, and the hash that it has; none where it is damaged.
fn hashed<'r>(row: &'r Row<'_>) -> rusqlite::Result<Option<(HashedColumns<'r>, Digest)>> {
    let mut columns = [ValueRef::Null; 12];
    for (place, column) in columns.iter_mut().enumerate() {
        *column = row.get_ref(place)?;
    }
    Ok(read(&columns))
}

fn read<'r>(columns: &[ValueRef<'r>; 12]) -> Option<(HashedColumns<'r>, Digest)> {
    let text =
        |value| if let ValueRef::Text(text) = value { str::from_utf8(text).ok() } else { None };
    let maybe = |value| if value == ValueRef::Null { Some(None) } else { text(value).map(Some) };
    let number = |value| if let ValueRef::Integer(number) = value { Some(number) } else { None };
    let [seq, at, kind, actor_kind, actor_id, actor_name, request, action, target, ..] = *columns;
    let [.., detail, previous, hash] = *columns;
    let columns = HashedColumns {
        seq: number(seq)?.try_into().ok()?,
        at_us: number(at)?,
        kind: text(kind)?,
        actor_kind: text(actor_kind)?,
        actor_id: maybe(actor_id)?,
        actor_name: text(actor_name)?,
        request: maybe(request)?,
        action: maybe(action)?,
        target: maybe(target)?,
        detail: text(detail)?,
        previous: Digest::parse(text(previous)?)?,
    };
    Some((columns, Digest::parse(text(hash)?)?))
}

/// Walks a block row by row. Whether there was any.
async fn walk_rows(
    read: &mut impl Read,
    after: i64,
    verified: &mut Verified,
) -> Result<bool, StoreError> {
    let rows = query("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(after)
        .bind(BLOCK_ROWS)
        .fetch_all(read.connection())
        .await?;
    for row in &rows {
        let (entry, stored) = StoredRow::entry(row)?;
        if let Err(why) = entry.check_after((verified.rows, verified.head), stored) {
            verified.broken = Some((integer(row, "seq")?, why));
            return Ok(true);
        }
        (verified.rows, verified.head) = (entry.seq, stored);
    }
    Ok(!rows.is_empty())
}

/// Whether something happened that is recorded always.
async fn has_history(read: &mut impl Read) -> Result<bool, StoreError> {
    let row =
        query("SELECT EXISTS(SELECT 1 FROM person) OR EXISTS(SELECT 1 FROM request) AS happened")
            .fetch_one(read.connection())
            .await?;
    Ok(integer(&row, "happened")? == 1)
}
