//! What is active on endpoints, the commands behind it, and what takes them back.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use sqlx::sqlite::SqliteRow;

use super::{load::outcome, rule_responses::RULE_RESPONSE_COUNTS};
use crate::{
    domain::{
        Time,
        action::{Action, ActionKind, Term},
        active_response::{CommandEffect, CommandState, RuleKeeping, SentCommand, replay},
        endpoint::{Endpoint, EndpointId, Platform},
        evidence::Evidence,
        id::{AgentId, RequestId},
        request::{Outcome, StateName},
    },
    store::{
        Read, StoreError,
        row::{At, Columns, integer, text},
    },
};

/// How long after its end a command still counts, because evidence of the end may come late.
const EVIDENCE_LATE: TimeDelta = TimeDelta::hours(1);

/// The commands that one endpoint got for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointCommands {
    /// Its id at its manager.
    pub endpoint: EndpointId,
    /// When that machine was added: with the id, which machine it is.
    pub date_added: String,
    /// The endpoint's name.
    pub name: String,
    /// How the response is kept there.
    pub keeping: RuleKeeping,
    /// In the order in which they were sent.
    pub commands: Vec<EndpointCommand>,
}

impl EndpointCommands {
    /// Whether these went to the machine of this description.
    pub fn is_on(&self, endpoint: &Endpoint) -> bool {
        endpoint.machine() == [self.endpoint.as_str(), &self.name, &self.date_added]
    }

    /// The commands, and the ends that were seen, by time.
    pub fn sent(&self) -> Vec<SentCommand> {
        let seen_end = |command: &EndpointCommand| {
            let (at, effect) = (command.ended()?.at, CommandEffect::SeenEnd);
            Some(SentCommand { request: command.sent.request, at, effect, started: true })
        };
        let ends = self.commands.iter().filter_map(seen_end);
        let mut sent: Vec<_> = self.commands.iter().map(|one| one.sent).chain(ends).collect();
        sent.sort_by_key(|command| command.at);
        sent
    }

    /// What is left of each command that adds.
    pub fn states(&self) -> impl Iterator<Item = (&EndpointCommand, CommandState)> {
        let adds = |one: &&EndpointCommand| matches!(one.sent.effect, CommandEffect::Add(_));
        self.commands.iter().filter(adds).zip(replay(self.keeping, &self.sent()))
    }
}

/// A command that was, or may have been, sent to an endpoint for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointCommand {
    /// The agent that asked.
    pub agent: AgentId,
    /// Who asked: the agent's name, or the person's.
    pub asked_by: String,
    /// What is known of it there.
    pub outcome: Outcome,
    /// When it is expected to end, as stored.
    pub ends: Option<Time>,
    /// The command.
    pub sent: SentCommand,
}

impl EndpointCommand {
    /// Its own alert that shows that it ended.
    pub fn ended(&self) -> Option<&Evidence> {
        self.outcome.evidence_of_end().filter(|alert| alert.of_request.is_none())
    }
}

/// The commands for the target of an action that still count, whatever their managers were called:
/// all since the oldest one that may be
/// active, or whose timer runs or has just ended. Endpoint by endpoint, in the order in which they
/// were sent.
pub async fn commands(
    read: &mut impl Read,
    action: &Action,
    now: Time,
) -> Result<Vec<EndpointCommands>, StoreError> {
    const SQL: &str = "WITH sent AS (
            SELECT request.id AS id, agent_id, agent_name, asker_name, action, term_seconds,
                endpoint_id, date_added, name, platform, command, outcome, outcome_code,
                outcome_detail, evidence, reverted_by, since, ends_at, started
            FROM request JOIN request_endpoint ON request.id = request_id
            WHERE action IN ($1, $2) AND argument = $3
              AND since IS NOT NULL AND outcome NOT IN ('refused', 'not_sent')
         ), live AS (
            SELECT endpoint_id, name, date_added, min(since) AS first FROM sent
            WHERE action = $1
              AND (max(ifnull(ends_at, since), since + ifnull(term_seconds, 0) * 1000000) > $4
                OR ends_at IS NULL AND outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed'))
            GROUP BY endpoint_id, name, date_added
         )
         SELECT sent.* FROM sent JOIN live USING (endpoint_id, name, date_added)
         WHERE since >= first
         ORDER BY length(endpoint_id), endpoint_id, name, date_added, since, id";
    let [response, undo] = action.kind().family();
    let rows = sqlx::query(SQL)
        .bind(response.name())
        .bind(undo.name())
        .bind(action.argument())
        .bind((now - EVIDENCE_LATE).timestamp_micros())
        .fetch_all(read.connection())
        .await?;
    let mut found: Vec<EndpointCommands> = Vec::new();
    for row in &rows {
        let id = text(row, "id")?;
        let at = At { table: "request_endpoint", id: &id };
        let row = at.columns(row);
        let endpoint = row.read("endpoint_id", EndpointId::parse)?;
        let (name, date_added) = (row.text("name")?, row.text("date_added")?);
        let same = |one: &&mut EndpointCommands| {
            one.endpoint == endpoint && one.name == name && one.date_added == date_added
        };
        let command = command(at, row)?;
        match found.last_mut().filter(same) {
            Some(known) => known.commands.push(command),
            None => found.push(EndpointCommands {
                keeping: RuleKeeping::of(response, Platform::parse(&row.text("platform")?)),
                name,
                commands: vec![command],
                endpoint,
                date_added,
            }),
        }
    }
    Ok(found)
}

