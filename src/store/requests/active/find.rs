//! What is active for a target or on endpoints. Each is a range of an index.

use serde_json::json;

use super::list::{ActiveRow, active_row, listing};
use crate::{
    domain::{
        Time,
        action::{ActionKind, Argument},
        endpoint::EndpointId,
        request::NOBODY_LOOKED,
    },
    store::{
        Read, StoreError, requests::rule_responses::RULE_RESPONSE_COUNTS, row::At, sqlite::query,
    },
};

/// Which active responses are looked for. One that is empty finds nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveSearch {
    /// Those of these, each on whatever else it acts on; all where there are none.
    pub targets: Vec<WantedTarget>,
    /// Those on these endpoints; on all where there are none.
    pub endpoints: Vec<WantedEndpoint>,
}

/// A response on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedTarget {
    /// The name of the response.
    action: &'static str,
    /// The range of what is stored as its argument.
    first: String,
    last: String,
}

/// An endpoint, at one manager or at whatever manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedEndpoint {
    /// Its manager, where one is named.
    pub manager: Option<String>,
    /// Its id.
    pub id: EndpointId,
}

impl WantedTarget {
    /// A response whose first argument is this one.
    pub fn of(kind: ActionKind, first: &Argument) -> Self {
        let text = first.to_string();
        let (action, several) = (kind.name(), kind.parameters().len() > 1);
        if !several {
            return Self { action, first: text.clone(), last: text };
        }
        // Several stand as a JSON list. What follows the first begins with `"` or is `null`.
        let list = json!([text]).to_string();
        let start = format!("{},", list.strip_suffix(']').unwrap_or(&list));
        Self { action, last: format!("{start}~"), first: start }
    }

    /// A response, whatever it acts on.
    pub fn any(kind: ActionKind) -> Self {
        let last = if kind.parameters().is_empty() { "" } else { "\u{10FFFF}" };
        Self { action: kind.name(), first: String::new(), last: last.to_owned() }
    }
}

impl ActiveSearch {
    /// The statement that finds them: it begins where there is the least to read.
    pub fn statement(&self) -> String {
        const ENDS: &str = "ifnull(ends_at, 9223372036854775807) > $1";
        let [from, lifted, rules] = self.sources();
        let parts = format!(
            "wanted AS MATERIALIZED (
                 SELECT value ->> 0 AS response, value ->> 1 AS low, value ->> 2 AS high
                 FROM json_each($2)
             ), place AS MATERIALIZED (
                 SELECT value ->> 0 AS manager, value ->> 1 AS id FROM json_each($4)
             ), part AS (
                 SELECT request_endpoint.* FROM {from}
                 WHERE outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed') AND {ENDS}
                 UNION ALL
                 SELECT lifted.* FROM {lifted} WHERE {ENDS} AND "
        );
        let matches = |table: &str| {
            let wanted = format!(
                "(json_array_length($2) = 0 OR EXISTS (
                     SELECT 1 FROM wanted WHERE wanted.response = {table}.action
                       AND {table}.argument BETWEEN wanted.low AND wanted.high))"
            );
            let place = format!(
                "(json_array_length($4) = 0 OR EXISTS (
                     SELECT 1 FROM place WHERE place.id = endpoint_id
                       AND ifnull(place.manager, {table}.manager) = {table}.manager))"
            );
            format!("{wanted} AND {place}")
        };
        let order = "ORDER BY argument, length(endpoint_id), endpoint_id, manager, action LIMIT $3";
        listing(
            &parts,
            (&matches("request"), &format!("{rules} WHERE {}", matches("rule_response"))),
            order,
        )
    }

    /// Where a search begins: for what may be active, for what an undo may not have ended, and for
    /// responses that are not ours.
    fn sources(&self) -> [String; 3] {
        const TARGET: &str =
            "action = wanted.response AND argument BETWEEN wanted.low AND wanted.high";
        // A target has fewer requests than there are of an action, or than are active on an endpoint.
        let narrow = |one: &WantedTarget| !one.first.is_empty();
        let by_target = self.endpoints.is_empty()
            || !self.targets.is_empty() && self.targets.iter().all(narrow);
        if by_target {
            let requests =
                format!("wanted CROSS JOIN request INDEXED BY request_by_target ON {TARGET}");
            return [
                format!("{requests} CROSS JOIN request_endpoint ON request_id = request.id"),
                format!(
                    "{requests} CROSS JOIN request_endpoint AS lifted ON request_id = request.id"
                ),
                format!(
                    "wanted CROSS JOIN rule_response INDEXED BY rule_response_by_target ON {TARGET}"
                ),
            ];
        }
        let tables = [
            "request_endpoint INDEXED BY request_endpoint_active_there",
            "request_endpoint AS lifted INDEXED BY request_endpoint_reverted_there",
            "rule_response INDEXED BY rule_response_by_endpoint",
        ];
        tables.map(|table| {
            format!(
                "(SELECT DISTINCT id FROM place) AS there CROSS JOIN {table}
                 ON endpoint_id = there.id"
            )
        })
    }
}

/// Active responses that are looked for, at most `limit`.
pub async fn find_active(
    read: &mut impl Read,
    search: &ActiveSearch,
    limit: u32,
    now: Time,
) -> Result<Vec<ActiveRow>, StoreError> {
    let wanted = search.targets.iter().map(|one| json!([one.action, one.first, one.last]));
    let places = search.endpoints.iter().map(|one| json!([one.manager, one.id.as_str()]));
    let at = At { table: "request_endpoint", id: "" };
    let rows = query(search.statement())
        .bind(now.timestamp_micros())
        .bind(at.to_json(&wanted.collect::<Vec<_>>())?)
        .bind(i64::from(limit))
        .bind(at.to_json(&places.collect::<Vec<_>>())?)
        .bind((now - RULE_RESPONSE_COUNTS).timestamp_micros())
        .bind(NOBODY_LOOKED)
        .fetch_all(read.connection())
        .await?;
    rows.iter().map(active_row).collect()
}
