//! The sessions of one person, and when they get no mail that can wait.

use std::collections::BTreeMap;

use crate::{
    domain::{Time, actor::quiet_hours::QuietHours, digest::Digest, id::PersonId},
    store::{
        Read, StoreError, Tx,
        row::{At, text},
        sqlite::{Row, query},
    },
};

/// So many sessions of one person are listed, the last used first.
const LISTED_MAX: u32 = 100;

/// A session as its person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    /// The hash of its token.
    pub token: Digest,
    /// When it began.
    pub created_at: Time,
    /// When it was last used.
    pub seen_at: Time,
    /// The address it began at, as text; empty where it is not known.
    pub source: String,
    /// What the browser said it is: text from outside. May be empty.
    pub device: String,
}

/// The sessions of a person that began and were used after these moments, the last used first, at
/// most 100.
pub async fn sessions_of(
    read: &mut impl Read,
    person: PersonId,
    (begun, used): (Time, Time),
) -> Result<Vec<ListedSession>, StoreError> {
    let rows = query(
        "SELECT token_hash, created_at, seen_at, source, device FROM session
         WHERE person_id = $1 AND created_at >= $2 AND seen_at >= $3
         ORDER BY seen_at DESC, created_at DESC LIMIT $4",
    )
    .bind(person.to_string())
    .bind(begun.timestamp_micros())
    .bind(used.timestamp_micros())
    .bind(LISTED_MAX)
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(listed).collect()
}

fn listed(row: &Row) -> Result<ListedSession, StoreError> {
    let at = At { table: "session", id: "of a token" };
    let row = at.columns(row);
    Ok(ListedSession {
        token: row.read("token_hash", Digest::parse)?,
        created_at: row.time("created_at")?,
        seen_at: row.time("seen_at")?,
        source: row.maybe_text("source")?.unwrap_or_default(),
        device: row.maybe_text("device")?.unwrap_or_default(),
    })
}

/// Ends all sessions of a person but this one. How many there were.
pub async fn end_other_sessions(
    tx: &mut Tx<'_>,
    person: PersonId,
    kept: Digest,
) -> Result<u64, StoreError> {
    let done = query("DELETE FROM session WHERE person_id = $1 AND token_hash <> $2")
        .bind(person.to_string())
        .bind(kept.to_string())
        .execute(tx.connection())
        .await?;
    Ok(done)
}

/// When a person gets no mail that can wait; none where they always do.
pub async fn quiet_hours(
    read: &mut impl Read,
    person: PersonId,
) -> Result<Option<QuietHours>, StoreError> {
    let row = query("SELECT id, quiet_from, quiet_until FROM person WHERE id = $1")
        .bind(person.to_string())
        .fetch_optional(read.connection())
        .await?;
    row.map_or(Ok(None), |row| hours(&row))
}

/// The quiet hours of all who have some and are not on call.
pub async fn quiet_people(
    read: &mut impl Read,
) -> Result<BTreeMap<PersonId, QuietHours>, StoreError> {
    let rows = query(
        "SELECT id, quiet_from, quiet_until FROM person
         WHERE quiet_from IS NOT NULL AND on_call = 0",
    )
    .fetch_all(read.connection())
    .await?;
    let mut people = BTreeMap::new();
    for row in &rows {
        let id = text(row, "id")?;
        let person = At { table: "person", id: &id }.parse(&id)?;
        people.extend(hours(row)?.map(|hours| (person, hours)));
    }
    Ok(people)
}

fn hours(row: &Row) -> Result<Option<QuietHours>, StoreError> {
    let id = text(row, "id")?;
    let at = At { table: "person", id: &id };
    let row = at.columns(row);
    let (from, until) = (row.maybe_number("quiet_from")?, row.maybe_number("quiet_until")?);
    let (Some(from), Some(until)) = (from, until) else { return Ok(None) };
    let hours = QuietHours::of_minutes(from, until);
    Ok(Some(hours.ok_or_else(|| at.wrong("its quiet hours are no times of the day"))?))
}

/// Sets when a person gets no mail that can wait.
pub async fn set_quiet_hours(
    tx: &mut Tx<'_>,
    person: PersonId,
    hours: Option<QuietHours>,
) -> Result<(), StoreError> {
    let (from, until) = hours.map(|hours| hours.minutes()).unzip();
    query("UPDATE person SET quiet_from = $2, quiet_until = $3 WHERE id = $1")
        .bind(person.to_string())
        .bind(from)
        .bind(until)
        .execute(tx.connection())
        .await?;
    Ok(())
}
