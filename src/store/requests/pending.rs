//! What waits for people, with no more than policy and the inbox must know to say for whom, in which
//! order, and whether a filter finds it.

use std::collections::{BTreeSet, HashMap};

use super::load::{action_alone, term};
use crate::{
    domain::{
        Time,
        action::{Action, Term},
        actor::Agent,
        decision::{Tally, Tier, Verdict},
        facts::RequestFacts,
        id::{AgentId, PersonId, PlanId},
    },
    store::{
        Read, StoreError, accounts,
        row::{At, Columns, text},
        sqlite::{Row, query},
    },
};

mod triage;

pub use triage::{assign, open_of_agent, snooze};

/// What is looked for in what waits. An absent part finds everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PendingFilter {
    /// An id, at whatever manager or as `paris/001`, or a part of a name in small letters.
    pub endpoint: Option<String>,
    /// The name of a group.
    pub group: Option<String>,
    /// Whether the most critical endpoint is asked for.
    pub host: bool,
    /// Only what does this, for whatever time.
    pub action: Option<Action>,
}

/// A request that waits for people.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Pending {
    /// The manager that it goes to.
    pub manager: String,
    /// Until when people may decide.
    pub deadline: Time,
    /// When it was asked.
    pub asked_at: Time,
    /// Who asked: the agent's name then, or that of the person.
    pub asked_by: String,
    /// For how long.
    pub term: Term,
    /// Whether all endpoints were asked for.
    pub fleet_wide: bool,
    /// Policy's latest answer.
    pub verdict: Verdict,
    /// The votes that there were.
    pub tally: Tally,
    /// Whether the alert that it names was found.
    pub alert_found: bool,
    /// Whether that alert was made about an endpoint on which it does not act.
    pub alert_elsewhere: bool,
    /// Whether it takes part on the endpoint that is looked for.
    pub on_endpoint: bool,
    /// Whether it takes part in the group that is looked for.
    pub in_group: bool,
    /// Manager and id of its most critical endpoint, where that was asked for.
    pub host: Option<String>,
    /// What policy may know of it: the same as of the whole request.
    pub facts: RequestFacts,
    /// Whether the person who looks has approved it already.
    pub voted: bool,
    /// Until when the person who looks does not want to see it.
    pub snoozed_until: Option<Time>,
    /// The name of the person to whom it is assigned.
    pub assignee: Option<String>,
    /// The plan that it is a step of, and the heading of that.
    pub plan: Option<(PlanId, String)>,
    /// Whether the kill switch stops it. The broker knows it, the store does not.
    pub stopped: bool,
}

/// Requests that wait and look alike to policy, their ids apart.
#[derive(Debug, Clone)]
pub struct PendingKind {
    /// The manager that they go to.
    pub manager: String,
    /// What policy may know of one of them.
    pub facts: RequestFacts,
    /// How many the person who looks has not approved.
    pub number: u64,
}

/// All that wait, as one person sees them, in no order: whoever shows them has one.
pub async fn pending(
    read: &mut impl Read,
    (person, now): (PersonId, Time),
    filter: &PendingFilter,
) -> Result<Vec<Pending>, StoreError> {
    let rows = query(
        "SELECT id, manager, deadline, asked_at, coalesce(asker_name, agent_name) AS asked_by, agent_id,
             owner_id, issuer_id, asker_id, action, action_entry, argument, tier, term_seconds,
             fleet_wide, plan_id, (SELECT heading FROM plan WHERE plan.id = plan_id) AS heading,
             json_object('verdict', decision -> '$.verdict', 'least', decision -> '$.least')
                 AS verdict,
             decision -> '$.tally' AS tally, ifnull(alert ->> '$.found', 0) AS alert_found,
             alert ->> '$.endpoint.id' IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM request_endpoint
                 WHERE request_id = request.id AND command IS NOT NULL
                   AND endpoint_id = request.alert ->> '$.endpoint.id') AS alert_elsewhere,
             (SELECT max(criticality) FROM request_endpoint
              WHERE request_id = request.id AND command IS NOT NULL) AS criticality,
             $2 IS NULL OR EXISTS (
                 SELECT 1 FROM request_endpoint
                 WHERE request_id = request.id AND command IS NOT NULL
                   AND ($2 IN (endpoint_id, manager || '/' || endpoint_id)
                        OR instr(lower(name), $2))) AS on_endpoint,
             $3 IS NULL OR EXISTS (
                 SELECT 1 FROM request_endpoint, json_each(endpoint_groups) AS one
                 WHERE request_id = request.id AND command IS NOT NULL AND one.value = $3)
                 AS in_group,
             CASE WHEN $4 THEN (
                 SELECT manager || '/' || endpoint_id FROM request_endpoint
                 WHERE request_id = request.id AND command IS NOT NULL
                 ORDER BY criticality DESC, length(endpoint_id), endpoint_id LIMIT 1) END AS host,
             EXISTS (SELECT 1 FROM vote WHERE request_id = request.id AND person_id = $1
                     AND retracted_at IS NULL) AS voted,
             (SELECT until FROM request_snooze WHERE person_id = $1 AND request_id = request.id
                AND until > $5) AS snoozed_until,
             (SELECT name FROM person WHERE id = (
                 SELECT person_id FROM request_assignee WHERE request_id = request.id)) AS assignee
         FROM request WHERE state = 'pending' AND state IN ('pending', 'approved', 'dispatching')
             AND ($6 IS NULL OR action = $6 AND action_entry IS $7 AND argument = $8)",
    )
    .bind(person.to_string())
    .bind(&filter.endpoint)
    .bind(&filter.group)
    .bind(filter.host)
    .bind(now.timestamp_micros())
    .bind(filter.action.as_ref().map(|action| action.kind().name()))
    .bind(filter.action.as_ref().and_then(|action| action.kind().version()).map(|hash| hash.to_string()))
    .bind(filter.action.as_ref().map(Action::argument))
    .fetch_all(read.connection())
    .await?;
    with_agents(read, &rows, read_row).await
}

