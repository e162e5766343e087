//! Signing in and out, and sessions.

use chrono::TimeDelta;

use super::password::{UNMATCHABLE, check_strength, hash_password, verify_password};
use crate::{
    broker::{
        Broker, BrokerError, SESSION_HOURS, SESSION_IDLE_MINUTES, SignedIn,
        signed_in::active_session, unchecked::Unchecked,
    },
    domain::{
        actor::{Actor, Person, THROTTLE_WINDOW_MINUTES},
        audit::{
            AuditDetail, AuditEvent,
            detail::accounts::{NoFacts, RefusedSignInFacts, SignInFacts},
        },
        digest::Digest,
    },
    store::{Read, accounts, audit},
};

/// After this many failures under one name, or within one session, it is throttled.
const FAILURES_MAX: u64 = 5;
/// A session's last use is stored at most this often.
const TOUCH_SECONDS: i64 = 60;

impl Broker {
    /// Begins a session: its token, in the only moment in which it is known.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<String, BrokerError> {
        let (_, hash) = &self.unchecked().check_password(name, name, password).await?;
        let token = self.clock().secret();
        let digest = Digest::of(token.as_bytes());
        let now = self.clock().now();
        let detail = &AuditDetail::SignedIn(SignInFacts { password_given_again: false });
        let oldest = now - TimeDelta::hours(SESSION_HOURS);
        let idlest = now - TimeDelta::minutes(SESSION_IDLE_MINUTES);
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    // The password may have been changed while it was looked at.
                    let person = enabled(tx, name)
                        .await?
                        .and_then(|(person, now)| (now == *hash).then_some(person))
                        .ok_or(BrokerError::SignInRefused)?;
                    let event = &AuditEvent::new(Actor::from(&person), None, detail.clone());
                    accounts::forget_failures(tx, name, now - throttle_window()).await?;
                    accounts::end_old_sessions(tx, oldest, idlest).await?;
                    accounts::begin_session(tx, digest, person.id, now).await?;
                    audit::append(tx, event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        Ok(token)
    }

    /// Gives the password again, for one act that wants a fresh one. The session itself stays as
    /// old as it is: whoever stole it gains nothing from what its owner does.
    pub async fn authenticate_again(
        &self,
        who: &SignedIn,
        password: &str,
    ) -> Result<SignedIn, BrokerError> {
        // Under the session's own key: strangers who guess at the name must not keep its owner from
        // deciding.
        let key = &who.session().to_string();
        self.unchecked().check_password(who.name(), key, password).await?;
        let now = self.clock().now();
        let detail = &AuditDetail::SignedIn(SignInFacts { password_given_again: true });
        let active = self.store().write(|tx| {
            Box::pin(async move {
                let active = who.active(tx, now).await?;
                accounts::forget_failures(tx, key, now - throttle_window()).await?;
                let event = AuditEvent::new(active.actor(), None, detail.clone());
                audit::append(tx, &event, now).await?;
                Ok::<_, BrokerError>(active)
            })
        });
        Ok(active.await?.into_signed_in().authenticated(now))
    }

    /// Who a session's token belongs to; nobody when it ran out or the person is disabled.
    pub async fn session(&self, token: &str) -> Result<Option<SignedIn>, BrokerError> {
        let digest = Digest::of(token.as_bytes());
        let now = self.clock().now();
        let found = active_session(&mut self.store().reader().await?, digest, now).await?;
        let Some(session) = found else { return Ok(None) };
        if now - session.seen_at > TimeDelta::seconds(TOUCH_SECONDS) {
            self.store()
                .write_quietly(|tx| {
                    Box::pin(async move { accounts::touch_session(tx, digest, now).await })
                })
                .await?;
        }
        Ok(Some(SignedIn::new(session, digest)))
    }

    /// Whether the session of a token stands. Unlike [`Broker::session`] this is no use of it: a
    /// page that waits for news does not keep its session alive.
    pub async fn session_is_active(&self, token: &str) -> Result<bool, BrokerError> {
        let digest = Digest::of(token.as_bytes());
        let now = self.clock().now();
        let found = active_session(&mut self.store().reader().await?, digest, now).await?;
        Ok(found.is_some())
    }

    /// Ends a session.
    pub async fn sign_out(&self, who: &SignedIn) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let active = match who.active(tx, now).await {
                        Ok(active) => active,
                        // It ended meanwhile.
                        Err(BrokerError::SessionOver) => return Ok(()),
                        Err(error) => return Err(error),
                    };
                    accounts::end_session(tx, who.session()).await?;
                    let detail = AuditDetail::SignedOut(NoFacts {});
                    let event = AuditEvent::new(active.actor(), None, detail);
                    audit::append(tx, &event, now).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Changes one's own password and ends all of one's sessions.
    pub async fn change_password(
        &self,
        who: &SignedIn,
        old: &str,
        new: &str,
    ) -> Result<(), BrokerError> {
        let key = &who.session().to_string();
        self.unchecked().check_password(who.name(), key, old).await?;
        check_strength(new)?;
        if old == new {
            return Err(BrokerError::WeakPassword);
        }
        let hash = &hash_password(self.clock(), new).await?;
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    // An admin may have set another password while this one was looked at.
                    let active = who.active(tx, now).await?;
                    accounts::set_password(tx, active.person().id, hash, false).await?;
                    let detail = AuditDetail::PasswordChanged(NoFacts {});
                    let event = AuditEvent::new(active.actor(), None, detail);
                    audit::append(tx, &event, now).await?;
                    Ok(())
                })
            })
            .await
    }
}

impl Unchecked {
    /// The person and the hash that the password gave, if it is right. A try counts as failed under
    /// its key before it is looked at, so that tries at the same moment are throttled too; success
    /// forgets it.
    pub(super) async fn check_password(
        &self,
        name: &str,
        key: &str,
        password: &str,
    ) -> Result<(Person, String), BrokerError> {
        let now = self.clock().now();
        let key = &key.chars().take(64).collect::<String>();
        let tried = self.store().write_quietly(|tx| {
            Box::pin(async move {
                let lately = (now - throttle_window(), now);
                if accounts::failures_between(tx, key, lately).await? >= FAILURES_MAX {
                    return Err(BrokerError::SignInThrottled);
                }
                accounts::note_failure(tx, key, now).await?;
                enabled(tx, name).await
            })
        });
        let known = tried.await?;
        // The same work for a name that nobody has: the time taken must not tell.
        let hash = known.as_ref().map_or(UNMATCHABLE, |(_, hash)| hash).to_owned();
        if verify_password(hash, password).await
            && let Some(known) = known
        {
            return Ok(known);
        }
        let claimed = name.chars().take(64).collect();
        let actor = Actor::Unknown { claimed };
        let detail = AuditDetail::SignInRefused(RefusedSignInFacts { set_up: false });
        let event = &AuditEvent::new(actor, None, detail);
        let recorded = self
            .store()
            .write(|tx| Box::pin(async move { audit::append(tx, event, now).await.map(drop) }));
        recorded.await?;
        Err(BrokerError::SignInRefused)
    }
}

/// A person who may sign in, and the hash of the password.
async fn enabled(
    read: &mut impl Read,
    name: &str,
) -> Result<Option<(Person, String)>, BrokerError> {
    let found = accounts::person_by_name(read, name).await?;
    Ok(found.filter(|(person, _)| !person.disabled))
}

fn throttle_window() -> TimeDelta {
    TimeDelta::minutes(THROTTLE_WINDOW_MINUTES)
}
