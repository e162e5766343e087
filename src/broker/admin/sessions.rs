//! Signing in and out, and sessions.

use chrono::TimeDelta;

use super::password::{UNMATCHABLE, check_strength, hash_password, verify_password};
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        actor::{Actor, Person, THROTTLE_WINDOW_MINUTES},
        audit::{
            AuditDetail, AuditEvent,
            detail::accounts::{NoFacts, RefusedSignInFacts, SignInFacts},
        },
        digest::Digest,
    },
    store::{accounts, audit},
};

/// A session ends after this many minutes without use.
pub const SESSION_IDLE_MINUTES: i64 = 30;
/// A session ends after this many hours, used or not.
pub const SESSION_HOURS: i64 = 12;
/// After this many failures under one name, or within one session, it is throttled.
const FAILURES_MAX: u64 = 5;
/// A session's last use is stored at most this often.
const TOUCH_SECONDS: i64 = 60;

impl Broker {
    /// Begins a session: its token, in the only moment in which it is known.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<String, BrokerError> {
        let person = self.check_password(name, name, password).await?;
        let token = self.clock().secret();
        let digest = Digest::of(token.as_bytes());
        let now = self.clock().now();
        let detail = AuditDetail::SignedIn(SignInFacts { password_given_again: false });
        let event = &AuditEvent::new(Actor::from(&person), None, detail);
        let oldest = now - TimeDelta::hours(SESSION_HOURS);
        let idlest = now - TimeDelta::minutes(SESSION_IDLE_MINUTES);
        self.store()
            .write(|tx| {
                Box::pin(async move {
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
        let key = &who.session.to_string();
        let person = self.check_password(&who.person.name, key, password).await?;
        let now = self.clock().now();
        let detail = AuditDetail::SignedIn(SignInFacts { password_given_again: true });
        let event = &AuditEvent::new(Actor::from(&person), None, detail);
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    accounts::forget_failures(tx, key, now - throttle_window()).await?;
                    audit::append(tx, event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        Ok(SignedIn { person, authenticated_at: now, ..who.clone() })
    }

    /// Who a session's token belongs to; nobody when it ran out or the person is disabled.
    pub async fn session(&self, token: &str) -> Result<Option<SignedIn>, BrokerError> {
        let digest = Digest::of(token.as_bytes());
        let found = accounts::session(&mut self.store().reader().await?, digest).await?;
        let now = self.clock().now();
        let Some(session) = found else { return Ok(None) };
        let idle = now - session.seen_at > TimeDelta::minutes(SESSION_IDLE_MINUTES);
        let old = now - session.created_at > TimeDelta::hours(SESSION_HOURS);
        if idle || old || session.person.disabled {
            return Ok(None);
        }
        if now - session.seen_at > TimeDelta::seconds(TOUCH_SECONDS) {
            self.store()
                .write_quietly(|tx| {
                    Box::pin(async move { accounts::touch_session(tx, digest, now).await })
                })
                .await?;
        }
        let authenticated_at = session.authenticated_at;
        Ok(Some(SignedIn { person: session.person, session: digest, authenticated_at }))
    }

    /// Whether the session of a token stands. Unlike [`Broker::session`] this is no use of it: a
    /// page that waits for news does not keep its session alive.
    pub async fn session_is_active(&self, token: &str) -> Result<bool, BrokerError> {
        let digest = Digest::of(token.as_bytes());
        let found = accounts::session(&mut self.store().reader().await?, digest).await?;
        let now = self.clock().now();
        Ok(found.is_some_and(|session| {
            !session.person.disabled
                && now - session.seen_at <= TimeDelta::minutes(SESSION_IDLE_MINUTES)
                && now - session.created_at <= TimeDelta::hours(SESSION_HOURS)
        }))
    }

    /// Ends a session.
    pub async fn sign_out(&self, who: &SignedIn) -> Result<(), BrokerError> {
        let now = self.clock().now();
        let detail = AuditDetail::SignedOut(NoFacts {});
        let event = &AuditEvent::new(who.actor(), None, detail);
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    if accounts::end_session(tx, who.session).await? {
                        audit::append(tx, event, now).await?;
                    }
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
        let key = &who.session.to_string();
        let person = self.check_password(&who.person.name, key, old).await?;
        check_strength(new)?;
        if old == new {
            return Err(BrokerError::WeakPassword);
        }
        let hash = &hash_password(self.clock(), new).await?;
        let now = self.clock().now();
        let detail = AuditDetail::PasswordChanged(NoFacts {});
        let event = &AuditEvent::new(Actor::from(&person), None, detail);
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    // An admin may have set another password while this one was looked at.
                    self.unchecked().for_session(who).ensure_session_active(tx).await?;
                    accounts::set_password(tx, person.id, hash, false).await?;
                    audit::append(tx, event, now).await?;
                    Ok(())
                })
            })
            .await
    }

    /// The person, if the password is right. A try counts as failed under its key before it is
    /// looked at, so that tries at the same moment are throttled too; success forgets it.
    async fn check_password(
        &self,
        name: &str,
        key: &str,
        password: &str,
    ) -> Result<Person, BrokerError> {
        let now = self.clock().now();
        let key = &key.chars().take(64).collect::<String>();
        let tried = self.store().write_quietly(|tx| {
            Box::pin(async move {
                if accounts::failures_since(tx, key, now - throttle_window()).await? >= FAILURES_MAX
                {
                    return Err(BrokerError::SignInThrottled);
                }
                accounts::note_failure(tx, key, now).await?;
                Ok(accounts::person_by_name(tx, name).await?)
            })
        });
        let (person, hash) = match tried.await? {
            Some((person, hash)) if !person.disabled => (Some(person), hash),
            // The same work for a name that nobody has: the time taken must not tell.
            Some(_) | None => (None, UNMATCHABLE.to_owned()),
        };
        let right = verify_password(hash, password).await;
        if let Some(person) = person.filter(|_| right) {
            return Ok(person);
        }
        let claimed = name.chars().take(64).collect();
        let actor = Actor::Unknown { claimed };
        let detail = AuditDetail::SignInRefused(RefusedSignInFacts { set_up: false });
        self.record(&AuditEvent::new(actor, None, detail)).await?;
        Err(BrokerError::SignInRefused)
    }
}

fn throttle_window() -> TimeDelta {
    TimeDelta::minutes(THROTTLE_WINDOW_MINUTES)
}
