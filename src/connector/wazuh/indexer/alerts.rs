//! Alerts, looked up in the indexer: whether what an agent claims is there.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    fields::AlertFields,
    log_line,
    names::named_in,
    search::{Hit, IndexerClient, text, value_at},
};
use crate::{
    connector::{http::client::first_chars, wazuh::api::connection::time},
    domain::{
        Time,
        action::Action,
        facts::{AlertFacts, AlertShown},
        seconds_of,
    },
};

/// How far the manager's clock may be ahead of ours.
const AHEAD_SECS_MAX: i64 = 300;
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
        now: Time,
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
            None => Ok(facts(first, action, &self.fields, now)),
        }
    }
}

/// Which alert it is, beside others: "rule 5763 on endpoint 001 at 2026-…, wazuh-alerts-…/AZq_1".
fn identity(hit: &Hit) -> String {
    let word = |field| text(&hit.source, field).map_or_else(|| "unknown".to_owned(), shortened);
    let (rule, endpoint, at) = (word("rule.id"), word("agent.id"), word("timestamp"));
    let place = first_chars(&format!("{}/{}", hit.index, hit.id));
    format!("rule {rule} on endpoint {endpoint} at {at} ({place})")
}

fn facts(hit: &Hit, action: &Action, fields: &AlertFields, now: Time) -> AlertFacts {
    let alert = &hit.source;
    let level = level(alert);
    let named_in = named_in(alert, action, fields);
    AlertFacts {
        found: true,
        names_target: named_in.as_ref().is_some_and(|named| named.goes_on.is_none()),
        level: level.unwrap_or(0),
        age_seconds: age_seconds(alert, now),
        summary: summary(alert, level),
        shown: Some(Box::new(AlertShown { named_in, ..shown(hit) })),
        ..AlertFacts::default()
    }
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
fn age_seconds(alert: &Value, now: Time) -> Option<u64> {
    let age = now - made_at(alert)?;
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
