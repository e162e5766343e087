//! The people, kept by admins: policy says who may.

use std::collections::BTreeMap;

use super::password::one_time_secret;
use crate::{
    broker::{Authority, Broker, BrokerError, SignedIn},
    domain::{
        actor::{Person, Role},
        facts::{Resource, Verb},
        id::PersonId,
        proposal::InvalidField,
    },
    store::accounts,
};

pub mod api_tokens;
mod unchecked;

pub(super) use unchecked::check_not_last_admin;

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
    /// Where notices are mailed; nowhere without it.
    pub mail: Option<&'a str>,
    /// The teams.
    pub teams: &'a [String],
}

/// What is changed about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonChange {
    /// Another role; the sessions end, votes count with the new role.
    Role(Role),
    /// On call, or off.
    OnCall(bool),
    /// Where notices are mailed; nowhere without it.
    Mail(Option<String>),
    /// The names of the teams: they say what the person sees, at once.
    Teams(Vec<String>),
    /// All sessions end.
    EndSessions,
    /// The passkeys of somebody who signs in at the identity provider; a reset of the password removes
    /// those of others.
    RemovePasskeys,
    /// No sign-in, no session; votes count no longer. For ever.
    Disable,
}

impl Broker {
    /// Adds a person: the one-time password, which must be changed at the first sign-in.
    pub async fn add_person(
        &self,
        who: &SignedIn,
        name: &str,
        role: Role,
        (mail, teams): (Option<&str>, &[String]),
    ) -> Result<String, BrokerError> {
        let by = self.authorize_admin(who, Verb::ManagePeople)?;
        let password = one_time_secret(self.clock());
        let new = NewPerson { name, role, password: &password, must_change: true, mail, teams };
        self.unchecked().add_person(by, new).await?;
        Ok(password)
    }

    /// Changes something about a person: see [`super::operator::Operator::change_person`].
    pub async fn change_person(
        &self,
        who: &SignedIn,
        name: &str,
        change: &PersonChange,
    ) -> Result<(), BrokerError> {
        let by = self.authorize_admin(who, Verb::ManagePeople)?;
        if matches!(change, PersonChange::Teams(_)) && self.settings().sign_in.gives_teams() {
            self.check_teams_are_kept_here(name).await?;
        }
        self.unchecked().change_person(by, name, change).await
    }

    /// Refuses to change what the next sign-in would change back.
    async fn check_teams_are_kept_here(&self, name: &str) -> Result<(), BrokerError> {
        let person = self.unchecked().person(name).await?;
        let mut reader = self.store().reader().await?;
        match accounts::identity(&mut reader, person.id).await? {
            None => Ok(()),
            Some(identity) => Err(InvalidField {
                field: "teams".to_owned(),
                problem: format!("`{name}` signs in at {}", identity.issuer),
                allowed: "the teams of their groups there: change those".to_owned(),
            }
            .into()),
        }
    }

    /// Gives a person a one-time password, which must be changed at the next sign-in.
    pub async fn reset_password(&self, who: &SignedIn, name: &str) -> Result<String, BrokerError> {
        let by = self.authorize_admin(who, Verb::ManagePeople)?;
        let password = one_time_secret(self.clock());
        self.unchecked().reset_password(by, name, &password).await?;
        Ok(password)
    }

    /// All people, by name.
    pub async fn people(&self, who: &SignedIn) -> Result<Vec<Person>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        self.unchecked().people().await
    }

    /// All people, by name, and how many sessions they have.
    pub async fn people_and_sessions(
        &self,
        who: &SignedIn,
    ) -> Result<(Vec<Person>, BTreeMap<PersonId, u64>), BrokerError> {
        Ok((self.people(who).await?, self.unchecked().sessions().await?))
    }

    /// What people are called who sign in at the identity provider; may be empty.
    pub async fn display_names(
        &self,
        who: &SignedIn,
    ) -> Result<BTreeMap<PersonId, String>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let all = accounts::identities(&mut self.store().reader().await?).await?;
        Ok(all.into_iter().map(|(person, identity)| (person, identity.display_name)).collect())
    }

    /// Fails unless policy lets a person do this with the system as a whole.
    pub(super) fn authorize_admin<'a>(
        &self,
        who: &'a SignedIn,
        verb: Verb,
    ) -> Result<Authority<'a>, BrokerError> {
        self.authorize(&who.principal(self.clock().now()), verb, &Resource::System)?;
        Ok(Authority::Session(who))
    }
}
