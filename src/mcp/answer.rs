//! What an agent is shown of a request.
//!
//! Text from outside (names of endpoints, words of the manager and of people) is always a JSON
//! string of its own, and shows as it shows to a person. The message to the model has ids, counts
//! and our own and the policies' words alone.

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::Value;

use crate::{
    broker::{queries::request::Summary, requests::undo::Undo},
    domain::{
        Time,
        action::counted,
        decision::{Decision, Tally, Verdict},
        request::{Outcome, Request, State, StateName},
    },
    text::agent_message::{self, LISTED_ENDPOINTS_MAX},
    text::visible::visible,
};

mod endpoints;

use endpoints::{Counted, Endpoints};
pub(super) use endpoints::{PROVES_END, PROVES_START};

/// What an answer says beside the request itself.
#[derive(Debug, Clone)]
pub struct Around<'a> {
    /// The address that people type: scheme and host with an optional port, without a path.
    pub public_url: &'a str,
    /// Whether an id alone may mean endpoints of more than one manager.
    pub several_managers: bool,
    /// Whether somebody looks for the endpoints' own alerts.
    pub looks: bool,
    /// What an undo could do.
    pub undo: Undo,
    /// What keeps the broker from working at the moment, in sentences.
    pub troubles: Vec<String>,
}

/// The answer of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What programs read. Conforms to the tool's output schema.
    pub structured: Value,
    /// Whether the model should take it as a failure.
    pub is_error: bool,
}

impl Answer {
    /// The same for clients that read text only.
    pub fn text(&self) -> String {
        format!("{:#}", self.structured)
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    head: Head,
    manager: &'a str,
    message: String,
    decision: Ruling<'a>,
    endpoints: Endpoints<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<Undoing<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_because: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    troubles: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Ended<'a>>,
    approval_url: String,
}

#[derive(Serialize)]
struct Head {
    request_id: String,
    action: &'static str,
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<String>,
    effect: String,
    state: &'static str,
    terminal: bool,
    asked_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct Ruling<'a> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<String>,
    policies: Vec<Policy<'a>>,
}

#[derive(Serialize)]
struct Policy<'a> {
    id: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct Undoing<'a> {
    possible: bool,
    note: &'a str,
}

#[derive(Serialize)]
struct Ended<'a> {
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct List {
    requests: Vec<Short>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Short {
    #[serde(flatten)]
    head: Head,
    counts: Counted,
}

/// One request.
pub fn of_request(request: &Request, around: &Around<'_>) -> Answer {
    let troubles = troubles(request, around);
    let shown = Shown {
        head: Head {
            request_id: request.id.to_string(),
            action: request.action.kind().name(),
            target: request.action.argument(),
            undoes: request.undoes.map(|undone| undone.to_string()),
            effect: request.effect_among(around.several_managers),
            state: request.state.name().name(),
            terminal: request.state.name().terminal(),
            asked_at: spoken(request.asked_at),
            expires_at: expires_at(request),
        },
        manager: &request.manager,
        message: agent_message::of(request, around.looks, !troubles.is_empty()),
        decision: ruling(&request.decision),
        endpoints: Endpoints::of(request, around.several_managers),
        undo: undoing(&around.undo),
        held_because: request.held_because.as_deref(),
        troubles,
        ended: ended(&request.state),
        approval_url: format!(
            "{}/requests/{}",
            around.public_url.trim_end_matches('/'),
            request.id
        ),
    };
    Answer { structured: json(&shown), is_error: is_error(request) }
}

/// What keeps a request that may run from running.
fn troubles<'a>(request: &Request, around: &'a Around<'_>) -> &'a [String] {
    match request.state {
        State::Approved { .. } | State::Dispatching { .. } => &around.troubles,
        State::Pending
        | State::Settled { .. }
        | State::Denied { .. }
        | State::Rejected { .. }
        | State::Cancelled { .. }
        | State::Expired { .. }
        | State::Withdrawn { .. } => &[],
    }
}

fn undoing(undo: &Undo) -> Option<Undoing<'_>> {
    match undo {
        Undo::Possible { note } => Some(Undoing { possible: true, note }),
        Undo::Impossible { why } => Some(Undoing { possible: false, note: why }),
        Undo::Nothing => None,
    }
}

