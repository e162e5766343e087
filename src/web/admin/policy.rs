//! The active policy set, what differs in its folder, and activating that.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::reauthenticate::{FormProblem, PasswordFields, SessionForm};
use crate::{
    broker::{
        BrokerError,
        admin::policies::folder::PolicyFolder,
        queries::{PolicyText, view::Permission},
    },
    domain::{digest::Digest, facts::Verb, lifecycle::Refusal},
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

#[derive(Debug, Template)]
#[template(path = "pages/policy.html")]
pub(in crate::web) struct PolicyPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) hash: Digest,
    pub(in crate::web) policies: Vec<PolicyCard>,
    pub(in crate::web) folder: String,
    /// What lies there.
    pub(in crate::web) found: PolicyFolder,
    pub(in crate::web) activate: Permission,
    /// What went wrong, and the whole of what the policies' checks said.
    pub(in crate::web) problem: Option<PolicyProblem>,
}

/// Why the set in the folder did not become active.
#[derive(Debug)]
pub(in crate::web) struct PolicyProblem {
    pub(in crate::web) sentence: String,
    /// All that the checks of the policies report; empty where they did not run.
    pub(in crate::web) report: String,
}

/// A policy, with its effect as the word that the page shows.
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

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    policy_page(&app, &session, StatusCode::OK, None).await
}

/// All that the form to activate the folder may carry.
#[derive(Deserialize)]
pub(in crate::web) struct ActivationFields {
    /// The digest of the difference that was shown.
    shown: String,
    #[serde(default)]
    password: String,
}

impl PasswordFields for ActivationFields {
    fn password(&self) -> &str {
        &self.password
    }
}

/// Activates the set in the folder whose difference was shown. One that fails a check leaves the old
/// one active.
pub(in crate::web) async fn activate(
    form: SessionForm<ActivationFields>,
) -> Result<Response, PageError> {
    let SessionForm { app, session, fields } = &form;
    let activated = form.run(Verb::ActivatePolicy, async |who| {
        let shown = Digest::parse(&fields.shown).ok_or(Refusal::PolicyChanged)?;
        match app.broker.activate_policy(&who, &app.settings.policies, shown).await {
            Err(BrokerError::Policy(error)) => Ok(Err(error.to_string())),
            activated => activated.map(Ok),
        }
    });
    let (status, problem) = match activated.await {
        Ok(Ok(())) => return Ok(Redirect::to("/policy").into_response()),
        Ok(Err(report)) => {
            let sentence =
                "The set in the folder was rejected; the active set has not changed.".to_owned();
            (StatusCode::UNPROCESSABLE_ENTITY, PolicyProblem { sentence, report })
        }
        Err(error) => {
            let FormProblem { status, sentence } = error.for_page()?;
            (status, PolicyProblem { sentence, report: String::new() })
        }
    };
    policy_page(app, session, status, Some(problem)).await
}

async fn policy_page(
    app: &AppState,
    session: &PageSession,
    status: StatusCode,
    problem: Option<PolicyProblem>,
) -> Result<Response, PageError> {
    let (hash, policies) = app.broker.policy_set(&session.who)?;
    let shown = PolicyPage {
        layout: Layout::new(app, session, "Policy").await?.section("/policy"),
        hash,
        policies: policies.into_iter().map(PolicyCard::from).collect(),
        found: app.broker.policy_folder(&session.who, &app.settings.policies).await?,
        folder: app.settings.policies.display().to_string(),
        activate: app.broker.system_permission(&session.who, Verb::ActivatePolicy),
        problem,
    };
    page(status, &shown)
}
