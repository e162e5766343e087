//! The walk along the chain.

use sqlx::Row as _;

use super::stored_row::StoredRow;
use crate::{
    domain::{audit::HashedColumns, digest::Digest},
    store::{Read, StoreError, row::integer},
};

/// How many rows [`verify`] holds in memory at once.
const BLOCK_ROWS: i64 = 256;

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
    // A row that was put before the first is bad too.
    let after = if verified.rows == 0 { i64::MIN } else { super::place(verified.rows)? };
    let block = block(read, after).await?;
    if block.is_empty() {
        if verified.rows == 0 && has_history(read).await? {
            let why = "row 1 is missing: there are people or requests, and each left an entry";
            verified.broken = Some((1, why.to_owned()));
        }
        return Ok(false);
    }
    if let Some(last) = Frames(&block).follow((verified.rows, verified.head)) {
        (verified.rows, verified.head) = last;
    } else {
        walk_rows(read, after, verified).await?;
    }
    Ok(verified.broken.is_none())
}

/// The rows after a place as one value: of each row the numbers and the lengths of the texts, then the
/// texts. A value for each column of each row would cost more than to hash them.
async fn block(read: &mut impl Read, after: i64) -> Result<Vec<u8>, StoreError> {
    let row = sqlx::query(
        "SELECT group_concat(concat(
             seq, ' ', at, ' ', octet_length(kind), ' ', octet_length(actor_kind), ' ',
             ifnull(octet_length(actor_id), '-'), ' ', octet_length(actor_name), ' ',
             ifnull(octet_length(request_id), '-'), ' ', ifnull(octet_length(action), '-'), ' ',
             ifnull(octet_length(target), '-'), ' ', octet_length(detail), ' ',
             octet_length(previous), ' ', octet_length(hash), ' ',
             kind, actor_kind, actor_id, actor_name, request_id, action, target, detail, previous,
             hash), '') AS block
         FROM (SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2)",
    )
    .bind(after)
    .bind(BLOCK_ROWS)
    .fetch_one(read.connection())
    .await?;
    let block: Option<Vec<u8>> = row.try_get("block")?;
    Ok(block.unwrap_or_default())
}

/// What is left of a block.
struct Frames<'b>(&'b [u8]);

impl<'b> Frames<'b> {
    /// The place and the hash of the last row, if all follow this one.
    fn follow(mut self, mut last: (u64, Digest)) -> Option<(u64, Digest)> {
        while !self.0.is_empty() {
            let (columns, stored) = self.row()?;
            if !columns.follows(last, stored) {
                return None;
            }
            last = (columns.seq, stored);
        }
        Some(last)
    }

    fn row(&mut self) -> Option<(HashedColumns<'b>, Digest)> {
        let (seq, at_us) = (self.word()?.parse().ok()?, self.word()?.parse().ok()?);
        let mut lengths = [None; 10];
        for length in &mut lengths {
            *length = match self.word()? {
                "-" => None,
                digits => Some(digits.parse::<usize>().ok()?),
            };
        }
        let mut texts = [None; 10];
        for (text, length) in texts.iter_mut().zip(lengths) {
            if let Some(length) = length {
                *text = Some(self.take(length)?);
            }
        }
        let [
            kind,
            actor_kind,
            actor_id,
            actor_name,
            request,
            action,
            target,
            detail,
            previous,
            hash,
        ] = texts;
        let columns = HashedColumns {
            seq,
            at_us,
            kind: kind?,
            actor_kind: actor_kind?,
            actor_id,
            actor_name: actor_name?,
            request,
            action,
            target,
            detail: detail?,
            previous: Digest::parse(previous?)?,
        };
        Some((columns, Digest::parse(hash?)?))
    }

    /// The text before the next space.
    fn word(&mut self) -> Option<&'b str> {
        let end = self.0.iter().position(|byte| *byte == b' ')?;
        let word = self.take(end)?;
        self.take(1)?;
        Some(word)
    }

    /// The next so many bytes, which are text of their own.
    fn take(&mut self, length: usize) -> Option<&'b str> {
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        str::from_utf8(text).ok()
    }
}

/// Walks a block row by row.
async fn walk_rows(
    read: &mut impl Read,
    after: i64,
    verified: &mut Verified,
) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(after)
        .bind(BLOCK_ROWS)
        .fetch_all(read.connection())
        .await?;
    for row in &rows {
        let (entry, stored) = StoredRow::entry(row)?;
        if let Err(why) = entry.check_after((verified.rows, verified.head), stored) {
            verified.broken = Some((integer(row, "seq")?, why));
            return Ok(());
        }
        (verified.rows, verified.head) = (entry.seq, stored);
    }
    Ok(())
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
