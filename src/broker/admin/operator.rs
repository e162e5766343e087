//! The command line's rights: everything about people, agents, the kill switch and the audit, and
//! policy is not asked. Anyone who can read the data folder has them.
//!
//! Only `app`, `cli` and `demo` may name it, and nothing of the [`Broker`] leads to it: a test
//! holds both.
//!
//! [`Broker`]: crate::broker::Broker

use std::collections::BTreeMap;

use super::{
    agents::NewAgent,
    kill_switch::Unfreeze,
    people::{NewPerson, PersonChange},
    recover::{Recovery, RecoveryOrder},
};
use crate::{
    broker::{Authority, BrokerError, unchecked::Unchecked},
    clock::Clock,
    connector::Connector,
    domain::{
        action::{ActionKind, Catalogue},
        actor::{Actor, Agent, Person},
        audit::AuditEntry,
        id::PersonId,
        kill_switch::{Extent, Freeze},
    },
    store::{
        Store,
        audit::{self, AuditFilter, Verified, VerifiedProofs},
    },
};

/// What the command line may do.
#[derive(Debug, Clone)]
pub struct Operator(Unchecked);

impl Operator {
    /// The operator of this store.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self(Unchecked::new(store, clock))
    }

    /// Closes its connections. Where no server has the database open, one whole file is left.
    pub async fn close(&self) {
        self.0.store().disconnect().await;
    }

    /// Adds a person.
    pub async fn add_person(
        &self,
        actor: &Actor,
        new: NewPerson<'_>,
    ) -> Result<Person, BrokerError> {
        self.0.add_person(Authority::Trusted(actor), new).await
    }

    /// All people, by name.
    pub async fn people(&self) -> Result<Vec<Person>, BrokerError> {
        self.0.people().await
    }

    /// A person, by name.
    pub async fn person(&self, name: &str) -> Result<Person, BrokerError> {
        self.0.person(name).await
    }

    /// How many sessions people have; a person without a session is not in it.
    pub async fn sessions(&self) -> Result<BTreeMap<PersonId, u64>, BrokerError> {
        self.0.sessions().await
    }

    /// Changes something about a person; nothing is written where nothing changes. Refused for a
    /// disabled person, and where no admin would be left.
    pub async fn change_person(
        &self,
        actor: &Actor,
        name: &str,
        change: &PersonChange,
    ) -> Result<(), BrokerError> {
        self.0.change_person(Authority::Trusted(actor), name, change).await
    }

    /// Disables a person: no sign-in, no session, votes count no longer.
    pub async fn disable_person(&self, actor: &Actor, name: &str) -> Result<(), BrokerError> {
        self.0.change_person(Authority::Trusted(actor), name, &PersonChange::Disable).await
    }

    /// Sets a person's password; it must be changed before anything else is done with it.
    pub async fn reset_password(
        &self,
        actor: &Actor,
        name: &str,
        password: &str,
    ) -> Result<(), BrokerError> {
        self.0.reset_password(Authority::Trusted(actor), name, password).await
    }

    /// The actions that can be asked for by the policy set that was activated last.
    pub async fn catalogue(&self) -> Result<Catalogue, BrokerError> {
        self.0.catalogue().await
    }

    /// Adds an agent that a person owns, and that may ask for these responses.
    pub async fn add_agent(
        &self,
        actor: &Actor,
        name: &str,
        owner: &str,
        scopes: &[ActionKind],
    ) -> Result<NewAgent, BrokerError> {
        self.0.add_agent(Authority::Trusted(actor), name, owner, scopes).await
    }

    /// All agents, by name.
    pub async fn agents(&self) -> Result<Vec<Agent>, BrokerError> {
        self.0.agents().await
    }

    /// Sets what an agent may ask for.
    pub async fn set_scopes(
        &self,
        actor: &Actor,
        name: &str,
        scopes: &[ActionKind],
    ) -> Result<(), BrokerError> {
        self.0.set_scopes(Authority::Trusted(actor), name, scopes).await
    }

    /// Gives an agent a new token. The old one opens nothing any more.
    pub async fn rotate_agent(&self, actor: &Actor, name: &str) -> Result<NewAgent, BrokerError> {
        self.0.rotate_agent(Authority::Trusted(actor), name).await
    }

    /// Revokes an agent's token, at once and for ever.
    pub async fn revoke_agent(&self, actor: &Actor, name: &str) -> Result<(), BrokerError> {
        self.0.revoke_agent(Authority::Trusted(actor), name).await
    }

    /// Throws the kill switch.
    pub async fn freeze(
        &self,
        actor: &Actor,
        extent: &Extent,
        reason: &str,
    ) -> Result<(), BrokerError> {
        self.0.freeze(Authority::Trusted(actor), extent, reason).await
    }

    /// Turns one of the two keys that release the kill switch. The command line counts as one
    /// person. `may` tells whether the person who turned the first key may still do so.
    pub async fn unfreeze(
        &self,
        actor: &Actor,
        extent: &Extent,
        reason: &str,
        may: impl Fn(&Person) -> bool + Send + Sync,
    ) -> Result<Unfreeze, BrokerError> {
        self.0.unfreeze(Authority::Trusted(actor), extent, reason, may).await
    }

    /// Takes a database over that may lack what was sent: see [`Recovery`]. None where it lacks
    /// nothing. `may` tells whether a person may do so.
    pub async fn recover(
        &self,
        order: &RecoveryOrder<'_>,
        managers: &[Connector],
        may: impl Fn(&Person) -> bool + Send + Sync,
    ) -> Result<Option<Recovery>, BrokerError> {
        self.0.recover(order, managers, may).await
    }

    /// What the kill switch stops now, oldest first.
    pub async fn frozen(&self) -> Result<Vec<Freeze>, BrokerError> {
        self.0.frozen().await
    }

    /// The newest audit entries that match, older than the place `before`. Nothing is written: it may
    /// be read-only media.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, BrokerError> {
        Ok(audit::page(&mut self.0.store().reader().await?, filter, before, limit).await?)
    }

    /// The entries after a place, oldest first: for those who follow what happens.
    pub async fn audit_after(&self, seq: u64) -> Result<Vec<AuditEntry>, BrokerError> {
        let found = audit::after(&mut self.0.store().reader().await?, seq, 1000).await?;
        Ok(found.into_iter().map(|(entry, _hash)| entry).collect())
    }

    /// Walks the audit chain from its first row.
    pub async fn verify_audit(&self) -> Result<Verified, BrokerError> {
        Ok(audit::verify(&mut self.0.store().reader().await?).await?)
    }

    /// Verifies what passkeys signed, with the keys that the audit has.
    pub async fn verify_proofs(&self) -> Result<VerifiedProofs, BrokerError> {
        Ok(audit::verify_proofs(&mut self.0.store().reader().await?).await?)
    }
}
