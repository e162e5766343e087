//! What the tools take.

use serde_json::json;

use super::{
    CANCEL_REASON_CHARS_MAX, ENDPOINTS_DEFAULT, ENDPOINTS_MAX, Field, LIST_LIMIT_DEFAULT,
    LIST_LIMIT_MAX, NAME_CHARS_MAX, RESPONSES_DEFAULT, RESPONSES_MAX, TARGET_CHARS_MAX,
    TIMEOUT_SECONDS_DEFAULT, WAIT_SECONDS_MAX,
};
use crate::domain::{
    action::{ActionKind, Parameter},
    endpoint::Platform,
    plan::{HEADING_CHARS_MAX, STEPS_MAX, STEPS_MIN},
    proposal::REASON_CHARS_MAX,
    request::{FailureRule, StateName},
};

/// What an action acts on, then what all actions share.
pub(super) fn action(kind: ActionKind) -> Vec<Field> {
    let mut fields: Vec<_> = kind.parameters().iter().map(parameter).collect();
    fields.extend(reach());
    fields.push(when_back());
    let [timed, permanent] = term();
    let terms = kind.entry().terms;
    fields.extend(
        [(timed, terms.timed), (permanent, terms.permanent)]
            .into_iter()
            .filter_map(|(field, has)| has.then_some(field)),
    );
    fields.extend(claim());
    fields.push(key("Same key, same request."));
    fields.push(wait_seconds());
    fields.push(dry_run());
    fields
}

fn dry_run() -> Field {
    let schema =
        json!({ "type": "boolean", "description": "true: only what policy would answer." });
    ("dry_run", schema)
}

fn parameter(one: &'static Parameter) -> Field {
    let description = format!("{}: {}.", one.description, one.grammar);
    let schema = if one.of.is_number() {
        json!({ "type": "integer", "description": description })
    } else if one.choices.is_empty() {
        json!({ "type": "string", "description": description })
    } else {
        json!({ "type": "string", "description": description, "enum": one.choices })
    };
    (&one.name, schema)
}

pub(super) fn wait_seconds() -> Field {
    (
        "wait_seconds",
        json!({
            "type": "integer",
            "description": "How long to wait for the end.",
            "minimum": 0, "maximum": WAIT_SECONDS_MAX,
        }),
    )
}

fn when_back() -> Field {
    (
        "when_back",
        json!({
            "type": "boolean",
            "description": "true: those away get it once back.",
        }),
    )
}

fn reach() -> [Field; 3] {
    [
        (
            "agent_ids",
            json!({
                "type": "array",
                "description": "Endpoint ids (\"001\") or whole names.",
                "items": { "type": "string" },
            }),
        ),
        (
            "all_agents",
            json!({
                "type": "boolean",
                "description": "true for all endpoints.",
            }),
        ),
        (
            "manager",
            json!({
                "type": "string",
                "description": "Where there are several.",
            }),
        ),
    ]
}

fn term() -> [Field; 2] {
    [
        (
            "duration_seconds",
            json!({
                "type": "integer",
                "description": "One of those that list_endpoints shows; or permanent.",
            }),
        ),
        (
            "permanent",
            json!({
                "type": "boolean",
                "description": "true: until it is undone.",
            }),
        ),
    ]
}

fn reason(description: &str) -> Field {
    let limits = json!({
        "type": "string", "description": description,
        "maxLength": REASON_CHARS_MAX,
    });
    ("reason", limits)
}

pub(super) fn undo_reason() -> Field {
    reason("Why it is to be taken back, for the analyst who decides.")
}

fn claim() -> [Field; 3] {
    [
        reason("Why: what you saw, where, what you conclude."),
        (
            "alert_id",
            json!({
                "type": "string",
                "description": "The Wazuh alert.",
            }),
        ),
        (
            "confidence",
            json!({
                "type": "integer",
                "description": "How sure you are, in percent.",
                "minimum": 0, "maximum": 100,
            }),
        ),
    ]
}

pub(super) fn request_id() -> Field {
    (
        "request_id",
        json!({
            "type": "string",
            "description": "The request_id of an earlier answer.",
        }),
    )
}

pub(super) fn plan_id() -> Field {
    ("plan_id", json!({ "type": "string", "description": "The plan_id of an earlier answer." }))
}

pub(super) fn plan_timeout() -> Field {
    (
        "timeout_seconds",
        json!({
            "type": "integer",
            "description": "How long to wait for its end.",
            "minimum": 0, "maximum": WAIT_SECONDS_MAX, "default": 0,
        }),
    )
}

