//! Signing in and out, and sessions.

use chrono::TimeDelta;

use super::{passkeys::remove_factors, password::check_strength};
use crate::{
    broker::{
        Broker, BrokerError, SESSION_HOURS, SESSION_IDLE_MINUTES, SignedIn,
        in_memory::{FailureKey, HashQueue, UNMATCHABLE},
        signed_in::active_session,
        unchecked::Unchecked,
    },
    domain::{
        Time,
        actor::sign_in::{SignInOrigin, Source},
        actor::{Actor, Person},
        audit::{
            AuditDetail, AuditEvent,
            detail::accounts::{NoFacts, SignInFacts},
        },
        digest::Digest,
        id::PersonId,
        notice::{Notice, NoticeKind, NoticeSubject},
    },
    passkey::RelyingParty,
    store::{Read, Tx, accounts, audit, notices},
};

mod first;
mod link;
mod membership;
mod own;
mod provider;

pub use self::{
    own::OwnSession,
    provider::{ProviderAnswer, ProviderTrip},
};

/// How long after it expired a session still tells whose it was.
const EXPIRED_KEPT: TimeDelta = TimeDelta::hours(1);
/// A session's last use is stored at most this often.
const TOUCH_SECONDS: i64 = 60;

/// A session that has begun.
#[derive(Debug)]
pub struct NewSession {
    /// Its token, in the only moment in which it is known.
    pub token: String,
    /// What makes the browser a known one, for [`super::BROWSER_DAYS`].
    pub browser: String,
}

impl Broker {
    /// Begins a session; [`BrokerError::SecondFactorMissing`] where the right password alone does not.
    pub async fn sign_in(
        &self,
        name: &str,
        password: &str,
        origin: &SignInOrigin,
    ) -> Result<NewSession, BrokerError> {
        let queue = HashQueue::Strangers;
        let (person, hash) =
            &self.unchecked().check_password((name, password), origin, queue).await?;
        if !self.settings().sign_in.is_local(name) {
            self.unchecked().record_refused(name, origin, false).await?;
            return Err(BrokerError::SignInRefused);
        }
        let token = self.clock().secret();
        let digest = Digest::of(token.as_bytes());
        let now = self.clock().now();
        let facts = SignInFacts::of_session(origin, false);
        self.store()
            .write(|tx| {
                let facts = facts.clone();
                Box::pin(async move {
                    // The password may have been changed while it was looked at.
                    let person = enabled(tx, name)
                        .await?
                        .and_then(|(person, now)| (now == *hash).then_some(person))
                        .ok_or(BrokerError::SignInRefused)?;
                    if accounts::second_factor(tx, person.id).await?.is_some() {
                        let ticket = self
                            .passkey_questions()
                            .ticket((person.id, hash.as_str()), self.clock());
                        return Err(BrokerError::SecondFactorMissing(ticket));
                    }
                    self.begin_session(tx, (&person, digest), facts, (now, now)).await
                })
            })
            .await?;
        Ok(NewSession { token, browser: self.unchecked().new_browser(person.id).await? })
    }

    /// Begins a session of this person, with the hash of its token. They proved who they are at that
    /// other moment.
    pub(super) async fn begin_session(
        &self,
        tx: &mut Tx<'_>,
        (person, token): (&Person, Digest),
        facts: SignInFacts,
        (now, authenticated_at): (Time, Time),
    ) -> Result<(), BrokerError> {
        let oldest = now - TimeDelta::hours(SESSION_HOURS) - EXPIRED_KEPT;
        let idlest = now - TimeDelta::minutes(SESSION_IDLE_MINUTES) - EXPIRED_KEPT;
        accounts::end_old_sessions(tx, oldest, idlest).await?;
        let place = (facts.source.as_str(), facts.device.as_str());
        accounts::begin_session(tx, token, person.id, (now, authenticated_at), place).await?;
        let event = AuditEvent::new(Actor::from(person), None, AuditDetail::SignedIn(facts));
        audit::append(tx, &event, now).await?;
        Ok(())
    }

