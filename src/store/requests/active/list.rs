//! The list of what is active on endpoints, and who asked for it and allowed it.

use crate::{
    domain::{
        Time,
        action::{Action, ActionKind},
        address::pattern::TargetPattern,
        endpoint::EndpointId,
        id::RequestId,
        request::NOBODY_LOOKED,
    },
    store::{
        Read, StoreError,
        requests::{list::search::finds, load::action_alone, rule_responses::RULE_RESPONSE_COUNTS},
        row::{At, integer, text},
        sqlite::{Row, query},
    },
};

/// Which active responses to list, and in which order. An empty search finds all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveFilter {
    /// Part of the target, of the endpoint's id or name, or of who asked.
    pub search: String,
    /// Only of this action.
    pub action: Option<ActionKind>,
    /// Only on these targets, as they are stored.
    pub targets: Option<Vec<String>>,
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
    /// Why nobody could look whether it started; none where somebody could.
    pub gap: Option<String>,
    /// The requests that it rests on, oldest first, with what is known of each there; none where
    /// it is a response that is not ours.
    pub rests_on: Vec<RestingRequest>,
}

/// A request that a row rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RestingRequest {
    /// The request.
    pub id: RequestId,
    /// What is known of it there.
    pub known: RowOutcome,
    /// The undo that was sent and is not known to have worked.
    pub undone_by: Option<RequestId>,
}

/// What a row says of one of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[derive(strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum RowOutcome {
    /// It was sent.
    Sent,
    /// It may or may not have been sent.
    Unknown,
    /// It started there.
    Confirmed,
    /// Its script has read back that it is so.
    Verified,
    /// It was sent, and nothing shows that it started.
    Unconfirmed,
    /// It was sent, and nobody could look whether it started.
    Unlooked,
    /// An undo was sent, and nothing shows that it started.
    Reverted,
}

/// What may be active, at `$1`, up to the condition of [`LIFTED`].
const PARTS: &str = "part AS (
                 SELECT * FROM request_endpoint INDEXED BY request_endpoint_active
                 WHERE outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed')
                   AND ifnull(ends_at, 9223372036854775807) > $1
                 UNION ALL
                 SELECT * FROM request_endpoint AS lifted INDEXED BY request_endpoint_by_outcome
                 WHERE ifnull(ends_at, 9223372036854775807) > $1 AND";

/// That it is not known whether an undo worked.
const LIFTED: &str = "outcome = 'reverted' AND evidence IS NULL
                   AND EXISTS (
                       SELECT 1 FROM request_endpoint AS undo
                       WHERE undo.request_id = lifted.reverted_by
                         AND undo.endpoint_id = lifted.endpoint_id
                         AND (undo.outcome IN ('unknown', 'unconfirmed')
                              OR undo.outcome = 'sent' AND undo.watch_until IS NOT NULL))";

/// What the rows are sorted by, in SQL. What does not end by itself ends last.
const fn order_of(filter: &ActiveFilter) -> &'static str {
    match (filter.sort, filter.descending) {
        (ActiveSort::Target, false) => "argument",
        (ActiveSort::Target, true) => "argument DESC",
        (ActiveSort::Where, false) => "place",
        (ActiveSort::Where, true) => "place DESC",
        (ActiveSort::Since, false) => "began",
        (ActiveSort::Since, true) => "began DESC",
        (ActiveSort::Ends, false) => "ends IS NULL, ends",
        (ActiveSort::Ends, true) => "ends IS NULL DESC, ends DESC",
    }
}

impl ActiveFilter {
    /// The statement that lists them. It reads what is active or may be, alone.
    pub fn statement(&self) -> String {
        let of_request = "($2 = '' OR instr(lower(argument), $2) OR instr(lower(known.name), $2)
                    OR instr(endpoint_id, $2) OR instr(lower(agent_name), $2))
               AND ($7 IS NULL OR action = $7)
               AND ($8 IS NULL OR argument IN (SELECT value FROM json_each($8)))";
        let rules = "rule_response
             WHERE ($2 = '' OR instr(lower(argument), $2) OR instr(lower(name), $2)
                    OR instr(endpoint_id, $2))
               AND ($7 IS NULL OR action = $7)
               AND ($8 IS NULL OR argument IN (SELECT value FROM json_each($8)))";
        let order = order_of(self);
        let order =
            format!("{order}, argument, length(endpoint_id), endpoint_id LIMIT $3 OFFSET $4");
        listing(PARTS, (of_request, rules), &format!("ORDER BY {order}"))
    }
}

/// Where a list of active responses goes on that begins with the oldest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ActiveKey {
    /// [`ActiveRow::since`], in microseconds since 1970.
    pub since_us: i64,
    /// What it acts on, as it is stored.
    pub argument: String,
    /// [`ActiveRow::endpoint`].
    pub endpoint: EndpointId,
    /// [`ActiveRow::manager`].
    pub manager: String,
    /// The action's name.
    pub action: String,
}

impl ActiveKey {
    /// The statement that lists what comes after a key, the oldest first. It reads what is active or
    /// may be, alone.
    pub fn statement() -> String {
        let key = "began, argument, length(endpoint_id), endpoint_id, manager, action";
        let rest = format!(
            "WHERE $2 IS NULL OR ({key}) > ($2, $4, length($7), $7, $8, $9)
             ORDER BY {key} LIMIT $3"
        );
        listing(PARTS, ("true", "rule_response WHERE true"), &rest)
    }
}

impl From<&ActiveRow> for ActiveKey {
    fn from(row: &ActiveRow) -> Self {
        Self {
            since_us: row.since.timestamp_micros(),
            argument: row.action.argument(),
            endpoint: row.endpoint.clone(),
            manager: row.manager.clone(),
            action: row.action.kind().name().to_owned(),
        }
    }
}

