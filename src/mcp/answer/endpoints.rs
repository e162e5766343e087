//! The endpoints of a request, one by one or counted.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{LISTED_ENDPOINTS_MAX, spoken};
use crate::domain::{
    endpoint::Endpoint,
    request::{Counts, Outcome, Proof, Request, Skipped, Target},
};

/// What an endpoint's own alert proves of a response that started there, and not more.
pub(in crate::mcp) const PROVES_START: &str = "the script started on this endpoint";
/// What it proves of one that ended there.
pub(in crate::mcp) const PROVES_END: &str = "the endpoint took the response back";

#[derive(Serialize)]
pub(super) struct Endpoints<'a> {
    selected: u64,
    counts: EndpointCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<Vec<SkippedAnswer<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes: Option<Vec<EndpointAnswer<'a>>>,
}

#[derive(Serialize)]
pub(super) struct EndpointCounts {
    selected: u64,
    skipped: u64,
    #[serde(flatten)]
    outcomes: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct EndpointHead<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
}

#[derive(Serialize)]
struct SkippedAnswer<'a> {
    #[serde(flatten)]
    named: EndpointHead<'a>,
    why: String,
}

#[derive(Serialize)]
struct EndpointAnswer<'a> {
    #[serde(flatten)]
    named: EndpointHead<'a>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceAnswer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reverted_by: Option<String>,
}

#[derive(Serialize)]
struct EvidenceAnswer<'a> {
    index: &'a str,
    alert: &'a str,
    rule: &'a str,
    at: String,
    proves: &'static str,
}

impl<'a> Endpoints<'a> {
    /// With the manager before each id where an id alone may mean more than one endpoint.
    pub(super) fn of(request: &'a Request, several_managers: bool) -> Self {
        let named = |endpoint: &'a Endpoint| EndpointHead {
            id: endpoint.id.as_str(),
            name: &endpoint.name,
            endpoint: several_managers.then(|| format!("{}/{}", request.manager, endpoint.id)),
        };
        let left = |Skipped { endpoint, reason }: &'a Skipped| SkippedAnswer {
            named: named(endpoint),
            why: reason.to_string(),
        };
        let met = |target: &'a Target| met(request, target, named(&target.endpoint));
        let counts = EndpointCounts::from(request.outcome_counts());
        let (skipped, targets) = (&request.skipped, &request.targets);
        Self {
            selected: counts.selected,
            counts,
            skipped: few(skipped.len()).then(|| skipped.iter().map(left).collect()),
            outcomes: few(targets.len()).then(|| targets.iter().map(met).collect()),
        }
    }
}

impl From<Counts> for EndpointCounts {
    fn from(counts: Counts) -> Self {
        let outcomes = Outcome::NAMES.into_iter().zip(counts.outcomes).collect();
        Self { selected: counts.targets, skipped: counts.skipped, outcomes }
    }
}

const fn few(number: usize) -> bool {
    number <= LISTED_ENDPOINTS_MAX
}

fn met<'a>(request: &Request, target: &'a Target, named: EndpointHead<'a>) -> EndpointAnswer<'a> {
    let outcome = target.outcome.as_ref();
    let until =
        outcome.filter(|outcome| outcome.may_be_active()).and_then(|_| request.ends(target));
    EndpointAnswer {
        named,
        outcome: outcome.map_or("none", Outcome::name),
        code: outcome.and_then(Outcome::code),
        detail: outcome.map(Outcome::detail).filter(|detail| !detail.is_empty()),
        until: until.map(spoken),
        evidence: outcome.and_then(proven),
        doubt: target.doubt.as_deref(),
        reverted_by: outcome.and_then(Outcome::reverted_by).map(|by| by.to_string()),
    }
}

fn proven(outcome: &Outcome) -> Option<EvidenceAnswer<'_>> {
    let (evidence, proves) = match outcome {
        Outcome::Confirmed(Proof::Alert(evidence)) => (evidence, PROVES_START),
        Outcome::Ended { seen } | Outcome::Reverted { seen, .. } => (seen.as_ref()?, PROVES_END),
        Outcome::Sent
        | Outcome::Refused { .. }
        | Outcome::NotSent { .. }
        | Outcome::Unknown { .. }
        | Outcome::Confirmed(Proof::Person(_))
        | Outcome::Unconfirmed { .. } => return None,
    };
    Some(EvidenceAnswer {
        index: &evidence.index,
        alert: &evidence.alert,
        rule: &evidence.rule,
        at: spoken(evidence.at),
        proves,
    })
}
