//! The kill switch, the policy sets, and counts for whoever watches the broker.

use sqlx::Row as _;

use super::{
    Read, StoreError, Tx,
    row::{At, count, integer, text},
};
use crate::domain::{Time, canonical::Digest};

/// The kill switch, thrown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Since when.
    pub at: Time,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Whether the kill switch is on. Never cached.
pub async fn frozen(read: &mut impl Read) -> Result<Option<Freeze>, StoreError> {
    let row = sqlx::query("SELECT frozen_at, frozen_by, reason FROM kill_switch")
        .fetch_optional(read.connection())
        .await?;
    row.map(|row| {
        Ok(Freeze {
            at: At { table: "kill_switch", id: "1" }.time(integer(&row, "frozen_at")?)?,
            by: text(&row, "frozen_by")?,
            reason: text(&row, "reason")?,
        })
    })
    .transpose()
}

/// Throws the kill switch; a second time changes nothing. Whether it was off.
pub async fn freeze(tx: &mut Tx<'_>, freeze: &Freeze) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO kill_switch (id, frozen_at, frozen_by, reason) VALUES (1, $1, $2, $3)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(freeze.at.timestamp_micros())
    .bind(&freeze.by)
    .bind(&freeze.reason)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Releases the kill switch. Whether it was on.
pub async fn unfreeze(tx: &mut Tx<'_>) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM kill_switch").execute(tx.connection()).await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps a policy set's text, so that every decision can be explained later. Whether it is new.
pub async fn keep_policy_set(
    tx: &mut Tx<'_>,
    hash: Digest,
    source: &str,
    now: Time,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO policy_set (hash, source, activated_at) VALUES ($1, $2, $3)
         ON CONFLICT (hash) DO NOTHING",
    )
    .bind(hash.to_string())
    .bind(source)
    .bind(now.timestamp_micros())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The hash named by the newest `policy.activated` event.
pub async fn active_policy(read: &mut impl Read) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(
        "SELECT target FROM audit WHERE kind = 'policy.activated' ORDER BY seq DESC LIMIT 1",
    )
    .fetch_optional(read.connection())
    .await?;
    Ok(row.map(|row| row.try_get("target")).transpose()?)
}

/// How many requests are in each state.
pub async fn counts_by_state(read: &mut impl Read) -> Result<Vec<(String, u64)>, StoreError> {
    counts(read, "SELECT state AS name, count(*) AS number FROM request GROUP BY state").await
}

/// How many endpoints have each outcome.
pub async fn counts_by_outcome(read: &mut impl Read) -> Result<Vec<(String, u64)>, StoreError> {
    counts(
        read,
        "SELECT outcome AS name, count(*) AS number FROM request_endpoint
         WHERE outcome IS NOT NULL GROUP BY outcome",
    )
    .await
}

async fn counts(read: &mut impl Read, sql: &'static str) -> Result<Vec<(String, u64)>, StoreError> {
    let rows = sqlx::query(sql).fetch_all(read.connection()).await?;
    rows.iter().map(|row| Ok((text(row, "name")?, count(integer(row, "number")?)))).collect()
}
