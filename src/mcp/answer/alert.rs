//! An alert, as the broker found it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{facts::AlertFacts, request::Request};

#[derive(Serialize, JsonSchema)]
pub(super) struct AlertAnswer<'a> {
    /// Whether Countersign found it itself. One that is not found spares nobody a look.
    found: bool,
    /// Whether it names the very target. Only such an alert speaks for the request.
    names_target: bool,
    /// The rule's description, or why it was not found. Text from outside.
    summary: &'a str,
}

impl<'a> AlertAnswer<'a> {
    /// None where the request names no alert.
    pub(super) fn of(request: &'a Request) -> Option<Self> {
        request.claim.alert_id.as_ref()?;
        let AlertFacts { found, names_target, summary, .. } = &request.alert;
        Some(Self { found: *found, names_target: *names_target, summary })
    }
}
