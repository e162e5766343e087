//! The agents and their tokens, kept by admins: policy says who may. A token is known in one moment only: what is stored is its hash.

use chrono::TimeDelta;

use crate::{
    broker::{
        Authority, Broker, BrokerError, SignedIn,
        input::{check_name, inactive, name_taken, unknown_name},
        unchecked::Unchecked,
    },
    domain::{
        Time,
        action::{ActionKind, Catalogue, names},
        actor::{Actor, Agent, Person},
        audit::{
            AuditDetail, AuditEvent,
            detail::accounts::{
                LiftedFacts, NewAgentFacts, NoFacts, OldTokenFacts, Scopes, ScopesFacts, TokenFacts,
            },
        },
        digest::Digest,
        facts::Verb,
        id::{AgentId, PersonId},
        len_u64,
        proposal::InvalidField,
    },
    policy::{PolicyError, PolicyFiles},
    store::{Tx, accounts, audit, requests, system},
};

/// An agent, and its token in the only moment in which it is known.
#[derive(Debug, Clone)]
pub struct NewAgent {
    /// The agent.
    pub agent: Agent,
    /// The token: `cs_` and 64 hexadecimal digits.
    pub token: String,
}

impl Broker {
    /// Adds an agent: see [`super::operator::Operator::add_agent`].
    pub async fn add_agent(
        &self,
        who: &SignedIn,
        name: &str,
        owner: &str,
        scopes: &[ActionKind],
    ) -> Result<NewAgent, BrokerError> {
        let by = self.authorize_admin(who, Verb::ManageAgents)?;
        self.unchecked().add_agent(by, name, owner, scopes).await
    }

    /// Sets what an agent may ask for: see [`super::operator::Operator::set_scopes`].
    pub async fn set_scopes(
        &self,
        who: &SignedIn,
        name: &str,
        scopes: &[ActionKind],
    ) -> Result<(), BrokerError> {
        let by = self.authorize_admin(who, Verb::ManageAgents)?;
        self.unchecked().set_scopes(by, name, scopes).await
    }

    /// Gives an agent a new token: see [`super::operator::Operator::rotate_agent`].
    pub async fn rotate_agent(&self, who: &SignedIn, name: &str) -> Result<NewAgent, BrokerError> {
        let by = self.authorize_admin(who, Verb::ManageAgents)?;
        self.unchecked().rotate_agent(by, name).await
    }

    /// Revokes an agent's token.
    pub async fn revoke_agent(&self, who: &SignedIn, name: &str) -> Result<(), BrokerError> {
        let by = self.authorize_admin(who, Verb::ManageAgents)?;
        self.unchecked().revoke_agent(by, name).await
    }

    /// Lets what an agent was refused until now no longer count against it. What it has asked for
    /// already stays as it was decided.
    pub async fn lift_limit(&self, who: &SignedIn, name: &str) -> Result<(), BrokerError> {
        let by = self.authorize_admin(who, Verb::ManageAgents)?;
        self.unchecked().lift_limit(by, name).await
    }

    /// When the requests of an agent were refused that count against it, the oldest first.
    pub async fn agent_refusals(
        &self,
        who: &SignedIn,
        agent: AgentId,
    ) -> Result<Vec<Time>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let now = self.clock().now();
        Ok(requests::refusals(&mut self.reader_for(who).await?, agent, (now, None)).await?)
    }

    /// All agents, by name.
    pub async fn agents(&self, who: &SignedIn) -> Result<Vec<Agent>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        self.unchecked().agents().await
    }

    /// The agent of a token, unless it is revoked: this is how an agent signs in.
    pub async fn agent_by_token(&self, token: &str) -> Result<Option<Agent>, BrokerError> {
        let digest = Digest::of(token.as_bytes());
        let agent = accounts::agent_by_token(&mut self.store().reader().await?, digest).await?;
        Ok(agent.filter(|agent| !agent.revoked))
    }

    /// Whether the token with which an agent signed in still opens something: it is not revoked,
    /// and the agent has no other.
    pub async fn token_is_active(&self, agent: &Agent) -> Result<bool, BrokerError> {
        let found = accounts::agent_by_id(&mut self.store().reader().await?, agent.id).await?;
        let now = found.ok_or(BrokerError::NotFound)?;
        Ok(!now.revoked && now.issued_at == agent.issued_at)
    }
}

