//! The state of the system, and the kill switch.

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
        queries::request::{Access, ManagerState, System},
    },
    domain::{
        action::{ActionKind, counted},
        facts::Verb,
        id::PersonId,
        kill_switch::{Extent, Freeze, Release},
        proposal::Invalid,
    },
    web::{
        Site,
        error::{Failure, status_of},
        http::session::{Asked, Fields, Session},
        layout::page::{Frame, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/system.html")]
pub(in crate::web) struct SystemPage {
    pub(in crate::web) frame: Frame,
    pub(in crate::web) system: System,
    pub(in crate::web) freeze: Access,
    pub(in crate::web) unfreeze: Access,
    /// Who looks.
    pub(in crate::web) me: PersonId,
    /// What can be stopped: the form's value and its words.
    pub(in crate::web) parts: Vec<(String, String)>,
    pub(in crate::web) problem: Option<String>,
    /// What was chosen and typed, so that it is not lost.
    pub(in crate::web) what: String,
    pub(in crate::web) reason: String,
}

/// Whether somebody can turn a key.
#[derive(Debug)]
enum Turn {
    /// With these words; none for the first of the two.
    Key(String),
    /// No, and why.
    Wait(String),
}

impl SystemPage {
    fn release(&self, stop: &Freeze) -> Turn {
        if let Some(why) = self.unfreeze.why_not() {
            return Turn::Wait(format!(
                "You may not release it: {why}. The policies that ship let leads and admins do it."
            ));
        }
        match &stop.release {
            None => Turn::Key(String::new()),
            Some(first) if first.person == Some(self.me) => {
                let words = "You want it released. A second person must say so within an hour.";
                Turn::Wait(words.to_owned())
            }
            Some(first) => {
                let Release { name, reason, .. } = first;
                Turn::Key(format!("{name} wants it released (“{reason}”). You are the second."))
            }
        }
    }

    /// What a form says of what is stopped.
    fn what(stop: &Freeze) -> String {
        value(&stop.extent)
    }

    fn waiting(manager: &ManagerState) -> String {
        counted(manager.waiting, "approved request")
    }
}

/// What a link proposes to stop.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Proposed {
    what: String,
}

/// The page.
pub(in crate::web) async fn show(
    State(site): State<Site>,
    session: Session,
    Asked(Proposed { what }): Asked<Proposed>,
) -> Result<Response, Failure> {
    system_page(&site, &session, what, None).await
}

/// What somebody stops or lets go on, and why.
#[derive(Deserialize)]
pub(in crate::web) struct Switch {
    /// Kind and name of an [`Extent`], with a colon between them.
    what: String,
    reason: String,
    #[serde(default)]
    password: String,
}

fn value(extent: &Extent) -> String {
    match extent {
        Extent::Everything => extent.kind().to_owned(),
        Extent::Manager(_) | Extent::Action(_) | Extent::Agent(_) => {
            format!("{}:{}", extent.kind(), extent.name())
        }
    }
}

fn extent(value: &str) -> Result<Extent, Invalid> {
    let (kind, name) = value.split_once(':').unwrap_or((value, ""));
    Extent::parse(kind, name)
}

/// Throws the kill switch.
pub(in crate::web) async fn freeze(
    State(site): State<Site>,
    session: Session,
    Fields(form): Fields<Switch>,
) -> Result<Response, Failure> {
    switch(&site, &session, Verb::Freeze, form).await
}

/// Releases the kill switch.
pub(in crate::web) async fn unfreeze(
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
    form: Switch,
) -> Result<Response, Failure> {
    let access = site.broker.access_to_system(&session.who, verb);
    let who = match recent(site, session, &access, &form.password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => {
            let problem = Some((StatusCode::UNAUTHORIZED, problem, form.reason));
            return system_page(site, session, form.what, problem).await;
        }
    };
    let done = match extent(&form.what) {
        Err(invalid) => Err(invalid.into()),
        Ok(extent) if verb == Verb::Freeze => site.broker.freeze(&who, &extent, &form.reason).await,
        Ok(extent) => site.broker.unfreeze(&who, &extent, &form.reason).await.map(drop),
    };
    let (status, problem) = match done {
        Ok(()) => return Ok(Redirect::to("/system").into_response()),
        Err(BrokerError::Invalid(invalid)) => (StatusCode::BAD_REQUEST, invalid.to_string()),
        Err(BrokerError::Refused(refusal)) => (status_of(&refusal), format!("{refusal}.")),
        Err(other) => return Err(other.into()),
    };
    let problem = format!("{problem} Nothing was changed.");
    system_page(site, session, form.what, Some((status, problem, form.reason))).await
}

/// `what` is chosen beforehand; the rest is what went wrong and what had been typed.
async fn system_page(
    site: &Site,
    session: &Session,
    what: String,
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
        me: session.who.person.id,
        parts: parts(site).await?,
        problem,
        what,
        reason,
    };
    page(status, &shown)
}

/// What can be stopped, widest first.
async fn parts(site: &Site) -> Result<Vec<(String, String)>, Failure> {
    let managers = site.broker.managers().iter().map(|one| Extent::Manager(one.name().to_owned()));
    let actions = ActionKind::ALL.into_iter().map(Extent::Action);
    let agents = site.broker.keeper().agents().await?.into_iter();
    let agents = agents.filter(|agent| !agent.revoked).map(|agent| Extent::Agent(agent.name));
    let all = std::iter::once(Extent::Everything).chain(managers).chain(actions).chain(agents);
    Ok(all.map(|extent| (value(&extent), extent.to_string())).collect())
}
