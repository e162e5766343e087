//! People added, changed and disabled; policy is not asked. Nobody is removed and no name is given twice: else the audit
//! would not say who it was. So a disabled person stays disabled.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::{NewPerson, PersonChange};
use crate::{
    broker::{
        Authority, BrokerError, SESSION_HOURS, SESSION_IDLE_MINUTES,
        admin::{passkeys::remove_factors, password::check_strength},
        input::{check_name, check_teams, inactive, name_taken},
        unchecked::Unchecked,
    },
    connector::is_mail_address,
    domain::{
        Time,
        actor::{Actor, Person, Role},
        audit::{
            AuditDetail, AuditEvent,
            detail::accounts::{
                DisabledPersonFacts, MailFacts, NewPersonFacts, NoFacts, OnCallFacts, RoleFacts,
                SessionsFacts, TeamsFacts,
            },
        },
        id::PersonId,
        proposal::InvalidField,
    },
    store::{Tx, accounts, audit, notices},
};

/// A change that can be made as it stands.
enum Step<'a> {
    Change(&'a PersonChange),
    /// The hash of a password that must be changed first.
    Password(&'a str),
}

impl Unchecked {
    /// Adds a person.
    pub(in crate::broker) async fn add_person(
        &self,
        by: Authority<'_>,
        new: NewPerson<'_>,
    ) -> Result<Person, BrokerError> {
        let (person, hash) = &self.drafted(new).await?;
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let event = &added(&by.actor(tx, now).await?, person);
                    insert(tx, person, hash, event, now).await
                })
            })
            .await?;
        Ok(person.clone())
    }

    /// Adds the first person, an admin. [`BrokerError::NotFound`] once there is somebody.
    pub(in crate::broker) async fn add_first(
        &self,
        name: &str,
        password: &str,
    ) -> Result<Person, BrokerError> {
        let role = Role::Admin;
        let new = NewPerson { name, role, password, must_change: false, mail: None, teams: &[] };
        let (person, hash) = &self.drafted(new).await?;
        let event = &added(&Actor::from(person), person);
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    if !accounts::people(tx).await?.is_empty() {
                        return Err(BrokerError::NotFound);
                    }
                    insert(tx, person, hash, event, now).await
                })
            })
            .await?;
        Ok(person.clone())
    }

    /// The person and the hash of the password.
    async fn drafted(&self, new: NewPerson<'_>) -> Result<(Person, String), BrokerError> {
        let NewPerson { name, role, password, must_change, mail, teams } = new;
        let person = Person {
            must_change_password: must_change,
            mail: mail.map(address).transpose()?,
            teams: check_teams(teams)?,
            ..Person::new(self.clock().id(), check_name(name)?, role)
        };
        check_strength(name, password)?;
        Ok((person, self.passwords().hash(self.clock(), password).await?))
    }

    /// All people, by name.
    pub(in crate::broker) async fn people(&self) -> Result<Vec<Person>, BrokerError> {
        Ok(accounts::people(&mut self.store().reader().await?).await?)
    }

    /// A person, by name.
    pub(in crate::broker) async fn person(&self, name: &str) -> Result<Person, BrokerError> {
        let found = accounts::person_by_name(&mut self.store().reader().await?, name).await?;
        Ok(found.ok_or(BrokerError::NotFound)?.0)
    }

    /// How many sessions people have; who has none is not in it.
    pub(in crate::broker) async fn sessions(&self) -> Result<BTreeMap<PersonId, u64>, BrokerError> {
        let now = self.clock().now();
        let begun = now - TimeDelta::hours(SESSION_HOURS);
        let used = now - TimeDelta::minutes(SESSION_IDLE_MINUTES);
        let mut reader = self.store().reader().await?;
        Ok(accounts::session_counts(&mut reader, begun, used).await?)
    }

    /// Changes something about a person; nothing is written where nothing changes. Refused for
    /// somebody who is disabled, for what nobody does to oneself, and where no admin would be left.
    pub(in crate::broker) async fn change_person(
        &self,
        by: Authority<'_>,
        name: &str,
        change: &PersonChange,
    ) -> Result<(), BrokerError> {
        let change = &match change {
            PersonChange::Mail(Some(mail)) => PersonChange::Mail(Some(address(mail)?)),
            PersonChange::Teams(teams) => {
                PersonChange::Teams(check_teams(teams)?.into_iter().collect())
            }
            PersonChange::Role(_)
            | PersonChange::OnCall(_)
            | PersonChange::Mail(None)
            | PersonChange::EndSessions
            | PersonChange::RemovePasskeys
            | PersonChange::Disable => change.clone(),
        };
        self.take_step(by, name, &Step::Change(change)).await
    }

    /// Sets a person's password; it must be changed before anything else is done with it.
    pub(in crate::broker) async fn reset_password(
        &self,
        by: Authority<'_>,
        name: &str,
        password: &str,
    ) -> Result<(), BrokerError> {
        self.person(name).await?;
        check_strength(name, password)?;
        let hash = self.passwords().hash(self.clock(), password).await?;
        self.take_step(by, name, &Step::Password(&hash)).await
    }

    async fn take_step(
        &self,
        by: Authority<'_>,
        name: &str,
        step: &Step<'_>,
    ) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let actor = &by.actor(tx, now).await?;
                    let found = accounts::person_by_name(tx, name).await?;
                    let (person, _) = found.ok_or(BrokerError::NotFound)?;
                    if person.disabled && matches!(step, Step::Change(PersonChange::Disable)) {
                        return Ok(());
                    }
                    if person.disabled {
                        return Err(inactive(name, "disabled").into());
                    }
                    stands(tx, actor, &person, step).await?;
                    let mut details = Vec::from_iter(apply(tx, &person, step, now).await?);
                    if matches!(
                        step,
                        Step::Password(_) | Step::Change(PersonChange::RemovePasskeys)
                    ) {
                        // Whoever took the account may have made themself a key.
                        details.extend(remove_factors(tx, person.id, now).await?);
                    }
                    for detail in details {
                        let on = Some(person.name.clone());
                        audit::append(tx, &AuditEvent::new(actor.clone(), on, detail), now).await?;
                    }
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }
}

