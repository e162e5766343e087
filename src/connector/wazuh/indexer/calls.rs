//! Calls that left alerts behind, by their tags alone: for a database that may not know them.
//!
//! The tag stands in a line that an endpoint wrote. Whoever owns an endpoint can write one, and so
//! keep a request whose id is known from being sent; nothing is sent because of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{
    evidence::{ENDED, IndexerClock, OTHER_SCRIPT, SLACK, STARTED, extra_args},
    rule_responses::target,
    search::{Hit, IndexerClient, text},
};
use crate::{
    connector::{
        CorrelationTag,
        http::error::ConnectorError,
        wazuh::{Wazuh, scripts},
    },
    domain::{
        Time,
        endpoint::EndpointId,
        evidence::{FoundCall, FoundCalls},
        id::RequestId,
    },
};

/// Alerts in one page.
const PAGE: usize = 1000;
const FIELDS: [&str; 7] = [
    "timestamp",
    "rule.id",
    "agent.id",
    "data.command",
    "data.parameters.extra_args",
    "data.parameters.program",
    "data.parameters.alert.data",
];

impl Wazuh {
    pub(in crate::connector::wazuh) async fn search_calls(
        &self,
        request: Option<RequestId>,
        since: Option<Time>,
        now: Time,
    ) -> Result<FoundCalls, ConnectorError> {
        let Some(indexer) = &self.indexer else { return Ok(FoundCalls::default()) };
        if self.manager.ahead().is_none() {
            // A manager that does not answer has our clock.
            let asked = self.names.discover(&self.manager, &BTreeSet::new(), now).await;
            let _clock_is_known = asked.is_ok();
        }
        let clock = IndexerClock { ahead: self.manager.ahead().unwrap_or_default(), now };
        indexer.calls(&CorrelationTag::beginning(request), since, clock).await
    }
}

impl IndexerClient {
    async fn calls(
        &self,
        tag: &str,
        since: Option<Time>,
        clock: IndexerClock,
    ) -> Result<FoundCalls, ConnectorError> {
        let rules: Vec<_> = STARTED.iter().chain(&ENDED).chain([&OTHER_SCRIPT]).collect();
        let mut filter = vec![
            json!({ "prefix": { "data.parameters.extra_args": tag } }),
            json!({ "terms": { "rule.id": rules } }),
        ];
        if let Some(since) = since {
            let oldest = clock.theirs(since - SLACK);
            filter.push(json!({ "range": { "timestamp": { "gte": oldest } } }));
        }
        let (hits, gap) = self.pages(&json!(filter), &FIELDS, PAGE).await?;
        let mut calls: BTreeMap<_, FoundCall> = BTreeMap::new();
        for found in hits.iter().filter_map(|hit| call(hit, tag, clock)) {
            calls
                .entry((found.request, found.attempt))
                .and_modify(|known| {
                    known.at = known.at.min(found.at);
                    known.endpoints.extend(found.endpoints.iter().cloned());
                })
                .or_insert(found);
        }
        Ok(FoundCalls { calls: calls.into_values().collect(), gap })
    }
}

/// The call that an alert comes from; none where it carries no such tag.
fn call(hit: &Hit, tag: &str, clock: IndexerClock) -> Option<FoundCall> {
    let alert = &hit.source;
    let mut tags = extra_args(alert).into_iter().filter(|arg| arg.starts_with(tag));
    let (request, attempt) = tags.find_map(CorrelationTag::parse)?;
    let program = text(alert, "data.parameters.program").and_then(scripts::response_of);
    let data = alert.pointer("/data/parameters/alert/data");
    let action = program.zip(data).and_then(|((_, kind), data)| target(kind, data));
    let endpoints = BTreeSet::from([EndpointId::parse(text(alert, "agent.id")?)?]);
    Some(FoundCall { request, attempt, action, endpoints, at: clock.ours(alert)? })
}
