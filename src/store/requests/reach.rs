//! What a response does over all requests and agents: how far it reaches, and whether people put an
//! end to it.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::{
    domain::{
        Time, audit::EventKind, endpoint::Endpoint, id::RequestId, len_u64, request::Request,
    },
    store::{
        Read, StoreError,
        row::{At, count, text},
        sqlite::query,
    },
};

/// On how many endpoints the target of a request is, or was within the hour, or would be active:
/// its own endpoints, those that were left out included, and those of all other requests that are
/// not pending. An undo reaches its own endpoints alone.
pub async fn reach(
    read: &mut impl Read,
    request: &Request,
    (hour_ago, now): (Time, Time),
) -> Result<u64, StoreError> {
    let skipped = request.skipped.iter().map(|skipped| &skipped.endpoint);
    let own = request.targets.iter().map(|target| &target.endpoint).chain(skipped);
    let mut all: BTreeSet<_> = own.map(Endpoint::machine).collect();
    if !request.action.kind().is_undo() {
        // Of what waits to be sent, what was asked later must not turn against this one.
        let rows = query(
            "SELECT DISTINCT endpoint_id, request_endpoint.name AS name, date_added
             FROM request INDEXED BY request_by_target
                 CROSS JOIN request_endpoint ON request_id = request.id
             WHERE action = $1 AND argument = $2 AND request.id <> $3
               AND (state IN ('approved', 'dispatching', 'waiting') AND command IS NOT NULL
                    AND outcome IS NULL AND (state <> 'approved' OR asked_at <= $4)
                 OR since > $5 AND since <= $6 AND outcome NOT IN ('refused', 'not_sent')
                 OR ifnull(ends_at, 9223372036854775807) > $6
                    AND outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed'))",
        )
        .bind(request.action.kind().name())
        .bind(request.action.argument())
        .bind(request.id.to_string())
        .bind(request.asked_at.timestamp_micros())
        .bind(hour_ago.timestamp_micros())
        .bind(now.timestamp_micros())
        .fetch_all(read.connection())
        .await?;
        for row in &rows {
            all.insert([text(row, "endpoint_id")?, text(row, "name")?, text(row, "date_added")?]);
        }
    }
    Ok(len_u64(all.len()))
}

/// How many requests of all agents, but for one, were sent without people since a moment.
pub async fn automatic_since(
    read: &mut impl Read,
    except: RequestId,
    (since, until): (Time, Time),
) -> Result<u64, StoreError> {
    let row = query(
        "SELECT count(*) AS number FROM request INDEXED BY request_automatic
         WHERE automatic = 1 AND last_sent_at >= $1 AND first_sent_at <= $3 AND id <> $2",
    )
    .bind(since.timestamp_micros())
    .bind(except.to_string())
    .bind(until.timestamp_micros())
    .fetch_one(read.connection())
    .await?;
    count(&row, "number")
}

/// How far back it is looked for what people ended.
const ENDED_WITHIN: TimeDelta = TimeDelta::days(30);

/// When a person last rejected the same action on the same target, whoever had asked, by a moment.
pub(super) async fn rejected_until(
    read: &mut impl Read,
    request: &Request,
    until: Time,
) -> Result<Option<Time>, StoreError> {
    let row = query(
        "SELECT max(ended_at) AS at FROM request INDEXED BY request_by_target
         WHERE action = $1 AND argument = $2 AND state = 'rejected' AND ended_at BETWEEN $3 AND $4
           AND asker_id IS NULL",
    )
    .bind(request.action.kind().name())
    .bind(request.action.argument())
    .bind((until - ENDED_WITHIN).timestamp_micros())
    .bind(until.timestamp_micros())
    .fetch_one(read.connection())
    .await?;
    At { table: "request", id: "of a rejection" }.columns(&row).maybe_time("at")
}

/// When people last put an end to a response, whoever had asked and on whatever endpoint: they
/// lifted it, took it or an approval of it back, or rejected it. Now, while an undo is under way. A
/// recovery of the database counts too: nobody knows what people ended in the gap. Of an undo: none.
pub async fn lifted_at(
    read: &mut impl Read,
    request: &Request,
    now: Time,
) -> Result<Option<Time>, StoreError> {
    let Some(undo) = request.action.undo() else { return Ok(None) };
    let row = query(
        "SELECT max(at) AS at FROM (
            SELECT ended_at AS at FROM request INDEXED BY request_by_target
            WHERE action = $2 AND argument = $3 AND state = 'settled'
              AND ended_at BETWEEN $4 AND $5
            UNION ALL
            SELECT $5 FROM request INDEXED BY request_by_target
            WHERE action = $2 AND argument = $3 AND state IN ('pending', 'approved', 'dispatching')
              AND (state <> 'pending' OR asker_id IS NOT NULL)
            UNION ALL
            SELECT ended_at FROM request INDEXED BY request_by_target
            WHERE action = $1 AND argument = $3 AND state = 'cancelled'
              AND ended_at BETWEEN $4 AND $5
              AND (ended_by <> agent_name
                   OR EXISTS (SELECT 1 FROM person WHERE person.name = ended_by))
            UNION ALL
            SELECT retracted_at FROM vote INDEXED BY vote_by_retraction
                JOIN request ON request.id = request_id
            WHERE retracted_at BETWEEN $4 AND $5 AND action = $1 AND argument = $3
            UNION ALL
            SELECT steady_at FROM audit INDEXED BY audit_by_moment
            WHERE kind = $6 AND steady_at BETWEEN $4 AND $5
         )",
    )
    .bind(request.action.kind().name())
    .bind(undo.kind().name())
    .bind(request.action.argument())
    .bind((now - ENDED_WITHIN).timestamp_micros())
    .bind(now.timestamp_micros())
    .bind(EventKind::Recovered.name())
    .fetch_one(read.connection())
    .await?;
    let lifted = At { table: "request", id: "of an undo" }.columns(&row).maybe_time("at")?;
    Ok(lifted.max(rejected_until(read, request, now).await?))
}
