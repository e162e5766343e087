//! How often alerts of the last day name what an action acts on, and where: one search that returns
//! numbers and no alert.

use chrono::{SecondsFormat, TimeDelta};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ACTIVE_RESPONSE;
use crate::{
    connector::{
        http::{client::first_chars, error::ConnectorError},
        wazuh::indexer::{
            evidence::IndexerClock,
            fields::{AlertFields, AlertForm},
            search::{IndexerClient, Shards, gap},
        },
    },
    domain::{
        Time,
        action::Action,
        endpoint::EndpointId,
        evidence::{AlertPlace, TargetAlerts},
        facts::IndexerState,
    },
};

/// How far back alerts are counted.
const SINCE: TimeDelta = TimeDelta::hours(24);
/// The hours that a day takes part in.
const HOURS: usize = 25;
const HOUR_SECONDS: i64 = 3600;
/// How many endpoints are named.
const PLACES_MAX: usize = 5;
/// Numbers are small; the names of endpoints, too.
const ANSWER_MIB_MAX: usize = 1;
/// When the indexer itself gives up.
const INDEXER_DEADLINE: &str = "2s";

#[derive(Deserialize)]
struct CountAnswer {
    #[serde(default)]
    timed_out: bool,
    #[serde(rename = "_shards", default)]
    shards: Shards,
    hits: CountedHits,
    /// Not there where there is no index yet.
    aggregations: Option<Counted>,
}

#[derive(Deserialize)]
struct CountedHits {
    total: HitTotal,
}

#[derive(Deserialize)]
struct HitTotal {
    value: u64,
}

#[derive(Deserialize, Default)]
struct Counted {
    hours: Buckets<i64>,
    places: Buckets<String>,
}

#[derive(Deserialize)]
struct Buckets<K> {
    buckets: Vec<Bucket<K>>,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { buckets: Vec::new() }
    }
}

/// The alerts of one hour or of one endpoint.
#[derive(Deserialize)]
struct Bucket<K> {
    key: K,
    doc_count: u64,
    #[serde(default)]
    name: Option<Buckets<String>>,
}

impl IndexerClient {
    /// The alerts of the last 24 hours whose fields hold exactly what an action acts on, alerts about
    /// active responses aside: what we did is no sign of what somebody does. None where no field of
    /// an alert is known to name it.
    pub(in crate::connector::wazuh) async fn alerts_naming(
        &self,
        action: &Action,
        clock: IndexerClock,
    ) -> Result<Option<TargetAlerts>, ConnectorError> {
        let names = names_target(action, &self.fields);
        if names.is_empty() {
            return Ok(None);
        }
        let (from, to) = (clock.now - SINCE, clock.now);
        // Hours are those of the manager's clock, which alerts carry.
        let first = hour(from + clock.ahead);
        let query = query(&names, (&clock.theirs(from), &clock.theirs(to)), first);
        let reply = self.ask(&query, ANSWER_MIB_MAX).await?;
        let answer: CountAnswer =
            reply.json().map_err(|detail| self.http.malformed(&reply, detail))?;
        if let Some(gap) = gap(answer.timed_out, &answer.shards) {
            return Err(self.http.malformed(&reply, format!("it {gap}")));
        }
        let total = answer.hits.total.value;
        if total > 0 && answer.aggregations.is_none() {
            let detail = "the answer is not what it should be: it counts nothing".to_owned();
            return Err(self.http.malformed(&reply, detail));
        }
        let Counted { hours, places } = answer.aggregations.unwrap_or_default();
        let places: Vec<_> = places.buckets.into_iter().filter_map(place).collect();
        let named = places.iter().map(|place| place.alerts).fold(0, u64::saturating_add);
        // None says something only where newer alerts are there.
        let state =
            if total == 0 { self.state(to + clock.ahead).await } else { IndexerState::Current };
        Ok(Some(TargetAlerts {
            total,
            first,
            hours: by_hour(first, &hours),
            places,
            elsewhere: total.saturating_sub(named),
            behind: state.behind().map(str::to_owned),
        }))
    }
}

