//! What became of endpoints, in one line.

use crate::domain::{
    action::with_count, audit::detail::outcome::EndpointOutcome, endpoint::EndpointId,
};

/// Up to this many endpoints are named; more are counted.
const NAMED_MAX: usize = 12;

/// ": 001, 002 sent; 014 refused (1750)".
pub(super) fn list(outcomes: &[EndpointOutcome]) -> String {
    let mut groups: Vec<(String, Vec<&EndpointId>)> = Vec::new();
    for EndpointOutcome { endpoint, outcome, .. } in outcomes {
        let mut name = outcome.name().replace('_', " ");
        if let Some(code) = outcome.code() {
            name = format!("{name} ({code})");
        }
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, ids)) => ids.push(endpoint),
            None => groups.push((name, vec![endpoint])),
        }
    }
    let parts = groups.iter().map(|(outcome, ids)| format!("{} {outcome}", named(ids)));
    let parts = parts.collect::<Vec<_>>().join("; ");
    if parts.is_empty() { parts } else { format!(": {parts}") }
}

pub(super) fn named(ids: &[&EndpointId]) -> String {
    if ids.len() <= NAMED_MAX {
        return ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    }
    with_count(u64::try_from(ids.len()).unwrap_or(0), "endpoint")
}
