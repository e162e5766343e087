//! Alerts, looked up in the indexer: whether what an agent claims is there.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    error::ConnectorError,
    http::{Address, Connections, Site},
    settings::{IndexerSettings, Secret, Settings},
};
use crate::domain::{Time, action::Action, facts::AlertFacts};

/// How far the manager's clock may be ahead of ours.
const AHEAD_SECS_MAX: i64 = 300;
/// How much of a rule's description is shown.
const DESCRIPTION_CHARS_MAX: usize = 200;
/// The highest level that a rule can have.
const LEVEL_MAX: u8 = 16;

/// The indexer with the user that may read alerts.
#[derive(Debug)]
pub(super) struct Indexer {
    pub(super) site: Site,
    user: String,
    password: Secret,
    alert_index: String,
}

#[derive(Deserialize)]
struct Answer {
    hits: Hits,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_source")]
    source: Value,
}

impl Indexer {
    pub(super) fn new(
        indexer: &IndexerSettings,
        settings: &Settings,
    ) -> Result<Self, ConnectorError> {
        let IndexerSettings { url, user, password, tls, alert_index } = indexer;
        let sound = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.*,".contains(&c);
        if alert_index.is_empty() || !alert_index.bytes().all(sound) {
            let allowed = "it is the name of an index, such as wazuh-alerts-*";
            return Err(ConnectorError::settings("indexer.alerts_index", alert_index, allowed));
        }
        let address = Address::read(url, tls, "indexer")?;
        let place = (format!("the indexer at {}", address.url), address);
        let site = Site::new(place, tls, "indexer", Connections::Kept, settings.read_deadline)?;
        let (user, password) = (user.clone(), password.clone());
        Ok(Self { site, user, password, alert_index: alert_index.clone() })
    }

    /// The alert of that id, and what it says about the target of `action`; the error says why
    /// there is none.
    pub(super) async fn find(
        &self,
        alert_id: &str,
        action: &Action,
        now: Time,
    ) -> Result<AlertFacts, String> {
        let hits = self.search(alert_id).await.map_err(|error| error.to_string())?;
        let same = |hit: &&Hit| hit.id == alert_id || text(&hit.source, "id") == Some(alert_id);
        let found: Vec<_> = hits.iter().filter(same).collect();
        match found.as_slice() {
            [] => Err("there is no such alert in the indexer".to_owned()),
            [hit] => Ok(facts(&hit.source, action, now)),
            [_, _, ..] => Err("more than one alert in the indexer has this id".to_owned()),
        }
    }

    /// Whether its alerts can be read.
    pub(super) async fn probe(&self) -> Result<(), ConnectorError> {
        self.search("countersign-doctor").await.map(drop)
    }

    async fn search(&self, alert_id: &str) -> Result<Vec<Hit>, ConnectorError> {
        let query = json!({
            "size": 2,
            "query": { "bool": {
                "minimum_should_match": 1,
                "should": [{ "term": { "id": alert_id } }, { "ids": { "values": [alert_id] } }],
            } },
        });
        let request = self
            .site
            .post(&format!("/{}/_search", self.alert_index))
            .basic_auth(&self.user, Some(self.password.expose()))
            .header("content-type", "application/json")
            .body(query.to_string());
        let reply = self.site.send(request, 1).await?;
        match reply.status {
            200 => {
                let answer: Answer =
                    reply.json().map_err(|detail| self.site.malformed(&reply, detail))?;
                Ok(answer.hits.hits)
            }
            401 => Err(ConnectorError::LoginRefused { system: self.site.system.clone() }),
            _ => Err(self.site.refusal(&reply, "to read its alerts")),
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
    Some(u64::try_from(age.num_seconds()).unwrap_or(0))
}

/// RFC 3339, or Wazuh's form with `+0000` at the end.
fn time(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()
        .map(|time| time.with_timezone(&Utc))
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

/// The text in a dotted field.
fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    field.split('.').try_fold(value, |value, name| value.get(name)).and_then(Value::as_str)
}
