//! The indexer that holds the manager's alerts: searches, and nothing else.

use std::time::Duration;

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::Value;

use super::{
    dashboard,
    fields::AlertFields,
    refusal::{refusal, shard_failures},
};
use crate::{
    connector::{
        http::{
            client::{BaseUrl, Connections, HttpClient, Reply, first_chars},
            error::ConnectorError,
            secret::CurrentSecret,
        },
        wazuh::settings::{IndexerSettings, WazuhSettings},
    },
    domain::facts::AlertShown,
};

/// The most of an answer: a page of a thousand alerts has a few.
const ANSWER_MIB_MAX: usize = 16;

/// The indexer with the user that may read alerts.
#[derive(Debug)]
pub(in crate::connector::wazuh) struct IndexerClient {
    pub(in crate::connector::wazuh) http: HttpClient,
    user: String,
    password: CurrentSecret,
    alert_index: String,
    pub(in crate::connector::wazuh) confirm_within: TimeDelta,
    /// How old its newest alert may be before it counts as behind.
    pub(super) stale_after: TimeDelta,
    pub(super) fields: AlertFields,
    dashboard_url: Option<String>,
}

#[derive(Deserialize)]
struct SearchAnswer {
    #[serde(default)]
    timed_out: bool,
    #[serde(rename = "_shards", default)]
    shards: Shards,
    hits: Hits,
}

/// How many parts of an index took part.
#[derive(Deserialize, Default)]
pub(super) struct Shards {
    #[serde(default)]
    total: u64,
    #[serde(default)]
    failed: u64,
    #[serde(default)]
    failures: Value,
}

/// Documents come from anybody's logs: each is read by itself.
#[derive(Deserialize)]
struct Hits {
    hits: Vec<Value>,
}

/// What one search brought.
#[derive(Debug)]
pub(super) struct Page {
    /// The documents that can be read.
    pub(super) hits: Vec<Hit>,
    /// How many came, those that cannot be read included.
    pub(super) count: usize,
    /// Where the next page begins: the sort values of the last document.
    pub(super) end: Option<Value>,
    /// Why documents may be missing, after the word "indexer"; none where everything was searched.
    pub(super) gap: Option<String>,
}

/// A document that was found.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) index: String,
    pub(super) id: String,
    /// An object.
    pub(super) source: Value,
}

impl Hit {
    /// None where it is no document.
    fn read(mut found: Value) -> Option<Self> {
        let word = |name: &str| found.get(name).and_then(Value::as_str).map(str::to_owned);
        let (index, id) = (word("_index").unwrap_or_default(), word("_id")?);
        let source = found.get_mut("_source").filter(|source| source.is_object())?.take();
        Some(Self { index, id, source })
    }
}

impl IndexerClient {
    pub(in crate::connector::wazuh) fn new(
        indexer: &IndexerSettings,
        settings: &WazuhSettings,
    ) -> Result<Self, ConnectorError> {
        let IndexerSettings { url, user, password, tls, alert_index, .. } = indexer;
        let section = format!("{}.indexer", settings.section());
        let sound = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.*,".contains(&c);
        if alert_index.is_empty() || !alert_index.bytes().all(sound) {
            let key = format!("{section}.alerts_index");
            let allowed = "it is the name of an index, such as wazuh-alerts-*";
            return Err(ConnectorError::settings(key, alert_index, allowed));
        }
        let span = |key: &str, length: Duration| {
            TimeDelta::from_std(length).map_err(|error| {
                let key = format!("{section}.{key}");
                ConnectorError::settings(key, format!("{length:?}"), error.to_string())
            })
        };
        let confirm_within = span("confirm_within_seconds", indexer.confirm_within)?;
        let stale_after = span("stale_after_minutes", indexer.stale_after)?;
        let dashboard_url = indexer.dashboard_url.as_ref();
        let dashboard_url = dashboard_url.map(|url| dashboard::read(url, &section)).transpose()?;
        let address = BaseUrl::read(url, tls, &section)?;
        let place = (format!("the indexer at {}", address.url), address);
        let http =
            HttpClient::new(place, tls, &section, Connections::Kept, settings.read_deadline)?;
        let (user, password) = (user.clone(), CurrentSecret::new(password.clone()));
        Ok(Self {
            http,
            user,
            password,
            alert_index: alert_index.clone(),
            confirm_within,
            stale_after,
            fields: indexer.fields.clone(),
            dashboard_url,
        })
    }

    /// The address that shows an alert in the dashboard; none where none is configured.
    pub(in crate::connector::wazuh) fn alert_url(&self, alert: &AlertShown) -> Option<String> {
        let url = self.dashboard_url.as_ref()?;
        Some(dashboard::link(url, &self.alert_index, alert))
    }

    /// What a search finds, and whether that may be a part only.
    pub(super) async fn search(&self, query: &Value) -> Result<Page, ConnectorError> {
        let reply = self.ask(query, ANSWER_MIB_MAX).await?;
        let answer: SearchAnswer =
            reply.json().map_err(|detail| self.http.malformed(&reply, detail))?;
        let gap = gap(answer.timed_out, &answer.shards);
        let documents = answer.hits.hits;
        let end = documents.last().and_then(|last| last.get("sort")).cloned();
        let count = documents.len();
        let hits = documents.into_iter().filter_map(Hit::read).collect();
        Ok(Page { hits, count, end, gap })
    }

    /// The answer to a search, of at most so many MiB; the error where it was refused.
    pub(super) async fn ask(&self, query: &Value, mib_max: usize) -> Result<Reply, ConnectorError> {
        let mut reply = self.ask_once(query, mib_max).await?;
        if reply.status == 401 && self.password.renew()? {
            reply = self.ask_once(query, mib_max).await?;
        }
        if reply.status != 200 {
            let right = format!("indices:data/read/search on {}", self.alert_index);
            return Err(refusal(&self.http, &reply, &right));
        }
        Ok(reply)
    }

    async fn ask_once(&self, query: &Value, mib_max: usize) -> Result<Reply, ConnectorError> {
        let request = self
            .http
            .post(&format!("/{}/_search", self.alert_index))
            .basic_auth(&self.user, Some(self.password.get().expose()))
            .header("content-type", "application/json")
            .body(query.to_string());
        Ok(self.http.send(request, mib_max).await?)
    }
}

/// Why an answer is that of a part only, after the word "indexer"; none where everything was searched.
pub(super) fn gap(timed_out: bool, shards: &Shards) -> Option<String> {
    let Shards { total, failed, failures } = shards;
    let part = "could search a part of its alerts only";
    match (failed, timed_out) {
        (0, false) => None,
        (0, true) => Some(format!("{part}: it ran out of time")),
        (failed, _) => {
            let why = first_chars(&shard_failures(failures));
            let why = if why.is_empty() { why } else { format!(" ({why})") };
            Some(format!("{part}: {failed} of {total} shards failed{why}"))
        }
    }
}

/// The text in a dotted field.
pub(in crate::connector::wazuh) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value_at(value, field).and_then(Value::as_str)
}

/// The value of a dotted field.
pub(super) fn value_at<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    field.split('.').try_fold(value, |value, name| value.get(name))
}
