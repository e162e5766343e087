//! The people: a list for everybody, and forms for whoever keeps them.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::reauthenticate::{FormResult, with_reauth};
use crate::{
    broker::{BrokerError, admin::people::PersonChange, queries::view::Permission},
    domain::{
        actor::{Person, Role},
        facts::Verb,
        id::PersonId,
        proposal::InvalidField,
    },
    web::{
        AppState,
        error::PageError,
        http::session::{CsrfForm, PageSession},
        layout::page::{Layout, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/people.html")]
pub(in crate::web) struct PeoplePage {
    pub(in crate::web) layout: Layout,
    /// Each with the number of sessions.
    pub(in crate::web) people: Vec<(Person, u64)>,
    pub(in crate::web) manage: Permission,
    pub(in crate::web) problem: Option<String>,
    /// What was typed, so that it is not lost.
    pub(in crate::web) name: String,
    pub(in crate::web) role: String,
    pub(in crate::web) mail: String,
}

#[derive(Debug, Template)]
#[template(path = "pages/person.html")]
pub(in crate::web) struct PersonPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) person: Person,
    pub(in crate::web) sessions: u64,
    /// Who looks.
    pub(in crate::web) me: PersonId,
    pub(in crate::web) manage: Permission,
    pub(in crate::web) problem: Option<String>,
    /// What was chosen and typed, so that it is not lost.
    pub(in crate::web) role: String,
    pub(in crate::web) mail: String,
}

/// A secret in the only moment in which it is known.
#[derive(Debug, Template)]
#[template(path = "pages/secret.html")]
pub(in crate::web) struct SecretPage {
    pub(in crate::web) layout: Layout,
    /// What it is.
    pub(in crate::web) what: String,
    pub(in crate::web) secret: String,
    /// What to do with it.
    pub(in crate::web) then: &'static str,
    /// The address and the words of the way onward.
    pub(in crate::web) onward: (String, String),
}

const ONE_TIME: &str = "Give it to nobody else, and not by mail. It opens nothing but the form for \
                        a password of their own.";

/// The list.
pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    people_page(&app, &session, None).await
}

/// Somebody to be added. Nobody chooses a password for somebody else.
#[derive(Deserialize)]
pub(in crate::web) struct NewPersonForm {
    name: String,
    role: String,
    #[serde(default)]
    mail: String,
    #[serde(default)]
    password: String,
}

/// Adds a person and shows the one-time password.
pub(in crate::web) async fn add(
    State(app): State<AppState>,
    session: PageSession,
    CsrfForm(form): CsrfForm<NewPersonForm>,
) -> Result<Response, PageError> {
    let (broker, form) = (&app.broker, &form);
    let name = form.name.trim();
    let tried =
        with_reauth(&app, &session, (Verb::ManagePeople, &form.password), |who| async move {
            let mail = Some(form.mail.trim()).filter(|mail| !mail.is_empty());
            broker.add_person(&who, name, role_of(&form.role)?, mail).await
        });
    match tried.await? {
        Ok(password) => show_password(&app, &session, name, password).await,
        Err((status, problem)) => people_page(&app, &session, Some((status, problem, form))).await,
    }
}

/// The page of somebody who is called `add`.
pub(in crate::web) async fn show_add(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    person_page(&app, &session, "add", None).await
}

/// One person, for whoever may change something about them.
pub(in crate::web) async fn show_one(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    person_page(&app, &session, &name, None).await
}

/// What is changed about a person; each form has its own part of it.
#[derive(Deserialize)]
pub(in crate::web) struct PersonForm {
    #[serde(default)]
    role: String,
    #[serde(default)]
    on_call: String,
    #[serde(default)]
    mail: String,
    #[serde(default)]
    password: String,
}

/// Gives another role.
pub(in crate::web) async fn role(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
    CsrfForm(form): CsrfForm<PersonForm>,
) -> Result<Response, PageError> {
    let change = role_of(&form.role).map(PersonChange::Role);
    change_person(&app, &session, &name, (form, change)).await
}

/// Puts on call, or takes off.
pub(in crate::web) async fn on_call(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
    CsrfForm(form): CsrfForm<PersonForm>,
) -> Result<Response, PageError> {
    let change = match form.on_call.as_str() {
        "yes" => PersonChange::OnCall(true),
        "no" => PersonChange::OnCall(false),
        _ => return Err(PageError::unreadable()),
    };
    change_person(&app, &session, &name, (form, Ok(change))).await
}

/// Sets where notices go.
pub(in crate::web) async fn mail(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
    CsrfForm(form): CsrfForm<PersonForm>,
) -> Result<Response, PageError> {
    let mail = Some(form.mail.trim().to_owned()).filter(|mail| !mail.is_empty());
    change_person(&app, &session, &name, (form, Ok(PersonChange::Mail(mail)))).await
}

