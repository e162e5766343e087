//! What an endpoint itself left behind: proof that a response started or ended there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Time,
    action::Action,
    digest::Digest,
    endpoint::EndpointId,
    id::{AttemptId, RequestId},
};

/// One alert that an endpoint's own log led to.
///
/// It proves that the endpoint's agent started the script, and nothing more: not that the script
/// did its work. Where it has a version, a companion script says that it did, and has read it back.
///
/// The store keeps it as JSON: another name or order of the fields is another text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The index that holds it.
    pub index: String,
    /// Its id in that index.
    pub alert: String,
    /// The rule that fired.
    pub rule: String,
    /// When the endpoint did it, by our clock.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub at: Time,
    /// The request whose call led to it, where that is another one: one timer ended both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_request: Option<RequestId>,
    /// The version of the companion script that reports it, and that it has verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The script was started.
    Started,
    /// The script did it, and has read back that it is so.
    Verified,
    /// The endpoint took the response back.
    Ended,
}

/// Something seen on an endpoint, and which call it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The request that the call was made for.
    pub request: RequestId,
    /// The attempt that made the call.
    pub attempt: AttemptId,
    /// The endpoint that wrote it.
    pub endpoint: EndpointId,
    /// Whether the response started or ended.
    pub seen: Sign,
    /// The alert that shows it.
    pub evidence: Evidence,
    /// What speaks against it, such as a firewall that is switched off.
    pub doubt: Option<String>,
}

/// What one look for evidence brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observation {
    /// What was seen, the oldest first.
    pub sightings: Vec<Sighting>,
    /// Why evidence may be there that was not seen; none where its lack says something.
    pub gap: Option<String>,
    /// Why something may be there that speaks against what was seen.
    pub doubt_gap: Option<String>,
}

/// A call whose evidence is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The request that the call was made for.
    pub request: RequestId,
    /// The attempt that made the call.
    pub attempt: AttemptId,
    /// The digest that was approved: with request and attempt, the mark that the call carried.
    pub digest: Digest,
    /// Where it was sent.
    pub endpoints: Vec<EndpointId>,
    /// When it was sent: nothing older is evidence of it.
    pub since: Time,
    /// The companion script that it called, which reports how it ended; none where it called another.
    pub reporter: Option<String>,
}

/// A call that endpoints show by the tag that it carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCall {
    /// The request that it was made for.
    pub request: RequestId,
    /// The attempt that made it.
    pub attempt: AttemptId,
    /// What was done or taken back; none where the alert does not say it.
    pub action: Option<Action>,
    /// The endpoints that show it; there may be more.
    pub endpoints: BTreeSet<EndpointId>,
    /// When the first of them wrote it, by our clock.
    pub at: Time,
}

/// What one look for calls brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundCalls {
    /// The calls.
    pub calls: Vec<FoundCall>,
    /// Why some may be missing; none where everything was searched.
    pub gap: Option<String>,
}

/// Something that an endpoint did because a rule of its manager told it to, or somebody else at
/// that manager: no request of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleResponse {
    /// The endpoint that wrote it.
    pub endpoint: EndpointId,
    /// Its name: text from outside.
    pub name: String,
    /// The response and what it acts on.
    pub action: Action,
    /// What carried it out. Each has a timer of its own.
    pub script: String,
    /// When, by our clock.
    pub at: Time,
    /// When, by the manager's clock: the same each time the same alert is read.
    pub manager_time: Time,
    /// Whether it was taken back there; otherwise it started.
    pub ended: bool,
}

/// A part of the responses that were not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleResponses {
    /// The oldest first.
    pub found: Vec<RuleResponse>,
    /// Where the next search begins, by our clock; none where this one found nothing at all.
    pub read_until: Option<Time>,
}

/// How often alerts of the last 24 hours name what an action acts on, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetAlerts {
    /// All of them.
    pub total: u64,
    /// The beginning of the first hour that the 24 hours take part in, by the manager's clock.
    pub first: Time,
    /// How many in each hour, from the first to the one that goes on.
    pub hours: Vec<u64>,
    /// The endpoints with the most of them, those first.
    pub places: Vec<AlertPlace>,
    /// How many were made about other endpoints, or none.
    pub elsewhere: u64,
    /// Why newer alerts may be missing; none where what holds the alerts keeps up.
    pub behind: Option<String>,
}

/// An endpoint that alerts were made about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertPlace {
    /// Its id at the manager.
    pub id: EndpointId,
    /// Its name: text from outside.
    pub name: String,
    /// How many.
    pub alerts: u64,
}
