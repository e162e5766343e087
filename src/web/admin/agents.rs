//! The agents: a list for everybody, and forms for whoever keeps them.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{people::SecretPage, reauthenticate::with_reauth};
use crate::{
    broker::{BrokerError, admin::agents::NewAgent, queries::view::Permission},
    domain::{
        action::ActionKind,
        actor::{Agent, Person},
        facts::Verb,
    },
    web::{
        AppState,
        error::PageError,
        http::session::{CsrfForm, PageSession},
        layout::page::{Layout, page},
    },
};

/// An agent as it is shown.
#[derive(Debug)]
pub(in crate::web) struct AgentRow {
    pub(in crate::web) agent: Agent,
    /// The name of its owner.
    pub(in crate::web) owner: String,
    /// The name of whoever issued its token.
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
}

#[derive(Debug, Template)]
#[template(path = "pages/agent.html")]
pub(in crate::web) struct AgentPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) shown: AgentRow,
    pub(in crate::web) manage: Permission,
    pub(in crate::web) problem: Option<String>,
    pub(in crate::web) scopes: Vec<ActionKind>,
}

const TOKEN: &str = "Put it into the configuration of the agent's client. It opens /mcp and nothing \
                     else. Whoever has it asks in the agent's name.";

/// The list.
pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    agents_page(&app, &session, None).await
}

