//! What an agent did before: how its asks are recognised and counted, and what policy learns of
//! them.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use sqlx::sqlite::SqliteRow;

use super::list::ids;
use crate::{
    domain::{
        Time,
        action::Action,
        digest::Digest,
        id::{AgentId, RequestId},
        request::Request,
    },
    store::{
        Read, StoreError,
        row::{At, count, text},
    },
};

/// The request of an idempotency key, with the digest of its proposal.
pub async fn same_key(
    read: &mut impl Read,
    agent: AgentId,
    key: &str,
) -> Result<Option<(RequestId, Digest)>, StoreError> {
    let row = sqlx::query(
        "SELECT id, proposal_digest FROM request WHERE agent_id = $1 AND idempotency_key = $2",
    )
    .bind(agent.to_string())
    .bind(key)
    .fetch_optional(read.connection())
    .await?;
    row.map(|row| {
        let id = text(&row, "id")?;
        let row = At { table: "request", id: &id }.columns(&row);
        Ok((row.parse("id")?, row.read("proposal_digest", Digest::parse)?))
    })
    .transpose()
}

/// The agent's open request of the same ask.
pub async fn same_open_ask(
    read: &mut impl Read,
    agent: AgentId,
    ask: Digest,
) -> Result<Option<RequestId>, StoreError> {
    let rows = sqlx::query(
        "SELECT id FROM request
         WHERE agent_id = $1 AND ask_digest = $2
           AND state IN ('pending', 'approved', 'dispatching')
         ORDER BY id DESC LIMIT 1",
    )
    .bind(agent.to_string())
    .bind(ask.to_string())
    .fetch_all(read.connection())
    .await?;
    Ok(ids(&rows)?.into_iter().next())
}

/// How many requests of an agent, but for one, were sent since a moment.
pub async fn ran_since(
    read: &mut impl Read,
    agent: AgentId,
    except: RequestId,
    since: Time,
) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT count(DISTINCT request_id) AS number
         FROM attempt JOIN request ON request.id = request_id
         WHERE agent_id = $1 AND request.id <> $2 AND started_at >= $3",
    )
    .bind(agent.to_string())
    .bind(except.to_string())
    .bind(since.timestamp_micros())
    .fetch_one(read.connection())
    .await?;
    count(&row, "number")
}

/// How many requests of an agent, but for one, were denied or rejected since a moment. What people
/// asked for does not count.
pub async fn refused_since(
    read: &mut impl Read,
    agent: AgentId,
    except: RequestId,
    since: Time,
) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS number FROM request
         WHERE agent_id = $1 AND id <> $2 AND ended_at >= $3 AND state IN ('denied', 'rejected')
           AND asker_id IS NULL",
    )
    .bind(agent.to_string())
    .bind(except.to_string())
    .bind(since.timestamp_micros())
    .fetch_one(read.connection())
    .await?;
    count(&row, "number")
}

/// Machines on which this action with this target has an unknown outcome, in requests but one,
/// whatever their manager was called: each by id, name and date of enrolment. An undo without
/// evidence leaves it as unknown as it was.
pub async fn unknown_outcomes(
    read: &mut impl Read,
    action: &Action,
    except: RequestId,
) -> Result<BTreeSet<[String; 3]>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT endpoint_id, name, date_added
         FROM request_endpoint JOIN request ON request.id = request_id
         WHERE action = $1 AND argument = $2 AND request.id <> $3
           AND (outcome = 'unknown' OR (outcome = 'reverted' AND evidence IS NULL))",
    )
    .bind(action.kind().name())
    .bind(action.argument())
    .bind(except.to_string())
    .fetch_all(read.connection())
    .await?;
    let machine = |row: &SqliteRow| {
        Ok([text(row, "endpoint_id")?, text(row, "name")?, text(row, "date_added")?])
    };
    rows.iter().map(machine).collect()
}

/// How many requests that an agent had asked by a moment are open, but for one: they wait for
/// people, for the worker or for an answer. What people asked for does not count.
pub async fn open_count(
    read: &mut impl Read,
    agent: AgentId,
    (by, except): (Time, Option<RequestId>),
) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS number FROM request
         WHERE agent_id = $1 AND asked_at <= $2 AND ($3 IS NULL OR id <> $3) AND asker_id IS NULL
           AND state IN ('pending', 'approved', 'dispatching')",
    )
    .bind(agent.to_string())
    .bind(by.timestamp_micros())
    .bind(super::id_text(except))
    .fetch_one(read.connection())
    .await?;
    count(&row, "number")
}

/// How often an agent asked in the minute before a moment, but for one request: what became a
/// request, and what was refused before.
pub async fn asks_in_minute(
    read: &mut impl Read,
    agent: AgentId,
    (by, except): (Time, Option<RequestId>),
) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM request
                 WHERE agent_id = $1 AND ($2 IS NULL OR id <> $2) AND asker_id IS NULL
                   AND asked_at > $3 AND asked_at <= $4)
              + (SELECT count(*) FROM audit
                 WHERE kind = 'proposal.refused' AND actor_id = $1 AND at > $3 AND at <= $4)
                AS number",
    )
    .bind(agent.to_string())
    .bind(super::id_text(except))
    .bind((by - TimeDelta::minutes(1)).timestamp_micros())
    .bind(by.timestamp_micros())
    .fetch_one(read.connection())
    .await?;
    count(&row, "number")
}

/// Whether an event of this kind was written for an actor since a moment.
pub async fn noted_since(
    read: &mut impl Read,
    agent: AgentId,
    kind: &str,
    since: Time,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS number FROM audit WHERE kind = $1 AND at >= $2 AND actor_id = $3",
    )
    .bind(kind)
    .bind(since.timestamp_micros())
    .bind(agent.to_string())
    .fetch_one(read.connection())
    .await?;
    Ok(count(&row, "number")? > 0)
}

/// When a person last rejected the same action on the same target, before the agent asked this.
pub async fn rejected_at(
    read: &mut impl Read,
    request: &Request,
) -> Result<Option<Time>, StoreError> {
    let row = sqlx::query(
        "SELECT max(ended_at) AS at FROM request
         WHERE agent_id = $1 AND action = $2 AND argument = $3 AND asker_id IS NULL
           AND state = 'rejected' AND ended_at <= $4",
    )
    .bind(request.agent.to_string())
    .bind(request.action.kind().name())
    .bind(request.action.argument())
    .bind(request.asked_at.timestamp_micros())
    .fetch_one(read.connection())
    .await?;
    At { table: "request", id: "of a rejection" }.columns(&row).maybe_time("at")
}