impl Unchecked {
    /// The actions that can be asked for by the policy set that was activated last.
    pub(in crate::broker) async fn catalogue(&self) -> Result<Catalogue, BrokerError> {
        let files = system::policy_files(&mut self.store().reader().await?).await?;
        let files = PolicyFiles::kept(files.unwrap_or_default());
        Ok(Catalogue::with(files.entries()).map_err(PolicyError::from)?)
    }

    /// Adds an agent that a person owns, and that may ask for these responses.
    pub(in crate::broker) async fn add_agent(
        &self,
        by: Authority<'_>,
        name: &str,
        owner: &str,
        scopes: &[ActionKind],
    ) -> Result<NewAgent, BrokerError> {
        let (id, now) = (self.clock().id(), self.clock().now());
        let (agent_name, scopes) = (&check_name(name)?, &scoped(scopes, &self.catalogue().await?)?);
        let (token, digest) = self.token();
        let added = self.store().write(|tx| {
            Box::pin(async move {
                let actor = by.actor(tx, now).await?;
                let owner = enabled_person(tx, owner).await?;
                let agent = Agent {
                    id,
                    name: agent_name.clone(),
                    owner: owner.id,
                    issuer: issuer(&actor),
                    revoked: false,
                    scopes: scopes.clone(),
                    issued_at: now,
                };
                accounts::add_agent(tx, &agent, digest, now)
                    .await
                    .map_err(|error| name_taken(error, name))?;
                let scopes = Scopes(scopes.clone());
                let facts = NewAgentFacts { owner: owner.name, id, scopes };
                let detail = AuditDetail::AgentAdded(facts);
                let event = AuditEvent::new(actor, Some(agent.name.clone()), detail);
                audit::append(tx, &event, now).await?;
                Ok::<_, BrokerError>(agent)
            })
        });
        Ok(NewAgent { agent: added.await?, token })
    }

    /// All agents, by name.
    pub(in crate::broker) async fn agents(&self) -> Result<Vec<Agent>, BrokerError> {
        Ok(accounts::agents(&mut self.store().reader().await?).await?)
    }

    /// Sets what an agent may ask for; nothing is written where nothing changes. What it asked for
    /// already and may no longer is withdrawn when it is decided next, at the latest before it is
    /// sent.
    pub(in crate::broker) async fn set_scopes(
        &self,
        by: Authority<'_>,
        name: &str,
        scopes: &[ActionKind],
    ) -> Result<(), BrokerError> {
        let scopes = &scoped(scopes, &self.catalogue().await?)?;
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let actor = &by.actor(tx, now).await?;
                    let agent = active(tx, name).await?;
                    if agent.scopes == *scopes {
                        return Ok(());
                    }
                    accounts::set_scopes(tx, agent.id, scopes).await?;
                    let facts = ScopesFacts {
                        scopes: Scopes(scopes.clone()),
                        before: Scopes(agent.scopes),
                    };
                    let detail = AuditDetail::ScopesChanged(facts);
                    let event = AuditEvent::new(actor.clone(), Some(agent.name), detail);
                    audit::append(tx, &event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }

    /// Gives an agent a new token. The old one opens nothing from now on, and what waits with it
    /// ends. Whoever did this is the issuer from now on.
    pub(in crate::broker) async fn rotate_agent(
        &self,
        by: Authority<'_>,
        name: &str,
    ) -> Result<NewAgent, BrokerError> {
        let (token, digest) = self.token();
        let now = self.clock().now();
        let rotated = self.store().write(|tx| {
            Box::pin(async move {
                let actor = &by.actor(tx, now).await?;
                let old = active(tx, name).await?;
                // Later than before, whatever the clock says: waits tell old from new by it.
                let issued_at = now.max(old.issued_at + TimeDelta::microseconds(1));
                let agent = Agent { issuer: issuer(actor), issued_at, ..old.clone() };
                accounts::rotate_token(tx, &agent, digest).await?;
                let before = OldTokenFacts { issuer: old.issuer, issued_at: old.issued_at };
                let facts = TokenFacts { issuer: agent.issuer, before };
                let detail = AuditDetail::TokenRotated(facts);
                let event = AuditEvent::new(actor.clone(), Some(old.name), detail);
                audit::append(tx, &event, now).await?;
                Ok::<_, BrokerError>(agent)
            })
        });
        Ok(NewAgent { agent: rotated.await?, token })
    }

    /// Revokes an agent's token, at once and for ever.
    pub(in crate::broker) async fn revoke_agent(
        &self,
        by: Authority<'_>,
        name: &str,
    ) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let actor = &by.actor(tx, now).await?;
                    let found = accounts::agent_by_name(tx, name).await?;
                    let agent = found.ok_or(BrokerError::NotFound)?;
                    if accounts::revoke_agent(tx, agent.id, now).await? {
                        let detail = AuditDetail::AgentRevoked(NoFacts {});
                        let event = AuditEvent::new(actor.clone(), Some(agent.name), detail);
                        audit::append(tx, &event, now).await?;
                    }
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }

