//! What an agent is shown of a request.
//!
//! Text from outside (names of endpoints, words of the manager and of people) is always a JSON
//! string of its own, and shows as it shows to a person. The message to the model has ids, counts
//! and our own and the policies' words alone.

use chrono::SecondsFormat;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    broker::{queries::ChildSummary, requests::undo::UndoOption},
    domain::{
        Time,
        active_response::AlreadyActive,
        id::{AgentId, RequestId},
        request::{Outcome, Request, State, StateName},
    },
    text::agent_message::{self, LISTED_ENDPOINTS_MAX, Obstacle, without_addresses},
    text::visible::visible,
};

mod alert;
mod already_active;
mod decision;
mod endpoints;
pub(super) mod list;
pub(in crate::mcp) mod lookups;
pub(in crate::mcp) mod plan;
mod when_back;

pub use list::of_list;

use alert::AlertAnswer;
use already_active::AlreadyActiveAnswer;
use decision::DecisionAnswer;
use endpoints::Endpoints;
use when_back::WhenBackAnswer;

/// What an answer says beside the request itself.
#[derive(Debug, Clone)]
pub struct AnswerContext<'a> {
    /// The address that people type: scheme and host with an optional port, without a path.
    pub public_url: &'a str,
    /// Whether an id alone may mean endpoints of more than one manager.
    pub several_managers: bool,
    /// Whether the endpoints' own alerts are read, so that a start can be confirmed.
    pub has_evidence: bool,
    /// The agent that asks: it hears the names of its own requests only.
    pub agent: AgentId,
    /// How the request came to be answered.
    pub subject: AnswerSubject,
    /// What is active already on the endpoints of a request that is not sent yet.
    pub active: Vec<AlreadyActive>,
    /// What an undo could do.
    pub undo: UndoOption,
    /// The requests that took it back, as far as the agent may see them.
    pub undos: Vec<RequestId>,
    /// The requests that wait for its endpoints that were away.
    pub children: Vec<ChildSummary>,
    /// What keeps it from being sent until people have seen to it.
    pub stopped: Option<Obstacle>,
    /// What keeps the broker from working at the moment, in sentences.
    pub outages: Vec<String>,
}

/// What a request is to the call that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerSubject {
    /// It is what the call is about.
    Request,
    /// It was not asked for now: it is the one on which what was asked for rests already.
    Standing,
    /// It was not asked for: it is what a proposal would become.
    DryRun {
        /// The agent's open request that an ask would give in its place.
        repeats: Option<RequestId>,
    },
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
        self.structured.to_string()
    }
}

// The comments of fields are the descriptions in the output schema: a model reads them.

#[derive(Serialize, JsonSchema)]
pub(super) struct RequestAnswer<'a> {
    #[serde(flatten)]
    head: RequestHead,
    /// The manager whose endpoints it acts on.
    manager: &'a str,
    /// What happened and what you should do next. Follow it.
    message: String,
    /// What policy answered.
    decision: DecisionAnswer<'a>,
    /// Where it acts and how that went.
    endpoints: Endpoints<'a>,
    /// What is done about endpoints that are away. Absent where nothing waits for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    when_back: Option<WhenBackAnswer>,
    /// What is active there already, before this request is sent, and what sending it would do to
    /// that. Absent where nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    already_active: Vec<AlreadyActiveAnswer>,
    /// Whether `undo_request` can take it back, known before anyone decides. Absent where no response
    /// is, or will be, active.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<UndoAnswer<'a>>,
    /// Why an approved request cannot be sent at the moment. Text from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_because: Option<String>,
    /// What keeps Countersign from sending at the moment. It resumes by itself. Text from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    troubles: Option<&'a [String]>,
    /// How it ended; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<EndAnswer<'a>>,
    /// The alert that it names, as Countersign found it. Absent where it names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<AlertAnswer<'a>>,
    /// The page on which analysts decide. Give it to the user. Absent after a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_url: Option<String>,
    /// true after a dry run: state is what the request would be, and nothing was asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

