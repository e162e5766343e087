//! What became of what was asked, day by day: of an agent, a person, an endpoint, a target, or of all.
//!
//! Days are those of UTC. Everything is read from indexes, and only as far back as is shown: the ids of
//! requests are in the order of asking. What waits for one endpoint is counted with the request that
//! people approved, not again.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    domain::{
        Time,
        action::Action,
        digest::Digest,
        endpoint::EndpointId,
        id::{AgentId, PersonId, RequestId},
        request::{Fate, StateName},
    },
    store::{
        Read, StoreError,
        row::{At, count, integer, maybe_text, text},
        sqlite::{Query, Row, query},
    },
};
use chrono::TimeDelta;

mod overview;

pub use overview::{AGES_MINUTES, active_by_day, decided_by_day, policies_since, waiting_by_age};

/// How many targets, and how many of the newest requests, are named.
pub const NAMED_MAX: u32 = 25;
/// Longer reasons are cut, in characters.
const REASON_CHARS_MAX: u32 = 160;
/// How many of the newest requests are counted where only their sum is shown.
pub const SUMMED_MAX: u32 = 10_000;
/// An id is never so much older than the moment of asking: a clock that was set back moves moments.
const ID_BEFORE: TimeDelta = TimeDelta::days(1);

/// Whose record it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordOf {
    /// What this agent asked for itself.
    Agent(AgentId),
    /// What this person, of this name, approved, rejected and asked for.
    Person(PersonId, String),
    /// What was asked for on this endpoint of this manager, where it was not left out.
    Endpoint(String, EndpointId),
    /// What was asked for on this address, account or whatever else is acted on.
    Target(String),
    /// Everything.
    All,
}

/// How long people took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeToDecide {
    /// How many decisions it is taken from.
    pub decisions: u64,
    /// Half of them took at most so long.
    pub median: Duration,
    /// Nine of ten took at most so long.
    pub most: Duration,
}

/// What became of what was asked in some days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// How many of each fate were asked on each day, counted from the first.
    pub days: BTreeMap<(usize, Fate), u64>,
    /// How long people took; none where nobody decided.
    pub time_to_decide: Option<TimeToDecide>,
    /// The most frequent targets, and how often.
    pub targets: Vec<(String, u64)>,
    /// The agents by name, each with how many of each fate.
    pub agents: BTreeMap<(String, Fate), u64>,
}

impl Record {
    /// How many of this fate.
    pub fn number(&self, fate: Fate) -> u64 {
        let of = self.days.iter().filter(|((_, one), _)| *one == fate);
        of.map(|(_, number)| number).sum()
    }

    /// How many in all.
    pub fn asked(&self) -> u64 {
        self.days.values().sum()
    }
}

/// One of the newest of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordEntry {
    /// The request.
    pub id: RequestId,
    /// When it was asked; of a person's record, when the person acted.
    pub at: Time,
    /// What became of it, or what the person did.
    pub fate: Fate,
    /// The agent that asked: the name then.
    pub agent: String,
    /// The response and what it acts on.
    pub action: Action,
    /// Where it stands.
    pub state: StateName,
    /// The start of the reason: text from outside.
    pub reason: String,
    /// Who approved it, or rejected it; empty where nobody did.
    pub decided_by: String,
}

/// What became of a request, as SQL.
const FATE: &str = "CASE WHEN facts.state = 'rejected' THEN 'rejected'
    WHEN facts.decided_at IS NOT NULL THEN 'approved'
    WHEN facts.automatic = 1 THEN 'at_once'
    WHEN facts.state = 'denied' THEN 'denied'
    WHEN facts.state = 'expired' THEN 'expired'
    WHEN facts.state IN ('cancelled', 'withdrawn') THEN 'ended'
    ELSE 'open' END";

impl RecordOf {
    /// The rows that are counted: one for each request, or for each thing that a person did.
    fn rows(&self) -> String {
        let of = "CROSS JOIN request AS facts INDEXED BY request_facts ON facts.id =";
        let (from, of_whom) = match self {
            Self::Agent(_) => (
                format!("request AS mine INDEXED BY request_by_agent_and_id {of} mine.id"),
                "mine.agent_id = $1 AND mine.id >= $2 AND facts.asker_id IS NULL",
            ),
            Self::Endpoint(..) => (
                format!(
                    "request_endpoint AS here INDEXED BY request_endpoint_by_endpoint {of} \
                     here.request_id"
                ),
                "here.endpoint_id = $1 AND here.request_id >= $2 AND here.command IS NOT NULL
                     AND facts.manager = $4",
            ),
            Self::Target(_) => (
                format!("request AS there INDEXED BY request_by_argument {of} there.id"),
                "there.argument = $1 AND there.id >= $2",
            ),
            Self::All => ("request AS facts INDEXED BY request_facts".to_owned(), "facts.id >= $2"),
            Self::Person(..) => return person_rows(of),
        };
        format!(
            "SELECT facts.id, facts.asked_at AS at, {FATE} AS fate, facts.argument, facts.agent_id,
                 facts.decided_at - facts.asked_at AS wait
             FROM {from}
             WHERE {of_whom} AND facts.asked_at >= $3 AND facts.parent IS NULL"
        )
    }

