//! The indexer that holds the manager's alerts: searches, and nothing else.

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::connector::{
    http::{
        client::{BaseUrl, Connections, HttpClient, Reply},
        error::ConnectorError,
        secret::CurrentSecret,
    },
    wazuh::{
        api::manager_error::refusal,
        settings::{IndexerSettings, WazuhSettings},
    },
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
}

#[derive(Deserialize)]
struct SearchAnswer {
    #[serde(default)]
    timed_out: bool,
    #[serde(rename = "_shards", default)]
    shards: Shards,
    hits: Hits,
}

#[derive(Deserialize, Default)]
struct Shards {
    #[serde(default)]
    failed: u64,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

/// A document that was found.
#[derive(Debug, Deserialize)]
pub(in crate::connector::wazuh) struct Hit {
    #[serde(rename = "_index", default)]
    pub(in crate::connector::wazuh) index: String,
    #[serde(rename = "_id")]
    pub(in crate::connector::wazuh) id: String,
    #[serde(rename = "_source")]
    pub(in crate::connector::wazuh) source: Value,
    /// Where the next page begins.
    #[serde(default)]
    pub(in crate::connector::wazuh) sort: Value,
}

impl IndexerClient {
    pub(in crate::connector::wazuh) fn new(
        indexer: &IndexerSettings,
        settings: &WazuhSettings,
    ) -> Result<Self, ConnectorError> {
        let IndexerSettings { url, user, password, tls, alert_index, confirm_within } = indexer;
        let section = format!("{}.indexer", settings.section());
        let sound = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.*,".contains(&c);
        if alert_index.is_empty() || !alert_index.bytes().all(sound) {
            let key = format!("{section}.alerts_index");
            let allowed = "it is the name of an index, such as wazuh-alerts-*";
            return Err(ConnectorError::settings(key, alert_index, allowed));
        }
        let confirm_within = TimeDelta::from_std(*confirm_within).map_err(|error| {
            let key = format!("{section}.confirm_within_seconds");
            ConnectorError::settings(key, format!("{confirm_within:?}"), error.to_string())
        })?;
        let address = BaseUrl::read(url, tls, &section)?;
        let place = (format!("the indexer at {}", address.url), address);
        let http =
            HttpClient::new(place, tls, &section, Connections::Kept, settings.read_deadline)?;
        let (user, password) = (user.clone(), CurrentSecret::new(password.clone()));
        Ok(Self { http, user, password, alert_index: alert_index.clone(), confirm_within })
    }

    /// The time of its newest alert, as it writes it; none where it holds none.
    pub(in crate::connector::wazuh) async fn newest(
        &self,
    ) -> Result<Option<String>, ConnectorError> {
        let query = json!({
            "size": 1,
            "_source": ["timestamp"],
            "query": { "match_all": {} },
            "sort": [{ "timestamp": { "order": "desc" } }],
        });
        let hits = self.search(&query).await?;
        let newest = hits.first().and_then(|hit| text(&hit.source, "timestamp"));
        Ok(newest.map(str::to_owned))
    }

    /// What a search finds. An answer that holds a part only is an error: what is missing in it
    /// would be taken for not there.
    pub(in crate::connector::wazuh) async fn search(
        &self,
        query: &Value,
    ) -> Result<Vec<Hit>, ConnectorError> {
        let mut reply = self.search_once(query).await?;
        if reply.status == 401 && self.password.renew()? {
            reply = self.search_once(query).await?;
        }
        match reply.status {
            200 => {
                let answer: SearchAnswer =
                    reply.json().map_err(|detail| self.http.malformed(&reply, detail))?;
                if answer.timed_out || answer.shards.failed > 0 {
                    let detail = "it could search a part of its alerts only".to_owned();
                    return Err(self.http.malformed(&reply, detail));
                }
                Ok(answer.hits.hits)
            }
            401 => Err(ConnectorError::LoginRefused { system: self.http.system.clone() }),
            _ => {
                let right = format!("indices:data/read/search on {}", self.alert_index);
                Err(refusal(&self.http, &reply, &right))
            }
        }
    }

    async fn search_once(&self, query: &Value) -> Result<Reply, ConnectorError> {
        let request = self
            .http
            .post(&format!("/{}/_search", self.alert_index))
            .basic_auth(&self.user, Some(self.password.get().expose()))
            .header("content-type", "application/json")
            .body(query.to_string());
        Ok(self.http.send(request, ANSWER_MIB_MAX).await?)
    }
}

/// The text in a dotted field.
pub(in crate::connector::wazuh) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    field.split('.').try_fold(value, |value, name| value.get(name)).and_then(Value::as_str)
}
