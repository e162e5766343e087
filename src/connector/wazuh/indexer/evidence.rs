//! Evidence: the alerts that the endpoints' own logs led to.
//!
//! An endpoint writes the input of each script that it starts into its log, with the tag that the
//! call carried, and the manager makes an alert of it. That proves that the script was started
//! there with this input, and nothing more. What the indexer returns is held against the call once
//! more: evidence of another call, another endpoint or another time confirms nothing. Source of the
//! rules: `ruleset/rules/0015-ossec_rules.xml`.

pub(in crate::connector::wazuh) mod report;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use super::search::{Hit, IndexerClient, text};
use crate::{
    connector::{
        CorrelationTag,
        http::{client::first_chars, error::ConnectorError},
        wazuh::{Wazuh, api::connection::time},
    },
    domain::{
        Time,
        evidence::{Evidence, Observation, Sighting, Sign, Watched},
    },
};

/// Marks in one search.
const MARKS_MAX: usize = 100;
/// Alerts in one page, and pages in one search: 100 marks of 50 endpoints, begun and ended.
const PAGE: usize = 1000;
const PAGES_MAX: usize = 10;
/// Alerts in one page where each carries its log line, which may have 64 KiB.
const DOUBTS_PAGE: usize = 200;
/// What is read of an alert that shows a start or an end.
const STARTED_FIELDS: [&str; 7] = [
    "id",
    "timestamp",
    "rule.id",
    "agent.id",
    "data.command",
    "data.parameters.extra_args",
    "data.parameters.program",
];
/// What is read of an alert that may speak against one.
const DOUBT_FIELDS: [&str; 5] = ["id", "timestamp", "rule.id", "agent.id", "full_log"];
/// What two clocks may still differ by after they were compared.
pub(super) const SLACK: TimeDelta = TimeDelta::seconds(60);
/// How long after its start a script may say that it failed.
const DOUBT_WITHIN: TimeDelta = TimeDelta::seconds(30);
/// The rule of a script that Wazuh has no rule for.
pub(super) const OTHER_SCRIPT: &str = "657";
/// Rules of scripts that were started, and that were told to undo what they did.
pub(super) const STARTED: [&str; 3] = ["651", "653", "655"];
pub(super) const ENDED: [&str; 3] = ["652", "654", "656"];
/// The firewall of a Windows endpoint is off.
const FIREWALL_OFF: &str = "658";
/// Any other line of the log. Fires only where its level was raised.
const OTHER_LINE: &str = "650";
/// How the scripts that Wazuh ships say that they did not do it. Source: src/active-response.
const FAILURES: [&str; 4] = ["Unable to run", "Cannot read", "Invalid system", "not valid"];

/// A sighting, with what its doubts are found by.
struct FoundEvidence {
    sighting: Sighting,
    /// The file that was started.
    program: Option<String>,
}

impl Wazuh {
    pub(in crate::connector::wazuh) async fn find_evidence(
        &self,
        watched: &[Watched],
        now: Time,
    ) -> Result<Observation, ConnectorError> {
        let Some(indexer) = &self.indexer else { return Ok(Observation::default()) };
        if watched.is_empty() {
            return Ok(Observation::default());
        }
        // A manager that does not answer has the clock that it had, or else ours.
        let asked = self.names.discover(&self.manager, &BTreeSet::new(), now).await;
        let _clock_is_fresh = asked.is_ok();
        let clock = self.indexer_clock(now);
        let (mut found, mut gap) = (Vec::new(), None);
        for watched in watched.chunks(MARKS_MAX) {
            let (more, part) = indexer.started_and_ended(watched, clock).await?;
            found.extend(more);
            gap = gap.or(part);
        }
        let doubt_gap = indexer.doubt(&mut found, clock).await?;
        let mut sightings: Vec<_> = found.into_iter().map(|found| found.sighting).collect();
        for watched in watched.chunks(MARKS_MAX) {
            let (reports, part) = indexer.reports(watched, clock).await?;
            sightings.extend(reports);
            gap = gap.or(part);
        }
        sightings.sort_by_key(|sighting| sighting.evidence.at);
        if gap.is_none() && is_any_unseen(watched, &sightings) {
            gap = indexer.state(self.there(now)).await.behind().map(str::to_owned);
        }
        Ok(Observation { sightings, gap, doubt_gap })
    }
}