    /// Gives the password again, for one act that wants a fresh one. The session remembers when that
    /// was; it stays as old as it is, so that whoever stole it gains only what policy lets such a proof
    /// count for (ADR 8).
    pub async fn authenticate_again(
        &self,
        who: &SignedIn,
        password: &str,
    ) -> Result<SignedIn, BrokerError> {
        self.check_own_password(who, password).await?;
        let now = self.clock().now();
        let facts = SignInFacts { password_given_again: true, ..SignInFacts::default() };
        let detail = &AuditDetail::SignedIn(facts);
        let active = self.store().write(|tx| {
            Box::pin(async move {
                let active = who.active(tx, now).await?;
                let event = AuditEvent::new(active.actor(), None, detail.clone());
                accounts::prove_session(tx, who.session(), now).await?;
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
        let name = &session.person.name;
        if session.identity.is_none() && !self.settings().sign_in.is_local(name) {
            return Ok(None);
        }
        if !self.still_a_member(&session, digest).await? {
            return Ok(None);
        }
        let mut session = session;
        if session.identity.is_some() {
            // What the provider said just now may have changed what they see.
            let again = active_session(&mut self.store().reader().await?, digest, now).await?;
            let Some(again) = again else { return Ok(None) };
            session = again;
        }
        if now - session.seen_at > TimeDelta::seconds(TOUCH_SECONDS) {
            self.store()
                .write_quietly(|tx| {
                    Box::pin(async move { accounts::touch_session(tx, digest, now).await })
                })
                .await?;
        }
        let party = RelyingParty::of(&self.settings().public_url);
        Ok(Some(SignedIn::new(session, digest, party.as_ref())))
    }

    /// Whether the session of a token stands. Unlike [`Broker::session`] this is no use of it: a
    /// page that waits for news does not keep its session alive.
    pub async fn session_is_active(&self, token: &str) -> Result<bool, BrokerError> {
        let digest = Digest::of(token.as_bytes());
        let now = self.clock().now();
        let found = active_session(&mut self.store().reader().await?, digest, now).await?;
        Ok(found.is_some())
    }

    /// Whose session a token was, where it expired within the last hour. One that somebody ended, or
    /// whose person was disabled, is nobody's.
    pub async fn expired_session(&self, token: &str) -> Result<Option<PersonId>, BrokerError> {
        let (digest, now) = (Digest::of(token.as_bytes()), self.clock().now());
        let mut reader = self.store().reader().await?;
        if active_session(&mut reader, digest, now).await?.is_some() {
            return Ok(None);
        }
        let expired = accounts::session(&mut reader, digest).await?.filter(|session| {
            session.person.is_active()
                && now - session.seen_at <= TimeDelta::minutes(SESSION_IDLE_MINUTES) + EXPIRED_KEPT
                && now - session.created_at <= TimeDelta::hours(SESSION_HOURS) + EXPIRED_KEPT
        });
        Ok(expired.map(|session| session.person.id))
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

    /// Changes one's own password and ends all of one's sessions. Removes the passkeys and the second
    /// factor unless they are to stay: whoever had the password may have added some.
    pub async fn change_password(
        &self,
        who: &SignedIn,
        (old, new): (&str, &str),
        keep_factors: bool,
    ) -> Result<(), BrokerError> {
        self.check_own_password(who, old).await?;
        check_strength(who.name(), new)?;
        if old == new {
            return Err(BrokerError::WeakPassword);
        }
        let hash = &self.unchecked().passwords().hash(self.clock(), new).await?;
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
                    if !keep_factors {
                        for detail in remove_factors(tx, who.id(), now).await? {
                            let on = Some(active.person().name.clone());
                            let event = AuditEvent::new(active.actor(), on, detail);
                            audit::append(tx, &event, now).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Writes down which sign-ins were refused, as far as the audit was not told yet: once a minute
    /// for each source, or all of it.
    pub async fn record_refused_sign_ins(&self, all: bool) -> Result<(), BrokerError> {
        if self.store().lacks_room().is_some() {
            return Ok(());
        }
        let untold = self.unchecked().attempts().untold(self.clock().now(), all);
        for event in &untold {
            self.record(event).await?;
        }
        Ok(())
    }

    /// Checks the password of somebody who is signed in, under the session's own key: strangers who
    /// guess at the name must not keep its owner from deciding.
    async fn check_own_password(&self, who: &SignedIn, password: &str) -> Result<(), BrokerError> {
        let origin = SignInOrigin::new(Source::Session(who.session()), "");
        let given = (who.name(), password);
        self.unchecked().check_password(given, &origin, HashQueue::People).await?;
        Ok(())
    }
}

impl Unchecked {
    /// The person and the hash that the password gave, if it is right. A try counts as failed
    /// before it is looked at; success forgets it.
    pub(super) async fn check_password(
        &self,
        (name, password): (&str, &str),
        origin: &SignInOrigin,
        queue: HashQueue,
    ) -> Result<(Person, String), BrokerError> {
        let known = enabled(&mut self.store().reader().await?, name).await?;
        let person = known.as_ref().map(|(person, _)| person.id);
        let (key, known_browser) = self.failure_key(origin, person).await?;
        let queue = if known_browser { HashQueue::People } else { queue };
        let enter = || self.passwords().enter(queue);
        let place = self.begin_attempt(&key, (name, origin), enter).await?;
        // The same work for a name that nobody has: the time taken must not tell.
        let hash = known.as_ref().map_or(UNMATCHABLE, |(_, hash)| hash).to_owned();
        if place.verify(hash, password).await
            && let Some(known) = known
        {
            self.attempts().forget(&key);
            return Ok(known);
        }
        self.record_refused(name, origin, false).await?;
        Err(BrokerError::SignInRefused)
    }

    /// What failures of a sign-in are counted under, and whether somebody signed in with this browser
    /// before.
    pub(super) async fn failure_key(
        &self,
        origin: &SignInOrigin,
        person: Option<PersonId>,
    ) -> Result<(FailureKey, bool), BrokerError> {
        let browser = match &origin.known_browser {
            Some(given) => self.known_browser(given).await?,
            None => None,
        };
        let key = match browser {
            Some(known) if Some(known.person) == person => {
                FailureKey::of_browser(known.browser, known.person)
            }
            Some(_) | None => FailureKey::new(origin, person),
        };
        Ok((key, browser.is_some()))
    }

    /// What failures are counted under while nobody knows whose they are: the browser, where somebody
    /// signed in with it before, or the source.
    pub(super) async fn nameless_key(
        &self,
        origin: &SignInOrigin,
    ) -> Result<FailureKey, BrokerError> {
        let known = match &origin.known_browser {
            Some(given) => self.known_browser(given).await?,
            None => None,
        };
        Ok(known.map_or_else(
            || FailureKey::new(origin, None),
            |known| FailureKey::of_browser(known.browser, known.person),
        ))
    }

    /// Counts a try, and takes what it needs. One that has to wait is recorded, and told.
    pub(super) async fn begin_attempt<T>(
        &self,
        key: &FailureKey,
        (claimed, origin): (&str, &SignInOrigin),
        take: impl FnOnce() -> Result<T, BrokerError>,
    ) -> Result<T, BrokerError> {
        match self.attempts().begin(key, self.clock().now(), take) {
            Err(throttled @ BrokerError::SignInThrottled(_)) => {
                self.record_refused(claimed, origin, false).await?;
                self.notice_throttled().await?;
                Err(throttled)
            }
            // Whoever finds no place costs the audit nothing.
            other => other,
        }
    }

    /// Tells people that somebody has to wait, once an hour at most.
    async fn notice_throttled(&self) -> Result<(), BrokerError> {
        let now = self.clock().now();
        if self.store().lacks_room().is_some() || !self.attempts().notice_due(now) {
            return Ok(());
        }
        let (kind, about) = (NoticeKind::SignInsThrottled, NoticeSubject::Nothing);
        let notice = &Notice { kind, about, at: now };
        let noted = self
            .store()
            .write_quietly(|tx| Box::pin(async move { notices::insert(tx, notice).await }));
        Ok(noted.await?)
    }

    /// Writes down that a sign-in was refused, unless this source has an entry of this minute.
    pub(super) async fn record_refused(
        &self,
        claimed: &str,
        origin: &SignInOrigin,
        set_up: bool,
    ) -> Result<(), BrokerError> {
        // Strangers do not get what is left of the disk.
        if self.store().lacks_room().is_some() {
            return Ok(());
        }
        let now = self.clock().now();
        let event = self.attempts().refused((claimed, origin), set_up, now);
        let Some(event) = &event else { return Ok(()) };
        self.store()
            .write(|tx| Box::pin(async move { audit::append(tx, event, now).await.map(drop) }))
            .await?;
        Ok(())
    }
}

/// A person who may sign in, and the hash of the password.
async fn enabled(
    read: &mut impl Read,
    name: &str,
) -> Result<Option<(Person, String)>, BrokerError> {
    let found = accounts::person_by_name(read, name).await?;
    Ok(found.filter(|(person, _)| person.is_active()))
}
