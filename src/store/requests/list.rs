//! Questions about many requests.
//!
//! `SQLite` uses a partial index only for a query that repeats the index's condition: that is why many
//! here name all open states beside the one that they look for.

pub(super) mod search;

use self::search::{LOOKED_AT_MAX, RequestSearch};
use super::load::{action, plan_step};
use crate::{
    domain::{
        Time,
        action::{Action, ActionKind, Term},
        id::{AgentId, AttemptId, RequestId},
        request::{Counts, Outcome, PlanStep, StateName},
    },
    store::{
        Read, StoreError,
        row::{At, count, integer, text},
        sqlite::{Row, query},
    },
};

/// Which requests to list. An absent part does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestFilter {
    /// Only this agent's.
    pub agent: Option<AgentId>,
    /// Only in this state.
    pub state: Option<StateName>,
    /// Only of this action.
    pub action: Option<ActionKind>,
    /// Only on this address or account.
    pub argument: Option<String>,
    /// Only those that this endpoint is part of, skipped or not: `001` at whatever manager,
    /// `paris/001` at that one.
    pub endpoint: Option<String>,
    /// Only those asked before this one: the key of the next page.
    pub before: Option<RequestId>,
    /// Only those asked at this moment or later.
    pub since: Option<Time>,
    /// What no index knows.
    pub search: Option<RequestSearch>,
}

/// A request in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSummary {
    /// Its id.
    pub id: RequestId,
    /// The agent that asked: the name then.
    pub agent_name: String,
    /// The request that it takes back.
    pub undoes: Option<RequestId>,
    /// The plan that it is a step of, and which.
    pub plan: Option<PlanStep>,
    /// The response and what it acts on.
    pub action: Action,
    /// For how long.
    pub term: Term,
    /// Where it stands.
    pub state: StateName,
    /// When it was asked.
    pub asked_at: Time,
    /// Until when people may decide.
    pub deadline: Time,
    /// How many people approved.
    pub approvals: u64,
    /// Their names, in the order of their votes; empty where nobody did.
    pub approvers: String,
    /// How many of its endpoints have each outcome.
    pub counts: Counts,
    /// Why it is not being sent at the moment, though it is approved. The broker knows it, the
    /// store does not.
    pub held_because: Option<String>,
}

/// A request that was approved and waits for the worker.
#[derive(Debug, Clone)]
pub struct Queued {
    /// Its id.
    pub id: RequestId,
    /// The manager that it goes to.
    pub manager: String,
    /// What it does.
    pub action: ActionKind,
    /// The agent that asked; none where a person did.
    pub agent: Option<String>,
    /// What kept it from being claimed, when it was last tried.
    pub held_because: Option<String>,
    /// Of a step of a plan, which step before it is not over; none where its turn has come.
    pub waits_for_step: Option<u8>,
}

impl RequestFilter {
    /// No id comes after this.
    fn before_key(&self) -> String {
        self.before.map_or_else(|| "~".to_owned(), |id| id.to_string())
    }

    /// No id of a request that was asked since comes before this. Ids begin with the millisecond.
    fn since_key(&self) -> String {
        let millis = self.since.map_or(0, |since| since.timestamp_millis().max(0));
        format!("req_{millis:012x}")
    }