    /// The statement that counts.
    pub fn counts(&self) -> String {
        format!(
            "WITH record AS MATERIALIZED ({}), waits AS MATERIALIZED (
                 SELECT wait, row_number() OVER (ORDER BY wait) AS rank, count(*) OVER () AS number
                 FROM record WHERE wait IS NOT NULL)
             SELECT 'day' AS part, CAST(at / 86400000000 AS TEXT) AS name, fate, count(*) AS number
             FROM record GROUP BY at / 86400000000, fate
             UNION ALL
             SELECT 'wait', NULL, CAST(wait AS TEXT), number FROM waits WHERE rank = (number + 1) / 2
             UNION ALL
             SELECT 'most', NULL, CAST(wait AS TEXT), number FROM waits
             WHERE rank = (number * 9 + 9) / 10
             UNION ALL
             SELECT 'agent', (SELECT name FROM agent WHERE agent.id = agent_id), fate, count(*)
             FROM record GROUP BY agent_id, fate
             UNION ALL
             SELECT * FROM (SELECT 'target', argument, NULL, count(*) FROM record
                 WHERE argument <> '' GROUP BY argument ORDER BY count(*) DESC, argument
                 LIMIT {NAMED_MAX})",
            self.rows()
        )
    }

    /// What is in the order of asking, or of what a person did.
    const fn order(&self) -> &'static str {
        match self {
            Self::Agent(_) => "mine.id",
            Self::Person(..) => "acted.at",
            Self::Endpoint(..) => "here.request_id",
            Self::Target(_) => "there.id",
            Self::All => "facts.id",
        }
    }

    /// The statement that finds the newest.
    pub fn newest(&self) -> String {
        format!(
            "WITH newest AS MATERIALIZED ({} ORDER BY {} DESC LIMIT {NAMED_MAX})
             SELECT newest.id, at, fate, agent_name, action, action_entry, request.argument, state,
                 substr(reason, 1, {REASON_CHARS_MAX}) AS reason,
                 coalesce((SELECT group_concat(name, ', ') FROM (
                     SELECT name FROM vote JOIN person ON person.id = person_id
                     WHERE request_id = newest.id AND retracted_at IS NULL ORDER BY vote.at, name)),
                     CASE state WHEN 'rejected' THEN ended_by END, '') AS decided_by
             FROM newest CROSS JOIN request ON request.id = newest.id
             ORDER BY at DESC, newest.id DESC",
            self.rows(),
            self.order()
        )
    }

    /// The statement that counts what became of the newest, all days together.
    pub fn fates(&self) -> String {
        format!(
            "WITH newest AS MATERIALIZED ({} ORDER BY {} DESC LIMIT {SUMMED_MAX})
             SELECT fate, count(*) AS number FROM newest GROUP BY fate",
            self.rows(),
            self.order()
        )
    }

    fn bind(&self, sql: String, since: Time) -> Query {
        let (key, more) = match self {
            Self::Agent(id) => (id.to_string(), String::new()),
            Self::Person(id, name) => (id.to_string(), name.clone()),
            Self::Endpoint(manager, id) => (id.to_string(), manager.clone()),
            Self::Target(argument) => (argument.clone(), String::new()),
            Self::All => (String::new(), String::new()),
        };
        let first = first_id(since).to_string();
        query(sql).bind(key).bind(first).bind(since.timestamp_micros()).bind(more)
    }
}

/// What a person did: votes that stand, rejections, and what the person asked for.
fn person_rows(of: &str) -> String {
    format!(
        "SELECT facts.id, acted.at, acted.fate, facts.argument, facts.agent_id,
             CASE acted.fate WHEN 'asked' THEN NULL ELSE acted.at - facts.asked_at END AS wait
         FROM (
             SELECT request_id AS id, at, 'approved' AS fate
             FROM vote INDEXED BY vote_by_person
             WHERE person_id = $1 AND at >= $3 AND retracted_at IS NULL
             UNION ALL
             SELECT id, ended_at, 'rejected' FROM request INDEXED BY request_by_rejecter
             WHERE state = 'rejected' AND ended_by = $4 AND ended_at >= $3
             UNION ALL
             SELECT asked.id, asked.asked_at, 'asked'
             FROM request AS mine INDEXED BY request_by_asker
                 CROSS JOIN request AS asked INDEXED BY request_facts ON asked.id = mine.id
             WHERE mine.asker_id = $1 AND mine.id >= $2 AND asked.asked_at >= $3
         ) AS acted {of} acted.id
         WHERE facts.parent IS NULL"
    )
}

