//! What no index knows of requests: parts of targets and names, networks, whether one ends by itself,
//! whether its alert was found. So many are looked at, the newest first, and no more: a search says
//! how far back it looked, and goes on from there.

use super::{RequestFilter, RequestSummary, list};
use crate::{
    domain::{address::pattern::TargetPattern, id::RequestId},
    store::{
        Read, StoreError,
        row::{At, text},
        sqlite::query,
    },
};

/// How many requests one search looks at.
pub(super) const LOOKED_AT_MAX: u32 = 10_000;

/// What is looked for beyond what an index finds. An absent part does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestSearch {
    /// Only on these targets, as they are stored.
    pub targets: Option<Vec<String>>,
    /// Only with this in the name of an endpoint, in small letters.
    pub name: Option<String>,
    /// Only what does not end by itself.
    pub permanent: bool,
    /// Only where the alert was found, or was not.
    pub alert: Option<bool>,
}

impl RequestSearch {
    /// Its conditions, of a row of `request`.
    pub(super) fn conditions(&self) -> Vec<String> {
        let all = [
            ("+argument IN (SELECT value FROM json_each($10))", self.targets.is_some()),
            (
                "EXISTS (SELECT 1 FROM request_endpoint AS named
                         WHERE named.request_id = request.id AND instr(lower(named.name), $11))",
                self.name.is_some(),
            ),
            ("term_seconds IS NULL", self.permanent),
            ("ifnull(alert ->> '$.found', 0) = $12", self.alert.is_some()),
        ];
        all.into_iter().filter(|(_, asked)| *asked).map(|(sql, _)| sql.to_owned()).collect()
    }
}

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct FoundRequests {
    /// A page of them, newest first.
    pub rows: Vec<RequestSummary>,
    /// The last request that was looked at, where there are more and the page is not full.
    pub looked_until: Option<RequestId>,
}

/// [`list`], which also says how far back was looked.
pub async fn search(
    read: &mut impl Read,
    filter: &RequestFilter,
    limit: u32,
) -> Result<FoundRequests, StoreError> {
    let rows = list(read, filter, limit).await?;
    let full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= limit);
    if filter.search.is_none() || full {
        return Ok(FoundRequests { rows, looked_until: None });
    }
    let last = query(
        "SELECT id FROM request WHERE id < $1 AND id >= $2 ORDER BY id DESC LIMIT 1 OFFSET $3",
    )
    .bind(filter.before_key())
    .bind(filter.since_key())
    .bind(i64::from(LOOKED_AT_MAX - 1))
    .fetch_optional(read.connection())
    .await?;
    let at = At { table: "request", id: "by id" };
    let looked_until = last.map(|row| at.columns(&row).parse("id")).transpose()?;
    Ok(FoundRequests { rows, looked_until })
}

/// The targets that a pattern finds among the requests that a search would look at; one that is
/// written exactly so, whenever it was asked for.
pub async fn targets(
    read: &mut impl Read,
    pattern: &TargetPattern,
    filter: &RequestFilter,
) -> Result<Vec<String>, StoreError> {
    let rows = query(
        "SELECT DISTINCT argument FROM (
             SELECT id FROM request WHERE id < $1 AND id >= $2 ORDER BY id DESC LIMIT $3) AS looked
         CROSS JOIN request ON request.id = looked.id",
    )
    .bind(filter.before_key())
    .bind(filter.since_key())
    .bind(i64::from(LOOKED_AT_MAX))
    .fetch_all(read.connection())
    .await?;
    let all = rows.iter().map(|row| text(row, "argument")).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|stored| finds(pattern, stored)).collect())
}

/// Whether a request was ever asked for exactly this.
pub async fn is_target(read: &mut impl Read, argument: &str) -> Result<bool, StoreError> {
    let row = query("SELECT id FROM request WHERE argument = $1 LIMIT 1").bind(argument);
    Ok(row.fetch_optional(read.connection()).await?.is_some())
}

/// Several arguments are stored as a list.
pub fn finds(pattern: &TargetPattern, stored: &str) -> bool {
    match serde_json::from_str::<Vec<Option<String>>>(stored) {
        Ok(several) => several.iter().flatten().any(|one| pattern.matches(one)),
        Err(_) => pattern.matches(stored),
    }
}