    /// The conditions of a row. With `plus`, no index serves those of `request`.
    fn conditions(&self, plus: &str) -> String {
        let at_endpoint = "here.endpoint_id = substr($5, instr($5, '/') + 1)
             AND here.request_id < $6 AND here.request_id >= $8
             AND (instr($5, '/') = 0 OR manager = substr($5, 1, instr($5, '/') - 1))";
        let on_endpoint = "EXISTS (
                 SELECT 1 FROM request_endpoint AS here WHERE here.request_id = request.id
                   AND here.endpoint_id = substr($5, instr($5, '/') + 1))
             AND (instr($5, '/') = 0 OR manager = substr($5, 1, instr($5, '/') - 1))";
        let asked = [
            (format!("{plus}agent_id = $1"), self.agent.is_some()),
            (format!("{plus}state = $2"), self.state.is_some()),
            ("+action = $3".to_owned(), self.action.is_some()),
            (format!("{plus}argument = $4"), self.argument.is_some()),
            (
                if self.search.is_some() { on_endpoint } else { at_endpoint }.to_owned(),
                self.endpoint.is_some(),
            ),
        ];
        let asked = asked.into_iter().filter(|(_, asked)| *asked).map(|(sql, _)| sql);
        let page = [format!("{plus}request.id < $6 AND {plus}request.id >= $8")];
        let searched = self.search.iter().flat_map(RequestSearch::conditions);
        asked.chain(page).chain(searched).collect::<Vec<_>>().join(" AND ")
    }

    /// The statement that finds a page. One text for each set of filters: the plan is made before the
    /// values are known. Counts are made for the page alone.
    pub fn statement(&self) -> String {
        // The plus keeps `SQLite` from an index whose order is not that of the page. An endpoint
        // leads where there is one.
        let looked = "(SELECT id FROM request WHERE id < $6 AND id >= $8 ORDER BY id DESC LIMIT $9)
             AS looked CROSS JOIN request ON request.id = looked.id";
        let (from, plus) = match self.endpoint {
            _ if self.search.is_some() => (looked, "+"),
            Some(_) => ("request_endpoint AS here CROSS JOIN request ON id = here.request_id", "+"),
            None => ("request", ""),
        };
        let conditions = self.conditions(plus);
        let order = match (&self.search, &self.endpoint) {
            (Some(_), _) => "looked.id",
            (None, Some(_)) => "here.request_id",
            (None, None) => "request.id",
        };
        format!(
            "WITH page AS (
                 SELECT request.id AS id, agent_name, undoes, action, action_entry, argument, term_seconds, state, asked_at,
                     deadline, plan_id, plan_step
                 FROM {from} WHERE {conditions} ORDER BY {order} DESC LIMIT $7)
             SELECT page.*,
                 (SELECT count(*) FROM vote WHERE request_id = page.id AND retracted_at IS NULL)
                     AS approvals,
                 (SELECT group_concat(name, ', ') FROM (
                     SELECT name FROM vote JOIN person ON person.id = person_id
                     WHERE request_id = page.id AND retracted_at IS NULL ORDER BY at, name))
                     AS approvers,
                 count(command) AS targets, count(skip_code) AS skipped,
                 count(CASE WHEN outcome = 'sent' THEN 1 END) AS sent,
                 count(CASE WHEN outcome = 'refused' THEN 1 END) AS refused,
                 count(CASE WHEN outcome = 'not_sent' THEN 1 END) AS not_sent,
                 count(CASE WHEN outcome = 'unknown' THEN 1 END) AS unknown,
                 count(CASE WHEN outcome = 'confirmed' AND evidence ->> '$.version' IS NULL
                     THEN 1 END) AS confirmed,
                 count(CASE WHEN outcome = 'confirmed' AND evidence ->> '$.version' IS NOT NULL
                     THEN 1 END) AS verified,
                 count(CASE WHEN outcome = 'unconfirmed' THEN 1 END) AS unconfirmed,
                 count(CASE WHEN outcome = 'ended' THEN 1 END) AS ended,
                 count(CASE WHEN outcome = 'reverted' THEN 1 END) AS reverted
             FROM page CROSS JOIN request_endpoint ON request_id = page.id
             GROUP BY page.id ORDER BY page.id DESC"
        )
    }
}

/// Requests that match, at most `limit`.
pub async fn list(
    read: &mut impl Read,
    filter: &RequestFilter,
    limit: u32,
) -> Result<Vec<RequestSummary>, StoreError> {
    let search = filter.search.as_ref();
    let at = At { table: "request", id: "by target" };
    let targets = search.and_then(|search| search.targets.as_ref());
    let targets = targets.map(|targets| at.to_json(targets)).transpose()?;
    let rows = query(filter.statement())
        .bind(filter.agent.map(|id| id.to_string()))
        .bind(filter.state.map(StateName::name))
        .bind(filter.action.map(ActionKind::name))
        .bind(&filter.argument)
        .bind(&filter.endpoint)
        .bind(filter.before_key())
        .bind(i64::from(limit))
        .bind(filter.since_key())
        .bind(i64::from(LOOKED_AT_MAX))
        .bind(targets)
        .bind(search.and_then(|search| search.name.clone()))
        .bind(search.and_then(|search| search.alert))
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(summary).collect()
}

fn summary(row: &Row) -> Result<RequestSummary, StoreError> {
    let id = text(row, "id")?;
    let columns = At { table: "request", id: &id }.columns(row);
    let (action, term) = action(columns)?;
    let mut counts = Counts {
        targets: count(row, "targets")?,
        skipped: count(row, "skipped")?,
        ..Counts::default()
    };
    for (name, number) in Outcome::NAMES.into_iter().zip(&mut counts.outcomes) {
        *number = count(row, name)?;
    }
    Ok(RequestSummary {
        id: columns.parse("id")?,
        agent_name: columns.text("agent_name")?,
        undoes: columns.maybe_parse("undoes")?,
        plan: plan_step(columns)?,
        action,
        term,
        state: columns.parse("state")?,
        asked_at: columns.time("asked_at")?,
        deadline: columns.time("deadline")?,
        approvals: count(row, "approvals")?,
        approvers: columns.maybe_text("approvers")?.unwrap_or_default(),
        counts,
        held_because: None,
    })
}

/// The approved requests, oldest first: the order in which the worker takes those of a manager.
pub async fn queue(read: &mut impl Read) -> Result<Vec<Queued>, StoreError> {
    let rows = query(
        "SELECT id, manager, action, agent_name, asker_id, held_because,
             (SELECT min(earlier.plan_step) FROM request AS earlier
              WHERE earlier.plan_id = request.plan_id AND earlier.plan_step < request.plan_step
                AND earlier.ended_at IS NULL) AS waits_for_step
         FROM request
         WHERE state = 'approved' AND state IN ('pending', 'approved', 'dispatching')
         ORDER BY asked_at, id",
    )
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(queued).collect()
}

