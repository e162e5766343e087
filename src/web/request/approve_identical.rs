//! Identical requests of the lowest tier, looked at and approved with one form.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{decide::COMMENT_CHARS_MAX, page::id_of};
use crate::{
    broker::{
        BrokerError,
        queries::{inbox::PendingItem, view::Permission},
    },
    domain::{Time, digest::Digest, id::RequestId, lifecycle::Displayed, request::Request},
    text::request,
    web::{
        AppState,
        admin::reauthenticate::{Reauth, require_recent_password},
        error::{PageError, status_of},
        http::session::{CsrfForm, PageSession, QueryParams},
        layout::{
            escape::Fenced as _,
            page::{Layout, page},
        },
    },
};

/// Of which request the others are identical.
#[derive(Deserialize)]
pub(in crate::web) struct IdenticalQuery {
    of: String,
}

#[derive(Debug, Template)]
#[template(path = "pages/approve_identical.html")]
pub(in crate::web) struct ApproveIdenticalPage {
    layout: Layout,
    of: RequestId,
    several: bool,
    alike: Vec<PendingItem>,
    now: Time,
    problem: Option<String>,
    comment: String,
}

impl ApproveIdenticalPage {
    fn effect(&self, request: &Request) -> String {
        request.effect_among(self.several)
    }

    fn left(&self, request: &Request) -> String {
        request::time_left(request.deadline, self.now)
    }

    /// Which request, in which version, with which digest: what a box stands for.
    fn pick(request: &Request) -> String {
        format!("{}:{}:{}", request.id, request.version, request.digest)
    }

    /// Whether the password is wanted again.
    fn password(&self) -> bool {
        self.alike.iter().any(|waiting| waiting.approve == Permission::WithPassword)
    }
}

/// What was ticked, with what was shown of it.
fn read_pick(text: &str) -> Option<(RequestId, Displayed)> {
    let mut parts = text.split(':');
    let (id, version, digest) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let shown = Displayed { version: version.parse().ok()?, digest: Digest::parse(digest)? };
    Some((id.parse().ok()?, shown))
}

/// The page.
pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(like): QueryParams<IdenticalQuery>,
) -> Result<Response, PageError> {
    approve_identical_page(&app, &session, id_of(&like.of)?, None).await
}

async fn approve_identical_page(
    app: &AppState,
    session: &PageSession,
    of: RequestId,
    problem: Option<(StatusCode, String, String)>,
) -> Result<Response, PageError> {
    let alike = app.broker.identical_requests(&session.who, of).await?;
    let layout =
        Layout::new(app, session, "Look at identical requests together").await?.section("/");
    let (several, now) = (app.broker.several_managers(), app.broker.clock().now());
    let (status, problem, comment) = match problem {
        None => (StatusCode::OK, None, String::new()),
        Some((status, problem, comment)) => (status, Some(problem), comment),
    };
    page(status, &ApproveIdenticalPage { layout, of, several, alike, now, problem, comment })
}

/// Approves what was ticked: all of it or nothing.
pub(in crate::web) async fn approve(
    State(app): State<AppState>,
    session: PageSession,
    CsrfForm(fields): CsrfForm<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let one = |name: &str| {
        let field = fields.iter().find(|(other, _)| other == name);
        field.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let of = id_of(one("of"))?;
    let ticked = fields.iter().filter(|(name, _)| name == "pick");
    let picked = ticked.map(|(_, value)| read_pick(value)).collect::<Option<Vec<_>>>();
    let picked = picked.ok_or_else(PageError::unreadable)?;
    let (comment, password) = (one("comment"), one("password"));
    let again = async |status, problem| {
        approve_identical_page(&app, &session, of, Some((status, problem, comment.to_owned())))
            .await
    };
    if comment.chars().count() > COMMENT_CHARS_MAX {
        let problem = format!("That is longer than {COMMENT_CHARS_MAX} characters.");
        return again(StatusCode::BAD_REQUEST, format!("{problem} Nothing was changed.")).await;
    }
    let alike = app.broker.identical_requests(&session.who, of).await?;
    let access = alike.first().map_or(Permission::Now, |waiting| waiting.approve.clone());
    let who = match require_recent_password(&app, &session, &access, password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => return again(StatusCode::UNAUTHORIZED, problem).await,
    };
    match app.broker.approve_identical(&who, &picked, comment.trim()).await {
        Ok(()) => Ok(Redirect::to("/").into_response()),
        Err(BrokerError::Refused(refusal)) => {
            again(status_of(&refusal), format!("Nothing was changed: {refusal}.")).await
        }
        Err(error @ BrokerError::Invalid(_)) => {
            again(StatusCode::BAD_REQUEST, format!("{error} Nothing was changed.")).await
        }
        Err(other) => Err(other.into()),
    }
}
