//! The first sign-in with a one-time password, and a password of one's own in the same step.

use super::{NewSession, enabled};
use crate::{
    broker::{
        Broker, BrokerError, SignedIn, admin::password::check_strength, in_memory::HashQueue,
    },
    domain::{
        actor::{Person, sign_in::SignInOrigin},
        audit::{
            AuditDetail, AuditEvent,
            detail::accounts::{NoFacts, SignInFacts},
        },
        digest::Digest,
    },
    store::{accounts, audit},
};

impl Broker {
    /// Begins a session of somebody with a one-time password, who has their own from then on.
    /// [`BrokerError::SignInRefused`] for whoever has one of their own already.
    pub async fn sign_in_first(
        &self,
        (name, one_time): (&str, &str),
        new: &str,
        origin: &SignInOrigin,
    ) -> Result<NewSession, BrokerError> {
        let queue = HashQueue::Strangers;
        let given = (name, one_time);
        let (person, hash) = self.unchecked().check_password(given, origin, queue).await?;
        if !person.must_change_password || !self.settings().sign_in.is_local(name) {
            self.unchecked().record_refused(name, origin, false).await?;
            return Err(BrokerError::SignInRefused);
        }
        if one_time == new {
            return Err(BrokerError::WeakPassword);
        }
        let facts = SignInFacts::of_session(origin, false);
        self.choose(&person, hash, new, facts).await
    }

    /// The same for somebody who signed in with the one-time password a moment ago.
    /// [`BrokerError::SessionOver`] where that was more than five minutes ago.
    pub async fn choose_first_password(
        &self,
        who: &SignedIn,
        new: &str,
        origin: &SignInOrigin,
    ) -> Result<NewSession, BrokerError> {
        let found = accounts::person_and_hash(&mut self.store().reader().await?, who.id()).await?;
        let (person, hash) = found.ok_or(BrokerError::SessionOver)?;
        if !person.must_change_password || !who.chooses_first_password(self.clock().now()) {
            return Err(BrokerError::SessionOver);
        }
        if self.unchecked().passwords().enter(HashQueue::People)?.verify(hash.clone(), new).await {
            return Err(BrokerError::WeakPassword);
        }
        let facts = SignInFacts::of_session(origin, false);
        self.choose(&person, hash, new, facts).await
    }

    /// Sets the first password that is one's own, and begins a session: all others end.
    async fn choose(
        &self,
        person: &Person,
        hash: String,
        new: &str,
        facts: SignInFacts,
    ) -> Result<NewSession, BrokerError> {
        check_strength(&person.name, new)?;
        let new = &self.unchecked().passwords().hash(self.clock(), new).await?;
        let (token, now) = (self.clock().secret(), self.clock().now());
        let (digest, hash) = (Digest::of(token.as_bytes()), &hash);
        self.store()
            .write(|tx| {
                let facts = facts.clone();
                Box::pin(async move {
                    // An admin may have set another password while this one was looked at.
                    let person = enabled(tx, &person.name)
                        .await?
                        .and_then(|(person, now)| (now == *hash).then_some(person))
                        .ok_or(BrokerError::SignInRefused)?;
                    accounts::set_password(tx, person.id, new, false).await?;
                    let person = Person { must_change_password: false, ..person };
                    let detail = AuditDetail::PasswordChanged(NoFacts {});
                    let event = AuditEvent::new((&person).into(), None, detail);
                    audit::append(tx, &event, now).await?;
                    self.begin_session(tx, (&person, digest), facts, (now, now)).await
                })
            })
            .await?;
        Ok(NewSession { token, browser: self.unchecked().new_browser(person.id).await? })
    }
}
