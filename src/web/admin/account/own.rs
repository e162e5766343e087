//! A person's own sessions, sign-ins and notifications.

use axum::{
    extract::Path,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::account_page;
use crate::{
    broker::{SignedIn, admin::OwnSession, notifications::OwnChannels},
    domain::{actor::quiet_hours::QuietHours, digest::Digest},
    text::audit::{AuditText, describe},
    web::{
        AppState,
        admin::reauthenticate::{FormError, SessionForm},
        error::PageError,
    },
};

/// What the page of the account says of sessions, sign-ins and notifications.
#[derive(Debug)]
pub(in crate::web) struct OwnParts {
    pub(in crate::web) sessions: Vec<OwnSession>,
    pub(in crate::web) sign_ins: Vec<AuditText>,
    pub(in crate::web) channels: OwnChannels,
    /// What was typed of the quiet hours, or what they are.
    pub(in crate::web) quiet: (String, String),
}

impl OwnParts {
    pub(super) async fn load(
        app: &AppState,
        who: &SignedIn,
        typed: Option<&QuietFields>,
    ) -> Result<Self, PageError> {
        let channels = app.broker.own_channels(who).await?;
        let stored = channels.quiet.map(|hours| {
            let text = |time: chrono::NaiveTime| time.format("%H:%M").to_string();
            (text(hours.from), text(hours.until))
        });
        let typed = typed.map(|typed| (typed.quiet_from.clone(), typed.quiet_until.clone()));
        Ok(Self {
            sessions: app.broker.own_sessions(who).await?,
            sign_ins: app.broker.own_sign_ins(who).await?.into_iter().map(describe).collect(),
            channels,
            quiet: typed.or(stored).unwrap_or_default(),
        })
    }

    /// Whether there are others to end.
    pub(in crate::web) fn has_others(&self) -> bool {
        self.sessions.iter().any(|session| !session.this)
    }

    /// The clock of quiet hours: "UTC+01:00".
    pub(in crate::web) fn zone(&self) -> String {
        let minutes = self.channels.utc_offset_minutes;
        let sign = if minutes < 0 { '-' } else { '+' };
        format!("UTC{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }
}

/// A form without fields.
#[derive(Deserialize)]
pub(in crate::web) struct NoFields {}

/// Ends one of one's own sessions. It makes things safer: nothing is asked.
pub(in crate::web) async fn end(
    Path(id): Path<String>,
    form: SessionForm<NoFields>,
) -> Result<Response, PageError> {
    let id = Digest::parse(&id).ok_or_else(PageError::not_found)?;
    form.app.broker.end_own_session(&form.session.who, id).await?;
    Ok(Redirect::to("/account#sessions").into_response())
}

/// Ends all of one's own sessions but this one.
pub(in crate::web) async fn end_others(form: SessionForm<NoFields>) -> Result<Response, PageError> {
    form.app.broker.end_other_sessions(&form.session.who).await?;
    Ok(Redirect::to("/account#sessions").into_response())
}

/// From when until when; both empty for never.
#[derive(Deserialize)]
pub(in crate::web) struct QuietFields {
    #[serde(default)]
    pub(super) quiet_from: String,
    #[serde(default)]
    pub(super) quiet_until: String,
}

/// Sets when what can wait is not mailed.
pub(in crate::web) async fn quiet_hours(
    form: SessionForm<QuietFields>,
) -> Result<Response, PageError> {
    let SessionForm { app, session, fields } = &form;
    let hours = match (fields.quiet_from.trim(), fields.quiet_until.trim()) {
        ("", "") => Ok(None),
        (from, until) => QuietHours::parse(from, until).map(Some),
    };
    let done = async { Ok(app.broker.set_quiet_hours(&session.who, hours?).await?) };
    match done.await {
        Ok(()) => Ok(Redirect::to("/account#notifications").into_response()),
        Err(error) => {
            let error: FormError = error;
            account_page(app, session, Some(error.for_page()?), Some(fields)).await
        }
    }
}