/// No request that was asked since then has an id before this one.
fn first_id(since: Time) -> RequestId {
    let millis = u64::try_from((since - ID_BEFORE).timestamp_millis()).unwrap_or(0);
    let least = uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]);
    RequestId::from(least.into_uuid())
}

/// The record since the beginning of a day.
pub async fn record(
    read: &mut impl Read,
    of: &RecordOf,
    since: Time,
) -> Result<Record, StoreError> {
    let rows = of.bind(of.counts(), since).fetch_all(read.connection()).await?;
    let first_day = day(since);
    let (mut record, mut median) = (Record::default(), Duration::ZERO);
    for row in &rows {
        let at = At { table: "request", id: "of a record" };
        let columns = at.columns(row);
        let number = count(row, "number")?;
        match text(row, "part")?.as_str() {
            "day" => {
                let day: i64 = columns.parse("name")?;
                record.days.insert(
                    (at.number(day - first_day)?, fate(&columns.text("fate")?, at)?),
                    number,
                );
            }
            "agent" => {
                let agent = maybe_text(row, "name")?.unwrap_or_default();
                record.agents.insert((agent, fate(&columns.text("fate")?, at)?), number);
            }
            "target" => record.targets.push((text(row, "name")?, number)),
            "wait" => median = wait(columns.parse("fate")?),
            _ => {
                let most = wait(columns.parse("fate")?);
                record.time_to_decide = Some(TimeToDecide { decisions: number, median, most });
            }
        }
    }
    Ok(record)
}

/// What became of the newest since the beginning of a day, at most [`SUMMED_MAX`] of them.
pub async fn fates(
    read: &mut impl Read,
    of: &RecordOf,
    since: Time,
) -> Result<BTreeMap<Fate, u64>, StoreError> {
    let rows = of.bind(of.fates(), since).fetch_all(read.connection()).await?;
    let at = At { table: "request", id: "of a record" };
    let read = |row: &Row| Ok((fate(&text(row, "fate")?, at)?, count(row, "number")?));
    rows.iter().map(read).collect()
}

fn fate(name: &str, at: At<'_>) -> Result<Fate, StoreError> {
    at.parse(name)
}

/// A number of microseconds; a clock that was set back makes none below zero.
fn wait(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// The number of a moment's day.
fn day(moment: Time) -> i64 {
    moment.timestamp().div_euclid(86_400)
}

/// The newest of a record, at most [`NAMED_MAX`].
pub async fn newest(
    read: &mut impl Read,
    of: &RecordOf,
    since: Time,
) -> Result<Vec<RecordEntry>, StoreError> {
    let rows = of.bind(of.newest(), since).fetch_all(read.connection()).await?;
    rows.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<RecordEntry, StoreError> {
    let id = text(row, "id")?;
    let at = At { table: "request", id: &id };
    let columns = at.columns(row);
    let hash = maybe_text(row, "action_entry")?;
    let version = hash.map(|hash| at.read(&hash, Digest::parse)).transpose()?;
    let argument = text(row, "argument")?;
    Ok(RecordEntry {
        id: columns.parse("id")?,
        at: columns.time("at")?,
        fate: fate(&text(row, "fate")?, at)?,
        agent: text(row, "agent_name")?,
        action: columns.read("action", |name| Action::stored(name, version, &argument))?,
        state: columns.parse("state")?,
        reason: text(row, "reason")?,
        decided_by: text(row, "decided_by")?,
    })
}

/// What an endpoint was called when a request last named it; none where none ever did.
pub async fn endpoint_name(
    read: &mut impl Read,
    manager: &str,
    endpoint: &EndpointId,
) -> Result<Option<String>, StoreError> {
    let row = query(
        "SELECT here.name AS name
         FROM request_endpoint AS here INDEXED BY request_endpoint_by_endpoint
             CROSS JOIN request ON request.id = here.request_id
         WHERE here.endpoint_id = $1 AND request.manager = $2
         ORDER BY here.request_id DESC LIMIT 1",
    )
    .bind(endpoint.as_str())
    .bind(manager)
    .fetch_optional(read.connection())
    .await?;
    row.map(|row| text(&row, "name")).transpose()
}

/// Whether anything was ever asked for on this target.
pub async fn is_target_known(read: &mut impl Read, argument: &str) -> Result<bool, StoreError> {
    let row = query("SELECT EXISTS(SELECT 1 FROM request WHERE argument = $1) AS known")
        .bind(argument)
        .fetch_one(read.connection())
        .await?;
    Ok(integer(&row, "known")? == 1)
}
