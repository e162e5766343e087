//! Tokens for the API: one's own, and for admins those of everybody and of services.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{PasswordField, with_password};
use crate::{
    broker::{
        BrokerError, SignedIn,
        admin::people::api_tokens::{IssuedApiToken, ListedApiToken, NewApiToken},
    },
    domain::{
        actor::api_token::{TOKEN_DAYS, TOKEN_DAYS_MAX, TokenScope, token_days, token_networks},
        facts::Verb,
    },
    web::{
        AppState,
        admin::{
            people::SecretPage,
            reauthenticate::{FormProblem, FormResult, PasswordFields, SessionForm},
        },
        error::PageError,
        http::session::PageSession,
        layout::page::{Layout, page},
    },
};

const SECRET: &str = "Put it in the configuration of the program. It gives access to /api/v1 only, from \
                      the networks that you named. Anyone who has it can read, comment or reject as far \
                      as it says; nobody can approve with it.";

#[derive(Debug, Template)]
#[template(path = "pages/tokens.html")]
pub(in crate::web) struct TokensPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) problem: Option<String>,
    /// Whether the identity provider asks again, in place of a password.
    pub(in crate::web) provided: bool,
    /// Whether it can be known from which network a program comes.
    pub(in crate::web) addresses_known: bool,
    pub(in crate::web) own: Vec<ListedApiToken>,
    /// The tokens of others, and who may own a service; none for those who do not manage them.
    pub(in crate::web) others: Option<(Vec<ListedApiToken>, Vec<String>)>,
    /// What was typed, so that it is not lost.
    pub(in crate::web) typed: TypedToken,
}

/// What was typed into the form of a new token.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct TypedToken {
    pub(in crate::web) name: String,
    pub(in crate::web) owner: String,
    pub(in crate::web) networks: String,
    pub(in crate::web) days: String,
    pub(in crate::web) scopes: Vec<TokenScope>,
}

impl TokensPage {
    /// The scopes, with what each is for.
    fn scopes() -> [(TokenScope, &'static str); TokenScope::ALL.len()] {
        TokenScope::ALL.map(|scope| {
            let words = match scope {
                TokenScope::Read => "requests, active responses, the audit, endpoints",
                TokenScope::Comment => "comment on requests",
                TokenScope::Reject => "reject requests",
            };
            (scope, words)
        })
    }

    /// What a token is for, and from where.
    fn scope_names(listed: &ListedApiToken) -> String {
        let names: Vec<_> = listed.token.scopes.iter().map(|scope| scope.name()).collect();
        names.join(", ")
    }

    fn networks(listed: &ListedApiToken) -> String {
        let names: Vec<_> = listed.token.networks.iter().map(ToString::to_string).collect();
        names.join(", ")
    }
}

/// The page of tokens.
pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    tokens_page(&app, &session, None, TypedToken::default()).await
}

/// A token to be made.
#[derive(Deserialize)]
pub(in crate::web) struct TokenFields {
    #[serde(default)]
    name: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    networks: String,
    #[serde(default)]
    days: String,
    #[serde(default)]
    password: String,
    /// Among others, each scope that was chosen.
    #[serde(flatten)]
    more: BTreeMap<String, String>,
}

impl TokenFields {
    fn scopes(&self) -> Vec<TokenScope> {
        let chosen = |scope: &TokenScope| self.more.contains_key(scope.name());
        TokenScope::ALL.into_iter().filter(chosen).collect()
    }

    fn typed(&self) -> TypedToken {
        TypedToken {
            name: self.name.clone(),
            owner: self.owner.clone(),
            networks: self.networks.clone(),
            days: self.days.clone(),
            scopes: self.scopes(),
        }
    }
}

impl PasswordFields for TokenFields {
    fn password(&self) -> &str {
        &self.password
    }
}

/// Makes a token of one's own and shows it.
pub(in crate::web) async fn create(form: SessionForm<TokenFields>) -> Result<Response, PageError> {
    let made = make(&form, async |who, new| form.app.broker.create_api_token(&who, new).await);
    answer(&form, made.await).await
}