/// The first `limit` requests of a list; `next` where it has more.
pub fn of_list(found: &[Summary], limit: usize) -> Answer {
    let shown = found.get(..limit).unwrap_or(found);
    let next = shown.last().filter(|_| shown.len() < found.len()).map(|last| last.id.to_string());
    let list = List { requests: shown.iter().map(short).collect(), next };
    Answer { structured: json(&list), is_error: false }
}

fn short(summary: &Summary) -> Short {
    let reach = counted(summary.counts.targets, "endpoint");
    let pending = summary.state == StateName::Pending;
    let effect = format!("{} on {reach}", summary.action.phrase());
    let is_undo = summary.action.kind().is_undo();
    Short {
        head: Head {
            request_id: summary.id.to_string(),
            action: summary.action.kind().name(),
            target: summary.action.argument(),
            undoes: summary.undoes.map(|undone| undone.to_string()),
            effect: if is_undo { effect } else { format!("{effect} {}", summary.term) },
            state: summary.state.name(),
            terminal: summary.state.terminal(),
            asked_at: spoken(summary.asked_at),
            expires_at: pending.then(|| spoken(summary.deadline)),
        },
        counts: summary.counts.clone().into(),
    }
}

/// Whether nothing came of it. What may have been sent somewhere is no failure.
fn is_error(request: &Request) -> bool {
    match &request.state {
        State::Denied { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Withdrawn { .. } => true,
        State::Pending
        | State::Approved { .. }
        | State::Dispatching { .. }
        | State::Cancelled { .. } => false,
        State::Settled { .. } => !request.targets.iter().any(|target| match target.outcome {
            Some(
                Outcome::Sent
                | Outcome::Unknown { .. }
                | Outcome::Confirmed(_)
                | Outcome::Unconfirmed { .. }
                | Outcome::Ended { .. }
                | Outcome::Reverted { .. },
            ) => true,
            Some(Outcome::Refused { .. } | Outcome::NotSent { .. }) | None => false,
        }),
    }
}

fn ruling(decision: &Decision) -> Ruling<'_> {
    let (outcome, needs) = match decision.verdict {
        Verdict::Run if decision.tally == Tally::NONE => ("auto", None),
        Verdict::Run => ("approval", None),
        Verdict::Approval(least) => ("approval", Some(least.to_string())),
        Verdict::Deny => ("deny", None),
    };
    let policies = decision.reasons.iter();
    let policies = policies.map(|reason| Policy { id: &reason.policy, why: &reason.why });
    Ruling { outcome, needs, policies: policies.collect() }
}

fn ended(state: &State) -> Option<Ended<'_>> {
    match state {
        State::Pending | State::Approved { .. } | State::Dispatching { .. } => None,
        State::Settled { at } | State::Denied { at } => {
            Some(Ended { at: spoken(*at), by: None, reason: None })
        }
        State::Rejected { at, by, reason } | State::Cancelled { at, by, reason } => {
            let reason = (!reason.is_empty()).then_some(reason.as_str());
            Some(Ended { at: spoken(*at), by: Some(by), reason })
        }
        State::Expired { at, reason } | State::Withdrawn { at, reason } => {
            Some(Ended { at: spoken(*at), by: None, reason: Some(reason) })
        }
    }
}

fn expires_at(request: &Request) -> Option<String> {
    match &request.state {
        State::Pending => Some(spoken(request.deadline)),
        State::Approved { use_by } | State::Dispatching { use_by } => Some(spoken(*use_by)),
        State::Settled { .. }
        | State::Denied { .. }
        | State::Rejected { .. }
        | State::Cancelled { .. }
        | State::Expired { .. }
        | State::Withdrawn { .. } => None,
    }
}

fn spoken(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Plain structs with text keys always become JSON.
fn json(shown: &impl Serialize) -> Value {
    made_visible(serde_json::to_value(shown).unwrap_or_default())
}

/// A model reads what a person would see: text from outside hides nothing from either.
fn made_visible(value: Value) -> Value {
    match value {
        Value::String(text) => visible(&text).into(),
        Value::Array(list) => list.into_iter().map(made_visible).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, made_visible(value))).collect()
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    }
}
