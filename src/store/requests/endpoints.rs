//! The endpoints of a request, written by one statement however many they are, and the calls to them.

pub(super) mod sites;

use std::collections::HashMap;

use serde_json::json;

use super::moment;
use crate::{
    domain::{
        Time,
        endpoint::SkipReason,
        request::{Attempt, Outcome, Request, Target},
    },
    store::{Read as _, StoreError, Tx, row::At, sqlite::query},
};

/// Stores the endpoints of a new request.
pub(super) async fn insert(tx: &mut Tx<'_>, request: &Request) -> Result<(), StoreError> {
    let id = request.id.to_string();
    let at = At { table: "request_endpoint", id: &id };
    let taking_part = request
        .targets
        .iter()
        .map(|t| (&t.endpoint, Some(t.criticality), Some(t.command.as_str()), None, t.away));
    let skipped = request.skipped.iter().map(|s| (&s.endpoint, None, None, Some(&s.reason), false));
    let mut rows = Vec::new();
    for (endpoint, criticality, command, skip, away) in taking_part.chain(skipped) {
        rows.push(json!([
            endpoint.id.as_str(),
            endpoint.name,
            endpoint.date_added,
            endpoint.platform.name(),
            at.to_json(&endpoint.groups)?,
            endpoint.address,
            criticality,
            command,
            skip.map(SkipReason::code),
            skip.map(SkipReason::detail),
            u8::from(away),
        ]));
    }
    query(
        "INSERT INTO request_endpoint (request_id, endpoint_id, name, date_added, platform,
             endpoint_groups, address, criticality, command, skip_code, skip_detail, away)
         SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
             value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10
         FROM json_each($2)",
    )
    .bind(&id)
    .bind(at.to_json(&rows)?)
    .execute(tx.connection())
    .await?;
    sites::insert(tx, request).await
}

/// Writes what changed on the endpoints that take part.
pub(super) async fn write_outcomes(
    tx: &mut Tx<'_>,
    request: &Request,
    stored: &[Target],
) -> Result<(), StoreError> {
    let id = request.id.to_string();
    let at = At { table: "request_endpoint", id: &id };
    let stored: HashMap<_, _> = stored.iter().map(|target| (&target.endpoint.id, target)).collect();
    let changed = |target: &&Target| stored.get(&target.endpoint.id) != Some(target);
    let mut rows = Vec::new();
    for target in request.targets.iter().filter(changed) {
        let outcome = target.outcome.as_ref();
        let evidence = outcome.and_then(Outcome::evidence);
        rows.push(json!([
            target.endpoint.id.as_str(),
            target.attempt.map(|attempt| attempt.to_string()),
            outcome.map(Outcome::stored_name),
            outcome.and_then(Outcome::code),
            outcome.map(Outcome::detail),
            moment(target.outcome_at),
            evidence.map(|evidence| at.to_json(evidence)).transpose()?,
            outcome.and_then(Outcome::reverted_by).map(|by| by.to_string()),
            moment(target.since),
            target.doubt,
            moment(target.watch_until),
            moment(ends_at(request, target)),
            target.started,
        ]));
    }
    if rows.is_empty() {
        return Ok(());
    }
    // Materialized: each row of the list is taken apart once.
    query(
        "WITH news AS MATERIALIZED (
             SELECT value ->> 0 AS id, value ->> 1 AS attempt_id, value ->> 2 AS outcome,
                 value ->> 3 AS outcome_code, value ->> 4 AS outcome_detail,
                 value ->> 5 AS outcome_at, value ->> 6 AS evidence, value ->> 7 AS reverted_by,
                 value ->> 8 AS since, value ->> 9 AS doubt, value ->> 10 AS watch_until,
                 value ->> 11 AS ends_at, value ->> 12 AS started
             FROM json_each($2)
         )
         UPDATE request_endpoint
         SET attempt_id = news.attempt_id, outcome = news.outcome,
             outcome_code = news.outcome_code, outcome_detail = news.outcome_detail,
             outcome_at = news.outcome_at, evidence = news.evidence,
             reverted_by = news.reverted_by, since = news.since, doubt = news.doubt,
             watch_until = news.watch_until, ends_at = news.ends_at, started = news.started
         FROM news WHERE request_id = $1 AND endpoint_id = news.id",
    )
    .bind(&id)
    .bind(at.to_json(&rows)?)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// An undo is over when it is sent, and so is what is done once: their commands stand for nothing by
/// themselves.
const fn ends_at(request: &Request, target: &Target) -> Option<Time> {
    let kind = request.action.kind();
    if kind.is_undo() || kind.entry().once { target.since } else { target.ends }
}

/// Stores a call before it is made.
pub(super) async fn insert_attempt(
    tx: &mut Tx<'_>,
    request: &str,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO attempt (id, request_id, number, body_hash, started_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(attempt.id.to_string())
    .bind(request)
    .bind(attempt.number)
    .bind(attempt.body_hash.to_string())
    .bind(attempt.started_at.timestamp_micros())
    .execute(tx.connection())
    .await?;
    Ok(())
}
