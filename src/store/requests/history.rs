//! What an agent did before: how its asks are recognised and counted, and what policy learns of
//! them.

use std::collections::BTreeSet;

use super::list::ids;
use crate::{
    domain::{
        Time,
        action::Action,
        digest::Digest,
        facts::history::{ASK_COUNTS, AgentEvents, REFUSAL_COUNTS, RUN_COUNTS},
        id::{AgentId, RequestId},
        request::Request,
    },
    store::{
        Read, StoreError,
        row::{At, count, text},
        sqlite::{Row, query},
    },
};

/// The request of an idempotency key, with the digest of its proposal.
pub async fn same_key(
    read: &mut impl Read,
    agent: AgentId,
    key: &str,
) -> Result<Option<(RequestId, Digest)>, StoreError> {
    let row = query(
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
    let rows = query(
        "SELECT id FROM request INDEXED BY request_open_by_agent
         WHERE agent_id = $1 AND ask_digest = $2
           AND state IN ('pending', 'approved', 'dispatching')
         UNION ALL
         SELECT id FROM request INDEXED BY request_asked_that_waits
         WHERE agent_id = $1 AND ask_digest = $2 AND state = 'waiting'
         ORDER BY id DESC LIMIT 1",
    )
    .bind(agent.to_string())
    .bind(ask.to_string())
    .fetch_all(read.connection())
    .await?;
    Ok(ids(&rows)?.into_iter().next())
}

/// What an agent did by a moment that counts when it asks for this, which itself does not count. What
/// people asked for does not count either.
pub async fn agent_events(
    read: &mut impl Read,
    request: &Request,
    by: Time,
) -> Result<AgentEvents, StoreError> {
    let Request { id, agent, .. } = *request;
    Ok(AgentEvents {
        runs: runs(read, agent, id, by).await?,
        refusals: refusals(read, agent, (by, Some(id))).await?,
        asks: asks_in_minute(read, agent, (by, Some(id))).await?,
        open_requests: open_count(read, agent, (by, Some(id))).await?,
        rejected_at: super::reach::rejected_until(read, request, by).await?,
    })
}

/// When requests of an agent, but for one, were sent in the hour before a moment; the moment itself
/// for those that are about to be.
async fn runs(
    read: &mut impl Read,
    agent: AgentId,
    except: RequestId,
    by: Time,
) -> Result<Vec<Time>, StoreError> {
    let rows = query(
        "SELECT min(last_sent_at, $4) AS at FROM request INDEXED BY request_sent_by_agent
         WHERE agent_id = $1 AND last_sent_at > $3 AND first_sent_at <= $4
           AND id <> $2 AND asker_id IS NULL
         UNION ALL
         SELECT $4 AS at FROM request INDEXED BY request_open_by_agent
         WHERE agent_id = $1 AND id <> $2 AND asker_id IS NULL
           AND state = 'approved' AND state IN ('pending', 'approved', 'dispatching') AND asked_at <= $4",
    )
    .bind(agent.to_string())
    .bind(except.to_string())
    .bind((by - RUN_COUNTS).timestamp_micros())
    .bind(by.timestamp_micros())
    .fetch_all(read.connection())
    .await?;
    times(&rows)
}

/// When requests of an agent, but for one, were refused in the 24 hours before a moment
/// ([`Request::refused_at`]), but for those that a person lifted; the oldest first.
pub async fn refusals(
    read: &mut impl Read,
    agent: AgentId,
    (by, except): (Time, Option<RequestId>),
) -> Result<Vec<Time>, StoreError> {
    let rows = query(
        "SELECT refused_at AS at FROM request
         WHERE agent_id = $1 AND ($2 IS NULL OR id <> $2) AND refused_at > $3 AND refused_at <= $4
           AND refused_at > ifnull((SELECT refusals_lifted_at FROM agent
                                    WHERE agent.id = $1 AND refusals_lifted_at <= $4), 0)
         ORDER BY refused_at",
    )
    .bind(agent.to_string())
    .bind(super::id_text(except))
    .bind((by - REFUSAL_COUNTS).timestamp_micros())
    .bind(by.timestamp_micros())
    .fetch_all(read.connection())
    .await?;
    times(&rows)
}

fn times(rows: &[Row]) -> Result<Vec<Time>, StoreError> {
    let at = At { table: "request", id: "of an agent" };
    rows.iter().map(|row| at.columns(row).time("at")).collect()
}

/// Machines on which this action with this target has an unknown outcome, in requests but one,
/// whatever their manager was called: each by id, name and date of enrolment. An undo without
/// evidence leaves it as unknown as it was.
pub async fn unknown_outcomes(
    read: &mut impl Read,
    action: &Action,
    except: RequestId,
) -> Result<BTreeSet<[String; 3]>, StoreError> {
    let rows = query(
        "SELECT DISTINCT endpoint_id, name, date_added
         FROM request INDEXED BY request_by_target
             JOIN request_endpoint ON request_id = request.id
         WHERE action = $1 AND argument = $2 AND request.id <> $3
           AND (outcome = 'unknown' OR (outcome = 'reverted' AND evidence IS NULL))",
    )
    .bind(action.kind().name())
    .bind(action.argument())
    .bind(except.to_string())
    .fetch_all(read.connection())
    .await?;
    let machine =
        |row: &Row| Ok([text(row, "endpoint_id")?, text(row, "name")?, text(row, "date_added")?]);
    rows.iter().map(machine).collect()
}

/// How many requests that an agent had asked by a moment are open, but for one: they wait for
/// people, for the worker, for an answer or for endpoints. What people asked for does not count, nor
/// do children beside their parent.
pub async fn open_count(
    read: &mut impl Read,
    agent: AgentId,
    (by, except): (Time, Option<RequestId>),
) -> Result<u64, StoreError> {
    let row = query(
        "SELECT (SELECT count(*) FROM request INDEXED BY request_open_by_agent
             WHERE agent_id = $1 AND asked_at <= $2 AND ($3 IS NULL OR id <> $3)
               AND asker_id IS NULL AND parent IS NULL
               AND state IN ('pending', 'approved', 'dispatching'))
           + (SELECT count(*) FROM request INDEXED BY request_asked_that_waits
             WHERE agent_id = $1 AND asked_at <= $2 AND ($3 IS NULL OR id <> $3)
               AND parent IS NULL AND state = 'waiting') AS number",
    )
    .bind(agent.to_string())
    .bind(by.timestamp_micros())
    .bind(super::id_text(except))
    .fetch_one(read.connection())
    .await?;
    count(&row, "number")
}

