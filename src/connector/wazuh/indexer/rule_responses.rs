//! Responses that are not ours: the manager's own rules start them, or another client of its API.
//!
//! They leave the alerts that our calls leave ([`super::evidence`]), without our tag. Whatever a
//! document says oddly makes it no response; the others count.

use std::{collections::BTreeSet, net::IpAddr};

use chrono::{SubsecRound as _, TimeDelta};
use serde_json::{Value, json};

use super::{
    evidence::{ENDED, IndexerClock, OTHER_SCRIPT, SLACK, STARTED, extra_args},
    search::{IndexerClient, Page, text},
};
use crate::{
    connector::{
        CorrelationTag,
        http::{client::first_chars, error::ConnectorError},
        wazuh::{Wazuh, api::connection::time, scripts},
    },
    domain::{
        Time,
        action::{Action, ActionKind, Parameter, ParameterType, Place},
        endpoint::EndpointId,
        evidence::{RuleResponse, RuleResponses},
    },
};

/// Alerts in one search. What it does not hold, the next one finds.
const ALERTS_MAX: usize = 1000;
/// How far back the next search begins: an alert may be indexed after a younger one.
const LATE: TimeDelta = SLACK;

impl Wazuh {
    pub(in crate::connector::wazuh) async fn find_rule_responses(
        &self,
        since: Time,
        now: Time,
    ) -> Result<RuleResponses, ConnectorError> {
        let Some(indexer) = &self.indexer else {
            return Ok(RuleResponses { found: Vec::new(), read_until: None });
        };
        if self.manager.ahead().is_none() {
            // A manager that does not answer has our clock.
            let asked = self.names.discover(&self.manager, &BTreeSet::new(), now).await;
            let _clock_is_known = asked.is_ok();
        }
        let clock = self.indexer_clock(now);
        indexer.rule_responses(since, clock).await
    }
}

impl IndexerClient {
    async fn rule_responses(
        &self,
        since: Time,
        clock: IndexerClock,
    ) -> Result<RuleResponses, ConnectorError> {
        let rules: Vec<_> = STARTED.iter().chain(&ENDED).chain([&OTHER_SCRIPT]).collect();
        let query = json!({
            "size": ALERTS_MAX,
            "_source": [
                "timestamp", "rule.id", "agent.id", "agent.name", "data.command",
                "data.parameters.extra_args", "data.parameters.program",
                "data.parameters.alert.data",
            ],
            "query": { "bool": {
                "filter": [
                    { "terms": { "rule.id": rules } },
                    { "range": { "timestamp": {
                        "gte": clock.theirs(since), "lte": clock.theirs(clock.now + SLACK),
                    } } },
                ],
                "must_not": [
                    { "prefix": { "data.parameters.extra_args": CorrelationTag::PREFIX } },
                ],
            } },
            "sort": [{ "timestamp": { "order": "asc" } }, { "id": { "order": "asc" } }],
        });
        let Page { hits, count, gap, .. } = self.search(&query).await?;
        // What is missing in a part may be older than what it holds: it is searched again.
        let newest = hits.iter().filter_map(|hit| clock.ours(&hit.source)).max();
        let newest = newest.filter(|_| gap.is_none());
        // More than one search holds: the next one goes on where this one ended, so that it ends.
        let back = if count < ALERTS_MAX { LATE } else { TimeDelta::zero() };
        let found = hits.iter().filter_map(|hit| rule_response(&hit.source, clock)).collect();
        Ok(RuleResponses { found, read_until: newest.map(|newest| newest - back) })
    }
}

/// An alert as a response that is not ours; none when it says anything else.
fn rule_response(alert: &Value, clock: IndexerClock) -> Option<RuleResponse> {
    if extra_args(alert).iter().any(|arg| arg.starts_with(CorrelationTag::PREFIX)) {
        return None;
    }
    let rule = text(alert, "rule.id")?;
    let ended = match text(alert, "data.command")? {
        "add" if rule == OTHER_SCRIPT || STARTED.contains(&rule) => false,
        "delete" if rule == OTHER_SCRIPT || ENDED.contains(&rule) => true,
        _ => return None,
    };
    let program = text(alert, "data.parameters.program")?;
    let (script, kind) = scripts::response_of(program)?;
    let data = alert.pointer("/data/parameters/alert/data")?;
    let endpoint = EndpointId::parse(text(alert, "agent.id")?)?;
    let name = text(alert, "agent.name").map_or_else(|| endpoint.to_string(), |n| first_chars(&n));
    Some(RuleResponse {
        action: target(kind, data)?,
        endpoint,
        name,
        script: script.to_owned(),
        at: clock.ours(alert)?.trunc_subsecs(6),
        manager_time: time(text(alert, "timestamp")?)?,
        ended,
    })
}

/// What a script acts on, as it reads it: the first field that it looks for.
pub(super) fn target(kind: ActionKind, data: &Value) -> Option<Action> {
    let read = |parameter: &'static Parameter| {
        let Place::Data(key) = &parameter.fills else { return None };
        if parameter.optional && data.get(key).is_none() {
            return Some(None);
        }
        let fields = parameter.script_reads.iter().chain([key]);
        let named = fields.into_iter().find_map(|field| text(data, field))?;
        // Daemons on dual-stack sockets log IPv4 addresses in their mapped form.
        let address = (parameter.of == ParameterType::Address)
            .then(|| named.parse().map(|address: IpAddr| address.to_canonical().to_string()));
        match address {
            Some(canonical) => parameter.read(&canonical.ok()?).ok().map(Some),
            None => parameter.read(named).ok().map(Some),
        }
    };
    Action::new(kind, kind.parameters().iter().map(read).collect::<Option<_>>()?)
}