/// Whether nothing at all was seen of some call on some endpoint.
fn is_any_unseen(watched: &[Watched], sightings: &[Sighting]) -> bool {
    let seen: HashSet<_> = sightings.iter().map(|seen| (seen.attempt, &seen.endpoint)).collect();
    let unseen =
        |call: &Watched| call.endpoints.iter().any(|id| !seen.contains(&(call.attempt, id)));
    watched.iter().any(unseen)
}

/// The two clocks.
#[derive(Clone, Copy)]
pub(in crate::connector::wazuh) struct IndexerClock {
    pub(in crate::connector::wazuh) ahead: TimeDelta,
    pub(in crate::connector::wazuh) now: Time,
}

impl IndexerClock {
    /// A time of ours, in the alerts' form and by the manager's clock.
    pub(super) fn theirs(self, at: Time) -> String {
        (at + self.ahead).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// When an alert was made, by our clock; none when it does not say, or has not come yet.
    pub(super) fn ours(self, alert: &Value) -> Option<Time> {
        let at = time(text(alert, "timestamp")?)?.checked_sub_signed(self.ahead)?;
        (at - self.now <= SLACK).then_some(at)
    }
}

impl IndexerClient {
    async fn started_and_ended(
        &self,
        watched: &[Watched],
        clock: IndexerClock,
    ) -> Result<(Vec<FoundEvidence>, Option<String>), ConnectorError> {
        let marks: BTreeMap<String, &Watched> = watched.iter().map(|w| (tag(w), w)).collect();
        let Some(since) = watched.iter().map(|w| w.since).min() else {
            return Ok((Vec::new(), None));
        };
        let rules: Vec<_> = STARTED.iter().chain(&ENDED).chain([&OTHER_SCRIPT]).collect();
        let filter = json!([
            { "terms": { "data.parameters.extra_args": marks.keys().collect::<Vec<_>>() } },
            { "terms": { "rule.id": rules } },
            { "range": { "timestamp": { "gte": clock.theirs(since - SLACK) } } },
        ]);
        let mut counted = HashSet::new();
        let mut found = Vec::new();
        let (hits, gap) = self.pages(&filter, &STARTED_FIELDS, PAGE).await?;
        for hit in hits {
            let of_mark = extra_args(&hit.source).into_iter().find_map(|arg| marks.get(arg));
            let Some(one) = of_mark.and_then(|watched| sighted(watched, &hit, clock)) else {
                continue;
            };
            let alert = text(&hit.source, "id").unwrap_or(&hit.id).to_owned();
            if counted.insert(alert) {
                found.push(one);
            }
        }
        Ok((found, gap))
    }

    /// Looks for what speaks against those that just started. Gives why some may be missing.
    async fn doubt(
        &self,
        found: &mut [FoundEvidence],
        clock: IndexerClock,
    ) -> Result<Option<String>, ConnectorError> {
        let mut started: Vec<_> =
            found.iter_mut().filter(|found| found.sighting.seen == Sign::Started).collect();
        let times = || started.iter().map(|found| found.sighting.evidence.at);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(None) };
        let endpoints: BTreeSet<_> =
            started.iter().map(|found| found.sighting.endpoint.to_string()).collect();
        let filter = json!([
            { "terms": { "agent.id": endpoints } },
            { "terms": { "rule.id": [FIREWALL_OFF, OTHER_LINE] } },
            { "range": { "timestamp": {
                "gte": clock.theirs(first), "lte": clock.theirs(last + DOUBT_WITHIN),
            } } },
        ]);
        let (hits, gap) = self.pages(&filter, &DOUBT_FIELDS, DOUBTS_PAGE).await?;
        for hit in hits {
            let Some(at) = clock.ours(&hit.source) else { continue };
            for found in &mut started {
                let FoundEvidence { sighting, program } = &mut **found;
                let after = at - sighting.evidence.at;
                let there = text(&hit.source, "agent.id") == Some(sighting.endpoint.as_str());
                if there && (TimeDelta::zero()..=DOUBT_WITHIN).contains(&after) {
                    let doubt = doubt(&hit.source, program.as_deref());
                    sighting.doubt = sighting.doubt.take().or(doubt);
                }
            }
        }
        Ok(gap)
    }