/// Makes a token of a service and shows it.
pub(in crate::web) async fn create_service(
    form: SessionForm<TokenFields>,
) -> Result<Response, PageError> {
    let permission = form.app.broker.system_permission(&form.session.who, Verb::ManageAgents);
    if let Some(why) = permission.why_not() {
        return Err(BrokerError::NotAllowed(why.to_owned()).into());
    }
    let owner = form.fields.owner.as_str();
    let made =
        make(&form, async |who, new| form.app.broker.create_service_token(&who, owner, new).await);
    answer(&form, made.await).await
}

async fn make(
    form: &SessionForm<TokenFields>,
    act: impl AsyncFnOnce(SignedIn, NewApiToken<'_>) -> Result<IssuedApiToken, BrokerError>,
) -> FormResult<IssuedApiToken> {
    let SessionForm { app, fields, .. } = form;
    if !app.settings.proxies.are_known() {
        return Err(FormProblem::new(StatusCode::CONFLICT, NO_ADDRESSES).into());
    }
    let (networks, days) = (token_networks(&fields.networks)?, token_days(&fields.days)?);
    let (name, scopes) = (fields.name.trim(), fields.scopes());
    let who = with_password(form).await?;
    Ok(act(who, NewApiToken { name, scopes: &scopes, networks: &networks, days }).await?)
}

const NO_ADDRESSES: &str = "Nobody knows from which network a program comes: server.trusted_proxies names \
                            no proxy. Nothing was changed.";

/// Revokes a token.
pub(in crate::web) async fn revoke(
    Path(id): Path<String>,
    form: SessionForm<PasswordField>,
) -> Result<Response, PageError> {
    let id = id.parse().map_err(|_unreadable| PageError::not_found())?;
    let done = async {
        let who = with_password(&form).await?;
        form.app.broker.revoke_api_token(&who, id).await.map_err(Into::into)
    };
    let done: FormResult<()> = done.await;
    match done {
        Ok(()) => Ok(Redirect::to("/account/tokens").into_response()),
        Err(error) => {
            let problem = Some(error.for_page()?);
            tokens_page(&form.app, &form.session, problem, TypedToken::default()).await
        }
    }
}

async fn answer(
    form: &SessionForm<TokenFields>,
    made: FormResult<IssuedApiToken>,
) -> Result<Response, PageError> {
    let SessionForm { app, session, fields } = form;
    match made {
        Ok(IssuedApiToken { token, secret }) => {
            let layout = Layout::new(app, session, "New API token").await?.without_refresh();
            let what = format!("The API token {}", token.name);
            let onward = ("/account/tokens".to_owned(), "I have saved it".to_owned());
            let setups = Vec::new();
            page(
                StatusCode::OK,
                &SecretPage { layout, what, secret, then: SECRET.to_owned(), setups, onward },
            )
        }
        Err(error) => tokens_page(app, session, Some(error.for_page()?), fields.typed()).await,
    }
}

async fn tokens_page(
    app: &AppState,
    session: &PageSession,
    problem: Option<FormProblem>,
    typed: TypedToken,
) -> Result<Response, PageError> {
    let (status, problem) = FormProblem::split(problem);
    let manages = app.broker.system_permission(&session.who, Verb::ManageAgents);
    let others = if manages.why_not().is_none() {
        let own = &session.who.profile().name;
        let mut all = app.broker.all_api_tokens(&session.who).await?;
        all.retain(|listed| listed.owner != *own);
        let people = app.broker.people(&session.who).await?;
        let enabled = people.into_iter().filter(|person| !person.disabled);
        Some((all, enabled.map(|person| person.name).collect()))
    } else {
        None
    };
    let days = if typed.days.is_empty() { TOKEN_DAYS.to_string() } else { typed.days.clone() };
    let shown = TokensPage {
        layout: Layout::new(app, session, "API tokens").await?.without_refresh(),
        problem,
        provided: session.who.display_name().is_some(),
        addresses_known: app.settings.proxies.are_known(),
        own: app.broker.own_api_tokens(&session.who).await?,
        others,
        typed: TypedToken { days, ..typed },
    };
    page(status, &shown)
}
