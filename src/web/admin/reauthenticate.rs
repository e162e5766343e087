//! Forms that people send: who sent one, whether the password was entered recently enough for what
//! it asks for, and what to say where it cannot be carried out. A form with a text for others
//! is answered by a redirect: its page says why nothing was changed, and has what was typed.

use axum::{
    extract::{FromRequest, FromRequestParts as _, Request},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::de::DeserializeOwned;

use super::sign_in::sentence;
use crate::{
    broker::{BrokerError, SignedIn, queries::view::Permission},
    domain::{facts::Verb, lifecycle::Refusal, proposal::InvalidField},
    web::{
        AppState,
        address::with_form,
        drafts::{Draft, DraftKey},
        error::{PageError, status_of},
        http::session::{FormBody, PageSession},
    },
};

/// What a person can correct on the page that the form is on. Nothing was changed.
#[derive(Debug)]
pub(in crate::web) struct FormProblem {
    pub(in crate::web) status: StatusCode,
    pub(in crate::web) sentence: String,
}

/// Why a form was not carried out.
#[derive(Debug)]
pub(in crate::web) enum FormError {
    /// Its own page shows why, with what was typed.
    Problem(FormProblem),
    /// A page of its own says why.
    Page(PageError),
}

/// What a form did, or why it did nothing.
pub(in crate::web) type FormResult<T> = Result<T, FormError>;

impl FormProblem {
    pub(in crate::web) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into() }
    }

    /// The status and the sentence of a page that may be the answer to a form.
    pub(in crate::web) fn split(problem: Option<Self>) -> (StatusCode, Option<String>) {
        match problem {
            None => (StatusCode::OK, None),
            Some(Self { status, sentence }) => (status, Some(sentence)),
        }
    }
}

impl FormError {
    fn problem(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self::Problem(FormProblem::new(status, sentence))
    }

    /// What the form's own page shows; anything else is an error of the handler.
    pub(in crate::web) fn for_page(self) -> Result<FormProblem, PageError> {
        match self {
            Self::Problem(problem) => Ok(problem),
            Self::Page(error) => Err(error),
        }
    }
}

impl From<FormProblem> for FormError {
    fn from(problem: FormProblem) -> Self {
        Self::Problem(problem)
    }
}

impl From<PageError> for FormError {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

impl From<InvalidField> for FormError {
    fn from(invalid: InvalidField) -> Self {
        Self::problem(StatusCode::BAD_REQUEST, format!("{invalid} Nothing was changed."))
    }
}

impl From<Refusal> for FormError {
    fn from(refusal: Refusal) -> Self {
        Self::problem(status_of(&refusal), format!("Nothing was changed: {refusal}."))
    }
}

impl From<BrokerError> for FormError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Invalid(invalid) => invalid.into(),
            BrokerError::Refused(refusal) => refusal.into(),
            other @ (BrokerError::NotFound
            | BrokerError::SessionOver
            | BrokerError::WeakPassword
            | BrokerError::UsualPassword
            | BrokerError::Hashing(_)
            | BrokerError::NotAllowed(_)
            | BrokerError::TokenOver
            | BrokerError::ScopeMissing(_)
            | BrokerError::SignInRefused
            | BrokerError::SecondFactorMissing(_)
            | BrokerError::SignInThrottled(_)
            | BrokerError::PasswordsBusy
            | BrokerError::ProviderUnavailable(_)
            | BrokerError::ProviderRefused(_)
            | BrokerError::RateLimited(_)
            | BrokerError::Manager(_)
            | BrokerError::Policy(_)
            | BrokerError::Halted(_)
            | BrokerError::Store(_)) => Self::Page(other.into()),
        }
    }
}

/// The person of a session, with the password that was entered just now or still counts: it is
/// required where policy asks for a recent one.
pub(in crate::web) async fn require_recent_password(
    app: &AppState,
    session: &PageSession,
    permission: &Permission,
    password: &str,
) -> FormResult<SignedIn> {
    if password.is_empty() && *permission == Permission::WithPassword {
        let sentence = "Enter your password with it. Nothing was changed.";
        return Err(FormError::problem(StatusCode::UNAUTHORIZED, sentence));
    }
    if *permission == Permission::WithProvider {
        return Err(FormError::Page(PageError::unconfirmed()));
    }
    if password.is_empty() || session.who.gave_proof() {
        return Ok(session.who.clone());
    }
    match app.broker.authenticate_again(&session.who, password).await {
        Ok(who) => Ok(who),
        Err(BrokerError::SignInRefused) => {
            let sentence = "The password is wrong. Nothing was changed.";
            Err(FormError::problem(StatusCode::UNAUTHORIZED, sentence))
        }
        Err(error @ BrokerError::SignInThrottled(_)) => {
            Err(FormError::problem(StatusCode::UNAUTHORIZED, sentence(&error)))
        }
        Err(other) => Err(FormError::Page(other.into())),
    }
}

