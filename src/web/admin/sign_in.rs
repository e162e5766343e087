//! Signing in and out, and changing your own password.

use askama::Template;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::passkey::{QuestionForBrowser, passkey_answer};
use crate::{
    broker::{BrokerError, SESSION_HOURS, SESSION_IDLE_MINUTES, admin::NewSession},
    domain::actor::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN},
    web::{
        AppState,
        address::{local, part},
        error::PageError,
        http::{
            client::{Origin, browser_cookie},
            session::{FormBody, PageSession, QueryParams, cookie},
        },
        layout::page::{Layout, page},
    },
};

pub(in crate::web) mod second_factor;

#[derive(Debug, Template)]
#[template(path = "pages/sign_in.html")]
struct SignInPage {
    layout: Layout,
    problem: Option<String>,
    notice: Option<&'static str>,
    name: String,
    next: String,
    /// Whether browsers use passkeys here.
    passkeys: bool,
    /// The identity provider's name, where there is one.
    provider: Option<String>,
    idle_minutes: i64,
    hours: i64,
}

impl SignInPage {
    fn new(app: &AppState, name: String, next: String) -> Self {
        Self {
            passkeys: app.broker.passkeys_impossible().is_none(),
            provider: app.broker.provider_name().map(str::to_owned),
            layout: Layout::anonymous("Sign in"),
            problem: None,
            notice: None,
            name,
            next,
            idle_minutes: SESSION_IDLE_MINUTES,
            hours: SESSION_HOURS,
        }
    }

    /// Where to go afterwards, as part of an address.
    fn next_part(&self) -> String {
        part(&self.next)
    }

    /// Whether the forms of this server are folded away: most people sign in at the provider.
    const fn folded(&self) -> bool {
        self.provider.is_some() && self.problem.is_none()
    }
}

/// Where to go afterwards, and what happened before.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct NextQuery {
    #[serde(default)]
    pub(in crate::web) next: String,
    #[serde(default)]
    after: String,
}

/// The form; while there are no accounts, the first set-up.
pub(in crate::web) async fn show(
    State(app): State<AppState>,
    QueryParams(around): QueryParams<NextQuery>,
) -> Result<Response, PageError> {
    if app.broker.setup_is_open().await? {
        return Ok(Redirect::to("/set-up").into_response());
    }
    let notice = match around.after.as_str() {
        "password" => Some("Your password was changed. Sign in with the new one."),
        "ended" => Some(
            "Your session has ended. Nothing was changed. What you typed is kept: sign in to go on.",
        ),
        "sign-out" => Some("You are signed out."),
        "set-up" => Some("You are the first admin. Sign in, then add people and agents."),
        _ => None,
    };
    let new = SignInPage::new(&app, String::new(), around.next);
    page(StatusCode::OK, &SignInPage { notice, ..new })
}

