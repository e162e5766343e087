//! Pages of the audit. The text of a statement depends on which filters are set, so that each set is
//! served by an index and reads no more than its page.

use super::{place, stored_row::StoredRow};
use crate::{
    domain::{
        Time,
        address::pattern::TargetPattern,
        audit::{AuditEntry, EventGroup, EventKind},
        digest::Digest,
    },
    store::{
        Read, StoreError,
        requests::finds,
        row::{count, text},
        sqlite::query,
    },
};

/// How many entries a search for a part of a target looks at.
const LOOKED_AT_MAX: u32 = 20_000;

/// A filter that finds at least this many entries, or requests, is not the one to begin with where
/// another finds fewer.
const MANY: i64 = 2000;

/// Which entries to show. An absent part does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// At or after this moment.
    pub since: Option<Time>,
    /// Before this moment.
    pub until: Option<Time>,
    /// [`crate::domain::audit::EventKind::name`], or the part before its dot.
    pub kind: Option<String>,
    /// The name or id of a person or agent.
    pub actor: Option<String>,
    /// Events of requests that this endpoint was part of, skipped or not: `001` at whatever manager,
    /// `paris/001` at that one.
    pub endpoint: Option<String>,
    /// The address, account, person or agent acted on.
    pub target: Option<String>,
    /// Events of this request.
    pub request: Option<String>,
    /// Events of requests that this policy decided.
    pub policy: Option<String>,
    /// Events of this group.
    pub group: Option<EventGroup>,
    /// Events with one of these targets, among the newest 20,000.
    pub targets: Option<Vec<String>>,
}

/// The filter whose index a statement begins with. The rest is checked entry by entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// The request.
    Request,
    /// What was acted on.
    Target,
    /// Name or id of an actor.
    Actor,
    /// One kind.
    Kind,
    /// All kinds with the same part before the dot.
    KindGroup,
    /// All kinds of a group.
    Kinds,
    /// An endpoint with few requests.
    Endpoint,
    /// A policy with few requests.
    Policy,
    /// None: entry by entry, from the newest.
    Place,
}

impl Lead {
    /// The conditions that an index serves: an entry that is found meets one of them.
    const fn finds(self) -> &'static [&'static str] {
        match self {
            Self::Request => &["request_id = $8"],
            Self::Target => &["target = $7"],
            Self::Actor => &["actor_name = $5", "actor_id = $5"],
            Self::Kind => &["kind = $4"],
            Self::KindGroup | Self::Kinds => &["kind = kinds.kind"],
            Self::Endpoint => &["request_id IN (
                SELECT request_id FROM request_endpoint JOIN request ON request.id = request_id
                WHERE endpoint_id = substr($6, instr($6, '/') + 1)
                  AND (instr($6, '/') = 0 OR manager = substr($6, 1, instr($6, '/') - 1)))"],
            Self::Policy => {
                &["request_id IN (SELECT request_id FROM decision_policy WHERE policy_id = $9)"]
            }
            Self::Place => &["true"],
        }
    }

    /// The same for an entry that was found by another index: the plus keeps `SQLite` from this one.
    const fn check(self) -> &'static str {
        match self {
            Self::Request => "+request_id = $8",
            Self::Target => "+target = $7",
            Self::Actor => "(+actor_name = $5 OR +actor_id = $5)",
            Self::Kind => "+kind = $4",
            Self::KindGroup => "substr(kind, 1, length($4) + 1) = $4 || '.'",
            Self::Kinds => "+kind IN (SELECT value FROM json_each($11))",
            Self::Endpoint => {
                "EXISTS (
                SELECT 1 FROM request_endpoint JOIN request ON request.id = request_id
                WHERE request_endpoint.request_id = audit.request_id
                  AND endpoint_id = substr($6, instr($6, '/') + 1)
                  AND (instr($6, '/') = 0 OR manager = substr($6, 1, instr($6, '/') - 1)))"
            }
            Self::Policy => {
                "EXISTS (SELECT 1 FROM decision_policy
                         WHERE policy_id = $9 AND request_id = audit.request_id)"
            }
            Self::Place => "true",
        }
    }

    /// How much of it there is, at most [`MANY`].
    const fn count(self) -> &'static str {
        match self {
            Self::Request => {
                "SELECT count(*) AS number FROM (SELECT 1 FROM audit WHERE request_id = $1 LIMIT $2)"
            }
            Self::Target => {
                "SELECT count(*) AS number FROM (SELECT 1 FROM audit WHERE target = $1 LIMIT $2)"
            }
            Self::Actor => {
                "SELECT count(*) AS number FROM (
                     SELECT 1 FROM audit WHERE actor_name = $1
                     UNION ALL SELECT 1 FROM audit WHERE actor_id = $1 LIMIT $2)"
            }
            Self::Kind => {
                "SELECT count(*) AS number FROM (SELECT 1 FROM audit WHERE kind = $1 LIMIT $2)"
            }
            Self::KindGroup => {
                "SELECT count(*) AS number FROM (
                     SELECT 1 FROM audit WHERE kind >= $1 || '.' AND kind < $1 || '/' LIMIT $2)"
            }
            Self::Kinds => {
                "SELECT count(*) AS number FROM (
                     SELECT 1 FROM audit WHERE kind IN (SELECT value FROM json_each($1)) LIMIT $2)"
            }
            Self::Endpoint => {
                "SELECT count(*) AS number FROM (
                     SELECT 1 FROM request_endpoint
                     WHERE endpoint_id = substr($1, instr($1, '/') + 1) LIMIT $2)"
            }
            Self::Policy => {
                "SELECT count(*) AS number FROM (
                     SELECT 1 FROM decision_policy WHERE policy_id = $1 LIMIT $2)"
            }
            Self::Place => "SELECT $2 AS number",
        }
    }

    /// Whether its index gives the entries in the order of their places.
    const fn is_in_order(self) -> bool {
        !matches!(self, Self::Endpoint | Self::Policy)
    }
}

