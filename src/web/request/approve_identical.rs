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
        queries::request::{Access, Waiting},
    },
    domain::{Time, digest::Digest, id::RequestId, lifecycle::Shown, request::Request},
    text::request,
    web::{
        Site,
        admin::reauthenticate::{Given, recent},
        error::{Failure, status_of},
        http::session::{Asked, Fields, Session},
        layout::{
            escape::Fenced as _,
            page::{Frame, page},
        },
    },
};

/// Of which request the others are identical.
#[derive(Deserialize)]
pub(in crate::web) struct Like {
    of: String,
}

#[derive(Debug, Template)]
#[template(path = "pages/together.html")]
pub(in crate::web) struct TogetherPage {
    frame: Frame,
    of: RequestId,
    several: bool,
    alike: Vec<Waiting>,
    now: Time,
    problem: Option<String>,
    comment: String,
}

impl TogetherPage {
    fn effect(&self, request: &Request) -> String {
        request.effect_among(self.several)
    }

    fn left(&self, request: &Request) -> String {
        request::left(request.deadline, self.now)
    }

    /// Which request, in which version, with which digest: what a box stands for.
    fn pick(request: &Request) -> String {
        format!("{}:{}:{}", request.id, request.version, request.digest)
    }

    /// Whether the password is wanted again.
    fn password(&self) -> bool {
        self.alike.iter().any(|waiting| waiting.approve == Access::WithPassword)
    }
}

/// What was ticked, with what was shown of it.
fn read_pick(text: &str) -> Option<(RequestId, Shown)> {
    let mut parts = text.split(':');
    let (id, version, digest) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let shown = Shown { version: version.parse().ok()?, digest: Digest::parse(digest)? };
    Some((id.parse().ok()?, shown))
}

/// The page.
pub(in crate::web) async fn show(
    State(site): State<Site>,
    session: Session,
    Asked(like): Asked<Like>,
) -> Result<Response, Failure> {
    together_page(&site, &session, id_of(&like.of)?, None).await
}

async fn together_page(
    site: &Site,
    session: &Session,
    of: RequestId,
    problem: Option<(StatusCode, String, String)>,
) -> Result<Response, Failure> {
    let alike = site.broker.together(&session.who, of).await?;
    let frame = Frame::new(site, session, "Look at identical requests together").await?.at("/");
    let (several, now) = (site.broker.several_managers(), site.broker.clock().now());
    let (status, problem, comment) = match problem {
        None => (StatusCode::OK, None, String::new()),
        Some((status, problem, comment)) => (status, Some(problem), comment),
    };
    page(status, &TogetherPage { frame, of, several, alike, now, problem, comment })
}

/// Approves what was ticked: all of it or nothing.
pub(in crate::web) async fn approve(
    State(site): State<Site>,
    session: Session,
    Fields(fields): Fields<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let one = |name: &str| {
        let field = fields.iter().find(|(other, _)| other == name);
        field.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let of = id_of(one("of"))?;
    let ticked = fields.iter().filter(|(name, _)| name == "pick");
    let picked = ticked.map(|(_, value)| read_pick(value)).collect::<Option<Vec<_>>>();
    let picked = picked.ok_or_else(Failure::unreadable)?;
    let (comment, password) = (one("comment"), one("password"));
    let again = async |status, problem| {
        together_page(&site, &session, of, Some((status, problem, comment.to_owned()))).await
    };
    if comment.chars().count() > COMMENT_CHARS_MAX {
        let problem = format!("That is longer than {COMMENT_CHARS_MAX} characters.");
        return again(StatusCode::BAD_REQUEST, format!("{problem} Nothing was changed.")).await;
    }
    let alike = site.broker.together(&session.who, of).await?;
    let access = alike.first().map_or(Access::Now, |waiting| waiting.approve.clone());
    let who = match recent(&site, &session, &access, password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => return again(StatusCode::UNAUTHORIZED, problem).await,
    };
    match site.broker.approve_together(&who, &picked, comment.trim()).await {
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