pub(super) fn plan() -> Vec<Field> {
    let step = json!({
        "type": "object",
        "properties": {
            "action": {
                "type": "string",
                "description": "The tool that asks for the response.",
            },
            "arguments": {
                "type": "object",
                "description": "What that tool takes. Without a reason it has that of the plan.",
            },
        },
        "required": ["action", "arguments"],
        "additionalProperties": false,
    });
    vec![
        (
            "heading",
            json!({
                "type": "string", "description": "What the plan is about, in a few words.",
                "minLength": 1, "maxLength": HEADING_CHARS_MAX,
            }),
        ),
        reason("Why this is needed, for the analysts who decide."),
        (
            "on_failure",
            json!({
                "type": "string",
                "description": "After a step that was not sent everywhere, or whose outcome is unknown: \
                                stop withdraws the steps after it, continue goes on.",
                "enum": FailureRule::ALL.map(FailureRule::name),
            }),
        ),
        (
            "steps",
            json!({
                "type": "array", "description": "The steps, in their order.", "items": step,
                "minItems": STEPS_MIN, "maxItems": STEPS_MAX,
            }),
        ),
        key("Same key, same plan."),
        dry_run(),
    ]
}

fn key(description: &str) -> Field {
    ("idempotency_key", json!({ "type": "string", "description": description }))
}

pub(super) fn timeout() -> Field {
    (
        "timeout_seconds",
        json!({
            "type": "integer",
            "description": "How long to wait at most.",
            "minimum": 1, "maximum": WAIT_SECONDS_MAX, "default": TIMEOUT_SECONDS_DEFAULT,
        }),
    )
}

pub(super) fn cancel_reason() -> Field {
    (
        "reason",
        json!({
            "type": "string",
            "description": "Why you take it back, for the record.",
            "maxLength": CANCEL_REASON_CHARS_MAX,
        }),
    )
}

pub(super) fn list() -> Vec<Field> {
    vec![
        (
            "state",
            json!({
                "type": "string",
                "description": "Only requests in this state.",
                "enum": StateName::ALL.map(StateName::name),
            }),
        ),
        (
            "limit",
            json!({
                "type": "integer",
                "description": "How many requests to list at most.",
                "minimum": 1, "maximum": LIST_LIMIT_MAX, "default": LIST_LIMIT_DEFAULT,
            }),
        ),
        (
            "before",
            json!({
                "type": "string",
                "description": "Goes on where an earlier list ended: its `next`.",
            }),
        ),
    ]
}

fn text(name: &'static str, description: &str) -> Field {
    let limits = json!({
        "type": "string", "description": description, "maxLength": NAME_CHARS_MAX,
    });
    (name, limits)
}

fn target(description: &str) -> Field {
    let limits = json!({
        "type": "string", "description": description, "maxLength": TARGET_CHARS_MAX,
    });
    ("target", limits)
}

fn limit(default: u32, most: u32) -> Field {
    let limits = json!({
        "type": "integer", "description": "How many to list at most.",
        "minimum": 1, "maximum": most, "default": default,
    });
    ("limit", limits)
}

fn manager() -> Field {
    text("manager", "Its manager, where there is more than one.")
}

pub(super) fn endpoints() -> Vec<Field> {
    let platforms = Platform::ALL.map(Platform::name);
    let platform = json!({
        "type": "string", "description": "Only endpoints of this platform.", "enum": platforms,
    });
    vec![
        text("query", "Part of the id or the name, in whatever case."),
        ("platform", platform),
        text("group", "Only endpoints of this group."),
        text("manager", "Only endpoints of this manager."),
        limit(ENDPOINTS_DEFAULT, ENDPOINTS_MAX),
        text("after", "Goes on where an earlier list ended: its `next`."),
    ]
}

pub(super) fn responses() -> Vec<Field> {
    let [ids, ..] = reach();
    vec![
        target("What is acted on: an address, an account, a file, a domain."),
        text("action", "Only this action. Alone: one that acts on its endpoints alone."),
        ids,
        limit(RESPONSES_DEFAULT, RESPONSES_MAX),
    ]
}

pub(super) fn alert() -> Vec<Field> {
    vec![
        text("alert_id", "The id of the alert."),
        target("The address, account or what else you want to act on: tells whether it is named."),
        manager(),
    ]
}
