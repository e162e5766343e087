//! The state of the system, and the kill switch.

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
        queries::{
            system::{ManagerStatus, SystemStatus},
            view::Permission,
        },
    },
    domain::{
        action::{ActionKind, with_count},
        facts::Verb,
        id::PersonId,
        kill_switch::{Extent, Freeze, Release},
        proposal::InvalidField,
    },
    web::{
        AppState,
        error::{PageError, status_of},
        http::session::{CsrfForm, PageSession, QueryParams},
        layout::page::{Layout, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/system.html")]
pub(in crate::web) struct SystemPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) system: SystemStatus,
    pub(in crate::web) freeze: Permission,
    pub(in crate::web) unfreeze: Permission,
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
enum ReleaseButton {
    /// With these words; none for the first of the two.
    Key(String),
    /// No, and why.
    Wait(String),
}

impl SystemPage {
    fn release(&self, stop: &Freeze) -> ReleaseButton {
        if let Some(why) = self.unfreeze.why_not() {
            return ReleaseButton::Wait(format!(
                "You may not release it: {why}. The policies that ship let leads and admins do it."
            ));
        }
        match &stop.release {
            None => ReleaseButton::Key(String::new()),
            Some(first) if first.person == Some(self.me) => {
                let words = "You want it released. A second person must say so within an hour.";
                ReleaseButton::Wait(words.to_owned())
            }
            Some(first) => {
                let Release { name, reason, .. } = first;
                ReleaseButton::Key(format!(
                    "{name} wants it released (“{reason}”). You are the second."
                ))
            }
        }
    }

    /// What a form says of what is stopped.
    fn what(stop: &Freeze) -> String {
        value(&stop.extent)
    }

    fn waiting(manager: &ManagerStatus) -> String {
        with_count(manager.waiting, "approved request")
    }
}

/// What a link proposes to stop.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct SystemQuery {
    what: String,
}

/// The page.
pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(SystemQuery { what }): QueryParams<SystemQuery>,
) -> Result<Response, PageError> {
    system_page(&app, &session, what, None).await
}

/// What somebody stops or lets go on, and why.
#[derive(Deserialize)]
pub(in crate::web) struct SwitchForm {
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

fn extent(value: &str) -> Result<Extent, InvalidField> {
    let (kind, name) = value.split_once(':').unwrap_or((value, ""));
    Extent::parse(kind, name)
}

/// Throws the kill switch.
pub(in crate::web) async fn freeze(
    State(app): State<AppState>,
    session: PageSession,
    CsrfForm(form): CsrfForm<SwitchForm>,
) -> Result<Response, PageError> {
    switch(&app, &session, Verb::Freeze, form).await
}

/// Releases the kill switch.
pub(in crate::web) async fn unfreeze(
    State(app): State<AppState>,
    session: PageSession,
    CsrfForm(form): CsrfForm<SwitchForm>,
) -> Result<Response, PageError> {
    switch(&app, &session, Verb::Unfreeze, form).await
}

async fn switch(
    app: &AppState,
    session: &PageSession,
    verb: Verb,
    form: SwitchForm,
) -> Result<Response, PageError> {
    let access = app.broker.system_permission(&session.who, verb);
    let who = match require_recent_password(app, session, &access, &form.password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => {
            let problem = Some((StatusCode::UNAUTHORIZED, problem, form.reason));
            return system_page(app, session, form.what, problem).await;
        }
    };
    let done = match extent(&form.what) {
        Err(invalid) => Err(invalid.into()),
        Ok(extent) if verb == Verb::Freeze => app.broker.freeze(&who, &extent, &form.reason).await,
        Ok(extent) => app.broker.unfreeze(&who, &extent, &form.reason).await.map(drop),
    };
    let (status, problem) = match done {
        Ok(()) => return Ok(Redirect::to("/system").into_response()),
        Err(BrokerError::Invalid(invalid)) => (StatusCode::BAD_REQUEST, invalid.to_string()),
        Err(BrokerError::Refused(refusal)) => (status_of(&refusal), format!("{refusal}.")),
        Err(other) => return Err(other.into()),
    };
    let problem = format!("{problem} Nothing was changed.");
    system_page(app, session, form.what, Some((status, problem, form.reason))).await
}

/// `what` is chosen beforehand; the rest is what went wrong and what had been typed.
async fn system_page(
    app: &AppState,
    session: &PageSession,
    what: String,
    problem: Option<(StatusCode, String, String)>,
) -> Result<Response, PageError> {
    let (status, problem, reason) = match problem {
        None => (StatusCode::OK, None, String::new()),
        Some((status, problem, reason)) => (status, Some(problem), reason),
    };
    let shown = SystemPage {
        layout: Layout::new(app, session, "System")
            .await?
            .section("/system")
            .refresh_url("/system")
            .without_refresh(),
        system: app.broker.system(&session.who).await?,
        freeze: app.broker.system_permission(&session.who, Verb::Freeze),
        unfreeze: app.broker.system_permission(&session.who, Verb::Unfreeze),
        me: session.who.person.id,
        parts: parts(app, session).await?,
        problem,
        what,
        reason,
    };
    page(status, &shown)
}

/// What can be stopped, widest first.
async fn parts(app: &AppState, session: &PageSession) -> Result<Vec<(String, String)>, PageError> {
    let managers = app.broker.managers().iter().map(|one| Extent::Manager(one.name().to_owned()));
    let actions = ActionKind::ALL.into_iter().map(Extent::Action);
    let agents = app.broker.agents(&session.who).await?.into_iter();
    let agents = agents.filter(|agent| !agent.revoked).map(|agent| Extent::Agent(agent.name));
    let all = std::iter::once(Extent::Everything).chain(managers).chain(actions).chain(agents);
    Ok(all.map(|extent| (value(&extent), extent.to_string())).collect())
}