/// Ends all sessions.
pub(in crate::web) async fn sessions(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
    CsrfForm(form): CsrfForm<PersonForm>,
) -> Result<Response, PageError> {
    change_person(&app, &session, &name, (form, Ok(PersonChange::EndSessions))).await
}

/// Disables.
pub(in crate::web) async fn disable(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
    CsrfForm(form): CsrfForm<PersonForm>,
) -> Result<Response, PageError> {
    change_person(&app, &session, &name, (form, Ok(PersonChange::Disable))).await
}

/// Gives a one-time password and shows it.
pub(in crate::web) async fn password(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
    CsrfForm(form): CsrfForm<PersonForm>,
) -> Result<Response, PageError> {
    let (broker, wanted) = (&app.broker, name.as_str());
    let tried =
        with_reauth(&app, &session, (Verb::ManagePeople, &form.password), |who| async move {
            broker.reset_password(&who, wanted).await
        });
    match tried.await? {
        Ok(password) => show_password(&app, &session, &name, password).await,
        Err((status, problem)) => {
            person_page(&app, &session, &name, Some((status, problem, form))).await
        }
    }
}

async fn change_person(
    app: &AppState,
    session: &PageSession,
    name: &str,
    (form, change): (PersonForm, Result<PersonChange, InvalidField>),
) -> Result<Response, PageError> {
    let broker = &app.broker;
    let tried: FormResult<()> =
        with_reauth(app, session, (Verb::ManagePeople, &form.password), |who| async move {
            broker.change_person(&who, name, &change?).await
        })
        .await?;
    match tried {
        Ok(()) => Ok(Redirect::to(&format!("/people/{name}")).into_response()),
        Err((status, problem)) => {
            person_page(app, session, name, Some((status, problem, form))).await
        }
    }
}

fn role_of(text: &str) -> Result<Role, InvalidField> {
    text.parse().map_err(|_unknown| InvalidField {
        field: "role".to_owned(),
        problem: "that is no role".to_owned(),
        allowed: Role::ALL.map(Role::name).join(", "),
    })
}

async fn show_password(
    app: &AppState,
    session: &PageSession,
    name: &str,
    secret: String,
) -> Result<Response, PageError> {
    let layout =
        Layout::new(app, session, "One-time password").await?.section("/people").without_refresh();
    let what = format!("The one-time password of {name}");
    let onward = (format!("/people/{name}"), format!("I have noted it: go to {name}"));
    page(StatusCode::OK, &SecretPage { layout, what, secret, then: ONE_TIME, onward })
}

async fn people_page(
    app: &AppState,
    session: &PageSession,
    problem: Option<(StatusCode, String, &NewPersonForm)>,
) -> Result<Response, PageError> {
    let (status, problem, name, role, mail) = match problem {
        None => (StatusCode::OK, None, "", Role::Analyst.name(), ""),
        Some((status, problem, form)) => {
            (status, Some(problem), form.name.as_str(), form.role.as_str(), form.mail.as_str())
        }
    };
    let (people, sessions) = app.broker.people_and_sessions(&session.who).await?;
    let counted = people.into_iter().map(|person| {
        let number = sessions.get(&person.id).copied().unwrap_or(0);
        (person, number)
    });
    let shown = PeoplePage {
        layout: Layout::new(app, session, "People").await?.section("/people"),
        people: counted.collect(),
        manage: app.broker.system_permission(&session.who, Verb::ManagePeople),
        problem,
        name: name.to_owned(),
        role: role.to_owned(),
        mail: mail.to_owned(),
    };
    page(status, &shown)
}

async fn person_page(
    app: &AppState,
    session: &PageSession,
    name: &str,
    problem: Option<(StatusCode, String, PersonForm)>,
) -> Result<Response, PageError> {
    let manage = app.broker.system_permission(&session.who, Verb::ManagePeople);
    if let Some(why) = manage.why_not() {
        return Err(BrokerError::NotAllowed(why.to_owned()).into());
    }
    let (people, sessions) = app.broker.people_and_sessions(&session.who).await?;
    let person = people.into_iter().find(|person| person.name == name);
    let person = person.ok_or_else(PageError::not_found)?;
    let (status, problem, role, mail) = match problem {
        None => (StatusCode::OK, None, String::new(), String::new()),
        Some((status, problem, form)) => (status, Some(problem), form.role, form.mail),
    };
    let or = |typed: String, stored: &str| if typed.is_empty() { stored.to_owned() } else { typed };
    let shown = PersonPage {
        layout: Layout::new(app, session, name).await?.section("/people").without_refresh(),
        sessions: sessions.get(&person.id).copied().unwrap_or(0),
        me: session.who.person.id,
        manage,
        problem,
        role: or(role, person.role.name()),
        mail: or(mail, person.mail.as_deref().unwrap_or_default()),
        person,
    };
    page(status, &shown)
}
