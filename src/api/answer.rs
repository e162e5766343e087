//! What programs are shown. Text from outside is always a JSON string of its own, and shows as it shows
//! to a person; of the audit alone it is as it is stored, for the hash is taken over that. In no answer
//! does a character stand for itself that would not show.

use axum::{
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};
use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::Value;

use crate::{
    domain::Time,
    text::visible::{visible, visible_json},
};

pub(super) mod active;
pub(super) mod audit;
pub(super) mod detail;
pub(super) mod endpoint;
pub(super) mod request;

/// An answer in which texts show as they show to a person.
pub(super) fn shown(answer: &impl Serialize) -> Response {
    as_it_is(&made_visible(serde_json::to_value(answer).unwrap_or_default()))
}

/// An answer whose texts are those that are stored; what would not show is written as `\u202e`, from
/// which programs read the same.
pub(super) fn as_it_is(answer: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], visible_json(answer)).into_response()
}

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

/// RFC 3339, in UTC.
fn spoken(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