    /// All pages of a search, the oldest alert first, and why some of it may be missing.
    pub(super) async fn pages(
        &self,
        filter: &Value,
        fields: &[&str],
        size: usize,
    ) -> Result<(Vec<Hit>, Option<String>), ConnectorError> {
        let mut query = json!({
            "size": size,
            "_source": fields,
            "query": { "bool": { "filter": filter } },
            "sort": [{ "timestamp": { "order": "asc" } }, { "id": { "order": "asc" } }],
        });
        let (mut all, mut gap) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self.search(&query).await?;
            let full = page.count >= size;
            all.extend(page.hits);
            gap = gap.or(page.gap.map(|gap| format!("the indexer {gap}")));
            match (page.end.filter(Value::is_array), query.as_object_mut()) {
                (Some(next), Some(query)) if full => query.insert("search_after".to_owned(), next),
                _ => return Ok((all, gap)),
            };
        }
        let cut = format!(
            "the indexer may hold more than the {} alerts that a search reads",
            size * PAGES_MAX
        );
        Ok((all, gap.or(Some(cut))))
    }
}

fn tag(watched: &Watched) -> String {
    let Watched { request, attempt, digest, .. } = *watched;
    CorrelationTag { request, attempt, digest }.to_string()
}

/// What the call carried; a list, or the one entry of one.
pub(super) fn extra_args(alert: &Value) -> Vec<&str> {
    match alert.pointer("/data/parameters/extra_args") {
        Some(Value::Array(args)) => args.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(arg)) => vec![arg],
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Vec::new()
        }
    }
}

/// An alert as evidence of a call whose tag it carries; none when it is one of another endpoint or
/// another time, or says what no evidence says.
fn sighted(watched: &Watched, hit: &Hit, clock: IndexerClock) -> Option<FoundEvidence> {
    let alert = &hit.source;
    let id = text(alert, "agent.id")?;
    let endpoint = watched.endpoints.iter().find(|endpoint| endpoint.as_str() == id)?.clone();
    let rule = text(alert, "rule.id")?;
    let seen = match text(alert, "data.command")? {
        "add" if rule == OTHER_SCRIPT || STARTED.contains(&rule) => Sign::Started,
        "delete" if rule == OTHER_SCRIPT || ENDED.contains(&rule) => Sign::Ended,
        _ => return None,
    };
    let at = clock.ours(alert).filter(|at| *at >= watched.since - SLACK)?;
    let (index, rule) = (hit.index.clone(), rule.to_owned());
    let evidence =
        Evidence { index, alert: hit.id.clone(), rule, at, of_request: None, version: None };
    let (request, attempt) = (watched.request, watched.attempt);
    let program = text(alert, "data.parameters.program").map(str::to_owned);
    let sighting = Sighting { request, attempt, endpoint, seen, evidence, doubt: None };
    Some(FoundEvidence { sighting, program })
}

/// What an alert says against a script that just started; none where it says nothing.
fn doubt(alert: &Value, program: Option<&str>) -> Option<String> {
    match text(alert, "rule.id")? {
        FIREWALL_OFF => {
            let off =
                "the endpoint says that its Windows firewall is off, so a block has no effect";
            return Some(off.to_owned());
        }
        OTHER_LINE => {}
        _ => return None,
    }
    let log = text(alert, "full_log")?;
    // A line of another script that ran at the same time says nothing about this one.
    let own = program.is_none_or(|program| log.contains(program));
    let failed = FAILURES.iter().any(|failure| log.contains(failure));
    (own && failed)
        .then(|| format!("the endpoint's log says that it failed: {}", first_chars(&log)))
}
