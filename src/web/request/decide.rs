//! The forms on a request's page: approve, reject, take an approval back, cancel, undo. What a
//! person found out has a file of its own.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::page::{FormInput, id_of, request_page};
use crate::{
    broker::BrokerError,
    domain::{
        digest::Digest,
        facts::Verb,
        id::RequestId,
        lifecycle::{Displayed, Refusal},
        request::Request,
    },
    web::{
        AppState,
        admin::reauthenticate::{Reauth, require_recent_password},
        error::{PageError, status_of},
        http::session::{CsrfForm, PageSession},
    },
};

/// The longest comment, in characters.
pub(in crate::web) const COMMENT_CHARS_MAX: usize = 2000;

/// A vote, with what was on the screen.
#[derive(Deserialize)]
pub(in crate::web) struct VoteForm {
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
pub(in crate::web) struct ReasonForm {
    #[serde(default)]
    comment: String,
    #[serde(default)]
    password: String,
}

impl VoteForm {
    pub(in crate::web) fn shown(&self) -> Result<Displayed, PageError> {
        let digest = Digest::parse(&self.digest).ok_or_else(PageError::unreadable)?;
        Ok(Displayed { version: self.version, digest })
    }
}

/// Approves what was shown.
pub(in crate::web) async fn approve(
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
    CsrfForm(vote): CsrfForm<VoteForm>,
) -> Result<Response, PageError> {
    let desk = RequestForm { app, session, id: id_of(&id)?, verb: Verb::Approve };
    let shown = vote.shown()?;
    let who = match desk.reauthenticate(&vote.comment, &vote.password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => return desk.show_error(problem, vote.comment).await,
    };
    let done = desk.app.broker.approve(&who, desk.id, shown, vote.comment.trim()).await;
    desk.finish(done, vote.comment).await
}

/// Rejects what was shown; the comment is the reason.
pub(in crate::web) async fn reject(
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
    CsrfForm(vote): CsrfForm<VoteForm>,
) -> Result<Response, PageError> {
    let desk = RequestForm { app, session, id: id_of(&id)?, verb: Verb::Reject };
    let shown = vote.shown()?;
    let who = match desk.reauthenticate(&vote.comment, &vote.password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => return desk.show_error(problem, vote.comment).await,
    };
    let done = desk.app.broker.reject(&who, desk.id, shown, vote.comment.trim()).await;
    desk.finish(done, vote.comment).await
}

/// Takes one's own approval back.
pub(in crate::web) async fn retract(
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
    CsrfForm(form): CsrfForm<ReasonForm>,
) -> Result<Response, PageError> {
    let desk = RequestForm { app, session, id: id_of(&id)?, verb: Verb::Retract };
    let who = match desk.reauthenticate(&form.comment, &form.password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => return desk.show_error(problem, form.comment).await,
    };
    let done = desk.app.broker.retract(&who, desk.id).await;
    desk.finish(done, form.comment).await
}

/// Takes the request back, as the owner of the agent that asked.
pub(in crate::web) async fn cancel(
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
    CsrfForm(form): CsrfForm<ReasonForm>,
) -> Result<Response, PageError> {
    let desk = RequestForm { app, session, id: id_of(&id)?, verb: Verb::Cancel };
    let who = match desk.reauthenticate(&form.comment, &form.password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => return desk.show_error(problem, form.comment).await,
    };
    let done = desk.app.broker.cancel_as_person(&who, desk.id, form.comment.trim()).await;
    desk.finish(done, form.comment).await
}

/// Asks for what takes the request back; the answer leads to that new request.
pub(in crate::web) async fn undo(
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
    CsrfForm(form): CsrfForm<VoteForm>,
) -> Result<Response, PageError> {
    let desk = RequestForm { app, session, id: id_of(&id)?, verb: Verb::Undo };
    let shown = form.shown()?;
    if let Some(refusal) = desk.behind(shown).await? {
        return desk.finish(Err(refusal.into()), form.comment).await;
    }
    let who = match desk.reauthenticate(&form.comment, &form.password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => return desk.show_error(problem, form.comment).await,
    };
    let done = desk.app.broker.undo_as_person(&who, desk.id, form.comment.trim()).await;
    desk.finish(done, form.comment).await
}

/// Where one form on one request is dealt with.
pub(in crate::web) struct RequestForm {
    pub(in crate::web) app: AppState,
    pub(in crate::web) session: PageSession,
    pub(in crate::web) id: RequestId,
    pub(in crate::web) verb: Verb,
}

impl RequestForm {
    /// Why a form that shows an earlier state of the request is not taken.
    pub(in crate::web) async fn behind(
        &self,
        shown: Displayed,
    ) -> Result<Option<Refusal>, PageError> {
        let seen = self.app.broker.request_of_person(&self.session.who, self.id).await?;
        Ok(if shown.digest != seen.request.digest {
            Some(Refusal::DigestChanged)
        } else if shown.version != seen.request.version {
            Some(Refusal::VersionChanged)
        } else {
            None
        })
    }

    /// Checks what the form says of itself, and the password where policy wants a recent one.
    pub(in crate::web) async fn reauthenticate(
        &self,
        comment: &str,
        password: &str,
    ) -> Result<Reauth, PageError> {
        if comment.chars().count() > COMMENT_CHARS_MAX {
            let problem =
                format!("That is longer than {COMMENT_CHARS_MAX} characters. Nothing was changed.");
            return Ok(Reauth::Problem(problem));
        }
        let seen = self.app.broker.request_of_person(&self.session.who, self.id).await?;
        require_recent_password(&self.app, &self.session, &seen.permission(self.verb), password)
            .await
    }

    /// Back to the page, or the page as it is now with the reason why nothing was changed.
    pub(in crate::web) async fn finish(
        &self,
        done: Result<Request, BrokerError>,
        comment: String,
    ) -> Result<Response, PageError> {
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

    pub(in crate::web) async fn show_error(
        &self,
        problem: String,
        comment: String,
    ) -> Result<Response, PageError> {
        self.page(StatusCode::UNAUTHORIZED, problem, comment).await
    }

    async fn page(
        &self,
        status: StatusCode,
        problem: String,
        comment: String,
    ) -> Result<Response, PageError> {
        let none = FormInput::default();
        let typed = match self.verb {
            Verb::Approve => FormInput { comment, ..none },
            Verb::Reject => FormInput { reject: comment, ..none },
            Verb::Cancel => FormInput { cancel: comment, ..none },
            Verb::Undo => FormInput { undo: comment, ..none },
            Verb::Resolve => FormInput { resolve: comment, ..none },
            Verb::BreakGlass => FormInput { glass: comment, ..none },
            Verb::Review => FormInput { review: comment, ..none },
            Verb::Comment => FormInput { note: comment, ..none },
            Verb::Retract
            | Verb::ManagePeople
            | Verb::ManageAgents
            | Verb::View
            | Verb::ViewAudit
            | Verb::ActivatePolicy
            | Verb::Freeze
            | Verb::Unfreeze => none,
        };
        request_page(&self.app, &self.session, self.id, Some((status, problem, typed))).await
    }
}