#[derive(Serialize, JsonSchema)]
struct RequestHead {
    /// The name of the request in all further calls. Absent after a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The response that was asked for.
    action: &'static str,
    /// The address or account that it acts on.
    target: String,
    /// The request that it takes back; absent where it takes none back.
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<String>,
    /// The plan that it is a step of; absent where it was asked alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_id: Option<String>,
    /// Which step of that plan it is, 1 for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_step: Option<u8>,
    /// What it does, where and for how long, in one line.
    effect: String,
    /// pending waits for people; approved and dispatching are under way; waiting has an outcome for each
    /// endpoint that was connected and waits for the others; settled has one for each endpoint; all others ended without anything being sent.
    #[schemars(extend("enum" = StateName::ALL.map(StateName::name)))]
    state: &'static str,
    /// Whether nothing further will be sent.
    terminal: bool,
    /// When it was asked (RFC 3339, UTC).
    asked_at: String,
    /// When it ends by itself unless a person acts (RFC 3339, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct UndoAnswer<'a> {
    /// Whether Wazuh can take it back.
    possible: bool,
    /// What an undo can and cannot do; where it is impossible, what to do by hand.
    note: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct EndAnswer<'a> {
    /// When it ended (RFC 3339, UTC).
    at: String,
    /// Who rejected or cancelled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    /// Why, in the words of the person or agent that ended it. Text from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// One request.
pub fn of_request(request: &Request, context: &AnswerContext<'_>) -> ToolAnswer {
    let outages = outages(request, context);
    let obstacle = context.stopped.or((!outages.is_empty()).then_some(Obstacle::Outage));
    let stored = !matches!(context.subject, AnswerSubject::DryRun { .. });
    let shown = RequestAnswer {
        head: RequestHead {
            request_id: stored.then(|| request.id.to_string()),
            action: request.action.kind().name(),
            target: request.action.argument(),
            undoes: request.undoes.map(|undone| undone.to_string()),
            plan_id: request.plan.map(|step| step.plan.to_string()),
            plan_step: request.plan.map(|step| step.number),
            effect: request.effect_among(context.several_managers),
            state: request.state.name().name(),
            terminal: request.state.name().terminal(),
            asked_at: spoken(request.asked_at),
            expires_at: expires_at(request),
        },
        manager: &request.manager,
        message: message(request, context, obstacle),
        decision: DecisionAnswer::of(&request.decision),
        endpoints: Endpoints::of(request, context.several_managers, &context.undos),
        when_back: WhenBackAnswer::of(request, &context.children),
        already_active: AlreadyActiveAnswer::all(&context.active, context.agent),
        undo: undoing(&context.undo),
        held_because: request.held_because.as_deref().map(without_addresses),
        troubles: Some(outages).filter(|outages| !outages.is_empty()),
        ended: ended(&request.state),
        alert: AlertAnswer::of(request),
        approval_url: stored.then(|| format!("{}/requests/{}", context.public_url, request.id)),
        dry_run: !stored,
    };
    ToolAnswer { structured: json(&shown), is_error: stored && is_error(request) }
}

fn message(request: &Request, context: &AnswerContext<'_>, obstacle: Option<Obstacle>) -> String {
    if let AnswerSubject::DryRun { repeats } = context.subject {
        return agent_message::dry_run(request, repeats);
    }
    let message = agent_message::message(request, context.has_evidence, obstacle);
    if context.subject == AnswerSubject::Standing {
        return format!("{} {message}", agent_message::STANDS);
    }
    match agent_message::already_active(request.action.kind(), &context.active) {
        Some(met) => format!("{message} {met}"),
        None => message,
    }
}

/// What keeps a request that may run from running.
fn outages<'a>(request: &Request, context: &'a AnswerContext<'_>) -> &'a [String] {
    match request.state {
        State::Approved { .. } | State::Dispatching { .. } => &context.outages,
        State::Pending
        | State::Waiting { .. }
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
        | State::Waiting { .. }
        | State::Cancelled { .. } => false,
        State::Settled { .. } => !request.targets.iter().any(|target| match target.outcome {
            Some(
                Outcome::Sent
                | Outcome::Unknown { .. }
                | Outcome::Confirmed(_)
                | Outcome::Verified(_)
                | Outcome::Unconfirmed { .. }
                | Outcome::Ended { .. }
                | Outcome::Reverted { .. },
            ) => true,
            Some(Outcome::Refused { .. } | Outcome::NotSent { .. }) | None => false,
        }),
    }
}

fn ended(state: &State) -> Option<EndAnswer<'_>> {
    match state {
        State::Pending
        | State::Approved { .. }
        | State::Dispatching { .. }
        | State::Waiting { .. } => None,
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
        State::Approved { use_by: last }
        | State::Dispatching { use_by: last }
        | State::Waiting { until: last } => Some(spoken(*last)),
        State::Settled { .. }
        | State::Denied { .. }
        | State::Rejected { .. }
        | State::Cancelled { .. }
        | State::Expired { .. }
        | State::Withdrawn { .. } => None,
    }
}

pub(super) fn spoken(time: Time) -> String {
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
