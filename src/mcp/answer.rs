//! What an agent is shown of a request.
//!
//! Text from outside (names of endpoints, words of the manager and of people) is always a JSON
//! string of its own, and shows as it shows to a person. The message to the model has ids, counts
//! and our own and the policies' words alone.

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::Value;

use crate::{
    broker::{queries::RequestSummary, requests::undo::UndoOption},
    domain::{
        Time,
        action::with_count,
        decision::{Decision, Tally, Verdict},
        request::{Outcome, Request, State, StateName},
    },
    text::agent_message::{self, LISTED_ENDPOINTS_MAX},
    text::visible::visible,
};

mod endpoints;

use endpoints::{EndpointCounts, Endpoints};
pub(super) use endpoints::{PROVES_END, PROVES_START};

/// What an answer says beside the request itself.
#[derive(Debug, Clone)]
pub struct AnswerContext<'a> {
    /// The address that people type: scheme and host with an optional port, without a path.
    pub public_url: &'a str,
    /// Whether an id alone may mean endpoints of more than one manager.
    pub several_managers: bool,
    /// Whether somebody looks for the endpoints' own alerts.
    pub looks: bool,
    /// What an undo could do.
    pub undo: UndoOption,
    /// What keeps the broker from working at the moment, in sentences.
    pub troubles: Vec<String>,
}

/// The answer of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolAnswer {
    /// What programs read. Conforms to the tool's output schema.
    pub structured: Value,
    /// Whether the model should take it as a failure.
    pub is_error: bool,
}

impl ToolAnswer {
    /// The same for clients that read text only.
    pub fn text(&self) -> String {
        format!("{:#}", self.structured)
    }
}

#[derive(Serialize)]
struct RequestAnswer<'a> {
    #[serde(flatten)]
    head: RequestHead,
    manager: &'a str,
    message: String,
    decision: DecisionAnswer<'a>,
    endpoints: Endpoints<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<UndoAnswer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_because: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    troubles: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<EndAnswer<'a>>,
    approval_url: String,
}

#[derive(Serialize)]
struct RequestHead {
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
struct DecisionAnswer<'a> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<String>,
    policies: Vec<PolicyAnswer<'a>>,
}

#[derive(Serialize)]
struct PolicyAnswer<'a> {
    id: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct UndoAnswer<'a> {
    possible: bool,
    note: &'a str,
}

#[derive(Serialize)]
struct EndAnswer<'a> {
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct ListAnswer {
    requests: Vec<ListItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct ListItem {
    #[serde(flatten)]
    head: RequestHead,
    counts: EndpointCounts,
}

/// One request.
pub fn of_request(request: &Request, context: &AnswerContext<'_>) -> ToolAnswer {
    let troubles = outages(request, context);
    let shown = RequestAnswer {
        head: RequestHead {
            request_id: request.id.to_string(),
            action: request.action.kind().name(),
            target: request.action.argument(),
            undoes: request.undoes.map(|undone| undone.to_string()),
            effect: request.effect_among(context.several_managers),
            state: request.state.name().name(),
            terminal: request.state.name().terminal(),
            asked_at: spoken(request.asked_at),
            expires_at: expires_at(request),
        },
        manager: &request.manager,
        message: agent_message::message(request, context.looks, !troubles.is_empty()),
        decision: ruling(&request.decision),
        endpoints: Endpoints::of(request, context.several_managers),
        undo: undoing(&context.undo),
        held_because: request.held_because.as_deref(),
        troubles,
        ended: ended(&request.state),
        approval_url: format!("{}/requests/{}", context.public_url, request.id),
    };
    ToolAnswer { structured: json(&shown), is_error: is_error(request) }
}

/// What keeps a request that may run from running.
fn outages<'a>(request: &Request, context: &'a AnswerContext<'_>) -> &'a [String] {
    match request.state {
        State::Approved { .. } | State::Dispatching { .. } => &context.troubles,
        State::Pending
        | State::Settled { .. }
        | State::Denied { .. }
        | State::Rejected { .. }
        | State::Cancelled { .. }
        | State::Expired { .. }
        | State::Withdrawn { .. } => &[],
    }
}

fn undoing(undo: &UndoOption) -> Option<UndoAnswer<'_>> {
    match undo {
        UndoOption::Possible { note } => Some(UndoAnswer { possible: true, note }),
        UndoOption::Impossible { why } => Some(UndoAnswer { possible: false, note: why }),
        UndoOption::Nothing => None,
    }
}

/// The first `limit` requests of a list; `next` where it has more.
pub fn of_list(found: &[RequestSummary], limit: usize) -> ToolAnswer {
    let shown = found.get(..limit).unwrap_or(found);
    let next = shown.last().filter(|_| shown.len() < found.len()).map(|last| last.id.to_string());
    let list = ListAnswer { requests: shown.iter().map(short).collect(), next };
    ToolAnswer { structured: json(&list), is_error: false }
}

fn short(summary: &RequestSummary) -> ListItem {
    let reach = with_count(summary.counts.targets, "endpoint");
    let pending = summary.state == StateName::Pending;
    let effect = format!("{} on {reach}", summary.action.phrase());
    let is_undo = summary.action.kind().is_undo();
    ListItem {
        head: RequestHead {
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

fn ruling(decision: &Decision) -> DecisionAnswer<'_> {
    let (outcome, needs) = match decision.verdict {
        Verdict::Run if decision.tally == Tally::NONE => ("auto", None),
        Verdict::Run => ("approval", None),
        Verdict::Approval(least) => ("approval", Some(least.to_string())),
        Verdict::Deny => ("deny", None),
    };
    let policies = decision.reasons.iter();
    let policies = policies.map(|reason| PolicyAnswer { id: &reason.policy, why: &reason.why });
    DecisionAnswer { outcome, needs, policies: policies.collect() }
}

fn ended(state: &State) -> Option<EndAnswer<'_>> {
    match state {
        State::Pending | State::Approved { .. } | State::Dispatching { .. } => None,
        State::Settled { at } | State::Denied { at } => {
            Some(EndAnswer { at: spoken(*at), by: None, reason: None })
        }
        State::Rejected { at, by, reason } | State::Cancelled { at, by, reason } => {
            let reason = (!reason.is_empty()).then_some(reason.as_str());
            Some(EndAnswer { at: spoken(*at), by: Some(by), reason })
        }
        State::Expired { at, reason } | State::Withdrawn { at, reason } => {
            Some(EndAnswer { at: spoken(*at), by: None, reason: Some(reason) })
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