fn added(actor: &Actor, person: &Person) -> AuditEvent {
    let Person { role, id, mail, teams, .. } = person.clone();
    let detail = AuditDetail::PersonAdded(NewPersonFacts { role, id, mail, identity: None, teams });
    AuditEvent::new(actor.clone(), Some(person.name.clone()), detail)
}

async fn insert(
    tx: &mut Tx<'_>,
    person: &Person,
    hash: &str,
    event: &AuditEvent,
    now: Time,
) -> Result<(), BrokerError> {
    accounts::add_person(tx, person, hash, now)
        .await
        .map_err(|error| name_taken(error, &person.name))?;
    audit::append(tx, event, now).await?;
    Ok(())
}

/// Refuses what nobody does to oneself, and what would leave no admin.
async fn stands(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Person,
    step: &Step<'_>,
) -> Result<(), BrokerError> {
    let other = "another admin, or the command line, does it";
    let own = match step {
        Step::Change(PersonChange::Role(_)) => Some(("give yourself a role", other)),
        Step::Change(PersonChange::Disable) => Some(("disable yourself", other)),
        Step::Change(PersonChange::Teams(_)) => Some(("change your own teams", other)),
        Step::Password(_) => Some(("reset your own password", "change it under Password")),
        Step::Change(PersonChange::RemovePasskeys) => {
            Some(("remove all of your own passkeys", "remove them under Account"))
        }
        Step::Change(
            PersonChange::OnCall(_) | PersonChange::Mail(_) | PersonChange::EndSessions,
        ) => None,
    };
    let provided = match step {
        Step::Change(PersonChange::Role(_)) => Some("the role is that of their group"),
        Step::Password(_) => Some("they have no password here"),
        Step::Change(
            PersonChange::OnCall(_)
            | PersonChange::Teams(_)
            | PersonChange::Mail(_)
            | PersonChange::EndSessions
            | PersonChange::RemovePasskeys
            | PersonChange::Disable,
        ) => None,
    };
    let identity = accounts::identity(tx, person.id).await?;
    if let (Some(what), Some(identity)) = (provided, &identity) {
        let problem = format!("`{}` signs in at {}: {what}", person.name, identity.issuer);
        return Err(refused(&problem, "change it there, or disable them here").into());
    }
    if identity.is_none() && matches!(step, Step::Change(PersonChange::RemovePasskeys)) {
        let problem = format!("`{}` has a password here", person.name);
        return Err(refused(&problem, "reset it: that removes the passkeys, too").into());
    }
    if let Some((what, allowed)) = own
        && actor.id() == Some(person.id.to_string())
    {
        return Err(refused(&format!("you cannot {what}"), allowed).into());
    }
    let leaves = match step {
        Step::Change(PersonChange::Role(role)) => *role != Role::Admin,
        Step::Change(PersonChange::Disable) => true,
        Step::Password(_)
        | Step::Change(
            PersonChange::OnCall(_)
            | PersonChange::Teams(_)
            | PersonChange::Mail(_)
            | PersonChange::EndSessions
            | PersonChange::RemovePasskeys,
        ) => false,
    };
    if leaves { check_not_last_admin(tx, person).await } else { Ok(()) }
}

