//! Whether the indexer keeps up: an alert that is not there says nothing while newer ones are not
//! there either.

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use super::search::{Hit, IndexerClient, text};
use crate::{
    connector::{http::error::ConnectorError, wazuh::api::connection::time},
    domain::{Time, facts::IndexerState},
};

/// How far clocks may differ. A document from the future, of a machine whose clock is wrong, must
/// not hide that nothing else comes.
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);

impl IndexerClient {
    /// The time of its newest alert; none where it holds none. `there` is now by the manager's clock.
    /// The error says why nobody can know.
    pub(in crate::connector::wazuh) async fn newest(
        &self,
        there: Time,
    ) -> Result<Option<Time>, ConnectorError> {
        let latest = (there + AHEAD_MAX).to_rfc3339_opts(SecondsFormat::Millis, true);
        let query = json!({
            "size": 1,
            "_source": ["timestamp"],
            "query": { "range": { "timestamp": { "lte": latest } } },
            "sort": [{ "timestamp": { "order": "desc" } }],
        });
        let page = self.search(&query).await?;
        if let Some(gap) = page.gap {
            let (system, detail) = (self.http.system.clone(), format!("it {gap}"));
            return Err(ConnectorError::Answer { system, status: 200, detail });
        }
        let sorted_by = page.end.as_ref().and_then(|end| end.get(0)).and_then(Value::as_i64);
        let said = |hit: &Hit| time(text(&hit.source, "timestamp")?);
        let newest = sorted_by.and_then(Time::from_timestamp_millis);
        Ok(newest.or_else(|| page.hits.first().and_then(said)))
    }

    /// How old its newest alert is, in words; the error says why it cannot tell what endpoints do.
    pub(in crate::connector::wazuh) async fn lag(&self, there: Time) -> Result<String, String> {
        let newest = self.newest(there).await.map_err(|error| error.to_string())?;
        let newest = newest.ok_or_else(|| "the indexer holds no document".to_owned())?;
        let age = there - newest;
        let words = format!("the newest document is {} old", age_text(age));
        if self.is_stale(age) { Err(words) } else { Ok(words) }
    }

    /// Whether it keeps up.
    pub(in crate::connector::wazuh) async fn state(&self, there: Time) -> IndexerState {
        self.lag(there).await.map_or_else(IndexerState::Behind, |_| IndexerState::Current)
    }

    /// Whether a newest alert of this age means that alerts no longer reach the indexer.
    pub(in crate::connector::wazuh) fn is_stale(&self, age: TimeDelta) -> bool {
        age > self.stale_after
    }
}

/// "71 h", "75 min".
pub(in crate::connector::wazuh) fn age_text(age: TimeDelta) -> String {
    let minutes = age.num_minutes().max(0);
    if minutes < 120 { format!("{minutes} min") } else { format!("{} h", age.num_hours()) }
}
