//! The forms on a request's page: approve, reject, take an approval back, cancel, undo. Break glass
//! and what a person found out have files of their own.

use axum::{
    Json,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    form::{Checked, DisplayedFields, RequestFields, RequestForm},
    page::id_of,
};
use crate::{
    domain::{digest::Digest, facts::Verb, lifecycle::Displayed},
    web::{
        admin::{
            passkey::QuestionForBrowser,
            reauthenticate::{PasswordFields, SessionForm},
        },
        error::PageError,
    },
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
    /// What the script of the page brought back of a passkey, as JSON; empty where none was used.
    #[serde(default)]
    passkey: String,
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

    fn signed(&self) -> Option<(Displayed, &str)> {
        (!self.passkey.is_empty()).then(|| (self.displayed(), self.passkey.as_str()))
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

/// What a passkey is to sign.
#[derive(Deserialize)]
pub(in crate::web) struct ActFields {
    verb: String,
    version: u64,
    #[serde(deserialize_with = "digest")]
    digest: Digest,
}

/// Asks the person's passkeys to sign an act on what was displayed.
pub(in crate::web) async fn ask_passkey(
    Path(id): Path<String>,
    form: SessionForm<ActFields>,
) -> Result<Response, PageError> {
    let SessionForm { app, session, fields: ActFields { verb, version, digest } } = form;
    let verb = Verb::parse(&verb).ok_or_else(PageError::unreadable)?;
    let (id, shown) = (id_of(&id)?, Displayed { version, digest });
    // What policy hides is asked nothing about.
    let view = app.broker.request_of_person(&session.who, id).await?;
    if let Some(why) = view.permission(verb).why_not() {
        return Err(PageError::new(StatusCode::FORBIDDEN, "Not allowed", format!("{why}.")));
    }
    let question = app.broker.ask_passkey(&session.who, verb, (id, shown)).await?;
    Ok(Json(QuestionForBrowser::new(question, Some(&session.who))).into_response())
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
