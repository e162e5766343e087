//! The endpoints of a request, one by one or counted.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::Serialize;

use super::{LISTED_ENDPOINTS_MAX, spoken};
use crate::domain::{
    endpoint::Endpoint,
    id::RequestId,
    request::{Counts, Outcome, Proof, Request, Skipped, Target},
};

/// What an endpoint's own alert proves of a response that started there, and not more.
const PROVES_START: &str = "the script started on this endpoint";
/// What the report of a companion script proves.
const PROVES_EFFECT: &str = "the script did it on this endpoint, and read back that it is so";
/// What it proves of one that ended there.
const PROVES_END: &str = "the endpoint took the response back";
/// What the alert of another request proves, where one timer was for both.
const PROVES_END_OF_BOTH: &str = "the endpoint took the response back, with another on its timer";

#[derive(Serialize, JsonSchema)]
pub(super) struct Endpoints<'a> {
    /// How many endpoints take part.
    selected: u64,
    /// All endpoints by outcome. Absent where nothing is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<EndpointCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("description" = listed("Endpoints that were asked for and take no part.")))]
    skipped: Option<Vec<SkippedAnswer<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("description" = listed("The endpoints that take part.")))]
    outcomes: Option<Vec<EndpointAnswer<'a>>>,
}

/// The description of a list that is left out where it is long.
fn listed(what: &str) -> String {
    format!("{what} Absent where there are none or more than {LISTED_ENDPOINTS_MAX}: see counts.")
}

/// What is zero is left out.
#[derive(Serialize, JsonSchema)]
pub(super) struct EndpointCounts {
    /// Endpoints that were asked for and take no part.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<NonZeroU64>,
    /// The endpoint's own alert, or a person, says that it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<NonZeroU64>,
    /// Its time is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<NonZeroU64>,
    /// Certainly nothing was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_sent: Option<NonZeroU64>,
    /// The manager refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<NonZeroU64>,
    /// An undo was sent after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reverted: Option<NonZeroU64>,
    /// The manager queued the command; not that it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<NonZeroU64>,
    /// Sent, and the endpoint's own alert did not come in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    unconfirmed: Option<NonZeroU64>,
    /// It may or may not have been sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<NonZeroU64>,
    /// The endpoint's script read back that it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<NonZeroU64>,
}

#[derive(Serialize, JsonSchema)]
struct EndpointHead<'a> {
    /// The endpoint's id.
    id: &'a str,
    /// The endpoint's name. Text from outside.
    name: &'a str,
    /// Manager and id, as `agent_ids` take them; present where there are several managers.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct SkippedAnswer<'a> {
    #[serde(flatten)]
    named: EndpointHead<'a>,
    /// Why it takes no part. Text from outside.
    why: String,
}

#[derive(Serialize, JsonSchema)]
struct EndpointAnswer<'a> {
    #[serde(flatten)]
    named: EndpointHead<'a>,
    /// sent: the manager queued it, not that it ran. confirmed: it started there. verified: its script
    /// read back that it is so. unconfirmed: no
    /// alert shows that it started. refused: by the manager. `not_sent`: certainly nothing was sent.
    /// unknown: it may or may not have run, never repeat it. ended: its time is over. reverted: an
    /// undo was sent after it. Absent: nothing so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = Outcome::NAMES))]
    outcome: Option<&'static str>,
    /// The manager's code of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    /// More about the outcome. Text from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// When it ends there by itself (RFC 3339, UTC); present where it may be active.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// The endpoint's own alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceAnswer<'a>>,
    /// What speaks against its effect there. Text from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<&'a str>,
    /// The request that took it back there, where it is one of yours.
    #[serde(skip_serializing_if = "Option::is_none")]
    reverted_by: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct EvidenceAnswer<'a> {
    /// The index that holds the alert.
    index: &'a str,
    /// The alert's id in that index.
    alert: &'a str,
    /// The rule that fired.
    rule: &'a str,
    /// When the endpoint did it (RFC 3339, UTC).
    at: String,
    /// What the alert proves, and not more.
    #[schemars(extend("enum" = [PROVES_START, PROVES_EFFECT, PROVES_END, PROVES_END_OF_BOTH]))]
    proves: &'static str,
}

impl<'a> Endpoints<'a> {
    /// With the manager before each id where an id alone may mean more than one endpoint, and the
    /// names of these undos only.
    pub(super) fn of(request: &'a Request, several_managers: bool, undos: &[RequestId]) -> Self {
        let named = |endpoint: &'a Endpoint| EndpointHead {
            id: endpoint.id.as_str(),
            name: &endpoint.name,
            endpoint: several_managers.then(|| format!("{}/{}", request.manager, endpoint.id)),
        };
        let left = |Skipped { endpoint, reason }: &'a Skipped| SkippedAnswer {
            named: named(endpoint),
            why: reason.to_string(),
        };
        let met = |target: &'a Target| met(request, target, named(&target.endpoint), undos);
        let counts = request.outcome_counts();
        let (skipped, targets) = (&request.skipped, &request.targets);
        Self {
            selected: counts.targets,
            counts: EndpointCounts::of(&counts),
            skipped: is_listed(skipped.len()).then(|| skipped.iter().map(left).collect()),
            outcomes: is_listed(targets.len()).then(|| targets.iter().map(met).collect()),
        }
    }
}

impl EndpointCounts {
    /// None where nothing is counted.
    pub(super) fn of(counts: &Counts) -> Option<Self> {
        if counts.skipped == 0 && counts.outcomes.iter().all(|count| *count == 0) {
            return None;
        }
        // In the order of `Outcome::NAMES`.
        let [sent, refused, not_sent, unknown, confirmed, verified, unconfirmed, ended, reverted] =
            counts.outcomes.map(NonZeroU64::new);
        let skipped = NonZeroU64::new(counts.skipped);
        Some(Self {
            skipped,
            confirmed,
            ended,
            not_sent,
            refused,
            reverted,
            sent,
            unconfirmed,
            unknown,
            verified,
        })
    }
}

fn is_listed(number: usize) -> bool {
    (1..=LISTED_ENDPOINTS_MAX).contains(&number)
}

fn met<'a>(
    request: &Request,
    target: &'a Target,
    named: EndpointHead<'a>,
    undos: &[RequestId],
) -> EndpointAnswer<'a> {
    let outcome = target.outcome.as_ref();
    let until =
        outcome.filter(|outcome| outcome.may_be_active()).and_then(|_| request.ends(target));
    EndpointAnswer {
        named,
        outcome: outcome.map(Outcome::name),
        code: outcome.and_then(Outcome::code),
        detail: outcome.map(Outcome::detail).filter(|detail| !detail.is_empty()),
        until: until.map(spoken),
        evidence: outcome.and_then(proven),
        doubt: target.doubt.as_deref(),
        reverted_by: outcome
            .and_then(Outcome::reverted_by)
            .filter(|by| undos.contains(by))
            .map(|by| by.to_string()),
    }
}

fn proven(outcome: &Outcome) -> Option<EvidenceAnswer<'_>> {
    let (evidence, proves) = match outcome {
        Outcome::Confirmed(Proof::Alert(evidence)) => (evidence, PROVES_START),
        Outcome::Verified(evidence) => (evidence, PROVES_EFFECT),
        Outcome::Ended { seen } | Outcome::Reverted { seen, .. } => {
            let alert = seen.as_ref()?;
            (alert, alert.of_request.map_or(PROVES_END, |_| PROVES_END_OF_BOTH))
        }
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
