//! The active policy set, and loading its folder again.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::reauthenticate::{Reauth, require_recent_password};
use crate::{
    broker::{
        BrokerError,
        queries::{PolicyText, view::Permission},
    },
    domain::{digest::Digest, facts::Verb},
    web::{
        AppState,
        error::PageError,
        http::session::{CsrfForm, PageSession},
        layout::{
            escape::Fenced as _,
            page::{Layout, page},
        },
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/policy.html")]
pub(in crate::web) struct PolicyPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) hash: Digest,
    pub(in crate::web) policies: Vec<PolicyCard>,
    pub(in crate::web) folder: String,
    pub(in crate::web) activate: Permission,
    /// What went wrong, and the whole of what the policies' checks said.
    pub(in crate::web) problem: Option<(String, String)>,
}

/// A policy as it is shown.
#[derive(Debug)]
pub(in crate::web) struct PolicyCard {
    pub(in crate::web) id: String,
    pub(in crate::web) why: String,
    pub(in crate::web) effect: &'static str,
    pub(in crate::web) file: String,
    pub(in crate::web) text: String,
}

impl From<PolicyText> for PolicyCard {
    fn from(policy: PolicyText) -> Self {
        let PolicyText { id, why, effect, file, text } = policy;
        Self { id, why, effect: effect.name(), file, text }
    }
}

/// The page.
pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    policy_page(&app, &session, StatusCode::OK, None).await
}

/// What an admin gives to load the folder again.
#[derive(Deserialize)]
pub(in crate::web) struct Activation {
    #[serde(default)]
    password: String,
}

/// Loads the folder again. A set that fails a check leaves the old one active.
pub(in crate::web) async fn activate(
    State(app): State<AppState>,
    session: PageSession,
    CsrfForm(form): CsrfForm<Activation>,
) -> Result<Response, PageError> {
    let access = app.broker.system_permission(&session.who, Verb::ActivatePolicy);
    let who = match require_recent_password(&app, &session, &access, &form.password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => {
            let problem = Some((problem, String::new()));
            return policy_page(&app, &session, StatusCode::UNAUTHORIZED, problem).await;
        }
    };
    match app.broker.activate_policy(&who, &app.settings.policies).await {
        Ok(()) => Ok(Redirect::to("/policy").into_response()),
        Err(BrokerError::Policy(error)) => {
            let sentence = "The set in the folder was refused; the active one stays.".to_owned();
            let problem = Some((sentence, error.to_string()));
            policy_page(&app, &session, StatusCode::UNPROCESSABLE_ENTITY, problem).await
        }
        Err(other) => Err(other.into()),
    }
}

async fn policy_page(
    app: &AppState,
    session: &PageSession,
    status: StatusCode,
    problem: Option<(String, String)>,
) -> Result<Response, PageError> {
    let (hash, policies) = app.broker.policy_set(&session.who)?;
    let shown = PolicyPage {
        layout: Layout::new(app, session, "Policy").await?.section("/policy"),
        hash,
        policies: policies.into_iter().map(PolicyCard::from).collect(),
        folder: app.settings.policies.display().to_string(),
        activate: app.broker.system_permission(&session.who, Verb::ActivatePolicy),
        problem,
    };
    page(status, &shown)
}