/// Refuses what would leave no admin.
pub(in crate::broker::admin) async fn check_not_last_admin(
    tx: &mut Tx<'_>,
    person: &Person,
) -> Result<(), BrokerError> {
    let admin = |one: &&Person| one.role == Role::Admin && one.is_active();
    if !admin(&person) || accounts::people(tx).await?.iter().filter(admin).count() > 1 {
        return Ok(());
    }
    Err(refused(
        &format!("`{}` is the last admin", person.name),
        "make somebody else an admin first",
    )
    .into())
}

fn refused(problem: &str, allowed: &str) -> InvalidField {
    InvalidField {
        field: "name".to_owned(),
        problem: problem.to_owned(),
        allowed: allowed.to_owned(),
    }
}

/// Makes the change. What to record, unless nothing changed.
async fn apply(
    tx: &mut Tx<'_>,
    person: &Person,
    step: &Step<'_>,
    now: Time,
) -> Result<Option<AuditDetail>, BrokerError> {
    let id = person.id;
    Ok(match step {
        Step::Change(PersonChange::Role(role)) if *role != person.role => {
            accounts::set_role(tx, id, *role).await?;
            let sessions = accounts::end_sessions(tx, id).await?;
            let facts = RoleFacts { role: *role, before: person.role, sessions };
            Some(AuditDetail::RoleChanged(facts))
        }
        Step::Change(PersonChange::OnCall(on)) if *on != person.on_call => {
            accounts::set_on_call(tx, id, *on).await?;
            // Whoever is on call has no quiet hours.
            notices::release_held(tx, id, now).await?;
            let facts = OnCallFacts { on_call: *on, before: person.on_call };
            Some(AuditDetail::OnCallChanged(facts))
        }
        Step::Change(PersonChange::Mail(mail)) if *mail != person.mail => {
            accounts::set_mail(tx, id, mail.as_deref()).await?;
            let facts = MailFacts { mail: mail.clone(), before: person.mail.clone() };
            Some(AuditDetail::MailChanged(facts))
        }
        Step::Change(PersonChange::Teams(teams)) if !person.teams.iter().eq(teams) => {
            let teams: BTreeSet<_> = teams.iter().cloned().collect();
            accounts::set_teams(tx, id, &teams).await?;
            Some(AuditDetail::TeamsChanged(TeamsFacts { teams, before: person.teams.clone() }))
        }
        Step::Change(
            PersonChange::Role(_)
            | PersonChange::OnCall(_)
            | PersonChange::Teams(_)
            | PersonChange::Mail(_)
            | PersonChange::RemovePasskeys,
        ) => None,
        Step::Change(PersonChange::EndSessions) => {
            let sessions = accounts::end_sessions(tx, id).await?;
            (sessions > 0).then_some(AuditDetail::SessionsEnded(SessionsFacts { sessions }))
        }
        Step::Change(PersonChange::Disable) => {
            accounts::disable_person(tx, id, now).await?;
            let facts = DisabledPersonFacts { role: Some(person.role) };
            Some(AuditDetail::PersonDisabled(facts))
        }
        Step::Password(hash) => {
            accounts::set_password(tx, id, hash, true).await?;
            Some(AuditDetail::PasswordReset(NoFacts {}))
        }
    })
}

/// An address for mail. Narrow on purpose: it goes into mail headers as it is.
fn address(mail: &str) -> Result<String, InvalidField> {
    let mail = mail.trim();
    if is_mail_address(mail) {
        return Ok(mail.to_owned());
    }
    Err(InvalidField {
        field: "mail".to_owned(),
        problem: format!("`{}` is not allowed", mail.chars().take(80).collect::<String>()),
        allowed: "3 to 254 ASCII characters with one `@`: before it letters, digits and \
                  !#$%&'*+-/=?^_`{|}~. and after it letters, digits, `.` and `-`"
            .to_owned(),
    })
}
