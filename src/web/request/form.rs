//! The forms on a request's page: what all of them share, so that a verb adds only itself.
//!
//! A handler cannot forget the password: the person that a verb of the broker requires comes out
//! of [`RequestForm::run`] alone, which asks for it.

use axum::{
    extract::{FromRequest, FromRequestParts as _, Path, Request as HttpRequest},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::de::DeserializeOwned;

use super::{page::id_of, shown::ShownQuery};
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        facts::Verb,
        id::RequestId,
        lifecycle::{Displayed, Refusal},
        request::Request,
    },
    web::{
        AppState,
        admin::{
            passkey::passkey_answer,
            reauthenticate::{
                FormError, FormProblem, FormResult, PasswordFields, SessionForm, keep_typed,
                require_recent_password,
            },
        },
        drafts::DraftKey,
        error::PageError,
    },
};

/// The longest comment, in characters.
const COMMENT_CHARS_MAX: usize = 2000;

/// The fields that every form on a request has.
pub(in crate::web) trait RequestFields: PasswordFields {
    /// The comment or the reason, which the page shows again where nothing was changed.
    fn comment(&self) -> &str;

    /// The version of the request that was on the screen; none where the form does not say it.
    fn version(&self) -> Option<u64> {
        None
    }

    /// What was on the screen, and what a passkey signed of it; none where no passkey was used.
    fn signed(&self) -> Option<(Displayed, &str)> {
        None
    }

    /// The part of the page that the form stood on, which is shown again with it.
    fn shown(&self) -> ShownQuery {
        ShownQuery::default()
    }
}

/// The fields of a form that says which state of the request was on the screen.
pub(in crate::web) trait DisplayedFields: RequestFields {
    fn displayed(&self) -> Displayed;
}

/// A form that was sent from the page of a request.
pub(in crate::web) struct RequestForm<F> {
    form: SessionForm<F>,
    id: RequestId,
}

/// A form that passed every check, and what a verb needs beside it.
pub(in crate::web) struct Checked<F> {
    pub(in crate::web) broker: Broker,
    pub(in crate::web) who: SignedIn,
    pub(in crate::web) id: RequestId,
    pub(in crate::web) fields: F,
}

impl<F: DeserializeOwned> FromRequest<AppState> for RequestForm<F> {
    type Rejection = PageError;

    async fn from_request(request: HttpRequest, app: &AppState) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let id = Path::<String>::from_request_parts(&mut parts, app).await;
        let form = SessionForm::from_request(HttpRequest::from_parts(parts, body), app).await?;
        let Path(id) = id.map_err(|_unreadable| PageError::not_found())?;
        Ok(Self { form, id: id_of(&id)? })
    }
}

impl<F: RequestFields> RequestForm<F> {
    /// Carries the form out. Leads back to the page of the request in any case, so that no answer is
    /// that to a form; where nothing was changed it says why, and what was typed is kept.
    pub(in crate::web) async fn run(
        self,
        verb: Verb,
        act: impl AsyncFnOnce(Checked<F>) -> Result<Request, BrokerError>,
    ) -> Result<Response, PageError> {
        self.check_and_run(verb, None, act).await
    }

    async fn check_and_run(
        self,
        verb: Verb,
        displayed: Option<Displayed>,
        act: impl AsyncFnOnce(Checked<F>) -> Result<Request, BrokerError>,
    ) -> Result<Response, PageError> {
        let Self { form: SessionForm { app, session, fields }, id } = self;
        let (comment, shown) = (fields.comment().to_owned(), fields.shown());
        let on_screen = fields.version();
        let (person, form) = (session.who.id(), form_of(verb));
        let key = DraftKey::new(person, &format!("/requests/{id}"), form);
        let before = app.drafts.kept_at(&key);
        let done = async {
            check_comment(&comment)?;
            let view = app.broker.request_of_person(&session.who, id).await?;
            displayed.map_or(Ok(()), |displayed| check_displayed(displayed, &view.request))?;
            let who = if let Some((shown, signed)) = fields.signed() {
                let answer = passkey_answer(signed)?;
                app.broker.prove(&session.who, verb, (id, shown), &answer).await?
            } else {
                let permission = view.permission(verb);
                require_recent_password(&app, &session, &permission, fields.password()).await?
            };
            let broker = app.broker.clone();
            Ok::<_, FormError>(act(Checked { broker, who, id, fields }).await?)
        };
        let error = match done.await {
            Ok(request) => {
                app.drafts.forget(&key, before);
                return Ok(Redirect::to(&format!("/requests/{}", request.id)).into_response());
            }
            Err(error) => error,
        };
        keep_typed(&app, key, (comment, on_screen), error)?;
        Ok(Redirect::to(&shown.refused_url(id, form)).into_response())
    }
}

impl<F: DisplayedFields> RequestForm<F> {
    /// The same, for a verb of the broker that does not itself compare what was displayed.
    pub(in crate::web) async fn run_if_current(
        self,
        verb: Verb,
        act: impl AsyncFnOnce(Checked<F>) -> Result<Request, BrokerError>,
    ) -> Result<Response, PageError> {
        let displayed = Some(self.form.fields.displayed());
        self.check_and_run(verb, displayed, act).await
    }
}

/// The last part of the address of a verb's form.
const fn form_of(verb: Verb) -> &'static str {
    match verb {
        Verb::Approve => "approve",
        Verb::Reject => "reject",
        Verb::Retract => "retract",
        Verb::Cancel => "cancel",
        Verb::Undo => "undo",
        Verb::Resolve => "resolve",
        Verb::BreakGlass => "break-glass",
        Verb::Review => "review",
        Verb::Comment => "comment",
        Verb::ManagePeople
        | Verb::ManageAgents
        | Verb::View
        | Verb::ViewAudit
        | Verb::ActivatePolicy
        | Verb::Freeze
        | Verb::Unfreeze => "",
    }
}

/// Refuses a comment that is too long.
pub(in crate::web) fn check_comment(comment: &str) -> FormResult<()> {
    if comment.chars().count() <= COMMENT_CHARS_MAX {
        return Ok(());
    }
    let sentence =
        format!("The comment is longer than {COMMENT_CHARS_MAX} characters. Nothing was changed.");
    Err(FormError::Problem(FormProblem::new(StatusCode::BAD_REQUEST, sentence)))
}

/// Refuses a form that shows an earlier state of the request.
fn check_displayed(displayed: Displayed, request: &Request) -> Result<(), Refusal> {
    if displayed.digest != request.digest {
        Err(Refusal::DigestChanged)
    } else if displayed.version != request.version {
        Err(Refusal::VersionChanged)
    } else {
        Ok(())
    }
}
