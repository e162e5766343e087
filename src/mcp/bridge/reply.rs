//! What the broker answers, as lines for the client.

use serde_json::{Value, json};

use super::{BrokerAnswer, message::Id};

/// The code of an error that is not the broker's own.
pub(super) const FAILED: i32 = -32_000;

/// An error as one line.
pub(super) fn error(id: Option<&Id>, code: i32, why: &str) -> String {
    let error = json!({ "code": code, "message": why });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
}

/// The lines that answer a request. The last one has its id, whatever happened.
pub(super) fn to_request(id: &Id, answered: Result<BrokerAnswer, String>) -> Vec<String> {
    let answer = match answered {
        Ok(answer) => answer,
        Err(why) => return vec![error(Some(id), FAILED, &why)],
    };
    let mut lines = Vec::new();
    for text in messages(&answer) {
        let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
        if message.get("method").is_some() {
            lines.push(one_line(&text));
        } else if message.get("id") == Some(id) {
            lines.push(one_line(&text));
            return lines;
        } else if let Some(cause) = message.get("error") {
            // The broker could not tell whose message it was; here it is known.
            lines.push(json!({ "jsonrpc": "2.0", "id": id, "error": cause }).to_string());
            return lines;
        }
    }
    lines.push(error(Some(id), FAILED, &status_text(answer.status)));
    lines
}

/// A notification has no answer: a failure can only be logged.
pub(super) fn to_notification(answered: Result<BrokerAnswer, String>) {
    let failed = match answered {
        Ok(answer) if (200..=299).contains(&answer.status) => None,
        Ok(answer) => Some(status_text(answer.status)),
        Err(why) => Some(why),
    };
    if let Some(why) = failed {
        tracing::warn!(why, "the broker did not take a notification");
    }
}

fn status_text(status: u16) -> String {
    let why = match status {
        401 => "the broker does not accept the token in COUNTERSIGN_TOKEN",
        403 => {
            "the broker does not answer under this address; COUNTERSIGN_URL must be the address \
             that people use"
        }
        404 | 405 => "there is no Countersign at COUNTERSIGN_URL",
        413 => "the message is larger than the broker takes",
        300..=399 => "COUNTERSIGN_URL leads to a redirect, which is not followed",
        500..=599 => "the broker cannot answer at the moment; try again later",
        200..=299 => "the broker's answer holds no message",
        _ => "the broker refused the message",
    };
    format!("{why} (HTTP {status})")
}

/// The messages in a body: one, or those of an event stream.
fn messages(answer: &BrokerAnswer) -> Vec<String> {
    let kind = answer.content_type.as_deref().unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/event-stream") {
        events(&answer.body)
    } else {
        vec![answer.body.clone()]
    }
}

/// The data of each event: its `data` lines, joined.
fn events(body: &str) -> Vec<String> {
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    let data = |event: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    };
    body.split("\n\n").map(data).filter(|data| !data.is_empty()).collect()
}

/// JSON on one line: a line break outside of its texts is space, and within them it is escaped.
fn one_line(json: &str) -> String {
    json.trim().replace(['\n', '\r'], " ")
}
