//! The walk along the chain.

use sqlx::Row as _;

use super::stored_row::StoredRow;
use crate::{
    domain::{audit::HashedColumns, digest::Digest},
    store::{Read, StoreError, row::integer},
};

/// How many rows [`verify`] holds in memory at once.
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

/// What stands behind each column of a block: the separator of units, which no text here should hold.
const SEPARATOR: u8 = 0x1f;
/// How many columns a row of a block has.
const COLUMNS: usize = 13;

/// The next rows as one value, and how many they are. A value for each column of each row would cost
/// more than to hash them. Absent and empty texts look alike, so a number says which are absent.
const BLOCK: &str = "SELECT count(*) AS number, CAST(group_concat(concat(
        seq, x'1f', at, x'1f', kind, x'1f', actor_kind, x'1f', actor_id, x'1f', actor_name, x'1f',
        request_id, x'1f', action, x'1f', target, x'1f', detail, x'1f', previous, x'1f', hash, x'1f',
        (actor_id IS NULL) + 2 * (request_id IS NULL) + 4 * (action IS NULL) + 8 * (target IS NULL),
        x'1f'), '') AS BLOB) AS block
    FROM audit WHERE seq > $1 AND seq <= $2";

/// The place and the hash of the last of the next rows, if there are some and all follow this one.
async fn sound_block(
    read: &mut impl Read,
    after: i64,
    last: (u64, Digest),
) -> Result<Option<(u64, Digest)>, StoreError> {
    let until = super::place(last.0)?.saturating_add(BLOCK_ROWS);
    let row = sqlx::query(BLOCK).bind(after).bind(until).fetch_one(read.connection()).await?;
    let block: Option<&[u8]> = row.try_get("block")?;
    let number = usize::try_from(integer(&row, "number")?).unwrap_or(0);
    Ok(block.and_then(|block| follow(block, number, last)))
}

/// Each column adds one separator. Where there are more, a text holds one, and this cannot tell the
/// columns apart.
fn follow(block: &[u8], number: usize, mut last: (u64, Digest)) -> Option<(u64, Digest)> {
    let mut columns = block.split(|byte| *byte == SEPARATOR);
    for _ in 0..number {
        let mut text = || str::from_utf8(columns.next()?).ok();
        let mut row = [""; COLUMNS];
        for column in &mut row {
            *column = text()?;
        }
        let [seq, at, kind, actor_kind, actor_id, actor_name, request, action, target, .., absent] =
            row;
        let [.., detail, previous, hash, _] = row;
        let absent: u8 = absent.parse().ok()?;
        let maybe = |bit: u8, text| (absent & bit == 0).then_some(text);
        let columns = HashedColumns {
            seq: seq.parse().ok()?,
            at_us: at.parse().ok()?,
            kind,
            actor_kind,
            actor_id: maybe(1, actor_id),
            actor_name,
            request: maybe(2, request),
            action: maybe(4, action),
            target: maybe(8, target),
            detail,
            previous: Digest::parse(previous)?,
        };
        let stored = Digest::parse(hash)?;
        if !columns.follows(last, stored) {
            return None;
        }
        last = (columns.seq, stored);
    }
    // Behind the last separator is nothing.
    (number > 0 && columns.next() == Some(&[]) && columns.next().is_none()).then_some(last)
}

/// Walks a block row by row. Whether there was any.
async fn walk_rows(
    read: &mut impl Read,
    after: i64,
    verified: &mut Verified,
) -> Result<bool, StoreError> {
    let rows = sqlx::query("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
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
    let row = sqlx::query(
        "SELECT EXISTS(SELECT 1 FROM person) OR EXISTS(SELECT 1 FROM request) AS happened",
    )
    .fetch_one(read.connection())
    .await?;
    Ok(integer(&row, "happened")? == 1)
}
