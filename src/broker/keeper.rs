//! People, agents and the audit: what needs neither manager nor policy. The
//! command line does these for whoever may read the data folder.

use serde_json::json;

use super::{
    BrokerError,
    sign_in::{check_strength, hash_password},
};
use crate::{
    clock::Clock,
    domain::{
        action::ActionKind,
        actor::{Actor, Agent, Person, Role, valid_name},
        audit::{AuditEntry, AuditEvent, EventKind},
        canonical::Digest,
        id::AgentId,
        proposal::Invalid,
    },
    store::{
        Store, StoreError, accounts,
        audit::{self, AuditFilter, Verified},
    },
};

/// Keeps people, agents, the kill switch and the audit: what needs neither manager nor policy.
#[derive(Debug, Clone)]
pub struct Keeper {
    store: Store,
    clock: Clock,
}

/// A person to be added.
#[derive(Debug, Clone, Copy)]
pub struct NewPerson<'a> {
    /// The name to sign in with.
    pub name: &'a str,
    /// The role.
    pub role: Role,
    /// The password.
    pub password: &'a str,
    /// Whether somebody else chose the password, so that it must be changed first.
    pub must_change: bool,
}

/// A new agent, and its token in the only moment in which it is known.
#[derive(Debug, Clone)]
pub struct NewAgent {
    /// The agent.
    pub agent: Agent,
    /// The token: `cs_` and 64 hexadecimal digits.
    pub token: String,
}

