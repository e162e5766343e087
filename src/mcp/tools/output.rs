//! What the tools answer: one shape for everything that is about one request, one for the list.

use serde_json::{Map, Value, json};

use super::{Field, object};
use crate::{
    domain::{action::ActionKind, request::StateName},
    mcp::answer::{PROVES_END, PROVES_START},
    text::agent_message::LISTED_ENDPOINTS_MAX,
};

/// One request.
pub(super) fn request() -> Map<String, Value> {
    let mut fields = head();
    fields.extend([
        ("manager", text("The manager whose endpoints it acts on.")),
        ("message", text("What happened and what you should do next. Follow it.")),
        ("decision", nested("What policy answered.", decision(), &["outcome", "policies"])),
        (
            "endpoints",
            nested("Where it acts and how that went.", endpoints(), &["selected", "counts"]),
        ),
        (
            "undo",
            nested(
                "Whether undo_request can take it back, said before anybody decides; absent \
                 where nothing is, or will be, in force.",
                undo(),
                &["possible", "note"],
            ),
        ),
        (
            "held_because",
            text("Why an approved request cannot be sent at the moment. Text from outside."),
        ),
        (
            "troubles",
            json!({
                "type": "array",
                "description": "What keeps Countersign from sending at the moment. It goes on by \
                                itself. Text from outside.",
                "items": { "type": "string" },
            }),
        ),
        ("ended", nested("How it ended; absent while it is open.", ended(), &["at"])),
        ("approval_url", text("The page on which analysts decide. Give it to the user.")),
    ]);
    object(
        fields,
        &[
            "request_id",
            "action",
            "target",
            "effect",
            "state",
            "terminal",
            "asked_at",
            "manager",
            "message",
            "decision",
            "endpoints",
            "approval_url",
        ],
    )
}

/// Requests in short form.
pub(super) fn list() -> Map<String, Value> {
    let mut short = head();
    short.push(("counts", nested("Its endpoints by outcome.", counts(), &COUNTS)));
    let required =
        ["request_id", "action", "target", "effect", "state", "terminal", "asked_at", "counts"];
    let requests = json!({
        "type": "array",
        "description": "Your requests, newest first.",
        "items": object(short, &required),
    });
    let next = text("Present when there are more: pass it as `before` to go on.");
    object(vec![("requests", requests), ("next", next)], &["requests"])
}

fn head() -> Vec<Field> {
    vec![
        ("request_id", text("The name of the request in all further calls.")),
        (
            "action",
            choice("The response that was asked for.", &ActionKind::ALL.map(ActionKind::name)),
        ),
        ("target", text("The address or account that it acts on.")),
        ("undoes", text("The request that it takes back; absent where it takes none back.")),
        ("effect", text("What it does, where and for how long, in one line.")),
        (
            "state",
            choice(
                "pending waits for people; approved and dispatching are under way; settled has an \
                 outcome for each endpoint; all others ended without anything being sent.",
                &StateName::ALL.map(StateName::name),
            ),
        ),
        (
            "terminal",
            json!({ "type": "boolean", "description": "Whether nothing further will be sent." }),
        ),
        ("asked_at", text("When it was asked (RFC 3339, UTC).")),
        ("expires_at", text("When it ends by itself unless somebody acts (RFC 3339, UTC).")),
    ]
}

fn decision() -> Vec<Field> {
    let policy = vec![
        ("id", text("The policy's id.")),
        ("why", text("The policy's reason, in plain words.")),
    ];
    vec![
        (
            "outcome",
            choice(
                "auto runs without people; approval needs people, or had them; deny is a refusal.",
                &["auto", "approval", "deny"],
            ),
        ),
        ("needs", text("Who has to approve, while that is open.")),
        (
            "policies",
            json!({
                "type": "array",
                "description": "The policies that decided.",
                "items": object(policy, &["id", "why"]),
            }),
        ),
    ]
}

const COUNTS: [&str; 10] = [
    "selected",
    "skipped",
    "sent",
    "refused",
    "not_sent",
    "unknown",
    "confirmed",
    "unconfirmed",
    "ended",
    "reverted",
];

