//! What the broker answers, as lines for the client.

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{AnswerBody, BrokerAnswer, body::Messages, message::Id};

/// The code of an error that is not the broker's own.
pub(super) const FAILED: i32 = -32_000;

/// An error as one line.
pub(super) fn error(id: Option<&Id>, code: i32, why: &str) -> String {
    let error = json!({ "code": code, "message": why });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
}

/// The line that answers a request: it has its id, whatever happened. What a stream says before that
/// is said at once.
pub(super) async fn to_request<B: AnswerBody>(
    id: &Id,
    answered: Result<BrokerAnswer<B>, String>,
    say: &mpsc::Sender<String>,
) -> String {
    match answer(id, answered, say).await {
        Ok(line) => line,
        Err(why) => error(Some(id), FAILED, &why),
    }
}

async fn answer<B: AnswerBody>(
    id: &Id,
    answered: Result<BrokerAnswer<B>, String>,
    say: &mpsc::Sender<String>,
) -> Result<String, String> {
    let answer = answered?;
    let status = answer.status;
    let mut messages = Messages::of(answer);
    while let Some(text) = messages.next().await? {
        let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
        if message.get("method").is_some() {
            let _heard = say.send(one_line(&text)).await.is_ok();
        } else if message.get("id") == Some(id) {
            return Ok(one_line(&text));
        } else if let Some(cause) = message.get("error") {
            // The broker could not tell whose message it was; here it is known.
            return Ok(json!({ "jsonrpc": "2.0", "id": id, "error": cause }).to_string());
        }
    }
    Err(status_text(status))
}

/// A notification has no answer: a failure can only be logged.
pub(super) fn to_notification<B>(answered: Result<BrokerAnswer<B>, String>) {
    let failed = match answered {
        Ok(answer) if (200..=299).contains(&answer.status) => None,
        Ok(answer) => Some(status_text(answer.status)),
        Err(why) => Some(why),
    };
    if let Some(why) = failed {
        tracing::warn!(why, "the broker did not take a notification");
    }
}

pub(super) fn status_text(status: u16) -> String {
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

/// JSON on one line: a line break outside of its texts is space, and within them it is escaped.
fn one_line(json: &str) -> String {
    json.trim().replace(['\n', '\r'], " ")
}
