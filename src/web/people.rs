//! People and agents, to read. The command line keeps them.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

use super::{
    Site,
    failure::Failure,
    frame::{Frame, page},
    session::Session,
};
use crate::domain::actor::{Agent, Person};

#[derive(Debug, Template)]
#[template(path = "pages/people.html")]
pub(super) struct PeoplePage {
    pub(super) frame: Frame,
    pub(super) people: Vec<Person>,
}

#[derive(Debug, Template)]
#[template(path = "pages/agents.html")]
pub(super) struct AgentsPage {
    pub(super) frame: Frame,
    /// Each with the name of its owner and of whoever issued its token.
    pub(super) agents: Vec<(Agent, String, String)>,
}

/// The page of people.
pub(super) async fn show(State(site): State<Site>, session: Session) -> Result<Response, Failure> {
    let people = site.broker.people(&session.who).await?;
    let frame = Frame::new(&site, &session, "People").await?.at("/people");
    page(StatusCode::OK, &PeoplePage { frame, people })
}

/// The page of agents.
pub(super) async fn show_agents(
    State(site): State<Site>,
    session: Session,
) -> Result<Response, Failure> {
    let people = site.broker.people(&session.who).await?;
    let agents = site.broker.agents(&session.who).await?;
    let frame = Frame::new(&site, &session, "Agents").await?.at("/agents");
    page(StatusCode::OK, &AgentsPage { frame, agents: named(agents, &people) })
}

pub(super) fn named(agents: Vec<Agent>, people: &[Person]) -> Vec<(Agent, String, String)> {
    let name = |id| people.iter().find(|person| person.id == id).map(|person| person.name.clone());
    let with_names = |agent: Agent| {
        let owner = name(agent.owner).unwrap_or_else(|| agent.owner.to_string());
        let issuer = agent.issuer.and_then(name).unwrap_or_else(|| "the command line".to_owned());
        (agent, owner, issuer)
    };
    agents.into_iter().map(with_names).collect()
}
