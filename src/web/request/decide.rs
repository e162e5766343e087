//! The forms on a request's page: approve, reject, take an approval back, cancel, undo. What a
//! person found out has a file of its own.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::page::{Typed, id_of, request_page};
use crate::{
    broker::BrokerError,
    domain::{
        digest::Digest,
        facts::Verb,
        id::RequestId,
        lifecycle::{Refusal, Shown},
        request::Request,
    },
    web::{
        Site,
        admin::reauthenticate::{Given, recent},
        error::{Failure, status_of},
        http::session::{Fields, Session},
    },
};

/// The longest comment, in characters.
pub(in crate::web) const COMMENT_CHARS_MAX: usize = 2000;

/// A vote, with what was on the screen.
#[derive(Deserialize)]
pub(in crate::web) struct Vote {
    version: u64,
    digest: String,
    /// The beginning of the digest, where the glass is broken.
    #[serde(default)]
    pub(in crate::web) typed: String,
    #[serde(default)]
    pub(in crate::web) comment: String,
    #[serde(default)]
    pub(in crate::web) password: String,
}

/// A reason, and the password where it is wanted.
#[derive(Deserialize)]
pub(in crate::web) struct Ending {
    #[serde(default)]
    comment: String,
    #[serde(default)]
    password: String,
}

impl Vote {
    pub(in crate::web) fn shown(&self) -> Result<Shown, Failure> {
        let digest = Digest::parse(&self.digest).ok_or_else(Failure::unreadable)?;
        Ok(Shown { version: self.version, digest })
    }
}

/// Approves what was shown.
pub(in crate::web) async fn approve(
    State(site): State<Site>,
    session: Session,
    Path(id): Path<String>,
    Fields(vote): Fields<Vote>,
) -> Result<Response, Failure> {
    let desk = Desk { site, session, id: id_of(&id)?, verb: Verb::Approve };
    let shown = vote.shown()?;
    let who = match desk.enter(&vote.comment, &vote.password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => return desk.again(problem, vote.comment).await,
    };
    let done = desk.site.broker.approve(&who, desk.id, shown, vote.comment.trim()).await;
    desk.close(done, vote.comment).await
}

/// Rejects what was shown; the comment is the reason.
pub(in crate::web) async fn reject(
    State(site): State<Site>,
    session: Session,
    Path(id): Path<String>,
    Fields(vote): Fields<Vote>,
) -> Result<Response, Failure> {
    let desk = Desk { site, session, id: id_of(&id)?, verb: Verb::Reject };
    let shown = vote.shown()?;
    let who = match desk.enter(&vote.comment, &vote.password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => return desk.again(problem, vote.comment).await,
    };
    let done = desk.site.broker.reject(&who, desk.id, shown, vote.comment.trim()).await;
    desk.close(done, vote.comment).await
}

/// Takes one's own approval back.
pub(in crate::web) async fn retract(
    State(site): State<Site>,
    session: Session,
    Path(id): Path<String>,
    Fields(form): Fields<Ending>,
) -> Result<Response, Failure> {
    let desk = Desk { site, session, id: id_of(&id)?, verb: Verb::Retract };
    let who = match desk.enter(&form.comment, &form.password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => return desk.again(problem, form.comment).await,
    };
    let done = desk.site.broker.retract(&who, desk.id).await;
    desk.close(done, form.comment).await
}

/// Takes the request back, as the owner of the agent that asked.
pub(in crate::web) async fn cancel(
    State(site): State<Site>,
    session: Session,
    Path(id): Path<String>,
    Fields(form): Fields<Ending>,
) -> Result<Response, Failure> {
    let desk = Desk { site, session, id: id_of(&id)?, verb: Verb::Cancel };
    let who = match desk.enter(&form.comment, &form.password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => return desk.again(problem, form.comment).await,
    };
    let done = desk.site.broker.cancel_as_person(&who, desk.id, form.comment.trim()).await;
    desk.close(done, form.comment).await
}