fn command(at: At<'_>, row: Columns<'_>) -> Result<EndpointCommand, StoreError> {
    let kind: ActionKind = row.parse("action")?;
    let term = row.maybe_number("term_seconds")?.map_or(Term::Permanent, Term::Seconds);
    let effect = CommandEffect::of(kind, term, &row.text("command")?);
    let asker = row.maybe_text("asker_name")?;
    Ok(EndpointCommand {
        agent: row.parse("agent_id")?,
        asked_by: asker.map_or_else(|| row.text("agent_name"), Ok)?,
        ends: row.maybe_time("ends_at")?,
        outcome: outcome(at, row.text("outcome")?, row)?,
        sent: SentCommand {
            request: row.parse("id")?,
            at: row.time("since")?,
            effect,
            started: row.flag("started")?,
        },
    })
}

/// Of requests that rest on the same target of the same endpoint, one each. Bounded by what may be
/// active.
pub async fn overlapping(read: &mut impl Read) -> Result<BTreeSet<RequestId>, StoreError> {
    let rows = sqlx::query(
        "SELECT min(request.id) AS id
         FROM request_endpoint INDEXED BY request_endpoint_active
             JOIN request ON request.id = request_id
         WHERE outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed')
           AND action IN ('block_ip', 'disable_account')
         GROUP BY action, argument, endpoint_id, request_endpoint.name, date_added HAVING count(*) > 1",
    )
    .fetch_all(read.connection())
    .await?;
    let one = |row: &SqliteRow| {
        let id = text(row, "id")?;
        At { table: "request", id: &id }.parse(&id)
    };
    rows.iter().map(one).collect()
}

/// Which active responses to list, and in which order. An empty search finds all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveFilter {
    /// Part of the target, of the endpoint's id or name, or of who asked.
    pub search: String,
    /// By what they are sorted.
    pub sort: ActiveSort,
    /// The other way round.
    pub descending: bool,
}

/// What active responses are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[derive(strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum ActiveSort {
    /// What they act on.
    Target,
    /// The endpoint's name.
    Where,
    /// When they began; the usual order, newest first.
    #[default]
    Since,
    /// When they end; those that do not come last.
    Ends,
}

/// A response that is active on an endpoint, or may be: one rule or timer, whatever number of
/// requests it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveRow {
    /// The manager of the endpoint.
    pub manager: String,
    /// The response and what it acts on.
    pub action: Action,
    /// Its id at that manager.
    pub endpoint: EndpointId,
    /// The endpoint's name.
    pub name: String,
    /// When the first of its commands was sent, or seen to start.
    pub since: Time,
    /// When the last of it ends; none where it does not end by itself, or where nobody knows.
    pub ends: Option<Time>,
    /// The requests that it rests on, oldest first, with what is known of each there; none where
    /// it is a response that is not ours.
    pub rests_on: Vec<(RequestId, &'static str)>,
}

