//! The kill switch, the policy sets, and counts for monitoring.

use std::collections::BTreeMap;

pub(super) mod set_back;

use super::{
    Read, StoreError, Tx,
    row::{At, count, integer, text},
    sqlite::{Row, query},
};
use crate::domain::{
    Time,
    action::Catalogue,
    digest::Digest,
    kill_switch::{Extent, Freeze, Release},
    request::Request,
};

/// What the kill switch stops now, oldest first. Never cached.
pub async fn frozen(read: &mut impl Read) -> Result<Vec<Freeze>, StoreError> {
    let rows = query("SELECT * FROM kill_switch ORDER BY frozen_at, extent, name")
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(freeze_of).collect()
}

/// Whether the kill switch keeps a request from being sent. Never cached.
pub async fn stopped(read: &mut impl Read, request: &Request) -> Result<bool, StoreError> {
    Ok(frozen(read).await?.iter().any(|freeze| freeze.extent.stops(request)))
}

/// The key that signs what browsers are given: the stored one, or else this one from now on.
pub async fn browser_key(tx: &mut Tx<'_>, new: Digest) -> Result<Digest, StoreError> {
    query("INSERT INTO browser_key (only, key) VALUES (1, $1) ON CONFLICT DO NOTHING")
        .bind(new.to_string())
        .execute(tx.connection())
        .await?;
    let row = query("SELECT key FROM browser_key").fetch_one(tx.connection()).await?;
    At { table: "browser_key", id: "1" }.read(&text(&row, "key")?, Digest::parse)
}

fn freeze_of(row: &Row) -> Result<Freeze, StoreError> {
    let name = text(row, "name")?;
    let at = At { table: "kill_switch", id: &name };
    let row = at.columns(row);
    let extent = Extent::parse(&row.text("extent")?, &name);
    let person = row.maybe_parse("release_by")?;
    let words = (row.maybe_text("release_name")?, row.maybe_text("release_reason")?);
    let release = match (words, row.maybe_time("release_at")?) {
        ((Some(name), Some(reason)), Some(at)) => Some(Release { person, name, reason, at }),
        _ => None,
    };
    Ok(Freeze {
        extent: extent.map_err(|invalid| at.wrong(invalid.to_string()))?,
        at: row.time("frozen_at")?,
        by: row.text("frozen_by")?,
        reason: row.text("reason")?,
        release,
    })
}

/// Throws the kill switch. Whether this much was not stopped yet: a second time changes nothing but
/// that a release which was begun has to begin again.
pub async fn freeze(tx: &mut Tx<'_>, freeze: &Freeze) -> Result<bool, StoreError> {
    let (extent, name) = (freeze.extent.kind(), freeze.extent.name());
    let done = query(
        "INSERT INTO kill_switch (extent, name, frozen_at, frozen_by, reason)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (extent, name) DO NOTHING",
    )
    .bind(extent)
    .bind(name)
    .bind(freeze.at.timestamp_micros())
    .bind(&freeze.by)
    .bind(&freeze.reason)
    .execute(tx.connection())
    .await?;
    if done == 0 {
        record_first_key(tx, &freeze.extent, None).await?;
    }
    Ok(done == 1)
}