/// Asks for what takes the request back; the answer leads to that new request.
pub(in crate::web) async fn undo(
    State(site): State<Site>,
    session: Session,
    Path(id): Path<String>,
    Fields(form): Fields<Vote>,
) -> Result<Response, Failure> {
    let desk = Desk { site, session, id: id_of(&id)?, verb: Verb::Undo };
    let shown = form.shown()?;
    if let Some(refusal) = desk.behind(shown).await? {
        return desk.close(Err(refusal.into()), form.comment).await;
    }
    let who = match desk.enter(&form.comment, &form.password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => return desk.again(problem, form.comment).await,
    };
    let done = desk.site.broker.undo_as_person(&who, desk.id, form.comment.trim()).await;
    desk.close(done, form.comment).await
}

/// Where one form on one request is dealt with.
pub(in crate::web) struct Desk {
    pub(in crate::web) site: Site,
    pub(in crate::web) session: Session,
    pub(in crate::web) id: RequestId,
    pub(in crate::web) verb: Verb,
}

impl Desk {
    /// Why a form that shows an earlier state of the request is not taken.
    pub(in crate::web) async fn behind(&self, shown: Shown) -> Result<Option<Refusal>, Failure> {
        let seen = self.site.broker.request_of_person(&self.session.who, self.id).await?;
        Ok(if shown.digest != seen.request.digest {
            Some(Refusal::DigestChanged)
        } else if shown.version != seen.request.version {
            Some(Refusal::VersionChanged)
        } else {
            None
        })
    }

    /// Checks what the form says of itself, and the password where policy wants a recent one.
    pub(in crate::web) async fn enter(
        &self,
        comment: &str,
        password: &str,
    ) -> Result<Given, Failure> {
        if comment.chars().count() > COMMENT_CHARS_MAX {
            let problem =
                format!("That is longer than {COMMENT_CHARS_MAX} characters. Nothing was changed.");
            return Ok(Given::Problem(problem));
        }
        let seen = self.site.broker.request_of_person(&self.session.who, self.id).await?;
        recent(&self.site, &self.session, &seen.access(self.verb), password).await
    }

    /// Back to the page, or the page as it is now with the reason why nothing was changed.
    pub(in crate::web) async fn close(
        &self,
        done: Result<Request, BrokerError>,
        comment: String,
    ) -> Result<Response, Failure> {
        match done {
            Ok(request) => Ok(Redirect::to(&format!("/requests/{}", request.id)).into_response()),
            Err(BrokerError::Refused(refusal)) => {
                let problem = format!("Nothing was changed: {refusal}.");
                self.page(status_of(&refusal), problem, comment).await
            }
            Err(error @ BrokerError::Invalid(_)) => {
                let problem = format!("{error} Nothing was changed.");
                self.page(StatusCode::BAD_REQUEST, problem, comment).await
            }
            Err(other) => Err(other.into()),
        }
    }

    pub(in crate::web) async fn again(
        &self,
        problem: String,
        comment: String,
    ) -> Result<Response, Failure> {
        self.page(StatusCode::UNAUTHORIZED, problem, comment).await
    }

    async fn page(
        &self,
        status: StatusCode,
        problem: String,
        comment: String,
    ) -> Result<Response, Failure> {
        let none = Typed::default();
        let typed = match self.verb {
            Verb::Approve => Typed { comment, ..none },
            Verb::Reject => Typed { reject: comment, ..none },
            Verb::Cancel => Typed { cancel: comment, ..none },
            Verb::Undo => Typed { undo: comment, ..none },
            Verb::Resolve => Typed { resolve: comment, ..none },
            Verb::BreakGlass => Typed { glass: comment, ..none },
            Verb::Review => Typed { review: comment, ..none },
            Verb::Comment => Typed { note: comment, ..none },
            Verb::Retract
            | Verb::ManagePeople
            | Verb::ManageAgents
            | Verb::View
            | Verb::ViewAudit
            | Verb::ActivatePolicy
            | Verb::Freeze
            | Verb::Unfreeze => none,
        };
        request_page(&self.site, &self.session, self.id, Some((status, problem, typed))).await
    }
}
