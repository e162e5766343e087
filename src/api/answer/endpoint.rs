//! Endpoints: those of a request, and those that the managers know.

use serde::Serialize;
use utoipa::ToSchema;

use super::spoken;
use crate::{
    broker::queries::system::endpoints::KnownEndpoint,
    domain::{
        evidence::Evidence,
        request::{Outcome, Proof, Request, Skipped, Target},
    },
};

/// An endpoint that takes part in a request.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct OutcomeAnswer {
    /// Its id at the manager of the request.
    id: String,
    /// Its name. Text from outside.
    name: String,
    /// `linux`, `macos`, `windows` or `other`.
    platform: &'static str,
    /// The command that it is sent.
    command: String,
    /// What is known there; null until something is.
    outcome: Option<&'static str>,
    /// Why, or who says so; may be empty. Text from outside.
    detail: String,
    /// Since when the response may be active.
    since: Option<String>,
    /// When it ends by itself; null where it does not.
    ends: Option<String>,
    /// What speaks against its effect although it was sent or started. Text from outside.
    doubt: Option<String>,
    /// The endpoint's own alert that shows it.
    evidence: Option<EvidenceAnswer>,
}

/// An alert that an endpoint left behind.
#[derive(Debug, Serialize, ToSchema)]
struct EvidenceAnswer {
    /// The index that holds it.
    index: String,
    /// Its id in that index.
    alert: String,
    /// The rule that fired.
    rule: String,
    /// When the endpoint did it, by the clock of Countersign.
    at: String,
}

/// An endpoint that was asked for and takes no part.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct SkippedEndpoint {
    /// Its id.
    id: String,
    /// Its name. Text from outside.
    name: String,
    /// Why.
    why: String,
}

impl OutcomeAnswer {
    pub(super) fn of(request: &Request, target: &Target) -> Self {
        let outcome = target.outcome.as_ref();
        let evidence = outcome.and_then(seen).map(|evidence| EvidenceAnswer {
            index: evidence.index.clone(),
            alert: evidence.alert.clone(),
            rule: evidence.rule.clone(),
            at: spoken(evidence.at),
        });
        Self {
            id: target.endpoint.id.to_string(),
            name: target.endpoint.name.clone(),
            platform: target.endpoint.platform.name(),
            command: target.command.clone(),
            outcome: outcome.map(Outcome::name),
            detail: outcome.map(Outcome::detail).unwrap_or_default().to_owned(),
            since: target.since.map(spoken),
            ends: request.ends(target).map(spoken),
            doubt: target.doubt.clone(),
            evidence,
        }
    }
}

const fn seen(outcome: &Outcome) -> Option<&Evidence> {
    match outcome {
        Outcome::Confirmed(Proof::Alert(evidence)) | Outcome::Verified(evidence) => Some(evidence),
        Outcome::Ended { seen } | Outcome::Reverted { seen, .. } => seen.as_ref(),
        Outcome::Sent
        | Outcome::Refused { .. }
        | Outcome::NotSent { .. }
        | Outcome::Unknown { .. }
        | Outcome::Confirmed(Proof::Person(_))
        | Outcome::Unconfirmed { .. } => None,
    }
}

impl From<&Skipped> for SkippedEndpoint {
    fn from(skipped: &Skipped) -> Self {
        Self {
            id: skipped.endpoint.id.to_string(),
            name: skipped.endpoint.name.clone(),
            why: skipped.reason.to_string(),
        }
    }
}

/// A page of endpoints, in the order of managers and ids.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct EndpointPage {
    /// The endpoints.
    pub(in crate::api) items: Vec<EndpointItem>,
    /// The `after` of the next page; null where there is none.
    pub(in crate::api) next: Option<String>,
}

/// An endpoint, as its manager knows it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct EndpointItem {
    /// Its manager.
    manager: String,
    /// Its id: unique at its manager only.
    id: String,
    /// Its name. Text from outside.
    name: String,
    /// `linux`, `macos`, `windows` or `other`.
    platform: &'static str,
    /// Its groups. Text from outside.
    groups: Vec<String>,
    /// Its address, where the manager knows one. Text from outside.
    address: Option<String>,
    /// Why it could not take part in a response now; null where it could.
    away: Option<String>,
}

impl From<KnownEndpoint> for EndpointItem {
    fn from(known: KnownEndpoint) -> Self {
        let KnownEndpoint { manager, endpoint, away } = known;
        Self {
            manager,
            id: endpoint.id.to_string(),
            name: endpoint.name,
            platform: endpoint.platform.name(),
            groups: endpoint.groups,
            address: endpoint.address,
            away,
        }
    }
}
