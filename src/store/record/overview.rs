//! What a lead sees at once: what waits and since when, what people decided, what was active, and which
//! policies were asked.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{FATE, day, fate, first_id};
use crate::{
    domain::{Time, decision::Tier, request::Fate},
    store::{
        Read, StoreError,
        row::{At, count, integer, text},
        sqlite::{Query, query},
    },
};

/// Up to how many minutes each class of [`waiting_by_age`] but the last waits.
pub const AGES_MINUTES: [i64; 4] = [15, 60, 240, 1440];

/// How many requests wait for people, by tier and class of age: the place in [`AGES_MINUTES`], or one
/// more. Without a tier where an earlier version asked.
pub async fn waiting_by_age(
    read: &mut impl Read,
    now: Time,
) -> Result<BTreeMap<(Option<Tier>, usize), u64>, StoreError> {
    let before = AGES_MINUTES.map(|minutes| (now - TimeDelta::minutes(minutes)).timestamp_micros());
    let rows = query(
        "SELECT tier, (asked_at <= $1) + (asked_at <= $2) + (asked_at <= $3) + (asked_at <= $4) AS age,
             count(*) AS number
         FROM request INDEXED BY request_pending WHERE state = 'pending' GROUP BY 1, 2",
    );
    let rows = before.into_iter().fold(rows, Query::bind);
    let at = At { table: "request", id: "that waits" };
    let mut waiting = BTreeMap::new();
    for row in &rows.fetch_all(read.connection()).await? {
        let tier = at.columns(row).maybe_text("tier")?;
        let tier = tier.map(|tier| at.read(&tier, Tier::parse)).transpose()?;
        waiting.insert((tier, at.number(integer(row, "age")?)?), count(row, "number")?);
    }
    Ok(waiting)
}

/// How many requests people decided on each day since the beginning of one, counted from that.
pub async fn decided_by_day(
    read: &mut impl Read,
    since: Time,
) -> Result<BTreeMap<(usize, Fate), u64>, StoreError> {
    let rows = query(
        "SELECT decided_at / 86400000000 AS day,
             CASE state WHEN 'rejected' THEN 'rejected' ELSE 'approved' END AS fate,
             count(*) AS number
         FROM request INDEXED BY request_by_decision
         WHERE decided_at >= $1 AND decided_at IS NOT NULL AND parent IS NULL GROUP BY 1, 2",
    );
    let rows = rows.bind(since.timestamp_micros()).fetch_all(read.connection()).await?;
    let at = At { table: "request", id: "that was decided" };
    let mut decided = BTreeMap::new();
    for row in &rows {
        let day = at.number(integer(row, "day")? - day(since))?;
        decided.insert((day, fate(&text(row, "fate")?, at)?), count(row, "number")?);
    }
    Ok(decided)
}

/// On how many endpoints responses were, or may have been, active at the end of each day since the
/// beginning of one; of today, now.
pub async fn active_by_day(
    read: &mut impl Read,
    (since, days): (Time, usize),
    now: Time,
) -> Result<Vec<u64>, StoreError> {
    let rows = query(
        "WITH lived AS MATERIALIZED (
             SELECT request_id, since, ends_at AS ends
             FROM request_endpoint INDEXED BY request_endpoint_active
             WHERE outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed')
               AND ifnull(ends_at, 9223372036854775807) > $1 AND since IS NOT NULL
             UNION ALL
             SELECT request_id, since, min(ifnull(ends_at, outcome_at), outcome_at)
             FROM request_endpoint INDEXED BY request_endpoint_by_outcome
             WHERE outcome IN ('ended', 'reverted') AND outcome_at > $1 AND since IS NOT NULL
         ), ours AS MATERIALIZED (
             SELECT since, ends FROM lived
                 CROSS JOIN request AS facts INDEXED BY request_facts ON facts.id = request_id
             WHERE facts.undoes IS NULL AND (ends IS NULL OR ends > max($1, since))
         )
         SELECT max(since, $1) / 86400000000 AS day, count(*) AS began, 0 AS ended
         FROM ours GROUP BY 1
         UNION ALL
         SELECT ends / 86400000000, 0, count(*) FROM ours WHERE ends <= $2 GROUP BY 1",
    )
    .bind(since.timestamp_micros())
    .bind(now.timestamp_micros())
    .fetch_all(read.connection())
    .await?;
    let mut changes = vec![(0_u64, 0_u64); days];
    for row in &rows {
        let at = At { table: "request_endpoint", id: "that was active" };
        let day: usize = at.number(integer(row, "day")? - day(since))?;
        if let Some((began, ended)) = changes.get_mut(day) {
            *began += count(row, "began")?;
            *ended += count(row, "ended")?;
        }
    }
    let mut active = 0_u64;
    let after = |(began, ended): (u64, u64)| {
        active = (active + began).saturating_sub(ended);
        active
    };
    Ok(changes.into_iter().map(after).collect())
}

/// What became of the requests that each policy had a say in, of those asked since a moment.
pub async fn policies_since(
    read: &mut impl Read,
    since: Time,
) -> Result<BTreeMap<(String, Fate), u64>, StoreError> {
    let rows = query(format!(
        "WITH RECURSIVE known (id) AS (
             SELECT min(policy_id) FROM decision_policy
             UNION ALL
             SELECT (SELECT min(policy_id) FROM decision_policy WHERE policy_id > known.id)
             FROM known WHERE known.id IS NOT NULL
         )
         SELECT known.id AS policy, {FATE} AS fate, count(*) AS number
         FROM known
             CROSS JOIN decision_policy AS asked
                 ON asked.policy_id = known.id AND asked.request_id >= $1
             CROSS JOIN request AS facts INDEXED BY request_facts ON facts.id = asked.request_id
         WHERE facts.asked_at >= $2 AND facts.parent IS NULL GROUP BY 1, 2"
    ))
    .bind(first_id(since).to_string())
    .bind(since.timestamp_micros())
    .fetch_all(read.connection())
    .await?;
    let at = At { table: "decision_policy", id: "of a record" };
    let mut policies = BTreeMap::new();
    for row in &rows {
        policies
            .insert((text(row, "policy")?, fate(&text(row, "fate")?, at)?), count(row, "number")?);
    }
    Ok(policies)
}
