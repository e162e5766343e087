//! The commands that endpoints got for one target.

mod find;
mod list;

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::load::outcome;
use crate::{
    domain::{
        Time,
        action::{Action, ActionKind, Term},
        active_response::{CommandEffect, CommandState, RuleKeeping, SentCommand, replay},
        endpoint::{Endpoint, EndpointId, Platform},
        evidence::Evidence,
        id::{AgentId, RequestId},
        request::Outcome,
    },
    store::{
        Read, StoreError,
        row::{At, Columns, text},
        sqlite::{Row, query},
    },
};

pub use find::{ActiveSearch, WantedEndpoint, WantedTarget, find_active};
pub use list::{
    ActiveFilter, ActiveKey, ActiveRow, ActiveSort, RequestOrigin, RestingRequest, RowOutcome,
    active, active_after, active_targets, approvers, origin, targets_statement,
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
        let adds = |one: &&EndpointCommand| one.sent.effect.adds();
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

/// What one endpoint got, of what [`commands`] found.
pub fn commands_on<'a>(
    found: &'a [EndpointCommands],
    endpoint: &Endpoint,
) -> Option<&'a EndpointCommands> {
    let first = found.partition_point(|one| one.endpoint < endpoint.id);
    let of_id = found.get(first..)?.iter().take_while(|one| one.endpoint == endpoint.id);
    of_id.into_iter().find(|one| one.is_on(endpoint))
}

/// The commands for the target of an action that still count on some endpoints, whatever their
/// managers were called: all since the oldest one that may be active, or whose timer runs or has just ended. Endpoint by
/// endpoint, in the order in which they were sent.
pub async fn commands(
    read: &mut impl Read,
    action: &Action,
    endpoints: impl Iterator<Item = &EndpointId>,
    now: Time,
) -> Result<Vec<EndpointCommands>, StoreError> {
    const SQL: &str = "WITH sent AS (
            SELECT request.id AS id, agent_id, agent_name, asker_name, action, term_seconds,
                endpoint_id, date_added, name, platform, command, outcome, outcome_code,
                outcome_detail, evidence, reverted_by, since, ends_at, started
            FROM request INDEXED BY request_by_target
                CROSS JOIN request_endpoint ON request.id = request_id
            WHERE action IN ($1, $2) AND argument = $3
              AND +endpoint_id IN (SELECT value FROM json_each($5))
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
    let response = action.kind().response();
    let undo = response.undo().unwrap_or(response);
    let endpoints: Vec<_> = endpoints.collect();
    let at = At { table: "request_endpoint", id: "" };
    let rows = query(SQL)
        .bind(response.name())
        .bind(undo.name())
        .bind(action.argument())
        .bind((now - EVIDENCE_LATE).timestamp_micros())
        .bind(at.to_json(&endpoints)?)
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
    let rows = query(
        "SELECT min(request.id) AS id
         FROM request_endpoint INDEXED BY request_endpoint_active
             JOIN request ON request.id = request_id
         WHERE outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed')
           AND undoes IS NULL
         GROUP BY action, argument, endpoint_id, request_endpoint.name, date_added HAVING count(*) > 1",
    )
    .fetch_all(read.connection())
    .await?;
    let one = |row: &Row| {
        let id = text(row, "id")?;
        At { table: "request", id: &id }.parse(&id)
    };
    rows.iter().map(one).collect()
}
