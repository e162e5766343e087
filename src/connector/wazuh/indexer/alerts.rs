//! Alerts, looked up in the indexer: whether what an agent claims is there.

mod naming;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    evidence::IndexerClock,
    fields::AlertFields,
    log_line,
    names::named_in,
    peer::is_from_peer,
    search::{Hit, IndexerClient, text, value_at},
};
use crate::{
    connector::{CorrelationTag, http::client::first_chars, wazuh::api::connection::time},
    domain::{
        Time,
        action::Action,
        endpoint::EndpointId,
        facts::{AlertEndpoint, AlertFacts, AlertShown},
        seconds_of,
    },
};

/// How far an alert may seem to come from the future once the clocks were compared: the manager
/// says its time in whole seconds.
const AHEAD_SECS_MAX: i64 = 2;
/// The id under which a manager reports about itself.
const MANAGER: &str = "000";
/// The group of the rules about active responses (`ruleset/rules/0015-ossec_rules.xml`).
const ACTIVE_RESPONSE: &str = "active_response";
/// How much of a rule's description is shown.
const DESCRIPTION_CHARS_MAX: usize = 200;
/// The highest level that a rule can have.
const LEVEL_MAX: u8 = 16;
/// The documents of one alert: more of them than a shipper leaves that reads its file again.
const DOCUMENTS_MAX: usize = 20;
/// How much of a word is shown: of a rule's number, a group, a time.
const WORD_CHARS_MAX: usize = 64;
/// How many groups and techniques of a rule are shown.
const LABELS_MAX: usize = 20;

impl IndexerClient {
    /// The alert of that id, and what it says about the target of `action`; the error says why
    /// there is none.
    pub(in crate::connector::wazuh) async fn find(
        &self,
        alert_id: &str,
        action: &Action,
        clock: IndexerClock,
    ) -> Result<AlertFacts, String> {
        let query = json!({
            "size": DOCUMENTS_MAX,
            "query": { "bool": {
                "minimum_should_match": 1,
                "should": [{ "term": { "id": alert_id } }, { "ids": { "values": [alert_id] } }],
            } },
        });
        let page = self.search(&query).await.map_err(|error| error.to_string())?;
        // A second alert of this id may be in the part that was not searched.
        if let Some(gap) = page.gap {
            return Err(format!("the indexer {gap}"));
        }
        if page.hits.is_empty() && page.count > 0 {
            return Err(format!(
                "{} has it, but the answer is not what it should be: no document can be read",
                self.http.system
            ));
        }
        let same = |hit: &&Hit| hit.id == alert_id || text(&hit.source, "id") == Some(alert_id);
        let found: Vec<_> = page.hits.iter().filter(same).collect();
        let Some(first) = found.first() else {
            return Err("there is no such alert in the indexer".to_owned());
        };
        // A shipper that reads its file again indexes the same alert once more.
        match found.iter().find(|other| other.source != first.source) {
            Some(other) => Err(format!(
                "more than one alert in the indexer has this id, and they differ: {}; {}",
                identity(first),
                identity(other)
            )),
            None if page.count >= DOCUMENTS_MAX => {
                Err(format!("{DOCUMENTS_MAX} or more documents in the indexer have this id"))
            }
            None if is_own_trace(&first.source) => Err(OWN_TRACE.to_owned()),
            None => Ok(facts(first, action, &self.fields, clock)),
        }
    }
}

/// Why an alert of an active response is none that an agent may name.
const OWN_TRACE: &str = "this alert is the trace of an active response, which is no reason for \
                         another";

/// Whether an alert tells of an active response, ours or another: what we did must not be a reason
/// to do it again. Our tag counts wherever it stands; who forges it makes people decide.
fn is_own_trace(alert: &Value) -> bool {
    let groups = value_at(alert, "rule.groups");
    contains_text(groups, &|text| text.split(',').any(|group| group.trim() == ACTIVE_RESPONSE))
        || contains_text(Some(alert), &|text| text.contains(CorrelationTag::PREFIX))
}

/// Whether some text in it fits.
fn contains_text(value: Option<&Value>, fits: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Some(Value::String(text)) => fits(text),
        Some(Value::Array(list)) => list.iter().any(|one| contains_text(Some(one), fits)),
        Some(Value::Object(fields)) => fields.values().any(|one| contains_text(Some(one), fits)),
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_)) => false,
    }
}

