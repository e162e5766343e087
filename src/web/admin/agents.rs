//! The agents: a list for everyone, and forms for the people who manage them.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{
    people::SecretPage,
    reauthenticate::{FormProblem, PasswordFields, SessionForm},
};
use crate::{
    broker::{
        admin::agents::NewAgent,
        queries::{RecordOf, view::Permission},
    },
    domain::{
        Time,
        action::{ActionKind, with_count},
        actor::{Agent, Person},
        facts::Verb,
        facts::history::REFUSAL_COUNTS,
        len_u64,
    },
    text::agent_setup::client_setups,
    web::{
        AppState, address,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::page::{Layout, page},
        profiles::record::{DaysQuery, RecordPart},
    },
};

/// An agent, with the names of its people instead of their ids.
#[derive(Debug)]
pub(in crate::web) struct AgentRow {
    pub(in crate::web) agent: Agent,
    pub(in crate::web) owner: String,
    /// The person who issued its token, by name, or "the command line".
    pub(in crate::web) issuer: String,
}

#[derive(Debug, Template)]
#[template(path = "pages/agents.html")]
pub(in crate::web) struct AgentsPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) agents: Vec<AgentRow>,
    pub(in crate::web) manage: Permission,
    /// Who may own an agent.
    pub(in crate::web) owners: Vec<String>,
    pub(in crate::web) problem: Option<String>,
    /// What was typed and chosen, so that it is not lost.
    pub(in crate::web) name: String,
    pub(in crate::web) owner: String,
    pub(in crate::web) scopes: Vec<ActionKind>,
    /// What can be chosen.
    pub(in crate::web) responses: Vec<ActionKind>,
}

#[derive(Debug, Template)]
#[template(path = "pages/agent.html")]
pub(in crate::web) struct AgentPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) shown: AgentRow,
    pub(in crate::web) manage: Permission,
    pub(in crate::web) problem: Option<String>,
    pub(in crate::web) scopes: Vec<ActionKind>,
    /// What can be chosen.
    pub(in crate::web) responses: Vec<ActionKind>,
    /// How many refusals count against it, and until when the last of them does.
    pub(in crate::web) refusals: Option<(String, Time)>,
    /// What it asked for, and what became of that.
    pub(in crate::web) record: RecordPart,
}

const TOKEN: &str = "Put it in the configuration of the agent's client. It gives access to /mcp \
                     only. Anyone who has it can make requests in the agent's name.";

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    agents_page(&app, &session, None, None).await
}

/// An agent to be added, or what an agent may ask for.
#[derive(Deserialize)]
pub(in crate::web) struct AgentFields {
    #[serde(default)]
    name: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    password: String,
    /// Among others, each response that was chosen.
    #[serde(flatten)]
    more: BTreeMap<String, String>,
}

impl AgentFields {
    fn scopes(&self) -> Vec<ActionKind> {
        self.more.keys().filter_map(|name| ActionKind::parse(name)).collect()
    }
}

impl PasswordFields for AgentFields {
    fn password(&self) -> &str {
        &self.password
    }
}

/// Adds an agent and shows its token.
pub(in crate::web) async fn add(form: SessionForm<AgentFields>) -> Result<Response, PageError> {
    let SessionForm { app, session, fields } = &form;
    let added = form.run(Verb::ManageAgents, async |who| {
        app.broker.add_agent(&who, fields.name.trim(), &fields.owner, &fields.scopes()).await
    });
    match added.await {
        Ok(new) => show_token(app, session, new).await,
        Err(error) => agents_page(app, session, Some(error.for_page()?), Some(fields)).await,
    }
}

/// The page of an agent that is called `add`.
pub(in crate::web) async fn show_add(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(days): QueryParams<DaysQuery>,
) -> Result<Response, PageError> {
    agent_page((&app, &session), "add", &days, None, None).await
}

/// One agent: what it did, and forms for people who may change something about it.
pub(in crate::web) async fn show_one(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
    QueryParams(days): QueryParams<DaysQuery>,
) -> Result<Response, PageError> {
    agent_page((&app, &session), &name, &days, None, None).await
}

/// Sets what it may ask for.
pub(in crate::web) async fn scopes(
    Path(name): Path<String>,
    form: SessionForm<AgentFields>,
) -> Result<Response, PageError> {
    let SessionForm { app, session, fields } = &form;
    let scopes = fields.scopes();
    let set =
        form.run(Verb::ManageAgents, async |who| app.broker.set_scopes(&who, &name, &scopes).await);
    match set.await {
        Ok(()) => Ok(Redirect::to(&format!("/agents/{name}")).into_response()),
        Err(error) => again(app, session, &name, error.for_page()?, Some(scopes)).await,
    }
}

/// Gives it a new token and shows it.
pub(in crate::web) async fn rotate(
    Path(name): Path<String>,
    form: SessionForm<AgentFields>,
) -> Result<Response, PageError> {
    let SessionForm { app, session, .. } = &form;
    let rotated =
        form.run(Verb::ManageAgents, async |who| app.broker.rotate_agent(&who, &name).await);
    match rotated.await {
        Ok(new) => show_token(app, session, new).await,
        Err(error) => again(app, session, &name, error.for_page()?, None).await,
    }
}

