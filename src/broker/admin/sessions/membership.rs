//! What the identity provider says of people while they are signed in: whether they still may, and as
//! what.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::{
    broker::{Broker, BrokerError, in_memory::Reread, signed_in::active_session},
    connector::{ProviderError, Secret},
    domain::{
        Time,
        actor::{Actor, Person, Role},
        audit::{
            AuditDetail, AuditEvent,
            detail::accounts::{RoleFacts, SessionsFacts, TeamsFacts},
        },
        digest::Digest,
    },
    store::{
        Tx,
        accounts::{self, StoredIdentity, StoredSession},
        audit,
    },
};

impl Broker {
    /// Whether the session of somebody who signed in at the provider goes on: it is asked every few
    /// minutes. While it cannot be asked the session stays.
    pub(in crate::broker) async fn still_a_member(
        &self,
        session: &StoredSession,
        token: Digest,
    ) -> Result<bool, BrokerError> {
        let Some(identity) = &session.identity else { return Ok(true) };
        let now = self.clock().now();
        let every = self.settings().sign_in.reread_after;
        let every = TimeDelta::from_std(every).unwrap_or(TimeDelta::zero());
        let due = self.provider_sessions().due((token, session.created_at), every, now);
        let refresh_token = match due {
            Reread::NotDue => return Ok(true),
            Reread::Impossible => {
                self.end_unread_session(token).await?;
                return Ok(false);
            }
            Reread::With(refresh_token) => refresh_token,
        };
        // By itself: whoever hangs up meanwhile must not keep what the provider says from counting.
        let (broker, session, identity) = (self.clone(), session.clone(), identity.clone());
        let reading = async move {
            broker.read_again((&session.person, token), (&identity, &refresh_token), now).await
        };
        tokio::spawn(reading).await.unwrap_or(Ok(false))
    }

    /// Asks the provider about somebody, and does what follows. Whether the session goes on.
    async fn read_again(
        &self,
        (person, token): (&Person, Digest),
        (identity, refresh_token): (&StoredIdentity, &Secret),
        now: Time,
    ) -> Result<bool, BrokerError> {
        let Some(provider) = self.identity_provider() else {
            self.end_unread_session(token).await?;
            return Ok(false);
        };
        let read = match provider.read_again(&identity.subject, refresh_token).await {
            Ok(read) => read,
            Err(ProviderError::Unavailable(why)) => {
                tracing::warn!(%why, "who is signed in stays, and nobody new gets in");
                return Ok(true);
            }
            // The account may be closed, or its session there over: the others of the person find out
            // by themselves.
            Err(ProviderError::Refused { .. }) => {
                self.end_unread_session(token).await?;
                return Ok(false);
            }
        };
        let role = self.settings().sign_in.role_of(&read.groups);
        let teams = self.settings().sign_in.teams_of(&read.groups);
        let teams = teams.filter(|teams| *teams != person.teams);
        let other_role = role != Some(person.role);
        if other_role || teams.is_some() {
            self.apply_reading((person, token), role, teams.as_ref()).await?;
        }
        if other_role {
            return Ok(false);
        }
        self.provider_sessions().was_read(token, read.refresh_token, now);
        Ok(true)
    }

    /// Makes a person what the provider says by now. Another role ends their sessions, and none suspends
    /// them; with other teams the sessions stay: what they show is asked each time.
    async fn apply_reading(
        &self,
        (person, token): (&Person, Digest),
        role: Option<Role>,
        teams: Option<&BTreeSet<String>>,
    ) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    // Whoever signed in again meanwhile was looked at later than this reading.
                    if active_session(tx, token, now).await?.is_none() {
                        return Ok(());
                    }
                    match (role, teams) {
                        (None, _) => suspend(tx, person, now).await,
                        (Some(role), _) if role != person.role => {
                            give_role(tx, person, role, now).await
                        }
                        (Some(_), Some(teams)) => give_teams(tx, person, teams, now).await,
                        (Some(_), None) => Ok(()),
                    }
                })
            })
            .await
    }

    /// Ends a session about which nobody can be asked any more.
    async fn end_unread_session(&self, token: Digest) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let Some(session) = active_session(tx, token, now).await? else {
                        return Ok(());
                    };
                    accounts::end_session(tx, token).await?;
                    let detail = AuditDetail::SessionsEnded(SessionsFacts { sessions: 1 });
                    let on = Some(session.person.name);
                    audit::append(tx, &AuditEvent::new(Actor::System, on, detail), now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }
}

/// Gives a person another role, which ends their sessions.
pub(super) async fn give_role(
    tx: &mut Tx<'_>,
    person: &Person,
    role: Role,
    now: Time,
) -> Result<(), BrokerError> {
    accounts::set_role(tx, person.id, role).await?;
    let sessions = accounts::end_sessions(tx, person.id).await?;
    let detail = AuditDetail::RoleChanged(RoleFacts { role, before: person.role, sessions });
    let event = AuditEvent::new(Actor::System, Some(person.name.clone()), detail);
    audit::append(tx, &event, now).await?;
    Ok(())
}

/// Puts a person into other teams.
pub(super) async fn give_teams(
    tx: &mut Tx<'_>,
    person: &Person,
    teams: &BTreeSet<String>,
    now: Time,
) -> Result<(), BrokerError> {
    accounts::set_teams(tx, person.id, teams).await?;
    let facts = TeamsFacts { teams: teams.clone(), before: person.teams.clone() };
    let on = Some(person.name.clone());
    audit::append(tx, &AuditEvent::new(Actor::System, on, AuditDetail::TeamsChanged(facts)), now)
        .await?;
    Ok(())
}

/// Suspends a person whom the provider names no role for: nothing rests on them until it does again.
pub(super) async fn suspend(
    tx: &mut Tx<'_>,
    person: &Person,
    now: Time,
) -> Result<(), BrokerError> {
    let sessions = accounts::suspend_person(tx, person.id, now).await?;
    let detail = AuditDetail::PersonSuspended(SessionsFacts { sessions });
    let event = AuditEvent::new(Actor::System, Some(person.name.clone()), detail);
    audit::append(tx, &event, now).await?;
    Ok(())
}
