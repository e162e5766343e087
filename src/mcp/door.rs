//! What a message must be before the protocol reads it, and answers in JSON whatever went wrong.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE},
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::{MESSAGE_BYTES_MAX, distinct_keys::repeated_key};
use crate::text::visible::visible;

const JSON: &str = "application/json";
const STREAM: &str = "text/event-stream";
/// What the protocol's own reader takes.
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
/// The longest sentence of an inner refusal that is passed on, in bytes.
const SENTENCE_BYTES_MAX: usize = 4096;

/// Whether the client reads event streams: only then is progress told.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadsStreams(pub(super) bool);

/// An error of a message, which the log names too.
fn refuse(status: StatusCode, id: &Value, code: i32, why: &str) -> Response {
    tracing::warn!(code, what = "message", why, "a message was refused");
    error(status, id, code, why)
}

/// A JSON-RPC error as a whole answer.
pub(super) fn error(status: StatusCode, id: &Value, code: i32, message: &str) -> Response {
    let error = json!({ "code": code, "message": message });
    let body = json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string();
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}

/// What stands beside the door: a client that looks for OAuth or an older transport.
pub(super) async fn nothing_here() -> Response {
    let why = "there is nothing here: POST to /mcp with `Authorization: Bearer cs_…`; no OAuth is \
               offered";
    error(StatusCode::NOT_FOUND, &Value::Null, -32_601, why)
}

/// Gives each refusal without a JSON body one.
pub(super) async fn refuse_in_json(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_json = kind.is_some_and(|kind| kind.starts_with(JSON) || kind.starts_with(STREAM));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let said = to_bytes(body, SENTENCE_BYTES_MAX).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let why = match status {
        StatusCode::FORBIDDEN if said.is_empty() => {
            "the broker does not answer under this address, or to pages of others: use the address \
             that people use"
        }
        StatusCode::METHOD_NOT_ALLOWED => "there are no sessions and no stream: POST each message",
        _ if said.is_empty() => status.canonical_reason().unwrap_or("refused"),
        _ => &said,
    };
    let told = error(status, &Value::Null, -32_600, &visible(why));
    head.headers.remove(CONTENT_LENGTH);
    head.headers.extend(told.headers().clone());
    Response::from_parts(head, told.into_body())
}

/// Lets one sound JSON message through, whose keys are all different.
pub(super) async fn check_message(request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (mut head, body) = request.into_parts();
    let Some(streams) = accepts(&head.headers) else {
        let why =
            "answers are application/json: send `Accept: application/json, text/event-stream`";
        return refuse(StatusCode::NOT_ACCEPTABLE, &Value::Null, -32_600, why);
    };
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(JSON) {
        let why = "messages are JSON: send `Content-Type: application/json`";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, &Value::Null, -32_600, why);
    }
    let Ok(bytes) = to_bytes(body, MESSAGE_BYTES_MAX).await else {
        let why = format!("the message did not come, or has more than {MESSAGE_BYTES_MAX} bytes");
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, &Value::Null, -32_600, &why);
    };
    if let Err(refused) = check(&bytes) {
        return refused;
    }
    head.headers.insert(ACCEPT, BOTH);
    head.extensions.insert(ReadsStreams(streams));
    let response = next.run(Request::from_parts(head, Body::from(bytes))).await;
    // It is JSON, and no message of the protocol.
    if response.status() != StatusCode::UNSUPPORTED_MEDIA_TYPE {
        return response;
    }
    let why = "this is no JSON-RPC 2.0 message: `jsonrpc`, `id` as text or whole number, `method`";
    refuse(StatusCode::BAD_REQUEST, &Value::Null, -32_600, why)
}

/// None where the client takes no JSON; else whether it takes event streams too. No header at all
/// takes anything.
fn accepts(headers: &HeaderMap) -> Option<bool> {
    let values: Vec<_> = headers.get_all(ACCEPT).iter().collect();
    if values.is_empty() {
        return Some(false);
    }
    let (mut json, mut streams) = (false, false);
    for range in values.iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')) {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let essence = parts.next().unwrap_or_default();
        let is_refused = parts.any(|part| {
            part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
        });
        json |= !is_refused && [JSON, "application/*", "*/*"].contains(&&*essence);
        streams |= !is_refused && essence == STREAM;
    }
    json.then_some(streams)
}

#[expect(clippy::result_large_err, reason = "the error is the answer")]
fn check(bytes: &[u8]) -> Result<(), Response> {
    // Keys are no longer told apart in the message; what came twice is refused below.
    let both =
        repeated_key(bytes).and_then(|twice| Ok((serde_json::from_slice::<Value>(bytes)?, twice)));
    let bad = StatusCode::BAD_REQUEST;
    let (message, twice) = both.map_err(|why| {
        let why = format!("this is not JSON: {why}");
        refuse(bad, &Value::Null, -32_700, &visible(&why))
    })?;
    let id = message.get("id").filter(|id| id.is_string() || id.is_i64()).unwrap_or(&Value::Null);
    if !message.is_object() {
        let why = "a message is one JSON object; batches are not taken: POST each alone";
        return Err(refuse(bad, id, -32_600, why));
    }
    let is_call = message.get("method").is_some_and(|method| method == "tools/call");
    if let Some(key) = twice {
        let key: String = key.chars().take(80).collect();
        let why = format!(
            "`{}` is there twice, and which one counts is unclear: send each key once",
            visible(&key)
        );
        let code = if is_call { -32_602 } else { -32_600 };
        return Err(refuse(bad, id, code, &why));
    }
    if !is_call {
        return Ok(());
    }
    // What has another form is no call to the protocol's reader: it would say that there is no such
    // method.
    let why = if !message.pointer("/params/name").is_some_and(Value::is_string) {
        "`params` must be a JSON object with the tool's `name` as text"
    } else if message.pointer("/params/arguments").is_some_and(|v| !v.is_null() && !v.is_object()) {
        "`arguments` must be a JSON object, such as {\"request_id\": \"req_…\"}; not text, not a list"
    } else {
        return Ok(());
    };
    Err(refuse(bad, id, -32_602, why))
}
