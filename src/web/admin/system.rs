//! The state of the system, and the kill switch.

use askama::Template;
use axum::{extract::State, response::Response};
use serde::Deserialize;

use super::reauthenticate::{FormProblem, PasswordFields, SessionForm, typed_in};
use crate::{
    broker::queries::{
        system::{ManagerStatus, SystemStatus},
        view::Permission,
    },
    domain::{
        action::with_count,
        certificate::CertificateStatus,
        facts::Verb,
        halt::HaltCause,
        id::PersonId,
        kill_switch::{Extent, Freeze, Release},
        len_u64,
        proposal::InvalidField,
    },
    web::{
        AppState,
        address::with_fields,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::page::{Layout, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/system.html")]
pub(in crate::web) struct SystemPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) system: SystemStatus,
    pub(in crate::web) certificate: Option<CertificateStatus>,
    /// Whether failed sign-ins can be counted by where they come from.
    pub(in crate::web) sources_known: bool,
    /// Where the policy folder holds anything but the active set.
    pub(in crate::web) policies: Option<String>,
    pub(in crate::web) freeze: Permission,
    pub(in crate::web) unfreeze: Permission,
    /// The person who is signed in: nobody turns both keys of a release.
    pub(in crate::web) me: PersonId,
    /// What can be stopped: the form's value and its words.
    pub(in crate::web) parts: Vec<(String, String)>,
    pub(in crate::web) problem: Option<String>,
    /// What was chosen and typed, so that it is not lost.
    pub(in crate::web) what: String,
    pub(in crate::web) reason: String,
    /// The same, of the release of `what`.
    pub(in crate::web) release_reason: String,
}

/// Whether the person can turn a key of the release.
#[derive(Debug)]
enum ReleaseButton {
    /// Yes, with what the first person said; empty for the first of the two.
    Key(String),
    /// No, and why.
    Wait(String),
}

impl SystemPage {
    fn release(&self, stop: &Freeze) -> ReleaseButton {
        if let Some(why) = self.unfreeze.why_not() {
            return ReleaseButton::Wait(format!(
                "You may not release it: {why}. The policies that ship with Countersign let \
                 leads and admins release it."
            ));
        }
        match &stop.release {
            None => ReleaseButton::Key(String::new()),
            Some(first) if first.person == Some(self.me) => {
                let words =
                    "You asked for its release. A second person must confirm within an hour.";
                ReleaseButton::Wait(words.to_owned())
            }
            Some(first) => {
                let Release { name, reason, .. } = first;
                ReleaseButton::Key(format!(
                    "{name} asked for its release (“{reason}”). You are the second person."
                ))
            }
        }
    }

    /// What a form says of what is stopped.
    fn what(stop: &Freeze) -> String {
        value(&stop.extent)
    }

    /// What was typed into the form of this release.
    fn typed_for(&self, stop: &Freeze) -> &str {
        if value(&stop.extent) == self.what { &self.release_reason } else { "" }
    }

    /// What is wrong with the high-water mark; other reasons to send nothing are none of its own.
    fn mark_problem(&self) -> Option<&str> {
        let halt = self.system.halted.as_ref()?;
        match halt.cause {
            HaltCause::Recovery | HaltCause::MarkNotKept => Some(&halt.why),
            HaltCause::CommitFailed
            | HaltCause::Unreadable
            | HaltCause::Clock
            | HaltCause::DiskFull
            | HaltCause::DiskLow => None,
        }
    }

    fn throttled(&self) -> String {
        let number = self.system.throttled_sources;
        if number == 0 {
            return "nobody has to wait".to_owned();
        }
        let (sources, have) =
            (with_count(len_u64(number), "source"), if number == 1 { "has" } else { "have" });
        format!("{sources} {have} to wait: somebody may be guessing passwords")
    }

    fn waiting(manager: &ManagerStatus) -> String {
        let waiting = with_count(manager.waiting, "approved request");
        if manager.waiting > 0 && manager.health.at_limit {
            return format!("{waiting}, over the limit of calls");
        }
        waiting
    }
}

/// What a link proposes to stop, and the form that was just sent and not carried out.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct SystemQuery {
    what: String,
    form: String,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(SystemQuery { what, form }): QueryParams<SystemQuery>,
) -> Result<Response, PageError> {
    let typed = |name| typed_in(&app, &session, (&url(&what), name), &form);
    let ((not_thrown, reason), (not_released, release_reason)) =
        (typed("freeze"), typed("unfreeze"));
    let (status, problem) = FormProblem::split(not_thrown.or(not_released));
    let shown = SystemPage {
        layout: Layout::new(&app, &session, "System")
            .await?
            .section("/system")
            .refresh_url("/system")
            .without_refresh(),
        system: app.broker.system(&session.who).await?,
        certificate: app.settings.certificate.as_ref().map(|status| status.borrow().clone()),
        sources_known: app.settings.proxies.are_known(),
        policies: app.broker.policy_folder_differs(&session.who, &app.settings.policies).await?,
        freeze: app.broker.system_permission(&session.who, Verb::Freeze),
        unfreeze: app.broker.system_permission(&session.who, Verb::Unfreeze),
        me: session.who.id(),
        parts: parts(&app, &session).await?,
        problem,
        what,
        reason,
        release_reason,
    };
    page(status, &shown)
}

/// Where a form for this extent is, as the form itself says it.
fn url(what: &str) -> String {
    with_fields("/system", &[("what", what)])
}

/// What a person stops or releases, and why.
#[derive(Deserialize)]
pub(in crate::web) struct SwitchFields {
    /// Kind and name of an [`Extent`], with a colon between them.
    what: String,
    reason: String,
    #[serde(default)]
    password: String,
}

impl PasswordFields for SwitchFields {
    fn password(&self) -> &str {
        &self.password
    }
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
pub(in crate::web) async fn freeze(form: SessionForm<SwitchFields>) -> Result<Response, PageError> {
    let SessionForm { app, fields, .. } = &form;
    let frozen = form.run(Verb::Freeze, async |who| {
        app.broker.freeze(&who, &extent(&fields.what)?, &fields.reason).await
    });
    let done = frozen.await.map(|()| url(""));
    form.redirect((&url(&fields.what), "freeze"), &fields.reason, done)
}

/// Turns one of the two keys that release the kill switch.
pub(in crate::web) async fn unfreeze(
    form: SessionForm<SwitchFields>,
) -> Result<Response, PageError> {
    let SessionForm { app, fields, .. } = &form;
    let released = form.run(Verb::Unfreeze, async |who| {
        app.broker.unfreeze(&who, &extent(&fields.what)?, &fields.reason).await.map(drop)
    });
    let done = released.await.map(|()| url(""));
    form.redirect((&url(&fields.what), "unfreeze"), &fields.reason, done)
}

/// What can be stopped, widest first.
async fn parts(app: &AppState, session: &PageSession) -> Result<Vec<(String, String)>, PageError> {
    let managers = app.broker.manager_names(&session.who).await?.into_iter().map(Extent::Manager);
    let actions = app.broker.engine().catalogue().all().to_vec().into_iter().map(Extent::Action);
    let agents = app.broker.agents(&session.who).await?.into_iter();
    let agents = agents.filter(|agent| !agent.revoked).map(|agent| Extent::Agent(agent.name));
    let all = std::iter::once(Extent::Everything).chain(managers).chain(actions).chain(agents);
    Ok(all.map(|extent| (value(&extent), extent.to_string())).collect())
}