/// Revokes its token.
pub(in crate::web) async fn revoke(
    Path(name): Path<String>,
    form: SessionForm<AgentFields>,
) -> Result<Response, PageError> {
    let SessionForm { app, session, .. } = &form;
    let revoked =
        form.run(Verb::ManageAgents, async |who| app.broker.revoke_agent(&who, &name).await);
    match revoked.await {
        Ok(()) => Ok(Redirect::to(&format!("/agents/{name}")).into_response()),
        Err(error) => again(app, session, &name, error.for_page()?, None).await,
    }
}

/// Lets its refusals no longer count against it.
pub(in crate::web) async fn lift(
    Path(name): Path<String>,
    form: SessionForm<AgentFields>,
) -> Result<Response, PageError> {
    let SessionForm { app, session, .. } = &form;
    let lifted = form.run(Verb::ManageAgents, async |who| app.broker.lift_limit(&who, &name).await);
    match lifted.await {
        Ok(()) => Ok(Redirect::to(&format!("/agents/{name}")).into_response()),
        Err(error) => again(app, session, &name, error.for_page()?, None).await,
    }
}

/// The page after a form that could not be taken.
async fn again(
    app: &AppState,
    session: &PageSession,
    name: &str,
    problem: FormProblem,
    scopes: Option<Vec<ActionKind>>,
) -> Result<Response, PageError> {
    agent_page((app, session), name, &DaysQuery::default(), Some(problem), scopes).await
}

async fn show_token(
    app: &AppState,
    session: &PageSession,
    new: NewAgent,
) -> Result<Response, PageError> {
    let NewAgent { agent: Agent { name, .. }, token: secret } = new;
    let layout = Layout::new(app, session, "New token").await?.section("/agents").without_refresh();
    let what = format!("The token of {name}");
    let setups = client_setups(&app.settings.public_url, &secret).into();
    let onward = (format!("/agents/{name}"), format!("I have saved it: go to {name}"));
    page(
        StatusCode::OK,
        &SecretPage { layout, what, secret, then: TOKEN.to_owned(), setups, onward },
    )
}

async fn agents_page(
    app: &AppState,
    session: &PageSession,
    problem: Option<FormProblem>,
    typed: Option<&AgentFields>,
) -> Result<Response, PageError> {
    let people = app.broker.people(&session.who).await?;
    let agents = app.broker.agents(&session.who).await?;
    let enabled = people.iter().filter(|person| person.is_active());
    let (status, problem) = FormProblem::split(problem);
    let engine = app.broker.engine();
    let catalogue = engine.catalogue();
    let (responses, usual) = (catalogue.responses().to_vec(), catalogue.usual());
    let shown = AgentsPage {
        layout: Layout::new(app, session, "Agents").await?.section("/agents"),
        agents: agents.into_iter().map(|agent| named(agent, &people)).collect(),
        manage: app.broker.system_permission(&session.who, Verb::ManageAgents),
        owners: enabled.map(|person| person.name.clone()).collect(),
        problem,
        name: typed.map(|typed| typed.name.clone()).unwrap_or_default(),
        owner: typed.map(|typed| typed.owner.clone()).unwrap_or_default(),
        scopes: typed.map_or(usual, AgentFields::scopes),
        responses,
    };
    page(status, &shown)
}

async fn agent_page(
    (app, session): (&AppState, &PageSession),
    name: &str,
    days: &DaysQuery,
    problem: Option<FormProblem>,
    scopes: Option<Vec<ActionKind>>,
) -> Result<Response, PageError> {
    let manage = app.broker.system_permission(&session.who, Verb::ManageAgents);
    let people = app.broker.people(&session.who).await?;
    let agents = app.broker.agents(&session.who).await?;
    let agent = agents.into_iter().find(|agent| agent.name == name);
    let shown = named(agent.ok_or_else(PageError::not_found)?, &people);
    let (status, problem) = FormProblem::split(problem);
    let scopes = scopes.unwrap_or_else(|| shown.agent.scopes.clone());
    let layout = Layout::new(app, session, name).await?.section("/agents").without_refresh();
    let refused = app.broker.agent_refusals(&session.who, shown.agent.id).await?;
    let number = with_count(len_u64(refused.len()), "refusal");
    let refusals = refused.last().map(|last| (number, *last + REFUSAL_COUNTS));
    let responses = app.broker.engine().catalogue().responses().to_vec();
    let (of, base) = (RecordOf::Agent(shown.agent.id), address::agent(name));
    let record = RecordPart::load(app, session, &of, (days, base)).await?;
    page(status, &AgentPage { layout, shown, manage, problem, scopes, responses, refusals, record })
}

/// With the names of its people.
pub(in crate::web) fn named(agent: Agent, people: &[Person]) -> AgentRow {
    let name = |id| people.iter().find(|person| person.id == id).map(|person| person.name.clone());
    let owner = name(agent.owner).unwrap_or_else(|| agent.owner.to_string());
    let issuer = agent.issuer.and_then(name).unwrap_or_else(|| "the command line".to_owned());
    AgentRow { agent, owner, issuer }
}