/// All kinds of a group that there are: one step along the index for each.
const KINDS: &str = "RECURSIVE kinds (kind) AS (
    SELECT min(kind) FROM audit WHERE kind >= $4 || '.' AND kind < $4 || '/'
    UNION ALL
    SELECT (SELECT min(kind) FROM audit WHERE kind > kinds.kind AND kind < $4 || '/')
    FROM kinds WHERE kinds.kind IS NOT NULL) ";

/// All kinds of a group.
const KINDS_OF_GROUP: &str = "kinds (kind) AS (SELECT value FROM json_each($11)) ";

/// The clock may have gone back, so times are not in the order of places. `audit_hour` says where
/// each hour begins: these two bound the places, and each entry's own time is checked beside.
const SINCE: &str = "at >= $2 AND seq >= max($13, (
    SELECT ifnull(min(first), 9223372036854775807) FROM audit_hour WHERE hour >= $2 / 3600000000))";
const UNTIL: &str = "at < $3 AND seq < min($1, ifnull((
    SELECT ifnull((SELECT min(first) FROM audit_hour WHERE first > last.first), 9223372036854775807)
    FROM audit_hour AS last WHERE hour <= $3 / 3600000000 ORDER BY first DESC LIMIT 1), 0))";

impl AuditFilter {
    /// The filters that are set, and their values: those first that usually find the fewest.
    fn set(&self) -> Vec<(Lead, String)> {
        let is_group = |kind: &String| !kind.contains('.');
        let kind =
            if self.kind.as_ref().is_some_and(is_group) { Lead::KindGroup } else { Lead::Kind };
        let all = [
            (Lead::Request, &self.request),
            (Lead::Target, &self.target),
            (Lead::Actor, &self.actor),
            (kind, &self.kind),
            (Lead::Endpoint, &self.endpoint),
            (Lead::Policy, &self.policy),
        ];
        let set = all.into_iter().filter_map(|(lead, value)| Some((lead, value.clone()?)));
        set.chain(self.kinds().map(|kinds| (Lead::Kinds, kinds))).collect()
    }

    /// What a statement with these filters may begin with.
    pub fn leads(&self) -> Vec<Lead> {
        let set = self.set().into_iter().map(|(lead, _)| lead);
        set.chain([Lead::Place]).collect()
    }