impl Keeper {
    /// A keeper of this store.
    pub const fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// The store.
    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    /// The clock.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Adds a person.
    pub async fn add_person(
        &self,
        actor: &Actor,
        new: NewPerson<'_>,
    ) -> Result<Person, BrokerError> {
        let NewPerson { name, role, password, must_change } = new;
        let person = &Person {
            id: self.clock.id(),
            name: named(name)?,
            role,
            must_change_password: must_change,
            disabled: false,
            on_call: false,
            mail: None,
        };
        check_strength(password)?;
        let hash = &hash_password(&self.clock, password).await;
        let detail = json!({ "role": role.name(), "id": person.id.to_string() });
        let event = &AuditEvent::new(
            EventKind::PersonAdded,
            actor.clone(),
            Some(person.name.clone()),
            detail,
        );
        let now = self.clock.now();
        self.store
            .write(|tx| {
                Box::pin(async move {
                    accounts::add_person(tx, person, hash, now)
                        .await
                        .map_err(|error| taken(error, name))?;
                    audit::append(tx, event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        Ok(person.clone())
    }

    /// All people, by name.
    pub async fn people(&self) -> Result<Vec<Person>, BrokerError> {
        Ok(accounts::people(&mut self.store.reader().await?).await?)
    }

    /// A person, by name.
    pub async fn person(&self, name: &str) -> Result<Person, BrokerError> {
        let found = accounts::person_by_name(&mut self.store.reader().await?, name).await?;
        Ok(found.ok_or(BrokerError::NotFound)?.0)
    }

    /// Disables a person: no sign-in, no session, votes count no longer.
    pub async fn disable_person(&self, actor: &Actor, name: &str) -> Result<(), BrokerError> {
        let person = self.person(name).await?;
        let event = &AuditEvent::new(
            EventKind::PersonDisabled,
            actor.clone(),
            Some(person.name),
            json!({}),
        );
        let now = self.clock.now();
        self.store
            .write(|tx| {
                Box::pin(async move {
                    if accounts::disable_person(tx, person.id, now).await? {
                        audit::append(tx, event, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Sets a person's password; it must be changed before anything else is done with it.
    pub async fn reset_password(
        &self,
        actor: &Actor,
        name: &str,
        password: &str,
    ) -> Result<(), BrokerError> {
        let person = self.person(name).await?;
        check_strength(password)?;
        let hash = &hash_password(&self.clock, password).await;
        let event =
            &AuditEvent::new(EventKind::PasswordReset, actor.clone(), Some(person.name), json!({}));
        let now = self.clock.now();
        self.store
            .write(|tx| {
                Box::pin(async move {
                    accounts::set_password(tx, person.id, hash, true).await?;
                    audit::append(tx, event, now).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Adds an agent that a person owns.
    pub async fn add_agent(
        &self,
        actor: &Actor,
        name: &str,
        owner: &str,
    ) -> Result<NewAgent, BrokerError> {
        let owner = self.person(owner).await?;
        let issuer = match actor {
            Actor::Person { id, .. } => Some(*id),
            Actor::Agent { .. } | Actor::Unknown { .. } | Actor::CommandLine | Actor::System => {
                None
            }
        };
        let agent = &Agent {
            id: self.clock.id(),
            name: named(name)?,
            owner: owner.id,
            issuer,
            revoked: false,
            scopes: ActionKind::RESPONSES.to_vec(),
            issued_at: self.clock.now(),
        };
        let token = &format!("cs_{}", self.clock.secret());
        let detail = json!({ "owner": owner.name, "id": agent.id.to_string() });
        let event = &AuditEvent::new(
            EventKind::AgentAdded,
            actor.clone(),
            Some(agent.name.clone()),
            detail,
        );
        let now = self.clock.now();
        self.store
            .write(|tx| {
                Box::pin(async move {
                    accounts::add_agent(tx, agent, Digest::of(token.as_bytes()), now)
                        .await
                        .map_err(|error| taken(error, name))?;
                    audit::append(tx, event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        Ok(NewAgent { agent: agent.clone(), token: token.clone() })
    }

    /// All agents, by name.
    pub async fn agents(&self) -> Result<Vec<Agent>, BrokerError> {
        Ok(accounts::agents(&mut self.store.reader().await?).await?)
    }

    /// Revokes an agent's token, at once.
    pub async fn revoke_agent(&self, actor: &Actor, name: &str) -> Result<(), BrokerError> {
        let agents = self.agents().await?;
        let agent =
            agents.into_iter().find(|agent| agent.name == name).ok_or(BrokerError::NotFound)?;
        let event =
            &AuditEvent::new(EventKind::AgentRevoked, actor.clone(), Some(agent.name), json!({}));
        let now = self.clock.now();
        self.store
            .write(|tx| {
                Box::pin(async move {
                    if accounts::revoke_agent(tx, agent.id, now).await? {
                        audit::append(tx, event, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// The agent of a token, unless it is revoked.
    pub async fn agent_of_token(&self, token: &str) -> Result<Option<Agent>, BrokerError> {
        let digest = Digest::of(token.as_bytes());
        let agent = accounts::agent_by_token(&mut self.store.reader().await?, digest).await?;
        Ok(agent.filter(|agent| !agent.revoked))
    }

    /// An agent, by id.
    pub async fn agent(&self, id: AgentId) -> Result<Agent, BrokerError> {
        let found = accounts::agent_by_id(&mut self.store.reader().await?, id).await?;
        found.ok_or(BrokerError::NotFound)
    }

    /// The newest audit entries that match, older than the place `before`; reading them is itself
    /// written down.
    pub async fn audit(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, BrokerError> {
        let page = audit::page(&mut self.store.reader().await?, filter, before, limit).await?;
        let parts = [
            ("kind", &filter.kind),
            ("actor", &filter.actor),
            ("endpoint", &filter.endpoint),
            ("target", &filter.target),
            ("request", &filter.request),
            ("policy", &filter.policy),
        ];
        let asked: serde_json::Map<_, _> = parts
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))))
            .collect();
        let detail = json!({ "filter": asked, "rows": page.len() });
        let event = &AuditEvent::new(EventKind::AuditRead, actor.clone(), None, detail);
        let now = self.clock.now();
        self.store
            .write(|tx| Box::pin(async move { audit::append(tx, event, now).await.map(drop) }))
            .await?;
        Ok(page)
    }

    /// The entries after a place, oldest first: for whoever follows what happens.
    pub async fn audit_after(&self, seq: u64) -> Result<Vec<AuditEntry>, BrokerError> {
        Ok(audit::after(&mut self.store.reader().await?, seq, 1000).await?)
    }

    /// Walks the audit chain from its first row.
    pub async fn verify_audit(&self) -> Result<Verified, BrokerError> {
        Ok(audit::verify(&mut self.store.reader().await?).await?)
    }
}

fn named(name: &str) -> Result<String, Invalid> {
    if valid_name(name) {
        return Ok(name.to_owned());
    }
    Err(Invalid {
        field: "name".to_owned(),
        problem: format!("`{}` is not allowed", name.chars().take(40).collect::<String>()),
        allowed: "1 to 32 of a-z, 0-9, `.`, `_`, `-`, starting with a letter or digit".to_owned(),
    })
}

/// A text that must be said: not blank, at most 500 characters.
pub(super) fn said(field: &str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if !text.is_empty() && text.chars().count() <= 500 {
        return Ok(text.to_owned());
    }
    Err(Invalid {
        field: field.to_owned(),
        problem: "it is missing or too long".to_owned(),
        allowed: "1 to 500 characters".to_owned(),
    })
}

fn taken(error: StoreError, name: &str) -> BrokerError {
    if matches!(error, StoreError::Conflict) {
        return Invalid {
            field: "name".to_owned(),
            problem: format!("`{name}` is taken"),
            allowed: "a name that nobody has, disabled and revoked ones included".to_owned(),
        }
        .into();
    }
    error.into()
}