fn query(names: &[Value], (from, to): (&str, &str), first: Time) -> Value {
    let rfc3339 = |time: Time| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let end = first + TimeDelta::hours(i64::try_from(HOURS).unwrap_or(0));
    let bounds = json!({ "min": rfc3339(first), "max": rfc3339(end) });
    json!({
        "size": 0,
        "timeout": INDEXER_DEADLINE,
        "track_total_hits": true,
        "query": { "bool": {
            "filter": [
                { "range": { "timestamp": { "gte": from, "lte": to } } },
                { "bool": { "should": names, "minimum_should_match": 1 } },
            ],
            "must_not": [{ "term": { "rule.groups": ACTIVE_RESPONSE } }],
        } },
        "aggs": {
            "hours": { "date_histogram": {
                "field": "timestamp", "fixed_interval": "1h", "hard_bounds": bounds,
            } },
            "places": {
                "terms": { "field": "agent.id", "size": PLACES_MAX },
                "aggs": { "name": { "terms": { "field": "agent.name", "size": 1 } } },
            },
        },
    })
}

/// What finds the alerts that name the target: for each field that is looked at, the values that
/// name it. An index cannot find every form that is understood in one alert: an account with its
/// domain in front is not among them.
fn names_target(action: &Action, fields: &AlertFields) -> Vec<Value> {
    if let Some(address) = action.address() {
        let mut forms = vec![address.to_string()];
        if address.is_ipv4() {
            forms.push(format!("::ffff:{address}"));
        }
        let of = |(field, _): &(String, AlertForm)| json!({ "terms": { field: forms } });
        return fields.addresses.iter().map(of).collect();
    }
    let Some(account) = action.account() else { return Vec::new() };
    let of = |(field, form): &(String, AlertForm)| account_in(field, *form, account.as_str());
    fields.accounts.iter().flat_map(of).collect()
}

/// A field that holds an account: alone, with its number, or with its realm.
fn account_in(field: &str, form: AlertForm, account: &str) -> Vec<Value> {
    let (is, begins, folds) = match form {
        AlertForm::Address => return Vec::new(),
        AlertForm::Name => (account.to_owned(), format!("{account}(uid="), false),
        AlertForm::Windows | AlertForm::Cloud => (account.to_owned(), format!("{account}@"), true),
    };
    let value = |value: String| json!({ "value": value, "case_insensitive": folds });
    vec![json!({ "term": { field: value(is) } }), json!({ "prefix": { field: value(begins) } })]
}

/// The beginning of an hour.
fn hour(at: Time) -> Time {
    let begin = at.timestamp().div_euclid(HOUR_SECONDS).saturating_mul(HOUR_SECONDS);
    Time::from_timestamp(begin, 0).unwrap_or(at)
}

/// The number of each hour from the first on. An hour that was not asked for counts nowhere.
fn by_hour(first: Time, found: &Buckets<i64>) -> Vec<u64> {
    let mut hours = vec![0_u64; HOURS];
    for bucket in &found.buckets {
        let Some(begin) = Time::from_timestamp_millis(bucket.key) else { continue };
        let place = (begin - first).num_seconds().div_euclid(HOUR_SECONDS);
        let place = usize::try_from(place).ok();
        if let Some(hour) = place.and_then(|place| hours.get_mut(place)) {
            *hour = hour.saturating_add(bucket.doc_count);
        }
    }
    hours
}

/// None where it is no id of an endpoint: such alerts count as elsewhere.
fn place(bucket: Bucket<String>) -> Option<AlertPlace> {
    let id = EndpointId::parse(&bucket.key)?;
    let names = bucket.name.map(|names| names.buckets).unwrap_or_default();
    let name = names.first().map(|name| first_chars(&name.key)).unwrap_or_default();
    Some(AlertPlace { id, name, alerts: bucket.doc_count })
}
