//! Admins keep people and agents. The keeper does it; policy says who may.

use super::{
    operator::{Keeper, NewAgent, NewPerson, PersonChange, one_time},
    sessions::SignedIn,
};
use crate::{
    broker::{Broker, BrokerError},
    domain::{
        action::ActionKind,
        actor::{Actor, Role},
        facts::{Resource, Verb},
    },
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
        let (keeper, actor) = self.manages(who, Verb::ManagePeople)?;
        let password = one_time(self.clock());
        let new = NewPerson { name, role, password: &password, must_change: true, mail };
        keeper.add_person(&actor, new).await?;
        Ok(password)
    }

    /// Changes something about a person: see [`super::operator::Keeper::change_person`].
    pub async fn change_person(
        &self,
        who: &SignedIn,
        name: &str,
        change: &PersonChange,
    ) -> Result<(), BrokerError> {
        let (keeper, actor) = self.manages(who, Verb::ManagePeople)?;
        keeper.change_person(&actor, name, change).await
    }

    /// Gives a person a one-time password, which must be changed at the next sign-in.
    pub async fn reset_password(&self, who: &SignedIn, name: &str) -> Result<String, BrokerError> {
        let (keeper, actor) = self.manages(who, Verb::ManagePeople)?;
        let password = one_time(self.clock());
        keeper.reset_password(&actor, name, &password).await?;
        Ok(password)
    }

    /// Adds an agent: see [`super::operator::Keeper::add_agent`].
    pub async fn add_agent(
        &self,
        who: &SignedIn,
        name: &str,
        owner: &str,
        scopes: &[ActionKind],
    ) -> Result<NewAgent, BrokerError> {
        let (keeper, actor) = self.manages(who, Verb::ManageAgents)?;
        keeper.add_agent(&actor, name, owner, scopes).await
    }

    /// Sets what an agent may ask for: see [`super::operator::Keeper::set_scopes`].
    pub async fn set_scopes(
        &self,
        who: &SignedIn,
        name: &str,
        scopes: &[ActionKind],
    ) -> Result<(), BrokerError> {
        let (keeper, actor) = self.manages(who, Verb::ManageAgents)?;
        keeper.set_scopes(&actor, name, scopes).await
    }

    /// Gives an agent a new token: see [`super::operator::Keeper::rotate_agent`].
    pub async fn rotate_agent(&self, who: &SignedIn, name: &str) -> Result<NewAgent, BrokerError> {
        let (keeper, actor) = self.manages(who, Verb::ManageAgents)?;
        keeper.rotate_agent(&actor, name).await
    }

    /// Revokes an agent's token.
    pub async fn revoke_agent(&self, who: &SignedIn, name: &str) -> Result<(), BrokerError> {
        let (keeper, actor) = self.manages(who, Verb::ManageAgents)?;
        keeper.revoke_agent(&actor, name).await
    }

    fn manages(&self, who: &SignedIn, verb: Verb) -> Result<(Keeper, Actor), BrokerError> {
        self.authorize(&who.principal(self.clock().now()), verb, &Resource::System)?;
        Ok((self.keeper().during(who), who.actor()))
    }
}
