//! A request in a list.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::spoken;
use crate::{
    broker::queries::RequestSummary,
    domain::request::{Counts, PlanStep},
};

/// A page of requests, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct RequestPage {
    /// The requests.
    pub(in crate::api) items: Vec<RequestItem>,
    /// The `after` of the next page; null where there is none. A page may be short, or even empty, and
    /// go on: a search that no index serves looks back so far at a time.
    pub(in crate::api) next: Option<String>,
}

/// A request.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct RequestItem {
    /// Its id.
    id: String,
    /// The name of the agent that asked, at that time. Text from outside.
    agent: String,
    /// The request that it takes back.
    undoes: Option<String>,
    /// The plan that it is a step of.
    plan: Option<StepAnswer>,
    /// The response that was asked for.
    action: &'static str,
    /// What it acts on. Text from outside.
    target: String,
    /// How long it lasts, in seconds; null where it stays until somebody undoes it.
    term_seconds: Option<u32>,
    /// Where it stands.
    state: &'static str,
    /// When it was asked (RFC 3339, UTC).
    asked_at: String,
    /// Until when people may decide.
    deadline: String,
    /// How many people have approved.
    approvals: u64,
    /// Where it acts, in numbers.
    endpoints: EndpointNumbers,
    /// Why an approved request cannot be sent at the moment. Text from outside.
    held_because: Option<String>,
}

/// A step of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct StepAnswer {
    /// The plan.
    id: String,
    /// Which step, 1 for the first.
    step: u8,
}

impl From<PlanStep> for StepAnswer {
    fn from(step: PlanStep) -> Self {
        Self { id: step.plan.to_string(), step: step.number }
    }
}

/// Endpoints in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct EndpointNumbers {
    /// How many take part.
    selected: u64,
    /// How many were asked for and do not.
    skipped: u64,
    /// How many have each outcome that is known.
    outcomes: BTreeMap<&'static str, u64>,
}

impl From<&Counts> for EndpointNumbers {
    fn from(counts: &Counts) -> Self {
        Self {
            selected: counts.targets,
            skipped: counts.skipped,
            outcomes: counts.reached().collect(),
        }
    }
}

impl From<RequestSummary> for RequestItem {
    fn from(summary: RequestSummary) -> Self {
        Self {
            id: summary.id.to_string(),
            agent: summary.agent_name,
            undoes: summary.undoes.map(|undone| undone.to_string()),
            plan: summary.plan.map(StepAnswer::from),
            action: summary.action.kind().name(),
            target: summary.action.argument(),
            term_seconds: summary.term.seconds(),
            state: summary.state.name(),
            asked_at: spoken(summary.asked_at),
            deadline: spoken(summary.deadline),
            approvals: summary.approvals,
            endpoints: EndpointNumbers::from(&summary.counts),
            held_because: summary.held_because,
        }
    }
}
