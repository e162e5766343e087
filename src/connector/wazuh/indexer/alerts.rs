//! Alerts, looked up in the indexer: whether what an agent claims is there.

use std::net::IpAddr;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::search::{Hit, IndexerClient, text};
use crate::{
    connector::wazuh::api::connection::time,
    domain::{Time, action::Action, facts::AlertFacts, seconds_of},
};

/// How far the manager's clock may be ahead of ours.
const AHEAD_SECS_MAX: i64 = 300;
/// How much of a rule's description is shown.
const DESCRIPTION_CHARS_MAX: usize = 200;
/// The highest level that a rule can have.
const LEVEL_MAX: u8 = 16;

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
            "size": 2,
            "query": { "bool": {
                "minimum_should_match": 1,
                "should": [{ "term": { "id": alert_id } }, { "ids": { "values": [alert_id] } }],
            } },
        });
        let hits = self.search(&query).await.map_err(|error| error.to_string())?;
        let same = |hit: &&Hit| hit.id == alert_id || text(&hit.source, "id") == Some(alert_id);
        let found: Vec<_> = hits.iter().filter(same).collect();
        match found.as_slice() {
            [] => Err("there is no such alert in the indexer".to_owned()),
            [hit] => Ok(facts(&hit.source, action, now)),
            [_, _, ..] => Err("more than one alert in the indexer has this id".to_owned()),
        }
    }
}

fn facts(alert: &Value, action: &Action, now: Time) -> AlertFacts {
    let level = alert.pointer("/rule/level").and_then(Value::as_u64);
    let level = level.and_then(|level| u8::try_from(level).ok()).filter(|l| *l <= LEVEL_MAX);
    AlertFacts {
        found: true,
        names_target: names_target(alert, action),
        level: level.unwrap_or(0),
        age_seconds: age_seconds(alert, now),
        summary: summary(alert, level),
    }
}

/// Whether the alert names exactly what the action acts on.
fn names_target(alert: &Value, action: &Action) -> bool {
    let named = |fields: [&str; 2], same: &dyn Fn(&str) -> bool| {
        fields.into_iter().filter_map(|field| text(alert, field)).any(same)
    };
    match action {
        Action::BlockIp(target) | Action::UnblockIp(target) => {
            named(["data.srcip", "data.win.eventdata.ipAddress"], &|text| {
                // Daemons on dual-stack sockets log IPv4 addresses in their mapped form.
                text.parse().is_ok_and(|named: IpAddr| named.to_canonical() == *target)
            })
        }
        Action::DisableAccount(target) | Action::EnableAccount(target) => {
            let fields = ["data.dstuser", "data.win.eventdata.targetUserName"];
            named(fields, &|text| text == target.as_str())
        }
    }
}

/// Its age; none when it says no time, or one that has not come.
fn age_seconds(alert: &Value, now: Time) -> Option<u64> {
    let time = text(alert, "timestamp").or_else(|| text(alert, "@timestamp")).and_then(time)?;
    let age = now - time;
    if age < TimeDelta::seconds(-AHEAD_SECS_MAX) {
        return None;
    }
    Some(seconds_of(age))
}

fn summary(alert: &Value, level: Option<u8>) -> String {
    let said = text(alert, "rule.description").unwrap_or("an alert without a description");
    let said: String = said.chars().take(DESCRIPTION_CHARS_MAX).collect();
    let word = |field| text(alert, field).map_or_else(|| "unknown".to_owned(), shortened);
    let level = level.map_or_else(|| "unknown".to_owned(), |level| level.to_string());
    format!("{said} (rule {}, level {level}, endpoint {})", word("rule.id"), word("agent.id"))
}

fn shortened(text: &str) -> String {
    text.chars().take(32).collect()
}
