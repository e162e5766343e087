//! The people: a list for everyone, and forms for the people who manage them.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::reauthenticate::{FormProblem, PasswordFields, SessionForm};
use crate::{
    broker::{
        admin::people::PersonChange,
        queries::{RecordOf, view::Permission},
    },
    domain::{
        actor::{Person, Role},
        facts::Verb,
        id::PersonId,
        proposal::InvalidField,
    },
    text::agent_setup::ClientSetup,
    text::request::non_empty,
    web::{
        AppState, address,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::{
            escape::Fenced as _,
            page::{Layout, page},
        },
        profiles::record::{DaysQuery, RecordPart},
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/people.html")]
pub(in crate::web) struct PeoplePage {
    pub(in crate::web) layout: Layout,
    /// Each with the number of sessions, and the name that they are called by where they sign in at an
    /// identity provider.
    pub(in crate::web) people: Vec<(Person, u64, Option<String>)>,
    pub(in crate::web) manage: Permission,
    pub(in crate::web) problem: Option<String>,
    /// What was typed, so that it is not lost.
    pub(in crate::web) name: String,
    pub(in crate::web) role: String,
    pub(in crate::web) mail: String,
    pub(in crate::web) teams: String,
}

#[derive(Debug, Template)]
#[template(path = "pages/person.html")]
pub(in crate::web) struct PersonPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) person: Person,
    pub(in crate::web) sessions: u64,
    /// The person who is signed in: some forms are not for their own account.
    pub(in crate::web) me: PersonId,
    /// The name that they are called by, where they sign in at an identity provider: role and password
    /// are not kept here then.
    pub(in crate::web) provided: Option<String>,
    pub(in crate::web) manage: Permission,
    pub(in crate::web) problem: Option<String>,
    /// What was chosen and typed, so that it is not lost.
    pub(in crate::web) role: String,
    pub(in crate::web) mail: String,
    pub(in crate::web) teams: String,
    /// What the person decided and asked for.
    pub(in crate::web) record: RecordPart,
}

/// A secret, shown once: the broker keeps only its hash.
#[derive(Debug, Template)]
#[template(path = "pages/secret.html")]
pub(in crate::web) struct SecretPage {
    pub(in crate::web) layout: Layout,
    /// What the secret is for, as the title of the page.
    pub(in crate::web) what: String,
    pub(in crate::web) secret: String,
    /// What to do with it.
    pub(in crate::web) then: String,
    /// What clients are told with it.
    pub(in crate::web) setups: Vec<ClientSetup>,
    /// The address and the words of the way onward.
    pub(in crate::web) onward: (String, String),
}

const ONE_TIME: &str = "Give it to this person only, and not by mail. It is good for one thing: \
                        choosing a password, at the first sign-in at";

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    people_page(&app, &session, None, &NewPersonFields::default()).await
}

/// A person to be added. Their first password is made up, never chosen by an admin.
#[derive(Deserialize)]
pub(in crate::web) struct NewPersonFields {
    name: String,
    role: String,
    #[serde(default)]
    mail: String,
    #[serde(default)]
    teams: String,
    #[serde(default)]
    password: String,
}

impl Default for NewPersonFields {
    /// Before anything was typed.
    fn default() -> Self {
        let [name, mail, teams, password] = [const { String::new() }; 4];
        Self { name, role: Role::Analyst.name().to_owned(), mail, teams, password }
    }
}

impl PasswordFields for NewPersonFields {
    fn password(&self) -> &str {
        &self.password
    }
}

/// Adds a person and shows the one-time password.
pub(in crate::web) async fn add(form: SessionForm<NewPersonFields>) -> Result<Response, PageError> {
    let SessionForm { app, session, fields } = &form;
    let name = fields.name.trim();
    let added = form.run(Verb::ManagePeople, async |who| {
        let role = role_of(&fields.role)?;
        let (mail, teams) = (non_empty(&fields.mail), names_of(&fields.teams));
        app.broker.add_person(&who, name, role, (mail.as_deref(), &teams)).await
    });
    match added.await {
        Ok(password) => show_password(app, session, name, password).await,
        Err(error) => people_page(app, session, Some(error.for_page()?), fields).await,
    }
}

