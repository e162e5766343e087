//! The endpoints of a request, one by one or counted.

use std::collections::BTreeMap;

use serde::Serialize;

use super::LISTED_ENDPOINTS_MAX;
use crate::domain::request::{Counts, Outcome, Request, Skipped, Target};

#[derive(Serialize)]
pub(super) struct Endpoints<'a> {
    selected: u64,
    counts: Counted,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<Vec<Left<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes: Option<Vec<Met<'a>>>,
}

#[derive(Serialize)]
pub(super) struct Counted {
    selected: u64,
    skipped: u64,
    #[serde(flatten)]
    outcomes: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Left<'a> {
    id: &'a str,
    name: &'a str,
    why: String,
}

#[derive(Serialize)]
struct Met<'a> {
    id: &'a str,
    name: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl<'a> Endpoints<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        let counts = Counted::from(request.outcome_counts());
        let (skipped, targets) = (&request.skipped, &request.targets);
        Self {
            selected: counts.selected,
            counts,
            skipped: few(skipped.len()).then(|| skipped.iter().map(left).collect()),
            outcomes: few(targets.len()).then(|| targets.iter().map(met).collect()),
        }
    }
}

impl From<Counts> for Counted {
    fn from(counts: Counts) -> Self {
        let outcomes = Outcome::NAMES.into_iter().zip(counts.outcomes).collect();
        Self { selected: counts.targets, skipped: counts.skipped, outcomes }
    }
}

const fn few(number: usize) -> bool {
    number <= LISTED_ENDPOINTS_MAX
}

fn left(skipped: &Skipped) -> Left<'_> {
    let Skipped { endpoint, reason } = skipped;
    Left { id: endpoint.id.as_str(), name: &endpoint.name, why: reason.to_string() }
}

fn met(target: &Target) -> Met<'_> {
    let outcome = target.outcome.as_ref();
    Met {
        id: target.endpoint.id.as_str(),
        name: &target.endpoint.name,
        outcome: outcome.map_or("none", Outcome::name),
        code: outcome.and_then(Outcome::code),
        detail: outcome.map(Outcome::detail).filter(|detail| !detail.is_empty()),
    }
}
