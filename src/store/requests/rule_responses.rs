//! What endpoints did without a request of ours, as far as it may stand.

use chrono::TimeDelta;

use crate::{
    domain::{
        Time,
        action::Action,
        endpoint::EndpointId,
        evidence::{RuleResponse, RuleResponses},
    },
    store::{
        Read, StoreError, Subject, Tx,
        row::{At, integer},
        sqlite::query,
    },
};

/// How long a start without an end counts: after that nobody knows.
pub const RULE_RESPONSE_COUNTS: TimeDelta = TimeDelta::hours(24);

/// A response that is not ours, and may stand for a target on an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingRuleResponse {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Since when: the first of several scripts counts.
    pub since: Time,
}

/// Up to where a manager's alerts were read, by our clock.
pub async fn rule_responses_read(
    read: &mut impl Read,
    manager: &str,
) -> Result<Option<Time>, StoreError> {
    let row = query("SELECT until FROM rule_responses_read WHERE manager = $1")
        .bind(manager)
        .fetch_optional(read.connection())
        .await?;
    let at = At { table: "rule_responses_read", id: manager };
    row.map(|row| at.time(integer(&row, "until")?)).transpose()
}

/// Stores what was read. The same alert changes nothing again. What is too old to count goes.
/// Tells whether a page may show something new.
pub async fn store_rule_responses(
    tx: &mut Tx<'_>,
    manager: &str,
    read: &RuleResponses,
    now: Time,
) -> Result<bool, StoreError> {
    let mut changed = 0;
    for one in &read.found {
        changed += store_rule_response(tx, manager, one).await?;
        tx.effects.touched.push(Subject::Target(one.action.argument()));
    }
    if let Some(until) = read.read_until {
        query(
            "INSERT INTO rule_responses_read VALUES ($1, $2)
             ON CONFLICT (manager) DO UPDATE SET until = excluded.until
             WHERE excluded.until > until",
        )
        .bind(manager)
        .bind(until.timestamp_micros())
        .execute(tx.connection())
        .await?;
    }
    let gone = query("DELETE FROM rule_response WHERE since <= $1")
        .bind((now - RULE_RESPONSE_COUNTS).timestamp_micros())
        .execute(tx.connection())
        .await?;
    if gone > 0 {
        tx.effects.touched.push(Subject::System);
    }
    Ok(changed + gone > 0)
}

async fn store_rule_response(
    tx: &mut Tx<'_>,
    manager: &str,
    one: &RuleResponse,
) -> Result<u64, StoreError> {
    let sql = if one.ended {
        // An end whose start was not seen ends nothing.
        "UPDATE rule_response SET name = $8, ended_at = $6, manager_time = $7
         WHERE manager = $1 AND endpoint_id = $2 AND action = $3 AND argument = $4
           AND script = $5 AND ended_at IS NULL AND manager_time <= $7"
    } else {
        "INSERT INTO rule_response
             (manager, endpoint_id, action, argument, script, since, manager_time, name, began)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $6)
         ON CONFLICT DO UPDATE SET name = excluded.name, since = excluded.since,
             began = iif(ended_at IS NULL, began, excluded.began),
             ended_at = NULL, manager_time = excluded.manager_time
         WHERE excluded.manager_time > manager_time"
    };
    let done = query(sql)
        .bind(manager)
        .bind(one.endpoint.as_str())
        .bind(one.action.kind().name())
        .bind(one.action.argument())
        .bind(&one.script)
        .bind(one.at.timestamp_micros())
        .bind(one.manager_time.timestamp_micros())
        .bind(&one.name)
        .execute(tx.connection())
        .await?;
    Ok(done)
}

/// What may stand for the target of an action at a manager, by endpoint.
pub async fn standing_rule_responses(
    read: &mut impl Read,
    manager: &str,
    action: &Action,
    now: Time,
) -> Result<Vec<StandingRuleResponse>, StoreError> {
    let response = action.kind().response();
    let rows = query(
        "SELECT endpoint_id, min(began) AS since FROM rule_response
         WHERE manager = $1 AND action = $2 AND argument = $3 AND ended_at IS NULL AND since > $4
         GROUP BY endpoint_id",
    )
    .bind(manager)
    .bind(response.name())
    .bind(action.argument())
    .bind((now - RULE_RESPONSE_COUNTS).timestamp_micros())
    .fetch_all(read.connection())
    .await?;
    let standing = |row| {
        let row = At { table: "rule_response", id: manager }.columns(row);
        Ok(StandingRuleResponse {
            endpoint: row.read("endpoint_id", EndpointId::parse)?,
            since: row.time("since")?,
        })
    };
    rows.iter().map(standing).collect()
}
