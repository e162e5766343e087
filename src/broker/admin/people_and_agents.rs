//! Admins keep people and agents. The operator does it; policy says who may.

use super::{
    operator::{NewAgent, NewPerson, Operator, PersonChange, one_time_secret},
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
        let (operator, actor) = self.authorize_admin(who, Verb::ManagePeople)?;
        let password = one_time_secret(self.clock());
        let new = NewPerson { name, role, password: &password, must_change: true, mail };
        operator.add_person(&actor, new).await?;
        Ok(password)
    }

    /// Changes something about a person: see [`super::operator::Operator::change_person`].
    pub async fn change_person(
        &self,
        who: &SignedIn,
        name: &str,
        change: &PersonChange,
    ) -> Result<(), BrokerError> {
        let (operator, actor) = self.authorize_admin(who, Verb::ManagePeople)?;
        operator.change_person(&actor, name, change).await
    }

    /// Gives a person a one-time password, which must be changed at the next sign-in.
    pub async fn reset_password(&self, who: &SignedIn, name: &str) -> Result<String, BrokerError> {
        let (operator, actor) = self.authorize_admin(who, Verb::ManagePeople)?;
        let password = one_time_secret(self.clock());
        operator.reset_password(&actor, name, &password).await?;
        Ok(password)
    }

    /// Adds an agent: see [`super::operator::Operator::add_agent`].
    pub async fn add_agent(
        &self,
        who: &SignedIn,
        name: &str,
        owner: &str,
        scopes: &[ActionKind],
    ) -> Result<NewAgent, BrokerError> {
        let (operator, actor) = self.authorize_admin(who, Verb::ManageAgents)?;
        operator.add_agent(&actor, name, owner, scopes).await
    }

    /// Sets what an agent may ask for: see [`super::operator::Operator::set_scopes`].
    pub async fn set_scopes(
        &self,
        who: &SignedIn,
        name: &str,
        scopes: &[ActionKind],
    ) -> Result<(), BrokerError> {
        let (operator, actor) = self.authorize_admin(who, Verb::ManageAgents)?;
        operator.set_scopes(&actor, name, scopes).await
    }

    /// Gives an agent a new token: see [`super::operator::Operator::rotate_agent`].
    pub async fn rotate_agent(&self, who: &SignedIn, name: &str) -> Result<NewAgent, BrokerError> {
        let (operator, actor) = self.authorize_admin(who, Verb::ManageAgents)?;
        operator.rotate_agent(&actor, name).await
    }

    /// Revokes an agent's token.
    pub async fn revoke_agent(&self, who: &SignedIn, name: &str) -> Result<(), BrokerError> {
        let (operator, actor) = self.authorize_admin(who, Verb::ManageAgents)?;
        operator.revoke_agent(&actor, name).await
    }

    fn authorize_admin(
        &self,
        who: &SignedIn,
        verb: Verb,
    ) -> Result<(Operator, Actor), BrokerError> {
        self.authorize(&who.principal(self.clock().now()), verb, &Resource::System)?;
        Ok((self.operator().for_session(who), who.actor()))
    }
}
