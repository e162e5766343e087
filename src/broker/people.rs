//! Admins keep people and agents. The keeper does it; policy says who may.

use super::{
    Broker, BrokerError,
    keeper::{NewAgent, NewPerson, PersonChange, one_time},
    sign_in::SignedIn,
};
use crate::domain::{
    action::ActionKind,
    actor::{Actor, Role},
    facts::{Resource, Verb},
};

impl Broker {
    /// Adds a person: the one-time password, which must be changed at the first sign-in.
    pub async fn add_person(
        &self,
        who: &SignedIn,
        name: &str,
        role: Role,
        mail: Option<&str>,
    ) -> Result<String, BrokerError> {
        let actor = self.manages(who, Verb::ManagePeople)?;
        let password = one_time(self.clock());
        let new = NewPerson { name, role, password: &password, must_change: true, mail };
        self.keeper().add_person(&actor, new).await?;
        Ok(password)
    }

    /// Changes something about a person: see [`super::keeper::Keeper::change_person`].
    pub async fn change_person(
        &self,
        who: &SignedIn,
        name: &str,
        change: &PersonChange,
    ) -> Result<(), BrokerError> {
        let actor = self.manages(who, Verb::ManagePeople)?;
        self.keeper().change_person(&actor, name, change).await
    }

    /// Gives a person a one-time password, which must be changed at the next sign-in.
    pub async fn reset_password(&self, who: &SignedIn, name: &str) -> Result<String, BrokerError> {
        let actor = self.manages(who, Verb::ManagePeople)?;
        let password = one_time(self.clock());
        self.keeper().reset_password(&actor, name, &password).await?;
        Ok(password)
    }

    /// Adds an agent: see [`super::keeper::Keeper::add_agent`].
    pub async fn add_agent(
        &self,
        who: &SignedIn,
        name: &str,
        owner: &str,
        scopes: &[ActionKind],
    ) -> Result<NewAgent, BrokerError> {
        let actor = self.manages(who, Verb::ManageAgents)?;
        self.keeper().add_agent(&actor, name, owner, scopes).await
    }

    /// Sets what an agent may ask for: see [`super::keeper::Keeper::set_scopes`].
    pub async fn set_scopes(
        &self,
        who: &SignedIn,
        name: &str,
        scopes: &[ActionKind],
    ) -> Result<(), BrokerError> {
        let actor = self.manages(who, Verb::ManageAgents)?;
        self.keeper().set_scopes(&actor, name, scopes).await
    }

    /// Gives an agent a new token: see [`super::keeper::Keeper::rotate_agent`].
    pub async fn rotate_agent(&self, who: &SignedIn, name: &str) -> Result<NewAgent, BrokerError> {
        let actor = self.manages(who, Verb::ManageAgents)?;
        self.keeper().rotate_agent(&actor, name).await
    }

    /// Revokes an agent's token.
    pub async fn revoke_agent(&self, who: &SignedIn, name: &str) -> Result<(), BrokerError> {
        let actor = self.manages(who, Verb::ManageAgents)?;
        self.keeper().revoke_agent(&actor, name).await
    }

    fn manages(&self, who: &SignedIn, verb: Verb) -> Result<Actor, BrokerError> {
        self.authorize(&who.principal(self.clock().now()), verb, &Resource::System)?;
        Ok(who.actor())
    }
}