/// The fields of a form that may carry the password.
pub(in crate::web) trait PasswordFields {
    /// Empty where the form did not ask for it.
    fn password(&self) -> &str;
}

/// A form that a signed-in person sent.
pub(in crate::web) struct SessionForm<F> {
    pub(in crate::web) app: AppState,
    pub(in crate::web) session: PageSession,
    pub(in crate::web) fields: F,
}

impl<F: DeserializeOwned> FromRequest<AppState> for SessionForm<F> {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let session = PageSession::from_request_parts(&mut parts, app).await?;
        let request = Request::from_parts(parts, body);
        let FormBody(fields) = FormBody::from_request(request, app).await?;
        Ok(Self { app: app.clone(), session, fields })
    }
}

/// Keeps what was typed into a form that was not carried out, and the version that was on the screen.
/// Fails where a page of its own says why.
pub(in crate::web) fn keep_typed(
    app: &AppState,
    key: DraftKey,
    (text, displayed): (String, Option<u64>),
    error: FormError,
) -> Result<(), PageError> {
    let (problem, page) = match error {
        FormError::Problem(FormProblem { status, sentence }) => ((status, sentence), None),
        FormError::Page(page) => ((page.status, page.sentence.clone()), Some(page)),
    };
    let at = app.broker.clock().now();
    let draft = Draft { text, displayed, problem: Some(problem.clone()), at };
    if app.drafts.keep(key, draft) {
        return page.map_or(Ok(()), Err);
    }
    Err(page.unwrap_or_else(|| PageError::new(problem.0, "Not done", problem.1)))
}

/// What was typed into a form of this page and not carried out, and, where that form was `just` sent,
/// why.
pub(in crate::web) fn typed_in(
    app: &AppState,
    session: &PageSession,
    (page, form): (&str, &str),
    just: &str,
) -> (Option<FormProblem>, String) {
    let all = app.drafts.of(session.who.id(), page, app.broker.clock().now());
    let Some((_, draft)) = all.into_iter().find(|(other, _)| other == form) else {
        return (None, String::new());
    };
    let problem = if just == form { problem_of(app, session, (page, form)) } else { None };
    (problem, draft.text)
}

/// Why a form was not carried out that was just sent. It is told once.
pub(in crate::web) fn problem_of(
    app: &AppState,
    session: &PageSession,
    (page, form): (&str, &str),
) -> Option<FormProblem> {
    let problem = app.drafts.take_problem(&DraftKey::new(session.who.id(), page, form));
    problem.map(|(status, sentence)| FormProblem { status, sentence })
}

impl<F> SessionForm<F> {
    /// Leads on once it was carried out; or back to `page`, which has the text and says why not.
    pub(in crate::web) fn redirect(
        &self,
        (page, form): (&str, &str),
        text: &str,
        done: FormResult<String>,
    ) -> Result<Response, PageError> {
        let Self { app, session, .. } = self;
        let key = DraftKey::new(session.who.id(), page, form);
        let next = match done {
            Ok(next) => {
                app.drafts.forget(&key, app.drafts.kept_at(&key));
                next
            }
            Err(error) => {
                keep_typed(app, key, (text.to_owned(), None), error)?;
                with_form(page, form)
            }
        };
        Ok(Redirect::to(&next).into_response())
    }
}

impl<F: PasswordFields> SessionForm<F> {
    /// Does to the system what the form asks for, once its password is recent enough for `verb`.
    pub(in crate::web) async fn run<T>(
        &self,
        verb: Verb,
        act: impl AsyncFnOnce(SignedIn) -> Result<T, BrokerError>,
    ) -> FormResult<T> {
        let Self { app, session, fields } = self;
        let permission = app.broker.system_permission(&session.who, verb);
        let who = require_recent_password(app, session, &permission, fields.password()).await?;
        Ok(act(who).await?)
    }
}
