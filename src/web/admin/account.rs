//! One's own account: the passkeys, which sign what a person approves.

use askama::Template;
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{
    passkey::{QuestionForBrowser, bytes, from_script},
    reauthenticate::{
        FormProblem, FormResult, PasswordFields, SessionForm, require_recent_password,
    },
};
use crate::{
    broker::{
        SignedIn,
        admin::passkeys::{
            NewPasskey, OwnPasskey, PASSKEY_NAME_CHARS_MAX, second_factor::SecondFactor,
        },
        queries::view::Permission,
    },
    web::{
        AppState,
        error::PageError,
        http::session::PageSession,
        layout::{
            escape::Fenced as _,
            page::{Layout, page},
        },
    },
};

pub(in crate::web) mod own;
pub(in crate::web) mod second_factor;
pub(in crate::web) mod tokens;

use own::{OwnParts, QuietFields};

/// So few recovery codes are worth a warning.
const CODES_FEW: u64 = 3;

#[derive(Debug, Template)]
#[template(path = "pages/account.html")]
pub(in crate::web) struct AccountPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) problem: Option<String>,
    /// The name that the person is called by, where they sign in at an identity provider: they have no
    /// password here.
    pub(in crate::web) provided: Option<String>,
    /// The identity provider, where they may sign in there from now on.
    pub(in crate::web) linkable: Option<String>,
    pub(in crate::web) passkeys: Vec<OwnPasskey>,
    pub(in crate::web) second_factor: Option<SecondFactor>,
    /// Why browsers make no passkeys for this server.
    pub(in crate::web) impossible: Option<String>,
    pub(in crate::web) name_chars_max: usize,
    pub(in crate::web) own: OwnParts,
}

impl AccountPage {
    /// Whether a passkey works here.
    fn has_passkey(&self) -> bool {
        self.passkeys.iter().any(|passkey| passkey.elsewhere.is_none())
    }
}

/// The page of one's own account.
pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    account_page(&app, &session, None, None).await
}

pub(super) async fn account_page(
    app: &AppState,
    session: &PageSession,
    problem: Option<FormProblem>,
    typed: Option<&QuietFields>,
) -> Result<Response, PageError> {
    let (status, problem) = FormProblem::split(problem);
    let shown = AccountPage {
        layout: Layout::new(app, session, "Your account").await?.without_refresh(),
        problem,
        provided: session.who.display_name().map(str::to_owned),
        linkable: app.broker.may_link(&session.who).map(str::to_owned),
        passkeys: app.broker.passkeys(&session.who).await?,
        second_factor: app.broker.second_factor(&session.who).await?,
        impossible: app.broker.passkeys_impossible(),
        name_chars_max: PASSKEY_NAME_CHARS_MAX,
        own: OwnParts::load(app, &session.who, typed).await?,
    };
    page(status, &shown)
}

/// Asks for a new passkey.
pub(in crate::web) async fn ask(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    let question = app.broker.ask_for_new_passkey(&session.who).await?;
    Ok(Json(QuestionForBrowser::new(question, Some(&session.who))).into_response())
}

/// A passkey that was made.
#[derive(Deserialize)]
pub(in crate::web) struct NewPasskeyFields {
    #[serde(default)]
    name: String,
    #[serde(default)]
    passkey: String,
    #[serde(default)]
    password: String,
}

impl PasswordFields for NewPasskeyFields {
    fn password(&self) -> &str {
        &self.password
    }
}

/// What the script brings back of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MadeByBrowser {
    nonce: String,
    client_data: String,
    attestation: String,
}

/// Adds a passkey.
pub(in crate::web) async fn add(
    form: SessionForm<NewPasskeyFields>,
) -> Result<Response, PageError> {
    let done = async {
        let made: MadeByBrowser = from_script(&form.fields.passkey)?;
        let (client_data, attestation) = (bytes(&made.client_data)?, bytes(&made.attestation)?);
        let who = with_password(&form).await?;
        let new = NewPasskey {
            name: &form.fields.name,
            nonce: &made.nonce,
            client_data: &client_data,
            attestation: &attestation,
        };
        form.app.broker.add_passkey(&who, new).await?;
        Ok(())
    };
    answer(&form, done.await).await
}

/// The password, where nothing but that is typed.
#[derive(Deserialize)]
pub(in crate::web) struct PasswordField {
    #[serde(default)]
    password: String,
}

impl PasswordFields for PasswordField {
    fn password(&self) -> &str {
        &self.password
    }
}

/// Removes a passkey.
pub(in crate::web) async fn remove(
    Path(id): Path<String>,
    form: SessionForm<PasswordField>,
) -> Result<Response, PageError> {
    let id = id.parse().map_err(|_unreadable| PageError::not_found())?;
    let done = async {
        let who = with_password(&form).await?;
        form.app.broker.remove_passkey(&who, id).await.map_err(Into::into)
    };
    answer(&form, done.await).await
}

pub(super) async fn with_password<F: PasswordFields>(
    form: &SessionForm<F>,
) -> FormResult<SignedIn> {
    let SessionForm { app, session, fields } = form;
    if session.who.display_name().is_some() {
        let proved = session.who.gave_proof().then(|| session.who.clone());
        return Ok(proved.ok_or_else(PageError::unconfirmed)?);
    }
    if fields.password().is_empty() {
        let sentence = "Enter your password with it. Nothing was changed.";
        return Err(FormProblem::new(StatusCode::UNAUTHORIZED, sentence).into());
    }
    require_recent_password(app, session, &Permission::WithPassword, fields.password()).await
}

async fn answer<F>(form: &SessionForm<F>, done: FormResult<()>) -> Result<Response, PageError> {
    match done {
        Ok(()) => Ok(Redirect::to("/account").into_response()),
        Err(error) => account_page(&form.app, &form.session, Some(error.for_page()?), None).await,
    }
}