/// Active responses that match, at most `limit`, after the first `skip`.
pub async fn active(
    read: &mut impl Read,
    filter: &ActiveFilter,
    (skip, limit): (u32, u32),
    now: Time,
) -> Result<Vec<ActiveRow>, StoreError> {
    // What does not end by itself ends last.
    let order = match (filter.sort, filter.descending) {
        (ActiveSort::Target, false) => "argument",
        (ActiveSort::Target, true) => "argument DESC",
        (ActiveSort::Where, false) => "place",
        (ActiveSort::Where, true) => "place DESC",
        (ActiveSort::Since, false) => "began",
        (ActiveSort::Since, true) => "began DESC",
        (ActiveSort::Ends, false) => "ends IS NULL, ends",
        (ActiveSort::Ends, true) => "ends IS NULL DESC, ends DESC",
    };
    let sql = format!(
        "SELECT * FROM (
         SELECT manager, action, argument, endpoint_id, max(request_endpoint.name) AS place,
             min(since) AS began,
             CASE WHEN count(ends_at) = count(*) THEN max(ends_at) END AS ends,
             group_concat(request.id || ' ' || outcome) AS requests
         FROM request_endpoint INDEXED BY request_endpoint_active
             JOIN request ON request.id = request_id
         WHERE outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed')
           AND action IN ('block_ip', 'disable_account')
           AND ifnull(ends_at, 9223372036854775807) > $1
           AND ($2 = '' OR instr(lower(argument), $2) OR instr(lower(request_endpoint.name), $2)
                OR instr(endpoint_id, $2) OR instr(lower(agent_name), $2))
         GROUP BY manager, action, argument, endpoint_id, date_added
         UNION ALL
         SELECT manager, action, argument, endpoint_id, max(name), min(began), NULL, NULL
         FROM rule_response
         WHERE ended_at IS NULL AND since > $5
           AND ($2 = '' OR instr(lower(argument), $2) OR instr(lower(name), $2)
                OR instr(endpoint_id, $2))
         GROUP BY manager, action, argument, endpoint_id
         ) ORDER BY {order}, argument, length(endpoint_id), endpoint_id LIMIT $3 OFFSET $4"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(now.timestamp_micros())
        .bind(filter.search.trim().to_lowercase())
        .bind(i64::from(limit))
        .bind(i64::from(skip))
        .bind((now - RULE_RESPONSE_COUNTS).timestamp_micros())
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(active_row).collect()
}

fn active_row(row: &SqliteRow) -> Result<ActiveRow, StoreError> {
    let id = text(row, "endpoint_id")?;
    let at = At { table: "request_endpoint", id: &id };
    let row = at.columns(row);
    let kind = row.parse("action")?;
    let mut rests_on = Vec::new();
    for part in row.maybe_text("requests")?.iter().flat_map(|requests| requests.split(',')) {
        let (request, outcome) = part.split_once(' ').unwrap_or((part, ""));
        let known = Outcome::NAMES.into_iter().find(|known| *known == outcome);
        let outcome = known.ok_or_else(|| at.wrong(format!("`{outcome}` is not an outcome")))?;
        rests_on.push((at.parse(request)?, outcome));
    }
    rests_on.sort_unstable();
    Ok(ActiveRow {
        manager: row.text("manager")?,
        action: row.read("argument", |text| Action::parse(kind, text).ok())?,
        endpoint: row.read("endpoint_id", EndpointId::parse)?,
        name: row.text("place")?,
        since: row.time("began")?,
        ends: row.maybe_time("ends")?,
        rests_on,
    })
}

/// Who asked for a request, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestOrigin {
    /// The agent's name, or that of the person who asked.
    pub asked_by: String,
    /// The reason: text from outside.
    pub reason: String,
}

/// Who asked for a request, and why.
pub async fn origin(read: &mut impl Read, id: RequestId) -> Result<RequestOrigin, StoreError> {
    let key = id.to_string();
    let row = sqlx::query(
        "SELECT coalesce(asker_name, agent_name) AS asked_by, reason FROM request WHERE id = $1",
    )
    .bind(&key)
    .fetch_one(read.connection())
    .await?;
    let row = At { table: "request", id: &key }.columns(&row);
    Ok(RequestOrigin { asked_by: row.text("asked_by")?, reason: row.text("reason")? })
}

/// The names of the people whose approval of a request stands, in the order of their votes, and
/// whether they used break glass.
pub async fn approvers(
    read: &mut impl Read,
    id: RequestId,
) -> Result<Vec<(String, bool)>, StoreError> {
    let rows = sqlx::query(
        "SELECT person.name AS name, break_glass FROM vote JOIN person ON person.id = person_id
         WHERE request_id = $1 AND retracted_at IS NULL ORDER BY at, person.name",
    )
    .bind(id.to_string())
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(|row| Ok((text(row, "name")?, integer(row, "break_glass")? == 1))).collect()
}

/// The newest request that would take this one back and has not come to an end.
pub async fn open_undo(
    read: &mut impl Read,
    of: RequestId,
) -> Result<Option<(RequestId, StateName)>, StoreError> {
    let row = sqlx::query(
        "SELECT id, state FROM request
         WHERE undoes = $1 AND state IN ('pending', 'approved', 'dispatching')
         ORDER BY id DESC LIMIT 1",
    )
    .bind(of.to_string())
    .fetch_optional(read.connection())
    .await?;
    row.map(|row| {
        let id = text(&row, "id")?;
        let row = At { table: "request", id: &id }.columns(&row);
        Ok((row.parse("id")?, row.parse("state")?))
    })
    .transpose()
}
