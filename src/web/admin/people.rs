//! The people: a list for everybody, and forms for whoever keeps them.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::reauthenticate::{Tried, try_with};
use crate::{
    broker::{BrokerError, admin::operator::PersonChange, queries::request::Access},
    domain::{
        actor::{Person, Role},
        facts::Verb,
        id::PersonId,
        proposal::Invalid,
    },
    web::{
        Site,
        error::Failure,
        http::session::{Fields, Session},
        layout::page::{Frame, page},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/people.html")]
pub(in crate::web) struct PeoplePage {
    pub(in crate::web) frame: Frame,
    /// Each with the number of sessions.
    pub(in crate::web) people: Vec<(Person, u64)>,
    pub(in crate::web) manage: Access,
    pub(in crate::web) problem: Option<String>,
    /// What was typed, so that it is not lost.
    pub(in crate::web) name: String,
    pub(in crate::web) role: String,
    pub(in crate::web) mail: String,
}

#[derive(Debug, Template)]
#[template(path = "pages/person.html")]
pub(in crate::web) struct PersonPage {
    pub(in crate::web) frame: Frame,
    pub(in crate::web) person: Person,
    pub(in crate::web) sessions: u64,
    /// Who looks.
    pub(in crate::web) me: PersonId,
    pub(in crate::web) manage: Access,
    pub(in crate::web) problem: Option<String>,
    /// What was chosen and typed, so that it is not lost.
    pub(in crate::web) role: String,
    pub(in crate::web) mail: String,
}

/// A secret in the only moment in which it is known.
#[derive(Debug, Template)]
#[template(path = "pages/once.html")]
pub(in crate::web) struct OncePage {
    pub(in crate::web) frame: Frame,
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
    State(site): State<Site>,
    session: Session,
) -> Result<Response, Failure> {
    people_page(&site, &session, None).await
}

/// Somebody to be added. Nobody chooses a password for somebody else.
#[derive(Deserialize)]
pub(in crate::web) struct NewPerson {
    name: String,
    role: String,
    #[serde(default)]
    mail: String,
    #[serde(default)]
    password: String,
}

/// Adds a person and shows the one-time password.
pub(in crate::web) async fn add(
    State(site): State<Site>,
    session: Session,
    Fields(form): Fields<NewPerson>,
) -> Result<Response, Failure> {
    let (broker, form) = (&site.broker, &form);
    let name = form.name.trim();
    let tried = try_with(&site, &session, (Verb::ManagePeople, &form.password), |who| async move {
        let mail = Some(form.mail.trim()).filter(|mail| !mail.is_empty());
        broker.add_person(&who, name, role_of(&form.role)?, mail).await
    });
    match tried.await? {
        Ok(password) => show_password(&site, &session, name, password).await,
        Err((status, problem)) => people_page(&site, &session, Some((status, problem, form))).await,
    }
}

/// The page of somebody who is called `add`.
pub(in crate::web) async fn show_add(
    State(site): State<Site>,
    session: Session,
) -> Result<Response, Failure> {
    person_page(&site, &session, "add", None).await
}

/// One person, for whoever may change something about them.
pub(in crate::web) async fn show_one(
    State(site): State<Site>,
    session: Session,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    person_page(&site, &session, &name, None).await
}

/// What is changed about a person; each form has its own part of it.
#[derive(Deserialize)]
pub(in crate::web) struct Wanted {
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
    State(site): State<Site>,
    session: Session,
    Path(name): Path<String>,
    Fields(form): Fields<Wanted>,
) -> Result<Response, Failure> {
    let change = role_of(&form.role).map(PersonChange::Role);
    change_person(&site, &session, &name, (form, change)).await
}

/// Puts on call, or takes off.
pub(in crate::web) async fn on_call(
    State(site): State<Site>,
    session: Session,
    Path(name): Path<String>,
    Fields(form): Fields<Wanted>,
) -> Result<Response, Failure> {
    let change = match form.on_call.as_str() {
        "yes" => PersonChange::OnCall(true),
        "no" => PersonChange::OnCall(false),
        _ => return Err(Failure::unreadable()),
    };
    change_person(&site, &session, &name, (form, Ok(change))).await
}

/// Sets where notices go.
pub(in crate::web) async fn mail(
    State(site): State<Site>,
    session: Session,
    Path(name): Path<String>,
    Fields(form): Fields<Wanted>,
) -> Result<Response, Failure> {
    let mail = Some(form.mail.trim().to_owned()).filter(|mail| !mail.is_empty());
    change_person(&site, &session, &name, (form, Ok(PersonChange::Mail(mail)))).await
}

/// Ends all sessions.
pub(in crate::web) async fn sessions(
    State(site): State<Site>,
    session: Session,
    Path(name): Path<String>,
    Fields(form): Fields<Wanted>,
) -> Result<Response, Failure> {
    change_person(&site, &session, &name, (form, Ok(PersonChange::EndSessions))).await
}

/// Disables.
pub(in crate::web) async fn disable(
    State(site): State<Site>,
    session: Session,
    Path(name): Path<String>,
    Fields(form): Fields<Wanted>,
) -> Result<Response, Failure> {
    change_person(&site, &session, &name, (form, Ok(PersonChange::Disable))).await
}

/// Gives a one-time password and shows it.
pub(in crate::web) async fn password(
    State(site): State<Site>,
    session: Session,
    Path(name): Path<String>,
    Fields(form): Fields<Wanted>,
) -> Result<Response, Failure> {
    let (broker, wanted) = (&site.broker, name.as_str());
    let tried = try_with(&site, &session, (Verb::ManagePeople, &form.password), |who| async move {
        broker.reset_password(&who, wanted).await
    });
    match tried.await? {
        Ok(password) => show_password(&site, &session, &name, password).await,
        Err((status, problem)) => {
            person_page(&site, &session, &name, Some((status, problem, form))).await
        }
    }
}

async fn change_person(
    site: &Site,
    session: &Session,
    name: &str,
    (form, change): (Wanted, Result<PersonChange, Invalid>),
) -> Result<Response, Failure> {
    let broker = &site.broker;
    let tried: Tried<()> =
        try_with(site, session, (Verb::ManagePeople, &form.password), |who| async move {
            broker.change_person(&who, name, &change?).await
        })
        .await?;
    match tried {
        Ok(()) => Ok(Redirect::to(&format!("/people/{name}")).into_response()),
        Err((status, problem)) => {
            person_page(site, session, name, Some((status, problem, form))).await
        }
    }
}

fn role_of(text: &str) -> Result<Role, Invalid> {
    text.parse().map_err(|_unknown| Invalid {
        field: "role".to_owned(),
        problem: "that is no role".to_owned(),
        allowed: Role::ALL.map(Role::name).join(", "),
    })
}

async fn show_password(
    site: &Site,
    session: &Session,
    name: &str,
    secret: String,
) -> Result<Response, Failure> {
    let frame = Frame::new(site, session, "One-time password").await?.at("/people").still();
    let what = format!("The one-time password of {name}");
    let onward = (format!("/people/{name}"), format!("I have noted it: go to {name}"));
    page(StatusCode::OK, &OncePage { frame, what, secret, then: ONE_TIME, onward })
}

async fn people_page(
    site: &Site,
    session: &Session,
    problem: Option<(StatusCode, String, &NewPerson)>,
) -> Result<Response, Failure> {
    let (status, problem, name, role, mail) = match problem {
        None => (StatusCode::OK, None, "", Role::Analyst.name(), ""),
        Some((status, problem, form)) => {
            (status, Some(problem), form.name.as_str(), form.role.as_str(), form.mail.as_str())
        }
    };
    let (people, sessions) = site.broker.people_and_sessions(&session.who).await?;
    let counted = people.into_iter().map(|person| {
        let number = sessions.get(&person.id).copied().unwrap_or(0);
        (person, number)
    });
    let shown = PeoplePage {
        frame: Frame::new(site, session, "People").await?.at("/people"),
        people: counted.collect(),
        manage: site.broker.access_to_system(&session.who, Verb::ManagePeople),
        problem,
        name: name.to_owned(),
        role: role.to_owned(),
        mail: mail.to_owned(),
    };
    page(status, &shown)
}

async fn person_page(
    site: &Site,
    session: &Session,
    name: &str,
    problem: Option<(StatusCode, String, Wanted)>,
) -> Result<Response, Failure> {
    let manage = site.broker.access_to_system(&session.who, Verb::ManagePeople);
    if let Some(why) = manage.why_not() {
        return Err(BrokerError::NotAllowed(why.to_owned()).into());
    }
    let (people, sessions) = site.broker.people_and_sessions(&session.who).await?;
    let person = people.into_iter().find(|person| person.name == name);
    let person = person.ok_or_else(Failure::not_found)?;
    let (status, problem, role, mail) = match problem {
        None => (StatusCode::OK, None, String::new(), String::new()),
        Some((status, problem, form)) => (status, Some(problem), form.role, form.mail),
    };
    let or = |typed: String, stored: &str| if typed.is_empty() { stored.to_owned() } else { typed };
    let shown = PersonPage {
        frame: Frame::new(site, session, name).await?.at("/people").still(),
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