/// What the kill switch asks of a request, without its endpoints: there may be very many.
pub async fn in_queue(read: &mut impl Read, id: RequestId) -> Result<Option<Queued>, StoreError> {
    let row = query(
        "SELECT id, manager, action, agent_name, asker_id, held_because, NULL AS waits_for_step
         FROM request WHERE id = $1",
    )
    .bind(id.to_string())
    .fetch_optional(read.connection())
    .await?;
    row.as_ref().map(queued).transpose()
}

fn queued(row: &Row) -> Result<Queued, StoreError> {
    let id = text(row, "id")?;
    let row = At { table: "request", id: &id }.columns(row);
    let agent = row.text("agent_name")?;
    Ok(Queued {
        id: row.parse("id")?,
        manager: row.text("manager")?,
        action: row.parse("action")?,
        agent: row.maybe_text("asker_id")?.is_none().then_some(agent),
        held_because: row.maybe_text("held_because")?,
        waits_for_step: row.maybe_number("waits_for_step")?,
    })
}

/// The managers to which a request is being sent.
pub async fn busy_managers(read: &mut impl Read) -> Result<Vec<String>, StoreError> {
    let rows = query(
        "SELECT DISTINCT manager FROM request
         WHERE state = 'dispatching' AND state IN ('pending', 'approved', 'dispatching')",
    )
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(|row| text(row, "manager")).collect()
}

/// How many approved requests wait for a manager; steps that wait for a step before them do not.
pub async fn approved_count(read: &mut impl Read, manager: &str) -> Result<u64, StoreError> {
    let row = query(
        "SELECT count(*) AS number FROM request
         WHERE state = 'approved' AND state IN ('approved', 'dispatching') AND manager = $1
           AND NOT EXISTS (
               SELECT 1 FROM request AS earlier
               WHERE earlier.plan_id = request.plan_id AND earlier.plan_step < request.plan_step
                 AND earlier.ended_at IS NULL)",
    )
    .bind(manager)
    .fetch_one(read.connection())
    .await?;
    count(&row, "number")
}

/// Requests that are being sent, of one manager or of all: after a start, those that a crash left.
pub async fn dispatching(
    read: &mut impl Read,
    manager: Option<&str>,
) -> Result<Vec<RequestId>, StoreError> {
    let rows = query(
        "SELECT id FROM request
         WHERE state = 'dispatching' AND state IN ('pending', 'approved', 'dispatching')
           AND ($1 IS NULL OR manager = $1)
         ORDER BY asked_at, id",
    )
    .bind(manager)
    .fetch_all(read.connection())
    .await?;
    ids(&rows)
}

/// Whether an attempt is known: it is stored, or its call was found before.
pub async fn is_attempt_known(
    read: &mut impl Read,
    attempt: AttemptId,
) -> Result<bool, StoreError> {
    let row = query(
        "SELECT EXISTS(SELECT 1 FROM attempt WHERE id = $1)
             OR EXISTS(SELECT 1 FROM audit
                       WHERE kind = 'dispatch.found' AND instr(detail, $1) > 0) AS known",
    )
    .bind(attempt.to_string())
    .fetch_one(read.connection())
    .await?;
    Ok(integer(&row, "known")? == 1)
}

/// Requests that are over and wait for the post-review of a break glass, the longest due
/// first.
pub async fn reviews_due(read: &mut impl Read) -> Result<Vec<RequestId>, StoreError> {
    let rows = query(
        "SELECT id FROM request
         WHERE review_due_at IS NOT NULL AND reviewed_at IS NULL AND ended_at IS NOT NULL
         ORDER BY review_due_at, id",
    );
    ids(&rows.fetch_all(read.connection()).await?)
}

/// Requests that wait for people, for the worker or for their endpoint.
pub async fn open(read: &mut impl Read) -> Result<Vec<RequestId>, StoreError> {
    let rows = query(
        "SELECT id, asked_at FROM request
         WHERE state IN ('pending', 'approved') AND state IN ('pending', 'approved', 'dispatching')
         UNION ALL
         SELECT id, asked_at FROM request WHERE state = 'waiting' AND parent IS NOT NULL
         ORDER BY asked_at, id",
    );
    ids(&rows.fetch_all(read.connection()).await?)
}

/// Requests whose deadline or use-by has come, or that have waited for their endpoint long enough.
pub async fn overdue(read: &mut impl Read, now: Time) -> Result<Vec<RequestId>, StoreError> {
    let rows = query(
        "SELECT id, asked_at FROM request
         WHERE state IN ('pending', 'approved', 'dispatching')
           AND ((state = 'pending' AND deadline <= $1) OR (state = 'approved' AND use_by <= $1))
         UNION ALL
         SELECT id, asked_at FROM request
         WHERE state = 'waiting' AND parent IS NOT NULL AND use_by <= $1
         ORDER BY asked_at, id",
    )
    .bind(now.timestamp_micros())
    .fetch_all(read.connection())
    .await?;
    ids(&rows)
}

pub(super) fn ids(rows: &[Row]) -> Result<Vec<RequestId>, StoreError> {
    let at = At { table: "request", id: "by id" };
    rows.iter().map(|row| at.columns(row).parse("id")).collect()
}
