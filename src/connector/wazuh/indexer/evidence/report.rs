//! Reports: how a companion script says that it ended.
//!
//! The script writes one line of JSON, which the decoder and the rules of `deploy/wazuh` make an alert
//! of. Only what is right in every part counts: the rule, the log, the endpoint, the tag of the attempt,
//! a version that is known. Anybody who can write to another log that the agent reads could make a line
//! of the same form there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    super::search::{Hit, IndexerClient, text},
    IndexerClock, SLACK, tag,
};
use crate::{
    connector::{
        http::{client::first_chars, error::ConnectorError},
        wazuh::scripts,
    },
    domain::{
        action::UNDO_SUFFIX,
        evidence::{Evidence, Sighting, Sign, Watched},
    },
};

/// Reports in one page: 100 calls of 50 endpoints, begun and ended.
const PAGE: usize = 1000;
/// The versions of the scripts whose reports are known to say what they say here.
pub(in crate::connector::wazuh) const KNOWN_VERSIONS: [&str; 1] = ["1"];
/// The log of a Linux agent in which its scripts report.
const LOG: &str = "/var/ossec/logs/active-responses.log";
/// What is read of a report.
const FIELDS: [&str; 5] = ["timestamp", "rule.id", "agent.id", "location", "data.countersign"];

/// The rules of `deploy/wazuh`, by what a report says.
const DONE: &str = "117701";
const ALREADY: &str = "117702";
const UNDONE: &str = "117703";
const KEPT: &str = "117704";
const FAILED: &str = "117705";
const NOT_VERIFIED: &str = "117706";
/// All of them that say how a run ended.
pub(in crate::connector::wazuh) const RULES: [&str; 6] =
    [DONE, ALREADY, UNDONE, KEPT, FAILED, NOT_VERIFIED];

impl IndexerClient {
    /// What companion scripts report of these calls, and why some of it may be missing.
    pub(super) async fn reports(
        &self,
        watched: &[Watched],
        clock: IndexerClock,
    ) -> Result<(Vec<Sighting>, Option<String>), ConnectorError> {
        let reporting = watched.iter().filter(|call| call.reporter.is_some());
        let calls: BTreeMap<String, &Watched> = reporting.map(|call| (tag(call), call)).collect();
        let Some(since) = calls.values().map(|call| call.since).min() else {
            return Ok((Vec::new(), None));
        };
        let filter = json!([
            { "terms": { "data.countersign.tag": calls.keys().collect::<Vec<_>>() } },
            { "terms": { "rule.id": RULES } },
            { "range": { "timestamp": { "gte": clock.theirs(since - SLACK) } } },
        ]);
        let (hits, gap) = self.pages(&filter, &FIELDS, PAGE).await?;
        let reported = |hit: &Hit| {
            let tag = text(&hit.source, "data.countersign.tag")?;
            reported(calls.get(tag)?, hit, clock)
        };
        Ok((hits.iter().filter_map(reported).collect(), gap))
    }
}

impl IndexerClient {
    /// The endpoints that reported lately, by the version of their scripts: of the newest reports.
    pub(in crate::connector::wazuh) async fn reporters(
        &self,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, ConnectorError> {
        let page = self
            .search(&json!({
                "size": PAGE,
                "_source": ["agent.id", "location", "data.countersign.version"],
                "query": { "bool": { "filter": [{ "terms": { "rule.id": RULES } }] } },
                "sort": [{ "timestamp": { "order": "desc" } }],
            }))
            .await?;
        let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for hit in page.hits {
            let said = (
                text(&hit.source, "data.countersign.version"),
                text(&hit.source, "agent.id")
                    .filter(|_| text(&hit.source, "location") == Some(LOG)),
            );
            if let (Some(version), Some(endpoint)) = said {
                seen.entry(version.to_owned()).or_default().insert(endpoint.to_owned());
            }
        }
        Ok(seen)
    }
}

/// A report as evidence of a call whose tag it carries; none where any part of it is not as it must be.
fn reported(call: &Watched, hit: &Hit, clock: IndexerClock) -> Option<Sighting> {
    let alert = &hit.source;
    let id = text(alert, "agent.id")?;
    let endpoint = call.endpoints.iter().find(|endpoint| endpoint.as_str() == id)?.clone();
    text(alert, "location").filter(|log| *log == LOG)?;
    let said = |field: &str| text(alert, &format!("data.countersign.{field}"));
    let version = said("version").filter(|version| KNOWN_VERSIONS.contains(version))?;
    let rule = text(alert, "rule.id")?;
    let script = said("script").filter(|script| call.reporter.as_deref() == Some(script))?;
    let undoes = scripts::says_undone(said("action")?);
    // What undoes as a request of its own has a name of its own; else a timer ended what it did.
    let by_timer = undoes && !script.ends_with(UNDO_SUFFIX);
    let verified = said("verified") == Some("true")
        || alert.pointer("/data/countersign/verified") == Some(&Value::Bool(true));
    let (seen, doubt) = match (rule, said("result")?) {
        (DONE, "done") if verified && !undoes => (Sign::Verified, None),
        (ALREADY, "already") | (UNDONE, "undone") | (KEPT, "kept") if verified && by_timer => {
            (Sign::Ended, None)
        }
        (ALREADY, "already") if verified => (Sign::Verified, None),
        (UNDONE, "undone") | (KEPT, "kept") if verified && undoes => (Sign::Verified, None),
        (FAILED, "failed") => (Sign::Started, Some(failure(alert, by_timer))),
        (NOT_VERIFIED, result) if !verified => {
            let result = first_chars(&result);
            (
                Sign::Started,
                Some(format!("the endpoint's script says {result}, and could not verify it")),
            )
        }
        _ => return None,
    };
    let at = clock.ours(alert).filter(|at| *at >= call.since - SLACK)?;
    let evidence = Evidence {
        index: hit.index.clone(),
        alert: hit.id.clone(),
        rule: rule.to_owned(),
        at,
        of_request: None,
        version: (seen != Sign::Started).then(|| version.to_owned()),
    };
    let (request, attempt) = (call.request, call.attempt);
    Some(Sighting { request, attempt, endpoint, seen, evidence, doubt })
}

fn failure(alert: &Value, by_timer: bool) -> String {
    let reason = text(alert, "data.countersign.reason").map(|reason| first_chars(&reason));
    let what = if by_timer { "could not end it" } else { "failed" };
    format!("the endpoint's script says that it {what}: {}", reason.unwrap_or_default())
}