/// When an agent asked in the minute before a moment, but for one request, the oldest first: what
/// became a request, what was refused before, and dry runs.
pub async fn asks_in_minute(
    read: &mut impl Read,
    agent: AgentId,
    (by, except): (Time, Option<RequestId>),
) -> Result<Vec<Time>, StoreError> {
    let rows = query(
        "SELECT asked_at AS at FROM request
         WHERE agent_id = $1 AND ($2 IS NULL OR id <> $2) AND asker_id IS NULL AND parent IS NULL
           AND asked_at > $3 AND asked_at <= $4
         UNION ALL
         SELECT steady_at FROM audit
         WHERE kind IN ('proposal.refused', 'proposal.dry_run') AND actor_id = $1
           AND steady_at > $3 AND steady_at <= $4
         ORDER BY at",
    )
    .bind(agent.to_string())
    .bind(super::id_text(except))
    .bind((by - ASK_COUNTS).timestamp_micros())
    .bind(by.timestamp_micros())
    .fetch_all(read.connection())
    .await?;
    times(&rows)
}

/// Whether an event of this kind was written for an actor between two moments.
pub async fn noted_between(
    read: &mut impl Read,
    agent: AgentId,
    kind: &str,
    (since, until): (Time, Time),
) -> Result<bool, StoreError> {
    let row = query(
        "SELECT count(*) AS number FROM audit
         WHERE kind = $1 AND actor_id = $2 AND steady_at BETWEEN $3 AND $4",
    )
    .bind(kind)
    .bind(agent.to_string())
    .bind(since.timestamp_micros())
    .bind(until.timestamp_micros())
    .fetch_one(read.connection())
    .await?;
    Ok(count(&row, "number")? > 0)
}
