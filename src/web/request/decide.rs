//! The forms on a request's page: approve, reject, take an approval back, cancel, undo. Break glass
//! and what a person found out have files of their own.

use axum::response::Response;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::form::{Checked, DisplayedFields, RequestFields, RequestForm};
use crate::{
    domain::{digest::Digest, facts::Verb, lifecycle::Displayed},
    web::{admin::reauthenticate::PasswordFields, error::PageError},
};

/// A vote or its like, with what was on the screen.
#[derive(Deserialize)]
pub(in crate::web) struct VoteFields {
    version: u64,
    #[serde(deserialize_with = "digest")]
    digest: Digest,
    /// The beginning of the digest, typed to break the glass.
    #[serde(default)]
    pub(in crate::web) typed: String,
    #[serde(default)]
    pub(in crate::web) comment: String,
    #[serde(default)]
    password: String,
}

/// A comment or a reason, which is right whatever was on the screen.
#[derive(Deserialize)]
pub(in crate::web) struct ReasonFields {
    #[serde(default)]
    pub(in crate::web) comment: String,
    #[serde(default)]
    password: String,
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    Digest::parse(&text).ok_or_else(|| D::Error::custom("64 hexadecimal digits"))
}

impl PasswordFields for VoteFields {
    fn password(&self) -> &str {
        &self.password
    }
}

impl RequestFields for VoteFields {
    fn comment(&self) -> &str {
        &self.comment
    }

    fn version(&self) -> Option<u64> {
        Some(self.version)
    }
}

impl DisplayedFields for VoteFields {
    fn displayed(&self) -> Displayed {
        Displayed { version: self.version, digest: self.digest }
    }
}

impl PasswordFields for ReasonFields {
    fn password(&self) -> &str {
        &self.password
    }
}

impl RequestFields for ReasonFields {
    fn comment(&self) -> &str {
        &self.comment
    }
}

/// Approves what was displayed.
pub(in crate::web) async fn approve(form: RequestForm<VoteFields>) -> Result<Response, PageError> {
    form.run(Verb::Approve, async |Checked { broker, who, id, fields }| {
        broker.approve(&who, id, fields.displayed(), fields.comment.trim()).await
    })
    .await
}

/// Rejects what was displayed; the comment is the reason.
pub(in crate::web) async fn reject(form: RequestForm<VoteFields>) -> Result<Response, PageError> {
    form.run(Verb::Reject, async |Checked { broker, who, id, fields }| {
        broker.reject(&who, id, fields.displayed(), fields.comment.trim()).await
    })
    .await
}

/// Takes the person's own approval back.
pub(in crate::web) async fn retract(
    form: RequestForm<ReasonFields>,
) -> Result<Response, PageError> {
    form.run(Verb::Retract, async |Checked { broker, who, id, .. }| broker.retract(&who, id).await)
        .await
}

/// Takes the request back, as the owner of the agent that asked.
pub(in crate::web) async fn cancel(form: RequestForm<ReasonFields>) -> Result<Response, PageError> {
    form.run(Verb::Cancel, async |Checked { broker, who, id, fields }| {
        broker.cancel_as_person(&who, id, fields.comment.trim()).await
    })
    .await
}

/// Asks for what takes the request back; the answer leads to that new request.
pub(in crate::web) async fn undo(form: RequestForm<VoteFields>) -> Result<Response, PageError> {
    form.run_if_current(Verb::Undo, async |Checked { broker, who, id, fields }| {
        broker.undo_as_person(&who, id, fields.comment.trim()).await
    })
    .await
}