/// What waits and the person has neither approved nor snoozed, without what looks alike to policy twice.
pub async fn pending_kinds(
    read: &mut impl Read,
    (person, now): (PersonId, Time),
) -> Result<Vec<PendingKind>, StoreError> {
    let rows = query(
        "SELECT min(id) AS id, manager, agent_id, owner_id, issuer_id, asker_id, action, action_entry,
             min(argument) AS argument, tier, criticality, count(*) AS number
         FROM (SELECT id, manager, agent_id, owner_id, issuer_id, asker_id, action, action_entry, argument, tier,
                   (SELECT max(criticality) FROM request_endpoint
                    WHERE request_id = request.id AND command IS NOT NULL) AS criticality
               FROM request
               WHERE state = 'pending' AND state IN ('pending', 'approved', 'dispatching')
                 AND NOT EXISTS (SELECT 1 FROM vote WHERE request_id = request.id
                                 AND person_id = $1 AND retracted_at IS NULL)
                 AND NOT EXISTS (SELECT 1 FROM request_snooze WHERE person_id = $1
                                 AND request_id = request.id AND until > $2))
         GROUP BY manager, agent_id, owner_id, issuer_id, asker_id, action, action_entry, tier,
             criticality",
    )
    .bind(person.to_string())
    .bind(now.timestamp_micros())
    .fetch_all(read.connection())
    .await?;
    let kind = |row: Columns<'_>, agent| {
        Ok(PendingKind {
            manager: row.text("manager")?,
            number: row.number("number")?,
            facts: facts(row, agent)?,
        })
    };
    with_agents(read, &rows, kind).await
}

/// Reads every row with its agent, who is read once.
async fn with_agents<T>(
    read: &mut impl Read,
    rows: &[Row],
    read_row: impl Fn(Columns<'_>, Agent) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut agents: HashMap<AgentId, Agent> = HashMap::new();
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let id = text(row, "id")?;
        let at = At { table: "request", id: &id };
        let columns = at.columns(row);
        let id = columns.parse("agent_id")?;
        let agent = if let Some(known) = agents.get(&id) {
            known.clone()
        } else {
            let agent = accounts::agent_by_id(read, id).await?;
            let agent = agent.ok_or_else(|| at.wrong("its agent is gone"))?;
            agents.insert(id, agent.clone());
            agent
        };
        found.push(read_row(columns, agent)?);
    }
    Ok(found)
}

fn read_row(row: Columns<'_>, agent: Agent) -> Result<Pending, StoreError> {
    Ok(Pending {
        manager: row.text("manager")?,
        deadline: row.time("deadline")?,
        asked_at: row.time("asked_at")?,
        asked_by: row.text("asked_by")?,
        term: term(row)?,
        fleet_wide: row.flag("fleet_wide")?,
        verdict: row.json("verdict")?,
        tally: row.json("tally")?,
        alert_found: row.flag("alert_found")?,
        alert_elsewhere: row.flag("alert_elsewhere")?,
        on_endpoint: row.flag("on_endpoint")?,
        in_group: row.flag("in_group")?,
        host: row.maybe_text("host")?,
        voted: row.flag("voted")?,
        snoozed_until: row.maybe_time("snoozed_until")?,
        assignee: row.maybe_text("assignee")?,
        plan: row.maybe_parse("plan_id")?.zip(row.maybe_text("heading")?),
        stopped: false,
        facts: facts(row, agent)?,
    })
}

fn facts(row: Columns<'_>, agent: Agent) -> Result<RequestFacts, StoreError> {
    Ok(RequestFacts {
        id: row.parse("id")?,
        agent,
        owner_then: row.parse("owner_id")?,
        issuer_then: row.maybe_parse("issuer_id")?,
        asker: row.maybe_parse("asker_id")?,
        action: action_alone(row)?,
        criticality: row.maybe_number("criticality")?.unwrap_or(5),
        // One that an earlier version took has none.
        tier: row.maybe_text("tier")?.and_then(|tier| Tier::parse(&tier)).unwrap_or(Tier::High),
        // The reader shows nothing but what the person may see.
        sites: BTreeSet::new(),
    })
}