/// The page of a person who is called `add`.
pub(in crate::web) async fn show_add(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(days): QueryParams<DaysQuery>,
) -> Result<Response, PageError> {
    person_page((&app, &session), "add", &days, None, &PersonFields::default()).await
}

/// One person: what they did, and forms for people who may change something about them.
pub(in crate::web) async fn show_one(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
    QueryParams(days): QueryParams<DaysQuery>,
) -> Result<Response, PageError> {
    person_page((&app, &session), &name, &days, None, &PersonFields::default()).await
}

/// What is changed about a person; each form has its own part of it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct PersonFields {
    role: String,
    on_call: String,
    mail: String,
    teams: String,
    password: String,
}

impl PasswordFields for PersonFields {
    fn password(&self) -> &str {
        &self.password
    }
}

/// Gives another role.
pub(in crate::web) async fn role(
    Path(name): Path<String>,
    form: SessionForm<PersonFields>,
) -> Result<Response, PageError> {
    let change = role_of(&form.fields.role).map(PersonChange::Role);
    change_person(&form, &name, change).await
}

/// Puts on call, or takes off.
pub(in crate::web) async fn on_call(
    Path(name): Path<String>,
    form: SessionForm<PersonFields>,
) -> Result<Response, PageError> {
    let on_call = match form.fields.on_call.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(PageError::unreadable()),
    };
    change_person(&form, &name, Ok(PersonChange::OnCall(on_call))).await
}

/// Sets the address that notifications go to; without one there are none.
pub(in crate::web) async fn mail(
    Path(name): Path<String>,
    form: SessionForm<PersonFields>,
) -> Result<Response, PageError> {
    let mail = non_empty(&form.fields.mail);
    change_person(&form, &name, Ok(PersonChange::Mail(mail))).await
}

/// Puts into teams, and takes out of others.
pub(in crate::web) async fn teams(
    Path(name): Path<String>,
    form: SessionForm<PersonFields>,
) -> Result<Response, PageError> {
    let change = PersonChange::Teams(names_of(&form.fields.teams));
    change_person(&form, &name, Ok(change)).await
}

/// Ends all sessions.
pub(in crate::web) async fn sessions(
    Path(name): Path<String>,
    form: SessionForm<PersonFields>,
) -> Result<Response, PageError> {
    change_person(&form, &name, Ok(PersonChange::EndSessions)).await
}

/// Removes the passkeys of somebody who signs in at the identity provider.
pub(in crate::web) async fn passkeys(
    Path(name): Path<String>,
    form: SessionForm<PersonFields>,
) -> Result<Response, PageError> {
    change_person(&form, &name, Ok(PersonChange::RemovePasskeys)).await
}

/// Disables the account for good.
pub(in crate::web) async fn disable(
    Path(name): Path<String>,
    form: SessionForm<PersonFields>,
) -> Result<Response, PageError> {
    change_person(&form, &name, Ok(PersonChange::Disable)).await
}

/// Gives a one-time password and shows it.
pub(in crate::web) async fn password(
    Path(name): Path<String>,
    form: SessionForm<PersonFields>,
) -> Result<Response, PageError> {
    let SessionForm { app, session, .. } = &form;
    let reset =
        form.run(Verb::ManagePeople, async |who| app.broker.reset_password(&who, &name).await);
    match reset.await {
        Ok(password) => show_password(app, session, &name, password).await,
        Err(error) => again(&form, &name, error.for_page()?).await,
    }
}