    /// The statement that finds a page, beginning with one of [`AuditFilter::leads`].
    pub fn statement(&self, lead: Lead) -> String {
        // One bound from above: of two, `SQLite` looks up one and checks the other.
        let mut rest = vec![if self.until.is_some() { UNTIL } else { "seq < $1" }];
        let looked = self.targets.as_ref().map(|_| "seq >= $13");
        rest.extend(self.since.map(|_| SINCE).or(looked));
        let targets = "+target IN (SELECT value FROM json_each($12))";
        rest.extend(self.targets.as_ref().map(|_| targets));
        rest.extend(self.set().iter().filter(|(one, _)| *one != lead).map(|(one, _)| one.check()));
        let rest = rest.join(" AND ");
        let found = lead.finds().iter().map(|find| {
            format!(
                "SELECT seq FROM (
                     SELECT seq FROM audit WHERE {find} AND {rest} ORDER BY seq DESC LIMIT $10)"
            )
        });
        let found = found.collect::<Vec<_>>().join(" UNION ALL ");
        let page = |found| {
            format!("SELECT * FROM audit WHERE seq IN ({found}) ORDER BY seq DESC LIMIT $10")
        };
        let kinds = match lead {
            Lead::KindGroup => KINDS,
            Lead::Kinds => KINDS_OF_GROUP,
            Lead::Request
            | Lead::Target
            | Lead::Actor
            | Lead::Kind
            | Lead::Endpoint
            | Lead::Policy
            | Lead::Place => return page(found),
        };
        let each =
            format!("SELECT one.seq FROM kinds CROSS JOIN audit AS one ON one.seq IN ({found})");
        format!("WITH {kinds} {}", page(each))
    }

    /// The names of the group's kinds, as a list in JSON.
    fn kinds(&self) -> Option<String> {
        let names: Vec<_> = self.group?.kinds().map(EventKind::name).collect();
        Some(serde_json::Value::from(names).to_string())
    }

    /// The first place that is looked at, where only so many are.
    async fn first_looked_at(
        &self,
        read: &mut impl Read,
        before: Option<u64>,
    ) -> Result<u64, StoreError> {
        if self.targets.is_none() {
            return Ok(0);
        }
        first_of_newest(read, before).await
    }

    /// The rarest of the filters leads: two that both find much are read until the page is full.
    async fn lead(&self, read: &mut impl Read) -> Result<Lead, StoreError> {
        let set = self.set();
        if let [(only, _)] = set.as_slice()
            && only.is_in_order()
        {
            return Ok(*only);
        }
        for (lead, value) in &set {
            let row = query(lead.count()).bind(value.as_str()).bind(MANY);
            let row = row.fetch_one(read.connection()).await?;
            if count(&row, "number")? < MANY.unsigned_abs() {
                return Ok(*lead);
            }
        }
        Ok(self.leads().into_iter().find(|lead| lead.is_in_order()).unwrap_or(Lead::Place))
    }
}

/// The newest entries that match, at most `limit`, older than the place `before`.
pub async fn page(
    read: &mut impl Read,
    filter: &AuditFilter,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<AuditEntry>, StoreError> {
    let lead = filter.lead(read).await?;
    let first = filter.first_looked_at(read, before).await?;
    // Safe: texts of this file alone.
    let rows = query(filter.statement(lead))
        .bind(before.map_or(Ok(i64::MAX), place)?)
        .bind(filter.since.map(|time| time.timestamp_micros()))
        .bind(filter.until.map(|time| time.timestamp_micros()))
        .bind(&filter.kind)
        .bind(&filter.actor)
        .bind(&filter.endpoint)
        .bind(&filter.target)
        .bind(&filter.request)
        .bind(&filter.policy)
        .bind(i64::from(limit))
        .bind(filter.kinds())
        .bind(filter.targets.as_ref().map(|all| serde_json::Value::from(all.clone()).to_string()))
        .bind(place(first)?)
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(|row| Ok(StoredRow::entry(row)?.0)).collect()
}

/// The first of the newest 20,000 places before one.
pub async fn first_of_newest(read: &mut impl Read, before: Option<u64>) -> Result<u64, StoreError> {
    let before = if let Some(before) = before {
        before
    } else {
        let row = query("SELECT ifnull(max(seq), 0) AS number FROM audit");
        count(&row.fetch_one(read.connection()).await?, "number")? + 1
    };
    Ok(before.saturating_sub(LOOKED_AT_MAX.into()))
}

/// The targets that a pattern finds among the newest 20,000 entries before a place.
pub async fn targets(
    read: &mut impl Read,
    pattern: &TargetPattern,
    before: Option<u64>,
) -> Result<Vec<String>, StoreError> {
    let first = first_of_newest(read, before).await?;
    let rows = query(
        "SELECT DISTINCT target FROM audit WHERE seq >= $1 AND seq < $2 AND target IS NOT NULL",
    )
    .bind(place(first)?)
    .bind(before.map_or(Ok(i64::MAX), place)?)
    .fetch_all(read.connection())
    .await?;
    let all = rows.iter().map(|row| text(row, "target")).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|stored| finds(pattern, stored)).collect())
}

/// Whether an entry has exactly this target.
pub async fn is_target(read: &mut impl Read, target: &str) -> Result<bool, StoreError> {
    let row = query("SELECT seq FROM audit WHERE target = $1 LIMIT 1").bind(target);
    Ok(row.fetch_optional(read.connection()).await?.is_some())
}

/// The entries of one request, oldest first.
pub async fn of_request(
    read: &mut impl Read,
    request: &str,
) -> Result<Vec<AuditEntry>, StoreError> {
    let rows = query("SELECT * FROM audit WHERE request_id = $1 ORDER BY seq")
        .bind(request)
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(|row| Ok(StoredRow::entry(row)?.0)).collect()
}

/// The entries after a place, oldest first, at most `limit`, each with the hash that is stored with it.
pub async fn after(
    read: &mut impl Read,
    seq: u64,
    limit: u32,
) -> Result<Vec<(AuditEntry, Digest)>, StoreError> {
    let rows = query("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(place(seq)?)
        .bind(i64::from(limit))
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(StoredRow::entry).collect()
}
