//! The active policy set, and loading its folder again.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::reauthenticate::{Given, recent};
use crate::{
    broker::{
        BrokerError,
        queries::request::{Access, PolicyText},
    },
    domain::{digest::Digest, facts::Verb},
    web::{
        Site,
        error::Failure,
        http::session::{Fields, Session},
        layout::{
            escape::Fenced as _,
            page::{Frame, page},
        },
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/policy.html")]
pub(in crate::web) struct PolicyPage {
    pub(in crate::web) frame: Frame,
    pub(in crate::web) hash: Digest,
    pub(in crate::web) policies: Vec<Policy>,
    pub(in crate::web) folder: String,
    pub(in crate::web) activate: Access,
    /// What went wrong, and the whole of what the policies' checks said.
    pub(in crate::web) problem: Option<(String, String)>,
}

/// A policy as it is shown.
#[derive(Debug)]
pub(in crate::web) struct Policy {
    pub(in crate::web) id: String,
    pub(in crate::web) why: String,
    pub(in crate::web) effect: &'static str,
    pub(in crate::web) file: String,
    pub(in crate::web) text: String,
}

impl From<PolicyText> for Policy {
    fn from(policy: PolicyText) -> Self {
        let PolicyText { id, why, effect, file, text } = policy;
        Self { id, why, effect: effect.name(), file, text }
    }
}

/// The page.
pub(in crate::web) async fn show(
    State(site): State<Site>,
    session: Session,
) -> Result<Response, Failure> {
    policy_page(&site, &session, StatusCode::OK, None).await
}

/// What an admin gives to load the folder again.
#[derive(Deserialize)]
pub(in crate::web) struct Activation {
    #[serde(default)]
    password: String,
}

/// Loads the folder again. A set that fails a check leaves the old one active.
pub(in crate::web) async fn activate(
    State(site): State<Site>,
    session: Session,
    Fields(form): Fields<Activation>,
) -> Result<Response, Failure> {
    let access = site.broker.access_to_system(&session.who, Verb::ActivatePolicy);
    let who = match recent(&site, &session, &access, &form.password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => {
            let problem = Some((problem, String::new()));
            return policy_page(&site, &session, StatusCode::UNAUTHORIZED, problem).await;
        }
    };
    match site.broker.activate_policy(&who, &site.settings.policies).await {
        Ok(()) => Ok(Redirect::to("/policy").into_response()),
        Err(BrokerError::Policy(error)) => {
            let sentence = "The set in the folder was refused; the active one stays.".to_owned();
            let problem = Some((sentence, error.to_string()));
            policy_page(&site, &session, StatusCode::UNPROCESSABLE_ENTITY, problem).await
        }
        Err(other) => Err(other.into()),
    }
}

async fn policy_page(
    site: &Site,
    session: &Session,
    status: StatusCode,
    problem: Option<(String, String)>,
) -> Result<Response, Failure> {
    let (hash, policies) = site.broker.policy_set(&session.who)?;
    let shown = PolicyPage {
        frame: Frame::new(site, session, "Policy").await?.at("/policy"),
        hash,
        policies: policies.into_iter().map(Policy::from).collect(),
        folder: site.settings.policies.display().to_string(),
        activate: site.broker.access_to_system(&session.who, Verb::ActivatePolicy),
        problem,
    };
    page(status, &shown)
}
