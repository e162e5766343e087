//! To whom what waits is assigned, and who snoozed it.

use crate::{
    domain::{
        Time,
        id::{AgentId, PersonId, RequestId},
    },
    store::{Read, StoreError, Tx, requests::list::ids, row::count, sqlite::query},
};

/// Assigns a request to a person; none assigns it to nobody.
pub async fn assign(
    tx: &mut Tx<'_>,
    id: RequestId,
    to: Option<PersonId>,
    now: Time,
) -> Result<(), StoreError> {
    let key = id.to_string();
    let Some(person) = to else {
        query("DELETE FROM request_assignee WHERE request_id = $1")
            .bind(key)
            .execute(tx.connection())
            .await?;
        return Ok(());
    };
    query(
        "INSERT INTO request_assignee (request_id, person_id, at) VALUES ($1, $2, $3)
         ON CONFLICT (request_id) DO UPDATE SET person_id = $2, at = $3",
    )
    .bind(key)
    .bind(person.to_string())
    .bind(now.timestamp_micros())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Snoozes a request for a person until a moment; none shows it again.
pub async fn snooze(
    tx: &mut Tx<'_>,
    person: PersonId,
    id: RequestId,
    until: Option<Time>,
) -> Result<(), StoreError> {
    let (person, key) = (person.to_string(), id.to_string());
    let Some(until) = until else {
        query("DELETE FROM request_snooze WHERE person_id = $1 AND request_id = $2")
            .bind(person)
            .bind(key)
            .execute(tx.connection())
            .await?;
        return Ok(());
    };
    query(
        "INSERT INTO request_snooze (person_id, request_id, until) VALUES ($1, $2, $3)
         ON CONFLICT (person_id, request_id) DO UPDATE SET until = $3",
    )
    .bind(person)
    .bind(key)
    .bind(until.timestamp_micros())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The requests of an agent that people can still end, oldest first, at most `limit`, and how many
/// there are.
pub async fn open_of_agent(
    read: &mut impl Read,
    agent: AgentId,
    limit: u32,
) -> Result<(Vec<RequestId>, u64), StoreError> {
    let rows = query(
        "SELECT id, asked_at FROM request INDEXED BY request_open_by_agent
         WHERE agent_id = $1 AND state IN ('pending', 'approved')
           AND state IN ('pending', 'approved', 'dispatching')
         UNION ALL
         SELECT id, asked_at FROM request INDEXED BY request_asked_that_waits
         WHERE agent_id = $1 AND state = 'waiting' AND parent IS NULL
         ORDER BY asked_at, id LIMIT $2",
    )
    .bind(agent.to_string())
    .bind(i64::from(limit))
    .fetch_all(read.connection())
    .await?;
    let all = query(
        "SELECT (SELECT count(*) FROM request INDEXED BY request_open_by_agent
                 WHERE agent_id = $1 AND state IN ('pending', 'approved')
                   AND state IN ('pending', 'approved', 'dispatching'))
              + (SELECT count(*) FROM request INDEXED BY request_asked_that_waits
                 WHERE agent_id = $1 AND state = 'waiting' AND parent IS NULL) AS number",
    )
    .bind(agent.to_string())
    .fetch_one(read.connection())
    .await?;
    Ok((ids(&rows)?, count(&all, "number")?))
}