async fn change_person(
    form: &SessionForm<PersonFields>,
    name: &str,
    change: Result<PersonChange, InvalidField>,
) -> Result<Response, PageError> {
    let SessionForm { app, .. } = form;
    let changed = form
        .run(Verb::ManagePeople, async |who| app.broker.change_person(&who, name, &change?).await);
    match changed.await {
        Ok(()) => Ok(Redirect::to(&format!("/people/{name}")).into_response()),
        Err(error) => again(form, name, error.for_page()?).await,
    }
}

fn role_of(text: &str) -> Result<Role, InvalidField> {
    text.parse().map_err(|_unknown| InvalidField {
        field: "role".to_owned(),
        problem: "that is not a role".to_owned(),
        allowed: Role::ALL.map(Role::name).join(", "),
    })
}

/// Names in a list, as they are typed.
pub(in crate::web) fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// The names in a field, with commas or blanks between them.
fn names_of(text: &str) -> Vec<String> {
    let names = text.split(|char: char| char == ',' || char.is_whitespace());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
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
    let then = format!("{ONE_TIME} {}", address::first_sign_in(&app.settings.public_url, name));
    let onward = (format!("/people/{name}"), format!("I have saved it: go to {name}"));
    page(StatusCode::OK, &SecretPage { layout, what, secret, then, setups: Vec::new(), onward })
}

async fn people_page(
    app: &AppState,
    session: &PageSession,
    problem: Option<FormProblem>,
    typed: &NewPersonFields,
) -> Result<Response, PageError> {
    let (status, problem) = FormProblem::split(problem);
    let (people, sessions) = app.broker.people_and_sessions(&session.who).await?;
    let mut names = app.broker.display_names(&session.who).await?;
    let counted = people.into_iter().map(|person| {
        let number = sessions.get(&person.id).copied().unwrap_or(0);
        let provided = names.remove(&person.id);
        (person, number, provided)
    });
    let shown = PeoplePage {
        layout: Layout::new(app, session, "People").await?.section("/people"),
        people: counted.collect(),
        manage: app.broker.system_permission(&session.who, Verb::ManagePeople),
        problem,
        name: typed.name.clone(),
        role: typed.role.clone(),
        mail: typed.mail.clone(),
        teams: typed.teams.clone(),
    };
    page(status, &shown)
}

/// The page after a form that could not be taken.
async fn again(
    form: &SessionForm<PersonFields>,
    name: &str,
    problem: FormProblem,
) -> Result<Response, PageError> {
    let SessionForm { app, session, fields } = form;
    person_page((app, session), name, &DaysQuery::default(), Some(problem), fields).await
}

async fn person_page(
    (app, session): (&AppState, &PageSession),
    name: &str,
    days: &DaysQuery,
    problem: Option<FormProblem>,
    typed: &PersonFields,
) -> Result<Response, PageError> {
    let manage = app.broker.system_permission(&session.who, Verb::ManagePeople);
    let (people, sessions) = app.broker.people_and_sessions(&session.who).await?;
    let person = people.into_iter().find(|person| person.name == name);
    let person = person.ok_or_else(PageError::not_found)?;
    let (of, base) = (RecordOf::Person(person.id, person.name.clone()), address::person(name));
    let record = RecordPart::load(app, session, &of, (days, base)).await?;
    let (status, problem) = FormProblem::split(problem);
    let provided = app.broker.display_names(&session.who).await?.remove(&person.id);
    let or = |typed: &str, stored: &str| if typed.is_empty() { stored } else { typed }.to_owned();
    let shown = PersonPage {
        layout: Layout::new(app, session, name).await?.section("/people").without_refresh(),
        sessions: sessions.get(&person.id).copied().unwrap_or(0),
        me: session.who.id(),
        provided,
        manage,
        problem,
        role: or(&typed.role, person.role.name()),
        mail: or(&typed.mail, person.mail.as_deref().unwrap_or_default()),
        teams: or(&typed.teams, &listed(&person.teams)),
        record,
        person,
    };
    page(status, &shown)
}