/// What was typed to sign in.
#[derive(Deserialize)]
pub(in crate::web) struct Credentials {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// Begins a session.
pub(in crate::web) async fn sign_in(
    State(app): State<AppState>,
    Origin(origin): Origin,
    FormBody(credentials): FormBody<Credentials>,
) -> Result<Response, PageError> {
    let Credentials { name, password, next } = credentials;
    let done = app.broker.sign_in(name.trim(), &password, &origin).await;
    if let Err(BrokerError::SecondFactorMissing(ticket)) = done {
        return second_factor::second_factor_page(&app, ticket, next);
    }
    answer(&app, done, (name, next))
}

/// What the script of the page brings back of a passkey.
#[derive(Deserialize)]
pub(in crate::web) struct PasskeyFields {
    #[serde(default)]
    passkey: String,
    #[serde(default)]
    next: String,
}

/// Asks for a passkey of whoever stands before the door.
pub(in crate::web) async fn ask_passkey(
    State(app): State<AppState>,
) -> Result<Response, PageError> {
    let question = app.broker.ask_passkey_to_sign_in()?;
    Ok(Json(QuestionForBrowser::new(question, None)).into_response())
}

/// Begins a session for the person whose passkey answered.
pub(in crate::web) async fn sign_in_with_passkey(
    State(app): State<AppState>,
    Origin(origin): Origin,
    FormBody(PasskeyFields { passkey, next }): FormBody<PasskeyFields>,
) -> Result<Response, PageError> {
    let done = match passkey_answer(&passkey) {
        Ok(answer) => app.broker.sign_in_with_passkey(&answer, &origin).await,
        Err(invalid) => Err(invalid.into()),
    };
    let (problem, status) = match done {
        Err(BrokerError::SignInRefused) => {
            ("This passkey signs nobody in here.".to_owned(), StatusCode::UNAUTHORIZED)
        }
        Err(BrokerError::Invalid(invalid)) => (invalid.to_string(), StatusCode::BAD_REQUEST),
        done => return answer(&app, done, (String::new(), next)),
    };
    with_problem(&app, status, problem, next)
}

/// The form again, with what is wrong.
pub(in crate::web) fn with_problem(
    app: &AppState,
    status: StatusCode,
    problem: String,
    next: String,
) -> Result<Response, PageError> {
    let problem = Some(problem);
    page(status, &SignInPage { problem, ..SignInPage::new(app, String::new(), next) })
}

/// Leads on whom the identity provider named, or shows the form again with what is wrong.
pub(in crate::web) fn signed_in(
    app: &AppState,
    done: Result<NewSession, BrokerError>,
    next: String,
) -> Result<Response, PageError> {
    match done {
        Err(
            problem @ (BrokerError::ProviderUnavailable(_)
            | BrokerError::ProviderRefused(_)
            | BrokerError::Invalid(_)),
        ) => {
            let BrokerError::ProviderUnavailable(why) = &problem else {
                return with_problem(app, StatusCode::UNAUTHORIZED, sentence(&problem), next);
            };
            // What it answered is nothing for strangers.
            tracing::warn!(%why, "nobody signs in at the identity provider");
            let name = app.broker.provider_name().unwrap_or("The identity provider");
            let problem = format!("{name} cannot be asked at the moment. Nothing was changed.");
            with_problem(app, StatusCode::BAD_GATEWAY, problem, next)
        }
        done => answer(app, done, (String::new(), next)),
    }
}

/// Leads on, or shows the form again with what is wrong.
fn answer(
    app: &AppState,
    done: Result<NewSession, BrokerError>,
    (name, next): (String, String),
) -> Result<Response, PageError> {
    let problem = match done {
        Ok(NewSession { token, browser }) => {
            let mut response = with_cookie(app, &token, local(&next));
            if let Some(cookie) = browser_cookie(&browser, &app.settings) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            return Ok(response);
        }
        Err(
            problem @ (BrokerError::SignInRefused
            | BrokerError::SignInThrottled(_)
            | BrokerError::PasswordsBusy),
        ) => problem,
        Err(other) => return Err(other.into()),
    };
    let shown =
        SignInPage { problem: Some(sentence(&problem)), ..SignInPage::new(app, name, next) };
    let PageError { status, retry_after, .. } = problem.into();
    let mut response = page(status, &shown)?;
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

/// Ends the session.
pub(in crate::web) async fn sign_out(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    app.broker.sign_out(&session.who).await?;
    Ok(with_cookie(&app, "", "/sign-in?after=sign-out"))
}

#[derive(Debug, Template)]
#[template(path = "pages/password.html")]
struct PasswordPage {
    layout: Layout,
    problem: Option<String>,
    must: bool,
    /// Whether there are passkeys, a second factor or tokens to keep.
    has_factors: bool,
    chars_min: usize,
    chars_max: usize,
}

/// The form for a new password.
pub(in crate::web) async fn show_password(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    password_page(&app, &session, None).await
}

/// The old password and twice the new one.
#[derive(Deserialize)]
pub(in crate::web) struct NewPassword {
    old: String,
    new: String,
    again: String,
    /// `yes` where the box is ticked.
    #[serde(default)]
    keep_passkeys: String,
}

impl NewPassword {
    fn keep(&self) -> bool {
        self.keep_passkeys == "yes"
    }
}

/// Changes the password of the person who is signed in, which ends all their sessions.
pub(in crate::web) async fn change_password(
    State(app): State<AppState>,
    session: PageSession,
    FormBody(form): FormBody<NewPassword>,
) -> Result<Response, PageError> {
    if form.new != form.again {
        let problem = "The two new passwords differ. Nothing was changed.";
        return password_page(&app, &session, Some(problem.to_owned())).await;
    }
    match app.broker.change_password(&session.who, (&form.old, &form.new), form.keep()).await {
        Ok(()) => Ok(with_cookie(&app, "", "/sign-in?after=password")),
        Err(BrokerError::SignInRefused) => {
            let problem = "The current password is wrong. Nothing was changed.";
            password_page(&app, &session, Some(problem.to_owned())).await
        }
        Err(BrokerError::WeakPassword) if form.old == form.new => {
            let problem = "The new password is the same as the old one. Nothing was changed.";
            password_page(&app, &session, Some(problem.to_owned())).await
        }
        Err(
            problem @ (BrokerError::WeakPassword
            | BrokerError::UsualPassword
            | BrokerError::SignInThrottled(_)),
        ) => password_page(&app, &session, Some(sentence(&problem))).await,
        Err(other) => Err(other.into()),
    }
}

async fn password_page(
    app: &AppState,
    session: &PageSession,
    problem: Option<String>,
) -> Result<Response, PageError> {
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let passkeys = app.broker.passkeys(&session.who).await?;
    let second_factor = app.broker.second_factor(&session.who).await?;
    let tokens = app.broker.own_api_tokens(&session.who).await?;
    let shown = PasswordPage {
        layout: Layout::new(app, session, "Change your password").await?.without_refresh(),
        problem,
        must: session.who.profile().must_change_password,
        has_factors: !passkeys.is_empty()
            || second_factor.is_some()
            || tokens.iter().any(|listed| !listed.token.service),
        chars_min: PASSWORD_CHARS_MIN,
        chars_max: PASSWORD_CHARS_MAX,
    };
    page(status, &shown)
}

/// An error as a sentence that begins with a capital.
pub(in crate::web) fn sentence(error: &BrokerError) -> String {
    let words = error.to_string();
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    format!("{}{}. Nothing was changed.", first.collect::<String>(), letters.as_str())
}

fn with_cookie(app: &AppState, token: &str, next: &str) -> Response {
    let mut response = Redirect::to(next).into_response();
    if let Some(cookie) = cookie(token, &app.settings) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