/// What is active or may be, the oldest first: at most `limit`, after a key.
pub async fn active_after(
    read: &mut impl Read,
    after: Option<&ActiveKey>,
    limit: u32,
    now: Time,
) -> Result<Vec<ActiveRow>, StoreError> {
    let rows = query(ActiveKey::statement())
        .bind(now.timestamp_micros())
        .bind(after.map(|key| key.since_us))
        .bind(i64::from(limit))
        .bind(after.map(|key| key.argument.clone()))
        .bind((now - RULE_RESPONSE_COUNTS).timestamp_micros())
        .bind(NOBODY_LOOKED)
        .bind(after.map(|key| key.endpoint.to_string()))
        .bind(after.map(|key| key.manager.clone()))
        .bind(after.map(|key| key.action.clone()))
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(active_row).collect()
}

/// A statement about active responses: `$1` is the time, `$5` since when responses of others count,
/// `$6` how an outcome begins at which nobody could look. `parts` begins the rows that may be active
/// and ends where those follow of which it is not known that an undo worked; `rest` is what is done
/// with the rows.
pub(super) fn listing(parts: &str, (of_request, rules): (&str, &str), rest: &str) -> String {
    format!(
        "WITH {parts} {LIFTED}
             ), known AS (
                 SELECT *, CASE
                     WHEN outcome = 'unconfirmed'
                         AND substr(outcome_detail, 1, length($6)) = $6 THEN 'unlooked'
                     WHEN outcome = 'confirmed' AND evidence ->> '$.version' IS NOT NULL
                         THEN 'verified'
                     ELSE outcome END AS word
                 FROM part
             )
             SELECT * FROM (
             SELECT manager, action, argument, endpoint_id, max(known.name) AS place,
                 min(since) AS began,
                 CASE WHEN count(ends_at) = count(*) THEN max(ends_at) END AS ends,
                 max(CASE word WHEN 'unlooked' THEN substr(outcome_detail, length($6) + 1) END) AS gap,
                 group_concat(request.id || ' ' || word || ' ' || ifnull(reverted_by, ''))
                     AS requests, max(action_entry) AS action_entry
             FROM known CROSS JOIN request ON request.id = request_id
             WHERE undoes IS NULL AND {of_request}
             GROUP BY manager, action, argument, endpoint_id, date_added
             UNION ALL
             SELECT manager, action, argument, endpoint_id, max(name), min(began), NULL, NULL, NULL,
                 NULL
             FROM {rules} AND ended_at IS NULL AND since > $5
             GROUP BY manager, action, argument, endpoint_id
             ) {rest}"
    )
}

/// Active responses that match, at most `limit`, after the first `skip`.
pub async fn active(
    read: &mut impl Read,
    filter: &ActiveFilter,
    (skip, limit): (u32, u32),
    now: Time,
) -> Result<Vec<ActiveRow>, StoreError> {
    let at = At { table: "request", id: "by target" };
    let targets = filter.targets.as_ref().map(|targets| at.to_json(targets)).transpose()?;
    let rows = query(filter.statement())
        .bind(now.timestamp_micros())
        .bind(filter.search.trim().to_lowercase())
        .bind(i64::from(limit))
        .bind(i64::from(skip))
        .bind((now - RULE_RESPONSE_COUNTS).timestamp_micros())
        .bind(NOBODY_LOOKED)
        .bind(filter.action.map(ActionKind::name))
        .bind(targets)
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(active_row).collect()
}

/// The statement that lists the targets of what is active or may be.
pub fn targets_statement() -> String {
    format!(
        "WITH {PARTS} {LIFTED})
         SELECT argument FROM part JOIN request ON request.id = request_id
         UNION
         SELECT argument FROM rule_response WHERE ended_at IS NULL AND since > $2"
    )
}

/// The targets of what is active, or may be, that a pattern finds.
pub async fn active_targets(
    read: &mut impl Read,
    pattern: &TargetPattern,
    now: Time,
) -> Result<Vec<String>, StoreError> {
    let rows = query(targets_statement())
        .bind(now.timestamp_micros())
        .bind((now - RULE_RESPONSE_COUNTS).timestamp_micros())
        .fetch_all(read.connection())
        .await?;
    let all = rows.iter().map(|row| text(row, "argument")).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|stored| finds(pattern, stored)).collect())
}

pub(super) fn active_row(row: &Row) -> Result<ActiveRow, StoreError> {
    let id = text(row, "endpoint_id")?;
    let at = At { table: "request_endpoint", id: &id };
    let row = at.columns(row);
    let mut rests_on = Vec::new();
    for part in row.maybe_text("requests")?.iter().flat_map(|requests| requests.split(',')) {
        let mut words = part.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (id, known, undo) = (word(), word(), word());
        let undone_by = if undo.is_empty() { None } else { Some(at.parse(undo)?) };
        rests_on.push(RestingRequest { id: at.parse(id)?, known: at.parse(known)?, undone_by });
    }
    rests_on.sort_unstable();
    Ok(ActiveRow {
        manager: row.text("manager")?,
        action: action_alone(row)?,
        endpoint: row.read("endpoint_id", EndpointId::parse)?,
        name: row.text("place")?,
        since: row.time("began")?,
        ends: row.maybe_time("ends")?,
        gap: row.maybe_text("gap")?,
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
    let row = query(
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
    let rows = query(
        "SELECT person.name AS name, break_glass FROM vote JOIN person ON person.id = person_id
         WHERE request_id = $1 AND retracted_at IS NULL ORDER BY at, person.name",
    )
    .bind(id.to_string())
    .fetch_all(read.connection())
    .await?;
    rows.iter().map(|row| Ok((text(row, "name")?, integer(row, "break_glass")? == 1))).collect()
}