/// Which alert it is, beside others: "rule 5763 on endpoint 001 at 2026-…, wazuh-alerts-…/AZq_1".
fn identity(hit: &Hit) -> String {
    let word = |field| text(&hit.source, field).map_or_else(|| "unknown".to_owned(), shortened);
    let (rule, endpoint, at) = (word("rule.id"), word("agent.id"), word("timestamp"));
    let place = first_chars(&format!("{}/{}", hit.index, hit.id));
    format!("rule {rule} on endpoint {endpoint} at {at} ({place})")
}

fn facts(hit: &Hit, action: &Action, fields: &AlertFields, clock: IndexerClock) -> AlertFacts {
    let alert = &hit.source;
    let level = level(alert);
    let named_in = named_in(alert, action, fields);
    let proof = named_in.as_ref().filter(|named| named.goes_on.is_none());
    AlertFacts {
        found: true,
        names_target: proof.is_some(),
        level: level.unwrap_or(0),
        age_seconds: age_seconds(alert, clock),
        summary: summary(alert, level),
        from_peer: proof.is_some_and(|named| is_from_peer(alert, named, action, fields)),
        endpoint: endpoint(alert).map(Box::new),
        shown: Some(Box::new(AlertShown { named_in, ..shown(hit) })),
        ..AlertFacts::default()
    }
}

/// The endpoint that it was made about; none where that is the manager itself, which also reports
/// for devices and clouds. Its groups are not in the alert.
fn endpoint(alert: &Value) -> Option<AlertEndpoint> {
    let id = EndpointId::parse(text(alert, "agent.id")?).filter(|id| id.as_str() != MANAGER)?;
    let name = text(alert, "agent.name")?.to_owned();
    Some(AlertEndpoint { id, name, groups: Vec::new() })
}

fn shown(hit: &Hit) -> AlertShown {
    let alert = &hit.source;
    let log = text(alert, "full_log").filter(|log| !log.is_empty()).map(log_line::start);
    let (log, log_cut) = log.map_or((None, false), |(start, cut)| (Some(start), cut));
    AlertShown {
        named_in: None,
        log,
        log_cut,
        rule: scalar(value_at(alert, "rule.id")),
        groups: labels(value_at(alert, "rule.groups")),
        mitre: labels(value_at(alert, "rule.mitre.id")),
        at: made_at(alert),
        id: text(alert, "id").map(shortened).unwrap_or_default(),
        index: first_chars(&hit.index),
        document: first_chars(&hit.id),
    }
}

/// A list of words, or one; what is none is left out.
fn labels(value: Option<&Value>) -> Vec<String> {
    let list = match value {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    list.iter().filter_map(|label| scalar(Some(label))).take(LABELS_MAX).collect()
}

/// A word or a number, as text.
fn scalar(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(shortened(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The level of its rule. An indexer keeps what it was sent: a number, or its digits.
fn level(alert: &Value) -> Option<u8> {
    let level = value_at(alert, "rule.level")?;
    let level = match level.as_str() {
        Some(digits) => digits.trim().parse().ok(),
        None => level.as_u64().and_then(|level| u8::try_from(level).ok()),
    };
    level.filter(|level| *level <= LEVEL_MAX)
}

fn made_at(alert: &Value) -> Option<Time> {
    text(alert, "timestamp").or_else(|| text(alert, "@timestamp")).and_then(time)
}

/// Its age; none when it says no time, or one that has not come.
fn age_seconds(alert: &Value, clock: IndexerClock) -> Option<u64> {
    let age = clock.now - made_at(alert)?.checked_sub_signed(clock.ahead)?;
    if age < TimeDelta::seconds(-AHEAD_SECS_MAX) {
        return None;
    }
    Some(seconds_of(age))
}

fn summary(alert: &Value, level: Option<u8>) -> String {
    let said = text(alert, "rule.description").unwrap_or("an alert without a description");
    let said: String = said.chars().take(DESCRIPTION_CHARS_MAX).collect();
    let word = |field| scalar(value_at(alert, field)).unwrap_or_else(|| "unknown".to_owned());
    let level = level.map_or_else(|| "unknown".to_owned(), |level| level.to_string());
    format!("{said} (rule {}, level {level}, endpoint {})", word("rule.id"), word("agent.id"))
}

fn shortened(text: &str) -> String {
    text.chars().take(WORD_CHARS_MAX).collect()
}