    /// Lets refusals no longer count against an agent; nothing is written where none counts.
    async fn lift_limit(&self, by: Authority<'_>, name: &str) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let actor = &by.actor(tx, now).await?;
                    let agent = active(tx, name).await?;
                    let refusals = requests::refusals(tx, agent.id, (now, None)).await?;
                    if refusals.is_empty() {
                        return Ok(());
                    }
                    accounts::lift_refusals(tx, agent.id, now).await?;
                    let facts = LiftedFacts { refusals: len_u64(refusals.len()) };
                    let detail = AuditDetail::LimitLifted(facts);
                    let event = AuditEvent::new(actor.clone(), Some(agent.name), detail);
                    audit::append(tx, &event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }

    fn token(&self) -> (String, Digest) {
        let token = format!("cs_{}", self.clock().secret());
        let digest = Digest::of(token.as_bytes());
        (token, digest)
    }
}

/// Somebody who can own an agent.
pub(super) async fn enabled_person(tx: &mut Tx<'_>, name: &str) -> Result<Person, BrokerError> {
    let people = accounts::people(tx).await?.into_iter();
    let enabled: Vec<_> = people.filter(Person::is_active).collect();
    let known = || enabled.iter().map(|person| person.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = enabled.iter().find(|person| person.name == name).cloned();
    found.ok_or_else(|| unknown_name("person", name, known()).into())
}

/// An agent whose token opens something.
async fn active(tx: &mut Tx<'_>, name: &str) -> Result<Agent, BrokerError> {
    let agent = accounts::agent_by_name(tx, name).await?.ok_or(BrokerError::NotFound)?;
    if agent.revoked { Err(inactive(name, "revoked").into()) } else { Ok(agent) }
}

fn issuer(actor: &Actor) -> Option<PersonId> {
    match actor {
        Actor::Person { id, .. } => Some(*id),
        Actor::Agent { .. }
        | Actor::Service { .. }
        | Actor::Unknown { .. }
        | Actor::CommandLine
        | Actor::System => None,
    }
}

/// At least one response, each once. An undo follows from its response and is not named.
fn scoped(scopes: &[ActionKind], catalogue: &Catalogue) -> Result<Vec<ActionKind>, InvalidField> {
    let known = catalogue.responses();
    let wanted: Vec<_> = known.iter().copied().filter(|kind| scopes.contains(kind)).collect();
    if !wanted.is_empty() && scopes.iter().all(|kind| known.contains(kind)) {
        return Ok(wanted);
    }
    let problem = if scopes.is_empty() {
        "an agent that may ask for nothing is of no use; revoke it instead".to_owned()
    } else {
        format!("`{}` is not allowed", names(scopes))
    };
    let allowed = format!("one or more of {}", names(known));
    Err(InvalidField { field: "scopes".to_owned(), problem, allowed })
}
