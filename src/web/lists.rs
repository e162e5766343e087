//! The lists: what is pending, what was asked, what is active, on everything or on one target, what was
//! recorded.

use url::form_urlencoded;

pub(super) mod active_responses;
pub(super) mod audit;
pub(super) mod fields;
pub(super) mod inbox;
pub(super) mod missed;
pub(super) mod reject;
pub(super) mod requests;
pub(super) mod target;
pub(super) mod views;

/// A link whose address ends in a question and its value: "/missed?target".
fn link(question: &str, value: &str) -> String {
    let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    format!("{question}={value}")
}