/// Keeps the first word for a release, or forgets it.
pub async fn record_first_key(
    tx: &mut Tx<'_>,
    extent: &Extent,
    first: Option<&Release>,
) -> Result<(), StoreError> {
    query(
        "UPDATE kill_switch SET release_by = $3, release_name = $4, release_reason = $5,
             release_at = $6
         WHERE extent = $1 AND name = $2",
    )
    .bind(extent.kind())
    .bind(extent.name())
    .bind(first.and_then(|first| first.person).map(|id| id.to_string()))
    .bind(first.map(|first| first.name.as_str()))
    .bind(first.map(|first| first.reason.as_str()))
    .bind(first.map(|first| first.at.timestamp_micros()))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Releases the kill switch.
pub async fn unfreeze(tx: &mut Tx<'_>, extent: &Extent) -> Result<(), StoreError> {
    query("DELETE FROM kill_switch WHERE extent = $1 AND name = $2")
        .bind(extent.kind())
        .bind(extent.name())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Keeps a policy set's text, so that every decision can be explained later. Whether it is new.
pub async fn keep_policy_set(
    tx: &mut Tx<'_>,
    hash: Digest,
    source: &str,
    now: Time,
) -> Result<bool, StoreError> {
    let done = query(
        "INSERT INTO policy_set (hash, source, activated_at) VALUES ($1, $2, $3)
         ON CONFLICT (hash) DO NOTHING",
    )
    .bind(hash.to_string())
    .bind(source)
    .bind(now.timestamp_micros())
    .execute(tx.connection())
    .await?;
    Ok(done == 1)
}

/// Keeps the files of the set that becomes active, instead of those of the one before.
pub async fn keep_policy_files(
    tx: &mut Tx<'_>,
    files: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    query("DELETE FROM active_policy_file").execute(tx.connection()).await?;
    for (name, text) in files {
        query("INSERT INTO active_policy_file (name, text) VALUES ($1, $2)")
            .bind(name)
            .bind(text)
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}

/// Keeps the entries of a catalogue that are not built in, for good.
pub async fn keep_entries(tx: &mut Tx<'_>, catalogue: &Catalogue) -> Result<(), StoreError> {
    let read = catalogue.responses().iter().map(|kind| kind.entry());
    for entry in read.filter(|entry| !entry.built_in) {
        query("INSERT INTO action_entry (hash, name, source) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(entry.hash.to_string())
            .bind(&entry.name)
            .bind(&entry.source)
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}

/// Reads the entries that were ever active, so that what names them can be read. A database of an
/// earlier version has none.
pub(super) async fn recall_entries(read: &mut impl Read) -> Result<(), StoreError> {
    let known = query("SELECT 1 AS found FROM sqlite_schema WHERE name = 'action_entry'")
        .fetch_optional(read.connection())
        .await?;
    if known.is_none() {
        return Ok(());
    }
    // By rowid where there is one would be their order; of one name any may be the newest.
    let rows = query("SELECT hash, source FROM action_entry ORDER BY name, hash")
        .fetch_all(read.connection())
        .await?;
    for row in &rows {
        let hash = text(row, "hash")?;
        let at = At { table: "action_entry", id: &hash };
        let digest = at.read(&hash, Digest::parse)?;
        Catalogue::recall(digest, &text(row, "source")?).map_err(|why| at.wrong(why))?;
    }
    Ok(())
}

/// The files of the active set: text by name. None where none were ever kept.
pub async fn policy_files(
    read: &mut impl Read,
) -> Result<Option<BTreeMap<String, String>>, StoreError> {
    let rows =
        query("SELECT name, text FROM active_policy_file").fetch_all(read.connection()).await?;
    let files = rows.iter().map(|row| Ok((text(row, "name")?, text(row, "text")?)));
    let files: BTreeMap<_, _> = files.collect::<Result<_, StoreError>>()?;
    Ok((!files.is_empty()).then_some(files))
}

/// The hash named by the newest `policy.activated` event.
pub async fn active_policy(read: &mut impl Read) -> Result<Option<Digest>, StoreError> {
    let row = query(
        "SELECT seq, target FROM audit WHERE kind = 'policy.activated' ORDER BY seq DESC LIMIT 1",
    )
    .fetch_optional(read.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let at = At { table: "audit", id: &integer(&row, "seq")?.to_string() };
    at.read(&text(&row, "target")?, Digest::parse).map(Some)
}

/// How many requests are in each state. Triggers keep these counters in the transaction that changes
/// them: nothing here grows with history.
pub async fn counts_by_state(read: &mut impl Read) -> Result<Vec<(String, u64)>, StoreError> {
    counts(read, "request").await
}

/// How many endpoints have each outcome, kept in the same way.
pub async fn counts_by_outcome(read: &mut impl Read) -> Result<Vec<(String, u64)>, StoreError> {
    counts(read, "request_endpoint").await
}

async fn counts(read: &mut impl Read, what: &str) -> Result<Vec<(String, u64)>, StoreError> {
    let sql = "SELECT name, number FROM counter WHERE what = $1 AND number > 0 ORDER BY name";
    let rows = query(sql).bind(what).fetch_all(read.connection()).await?;
    rows.iter().map(|row| Ok((text(row, "name")?, count(row, "number")?))).collect()
}
