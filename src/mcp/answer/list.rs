//! Requests in short form.

use schemars::JsonSchema;
use serde::Serialize;

use super::{RequestHead, ToolAnswer, endpoints::EndpointCounts, json, spoken};
use crate::{
    broker::queries::RequestSummary,
    domain::{action::with_count, request::StateName},
    text::agent_message::without_addresses,
};

#[derive(Serialize, JsonSchema)]
pub(in crate::mcp) struct ListAnswer {
    /// Your requests, newest first.
    requests: Vec<ListItem>,
    /// Present when there are more: pass it as `before` to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct ListItem {
    #[serde(flatten)]
    head: RequestHead,
    /// How many endpoints take part.
    selected: u64,
    /// Its endpoints by outcome. Absent where nothing is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<EndpointCounts>,
    /// Why an approved request cannot be sent at the moment. Text from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_because: Option<String>,
}

/// The first `limit` requests of a list; `next` where it has more.
pub fn of_list(found: &[RequestSummary], limit: u32) -> ToolAnswer {
    let shown = usize::try_from(limit).ok().and_then(|limit| found.get(..limit)).unwrap_or(found);
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
            request_id: Some(summary.id.to_string()),
            action: summary.action.kind().name(),
            target: summary.action.argument(),
            undoes: summary.undoes.map(|undone| undone.to_string()),
            plan_id: summary.plan.map(|step| step.plan.to_string()),
            plan_step: summary.plan.map(|step| step.number),
            effect: if is_undo { effect } else { format!("{effect} {}", summary.term) },
            state: summary.state.name(),
            terminal: summary.state.terminal(),
            asked_at: spoken(summary.asked_at),
            expires_at: pending.then(|| spoken(summary.deadline)),
        },
        selected: summary.counts.targets,
        counts: EndpointCounts::of(&summary.counts),
        held_because: summary.held_because.as_deref().map(without_addresses),
    }
}
