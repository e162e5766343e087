//! The state of the system, and the kill switch.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{
    Site,
    failure::Failure,
    frame::{Frame, page},
    password::{Given, recent},
    session::{Fields, Session},
};
use crate::{
    broker::{
        BrokerError,
        look::{Access, ManagerState, System},
    },
    domain::{action::counted, facts::Verb},
};

#[derive(Debug, Template)]
#[template(path = "pages/system.html")]
pub(super) struct SystemPage {
    pub(super) frame: Frame,
    pub(super) system: System,
    pub(super) freeze: Access,
    pub(super) unfreeze: Access,
    pub(super) problem: Option<String>,
    /// What was typed, so that it is not lost.
    pub(super) reason: String,
}

impl SystemPage {
    fn waiting(manager: &ManagerState) -> String {
        counted(manager.waiting, "approved request")
    }
}

/// The page.
pub(super) async fn show(State(site): State<Site>, session: Session) -> Result<Response, Failure> {
    system_page(&site, &session, None).await
}

/// Why somebody throws or releases the kill switch.
#[derive(Deserialize)]
pub(super) struct Switch {
    reason: String,
    #[serde(default)]
    password: String,
}

/// Throws the kill switch.
pub(super) async fn freeze(
    State(site): State<Site>,
    session: Session,
    Fields(form): Fields<Switch>,
) -> Result<Response, Failure> {
    switch(&site, &session, Verb::Freeze, form).await
}

/// Releases the kill switch.
pub(super) async fn unfreeze(
    State(site): State<Site>,
    session: Session,
    Fields(form): Fields<Switch>,
) -> Result<Response, Failure> {
    switch(&site, &session, Verb::Unfreeze, form).await
}

async fn switch(
    site: &Site,
    session: &Session,
    verb: Verb,
    Switch { reason, password }: Switch,
) -> Result<Response, Failure> {
    let access = site.broker.access_to_system(&session.who, verb);
    let who = match recent(site, session, &access, &password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => {
            let problem = (StatusCode::UNAUTHORIZED, problem, reason);
            return system_page(site, session, Some(problem)).await;
        }
    };
    let done = if verb == Verb::Freeze {
        site.broker.freeze(&who, &reason).await
    } else {
        site.broker.unfreeze(&who, &reason).await
    };
    match done {
        Ok(()) => Ok(Redirect::to("/system").into_response()),
        Err(BrokerError::Invalid(invalid)) => {
            let problem = format!("A reason is needed: {}. Nothing was changed.", invalid.allowed);
            let problem = (StatusCode::BAD_REQUEST, problem, reason);
            system_page(site, session, Some(problem)).await
        }
        Err(other) => Err(other.into()),
    }
}

async fn system_page(
    site: &Site,
    session: &Session,
    problem: Option<(StatusCode, String, String)>,
) -> Result<Response, Failure> {
    let (status, problem, reason) = match problem {
        None => (StatusCode::OK, None, String::new()),
        Some((status, problem, reason)) => (status, Some(problem), reason),
    };
    let shown = SystemPage {
        frame: Frame::new(site, session, "System").await?.at("/system").again("/system").still(),
        system: site.broker.system(&session.who).await?,
        freeze: site.broker.access_to_system(&session.who, Verb::Freeze),
        unfreeze: site.broker.access_to_system(&session.who, Verb::Unfreeze),
        problem,
        reason,
    };
    page(status, &shown)
}
