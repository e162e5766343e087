//! Changes one field of an answer: see [`Fault::Edit`](crate::Fault::Edit).

use axum::body::{Body, to_bytes};
use axum::http::header;
use axum::response::Response;
use serde_json::Value;

/// The answer with another value in one place. An answer that is not JSON stays as it is.
pub(crate) async fn answer(answer: Response, pointer: &str, value: Option<Value>) -> Response {
    let (mut head, body) = answer.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Response::from_parts(head, Body::empty());
    };
    let Ok(mut json) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(head, Body::from(bytes));
    };
    set(&mut json, pointer.trim_start_matches('/'), value);
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(json.to_string()))
}

fn set(within: &mut Value, pointer: &str, value: Option<Value>) {
    match pointer.split_once('/') {
        Some((part, rest)) => {
            if let Some(inner) = place(within, part) {
                set(inner, rest, value);
            }
        }
        None => match (within, value) {
            (Value::Object(fields), Some(value)) => drop(fields.insert(pointer.to_owned(), value)),
            (Value::Object(fields), None) => drop(fields.remove(pointer)),
            (list @ Value::Array(_), Some(value)) => {
                if let Some(item) = place(list, pointer) {
                    *item = value;
                }
            }
            _ => {}
        },
    }
}

/// A field of an object; an item of a list by its place, or by the value of one of its fields.
fn place<'a>(within: &'a mut Value, part: &str) -> Option<&'a mut Value> {
    match within {
        Value::Object(fields) => fields.get_mut(part),
        Value::Array(items) => match part.split_once('=') {
            Some((field, wanted)) => {
                items.iter_mut().find(|item| item.get(field).is_some_and(|is| is == wanted))
            }
            None => items.get_mut(part.parse::<usize>().ok()?),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