/// An agent to be added, or what an agent may ask for.
#[derive(Deserialize)]
pub(in crate::web) struct AgentForm {
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

impl AgentForm {
    fn scopes(&self) -> Vec<ActionKind> {
        let all = ActionKind::RESPONSES.into_iter();
        all.filter(|kind| self.more.contains_key(kind.name())).collect()
    }
}

/// Adds an agent and shows its token.
pub(in crate::web) async fn add(
    State(app): State<AppState>,
    session: PageSession,
    CsrfForm(form): CsrfForm<AgentForm>,
) -> Result<Response, PageError> {
    let (broker, form) = (&app.broker, &form);
    let tried =
        with_reauth(&app, &session, (Verb::ManageAgents, &form.password), |who| async move {
            broker.add_agent(&who, form.name.trim(), &form.owner, &form.scopes()).await
        });
    match tried.await? {
        Ok(new) => show_token(&app, &session, new).await,
        Err((status, problem)) => agents_page(&app, &session, Some((status, problem, form))).await,
    }
}

/// The page of an agent that is called `add`.
pub(in crate::web) async fn show_add(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    agent_page(&app, &session, "add", None).await
}

/// One agent, for whoever may change something about it.
pub(in crate::web) async fn show_one(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    agent_page(&app, &session, &name, None).await
}

/// Sets what it may ask for.
pub(in crate::web) async fn scopes(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
    CsrfForm(form): CsrfForm<AgentForm>,
) -> Result<Response, PageError> {
    let (broker, wanted, chosen) = (&app.broker, name.as_str(), &form.scopes());
    let tried =
        with_reauth(&app, &session, (Verb::ManageAgents, &form.password), |who| async move {
            broker.set_scopes(&who, wanted, chosen).await
        });
    match tried.await? {
        Ok(()) => Ok(Redirect::to(&format!("/agents/{name}")).into_response()),
        Err((status, problem)) => {
            let problem = Some((status, problem, Some(form.scopes())));
            agent_page(&app, &session, &name, problem).await
        }
    }
}

/// Gives it a new token and shows it.
pub(in crate::web) async fn rotate(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
    CsrfForm(form): CsrfForm<AgentForm>,
) -> Result<Response, PageError> {
    let (broker, wanted) = (&app.broker, name.as_str());
    let tried =
        with_reauth(&app, &session, (Verb::ManageAgents, &form.password), |who| async move {
            broker.rotate_agent(&who, wanted).await
        });
    match tried.await? {
        Ok(new) => show_token(&app, &session, new).await,
        Err((status, problem)) => {
            agent_page(&app, &session, &name, Some((status, problem, None))).await
        }
    }
}

/// Revokes its token.
pub(in crate::web) async fn revoke(
    State(app): State<AppState>,
    session: PageSession,
    Path(name): Path<String>,
    CsrfForm(form): CsrfForm<AgentForm>,
) -> Result<Response, PageError> {
    let (broker, wanted) = (&app.broker, name.as_str());
    let tried =
        with_reauth(&app, &session, (Verb::ManageAgents, &form.password), |who| async move {
            broker.revoke_agent(&who, wanted).await
        });
    match tried.await? {
        Ok(()) => Ok(Redirect::to(&format!("/agents/{name}")).into_response()),
        Err((status, problem)) => {
            agent_page(&app, &session, &name, Some((status, problem, None))).await
        }
    }
}

async fn show_token(
    app: &AppState,
    session: &PageSession,
    new: NewAgent,
) -> Result<Response, PageError> {
    let NewAgent { agent: Agent { name, .. }, token: secret } = new;
    let layout = Layout::new(app, session, "New token").await?.section("/agents").without_refresh();
    let what = format!("The token of {name}");
    let onward = (format!("/agents/{name}"), format!("I have noted it: go to {name}"));
    page(StatusCode::OK, &SecretPage { layout, what, secret, then: TOKEN, onward })
}

async fn agents_page(
    app: &AppState,
    session: &PageSession,
    problem: Option<(StatusCode, String, &AgentForm)>,
) -> Result<Response, PageError> {
    let people = app.broker.people(&session.who).await?;
    let agents = app.broker.agents(&session.who).await?;
    let enabled = people.iter().filter(|person| !person.disabled);
    let mut shown = AgentsPage {
        layout: Layout::new(app, session, "Agents").await?.section("/agents"),
        agents: agents.into_iter().map(|agent| named(agent, &people)).collect(),
        manage: app.broker.system_permission(&session.who, Verb::ManageAgents),
        owners: enabled.map(|person| person.name.clone()).collect(),
        problem: None,
        name: String::new(),
        owner: String::new(),
        scopes: ActionKind::RESPONSES.to_vec(),
    };
    let Some((status, problem, form)) = problem else { return page(StatusCode::OK, &shown) };
    shown.problem = Some(problem);
    (shown.name, shown.owner) = (form.name.clone(), form.owner.clone());
    shown.scopes = form.scopes();
    page(status, &shown)
}

async fn agent_page(
    app: &AppState,
    session: &PageSession,
    name: &str,
    problem: Option<(StatusCode, String, Option<Vec<ActionKind>>)>,
) -> Result<Response, PageError> {
    let manage = app.broker.system_permission(&session.who, Verb::ManageAgents);
    if let Some(why) = manage.why_not() {
        return Err(BrokerError::NotAllowed(why.to_owned()).into());
    }
    let people = app.broker.people(&session.who).await?;
    let agents = app.broker.agents(&session.who).await?;
    let agent = agents.into_iter().find(|agent| agent.name == name);
    let shown = named(agent.ok_or_else(PageError::not_found)?, &people);
    let (status, problem, scopes) = match problem {
        None => (StatusCode::OK, None, None),
        Some((status, problem, scopes)) => (status, Some(problem), scopes),
    };
    let scopes = scopes.unwrap_or_else(|| shown.agent.scopes.clone());
    let layout = Layout::new(app, session, name).await?.section("/agents").without_refresh();
    page(status, &AgentPage { layout, shown, manage, problem, scopes })
}

/// With the names of its people.
pub(in crate::web) fn named(agent: Agent, people: &[Person]) -> AgentRow {
    let name = |id| people.iter().find(|person| person.id == id).map(|person| person.name.clone());
    let owner = name(agent.owner).unwrap_or_else(|| agent.owner.to_string());
    let issuer = agent.issuer.and_then(name).unwrap_or_else(|| "the command line".to_owned());
    AgentRow { agent, owner, issuer }
}