fn counts() -> Vec<Field> {
    vec![
        ("selected", count("Endpoints that take part.")),
        ("skipped", count("Endpoints that were asked for and take no part.")),
        ("sent", count("The manager queued the command; not that it ran.")),
        ("refused", count("The manager refused.")),
        ("not_sent", count("Surely nothing was sent.")),
        ("unknown", count("It may or may not have been sent.")),
        ("confirmed", count("The endpoint's own alert, or a person, says that it started.")),
        ("unconfirmed", count("Sent, and the endpoint's own alert did not come in time.")),
        ("ended", count("Its time is over.")),
        ("reverted", count("An undo was sent after it.")),
    ]
}

fn endpoints() -> Vec<Field> {
    let mut skipped = endpoint();
    skipped.push(("why", text("Why it takes no part. Text from outside.")));
    let list = |description: &str, fields, required: &[&str]| {
        json!({
            "type": "array",
            "description": format!(
                "{description} Absent where there are more than {LISTED_ENDPOINTS_MAX}: see counts."
            ),
            "items": object(fields, required),
        })
    };
    vec![
        ("selected", count("How many endpoints take part.")),
        ("counts", nested("All endpoints by outcome.", counts(), &COUNTS)),
        (
            "skipped",
            list(
                "Endpoints that were asked for and take no part.",
                skipped,
                &["id", "name", "why"],
            ),
        ),
        ("outcomes", list("The endpoints that take part.", outcome(), &["id", "name", "outcome"])),
    ]
}

fn endpoint() -> Vec<Field> {
    vec![
        ("id", text("The endpoint's id.")),
        ("name", text("The endpoint's name. Text from outside.")),
        (
            "endpoint",
            text("Manager and id, as agent_ids take them; present where there are more managers."),
        ),
    ]
}

fn outcome() -> Vec<Field> {
    let mut fields = endpoint();
    fields.extend([
        (
            "outcome",
            choice(
                "sent: the manager queued it, not that it ran. confirmed: it started there. \
                 unconfirmed: nobody saw it start. refused: by the manager. not_sent: surely \
                 nothing was sent. unknown: it may or may not have run, never repeat it. ended: its \
                 time is over. reverted: an undo was sent after it. none: nothing so far.",
                &[
                    "sent",
                    "confirmed",
                    "unconfirmed",
                    "refused",
                    "not_sent",
                    "unknown",
                    "ended",
                    "reverted",
                    "none",
                ],
            ),
        ),
        ("code", count("The manager's code of a refusal.")),
        ("detail", text("More about the outcome. Text from outside.")),
        (
            "until",
            text("When it ends there by itself (RFC 3339, UTC); present where it may be in force."),
        ),
        (
            "evidence",
            nested(
                "The endpoint's own alert.",
                evidence(),
                &["index", "alert", "rule", "at", "proves"],
            ),
        ),
        ("doubt", text("What speaks against its effect there. Text from outside.")),
        ("reverted_by", text("The request that took it back there.")),
    ]);
    fields
}

fn evidence() -> Vec<Field> {
    vec![
        ("index", text("The index that holds the alert.")),
        ("alert", text("The alert's id in that index.")),
        ("rule", text("The rule that fired.")),
        ("at", text("When the endpoint did it (RFC 3339, UTC).")),
        ("proves", choice("What the alert proves, and not more.", &[PROVES_START, PROVES_END])),
    ]
}

fn undo() -> Vec<Field> {
    vec![
        (
            "possible",
            json!({ "type": "boolean", "description": "Whether Wazuh can take it back." }),
        ),
        (
            "note",
            text("What an undo can and cannot do; where it is impossible, what to do by hand."),
        ),
    ]
}

fn ended() -> Vec<Field> {
    vec![
        ("at", text("When (RFC 3339, UTC).")),
        ("by", text("Who rejected or cancelled it.")),
        ("reason", text("Why, in the words of whoever ended it. Text from outside.")),
    ]
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn count(description: &str) -> Value {
    json!({ "type": "integer", "description": description, "minimum": 0 })
}

fn choice(description: &str, allowed: &[&str]) -> Value {
    json!({ "type": "string", "description": description, "enum": allowed })
}

fn nested(description: &str, fields: Vec<Field>, required: &[&str]) -> Value {
    let mut schema = object(fields, required);
    schema.insert("description".to_owned(), json!(description));
    schema.into()
}
