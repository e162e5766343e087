//! What the indexer says when it refuses a search, or answers it in part: `OpenSearch`'s own words.

use serde_json::Value;

use crate::connector::http::{
    client::{HttpClient, Reply, first_chars},
    error::ConnectorError,
};

/// More causes than these say the same in other shards.
const CAUSES_MAX: usize = 2;

/// The error for an answer that is not 200. `right` is what a search needs.
pub(super) fn refusal(http: &HttpClient, reply: &Reply, right: &str) -> ConnectorError {
    let system = http.system.clone();
    let detail = || first_chars(&reason(reply));
    match reply.status {
        401 => ConnectorError::LoginRefused { system },
        403 => ConnectorError::Forbidden { system, right: right.to_owned(), detail: detail() },
        429 => ConnectorError::Busy { system, detail: detail() },
        status => ConnectorError::Answer { system, status, detail: detail() },
    }
}

/// The reason in an error's body: the outer one and what caused it. The outer one alone is often no
/// more than "all shards failed".
fn reason(reply: &Reply) -> String {
    let body: Value = reply.json_or_default();
    let error = body.get("error").unwrap_or(&Value::Null);
    let outer = error.as_str().or_else(|| error.get("reason")?.as_str());
    let causes = [error.get("root_cause"), error.get("failed_shards")];
    let causes = distinct(causes.into_iter().flatten(), outer);
    let plain = reply.text();
    match (outer, causes.as_slice()) {
        (Some(outer), []) => outer.to_owned(),
        (Some(outer), causes) => format!("{outer}: {}", causes.join("; ")),
        (None, [_, ..]) => causes.join("; "),
        // Whoever stands in front of it does not speak its form.
        (None, []) if !plain.trim().is_empty() && !plain.trim_start().starts_with(['<', '{']) => {
            plain
        }
        (None, []) => "without a reason".to_owned(),
    }
}

/// Why some of the shards failed, in an answer that holds the documents of the others.
pub(super) fn shard_failures(failures: &Value) -> String {
    distinct([failures].into_iter(), None).join("; ")
}

/// The first reasons in lists of causes or of failed shards, each once.
fn distinct<'a>(lists: impl Iterator<Item = &'a Value>, outer: Option<&str>) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for entry in lists.filter_map(Value::as_array).flatten() {
        let reason = entry.get("reason").unwrap_or(&Value::Null);
        let reason = reason.as_str().or_else(|| reason.get("reason")?.as_str());
        let Some(reason) = reason.filter(|reason| !reason.is_empty()) else { continue };
        if found.len() < CAUSES_MAX && !found.contains(&reason) && outer != Some(reason) {
            found.push(reason);
        }
    }
    found
}
