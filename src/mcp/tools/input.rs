//! What the tools take.

use serde_json::json;

use super::{
    CANCEL_REASON_CHARS_MAX, ENDPOINTS_DEFAULT, ENDPOINTS_MAX, Field, LIST_LIMIT_DEFAULT,
    LIST_LIMIT_MAX, NAME_CHARS_MAX, RESPONSES_DEFAULT, RESPONSES_MAX, TIMEOUT_SECONDS_DEFAULT,
    WAIT_SECONDS_MAX,
};
use crate::domain::{
    action::{ActionKind, Parameter, Terms},
    endpoint::Platform,
    proposal::{AGENT_IDS_MAX, DURATION_SECONDS_MAX, REASON_CHARS_MAX},
    request::StateName,
};

/// What an action acts on, then what all actions share.
pub(super) fn action(kind: ActionKind) -> Vec<Field> {
    let mut fields: Vec<_> = kind.parameters().iter().map(parameter).collect();
    fields.extend(reach());
    let [timed, permanent] = term();
    let terms = kind.entry().terms;
    fields.extend(
        [(timed, terms.timed), (permanent, terms.permanent)]
            .into_iter()
            .filter_map(|(field, has)| has.then_some(field)),
    );
    fields.extend(claim());
    fields.push((
        "idempotency_key",
        json!({
            "type": "string",
            "description": "Your own name for this proposal, without spaces. The same key with the \
                            same proposal gives the same request; with another it is an error.",
            "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$",
        }),
    ));
    fields.push(wait_seconds());
    fields.push((
        "dry_run",
        json!({
            "type": "boolean",
            "description": "true to hear what policy would answer, and where, without asking: \
                            nothing is stored or sent, and a refusal does not count.",
        }),
    ));
    fields
}

fn parameter(one: &'static Parameter) -> Field {
    let description = format!("{}: {}.", one.description, one.grammar);
    let schema = if one.of.is_number() {
        json!({ "type": "integer", "description": description })
    } else if one.choices.is_empty() {
        let length = one.of.chars_max();
        json!({
            "type": "string", "description": description, "minLength": 1, "maxLength": length,
        })
    } else {
        json!({ "type": "string", "description": description, "enum": one.choices })
    };
    (&one.name, schema)
}

/// How the term is said: "say how long (`duration_seconds`) or permanent: true".
pub(super) fn term_words(kind: ActionKind) -> &'static str {
    match kind.entry().terms {
        Terms { timed: true, permanent: true } => {
            "say how long (duration_seconds) or permanent: true"
        }
        Terms { timed: true, permanent: false } => "say how long (duration_seconds)",
        Terms { timed: false, .. } => "say permanent: true, for it does not end by itself",
    }
}

pub(super) fn wait_seconds() -> Field {
    (
        "wait_seconds",
        json!({
            "type": "integer",
            "description": "How long to wait for the end of the request before answering. 0, the \
                            default, answers at once.",
            "minimum": 0, "maximum": WAIT_SECONDS_MAX, "default": 0,
        }),
    )
}

fn reach() -> [Field; 3] {
    [
        (
            "agent_ids",
            json!({
                "type": "array",
                "description": "The endpoints to act on: Wazuh agent ids such as [\"001\", \"014\"], or \
                                whole names that one endpoint has, such as [\"web-01\"]; with the \
                                manager before each, such as [\"main/001\"], where there is more than \
                                one. Give either this or all_agents: true, never both. 000 is the \
                                manager itself and cannot be a target.",
                "items": { "type": "string", "minLength": 1, "maxLength": 161 },
                "minItems": 1, "maxItems": AGENT_IDS_MAX,
            }),
        ),
        (
            "all_agents",
            json!({
                "type": "boolean",
                "description": "true to act on all endpoints. Endpoints that cannot be reached or \
                                that policy keeps out are skipped and named in the answer. Give \
                                either this or agent_ids.",
            }),
        ),
        (
            "manager",
            json!({
                "type": "string",
                "description": "The manager whose endpoints are meant, where there is more than \
                                one. One request acts on one manager: ask once for each.",
                "pattern": "^[a-z0-9][a-z0-9._-]{0,31}$",
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
                "description": "How long it lasts before the endpoint undoes it by itself: one of \
                                the durations that list_endpoints shows. Give either this or \
                                permanent: true.",
                "minimum": 1, "maximum": DURATION_SECONDS_MAX,
            }),
        ),
        (
            "permanent",
            json!({
                "type": "boolean",
                "description": "true to let it last until somebody undoes it by hand. Prefer \
                                duration_seconds where it is possible.",
            }),
        ),
    ]
}

fn reason(description: &str) -> Field {
    let limits = json!({
        "type": "string", "description": description,
        "minLength": 1, "maxLength": REASON_CHARS_MAX,
    });
    ("reason", limits)
}

pub(super) fn undo_reason() -> Field {
    reason("Why it is to be taken back, for the analyst who decides.")
}

fn claim() -> [Field; 3] {
    [
        reason(
            "Why this is needed, for the analyst who decides: what you saw, where, and what you \
             conclude.",
        ),
        (
            "alert_id",
            json!({
                "type": "string",
                "description": "The id of the Wazuh alert that you react to. Countersign looks it \
                                up itself; an alert that it finds can spare the wait for people.",
                "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$",
            }),
        ),
        (
            "confidence",
            json!({
                "type": "integer",
                "description": "How sure you are, from 0 to 100. Leave it out if you cannot say: \
                                that is not the same as 0. Analysts see it; nothing runs because \
                                of it.",
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
            "description": "The request_id that an earlier answer gave you, such as \
                            req_0192f0c1a2b37c4d8e5f60718293a4b5.",
        }),
    )
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
    vec![
        text("target", "The address or account, in the form in which a response takes it."),
        limit(RESPONSES_DEFAULT, RESPONSES_MAX),
    ]
}

pub(super) fn alert() -> Vec<Field> {
    vec![
        text("alert_id", "The id of the alert."),
        text(
            "target",
            "The address or account that you want to act on: tells whether it is named.",
        ),
        manager(),
    ]
}
