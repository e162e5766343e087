//! What the identity provider is asked for people who are signed in: whether they still are who they
//! were, and whether it is them. After a restart it is asked anew: they sign in there again, once.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::TimeDelta;

use crate::{
    broker::SESSION_HOURS,
    connector::Secret,
    domain::{Time, digest::Digest, id::PersonId},
};

/// How long a confirmation may take, and how long it is good for.
pub(in crate::broker) const CONFIRMED_WITHIN: TimeDelta = TimeDelta::minutes(5);
/// How many confirmations of one person are under way; the oldest goes first.
const PER_PERSON_MAX: usize = 8;
/// A provider that cannot be asked is asked again after so long.
const RETRY: TimeDelta = TimeDelta::minutes(1);

/// What is known of the sessions of people who sign in at the provider.
#[derive(Debug, Default)]
pub(in crate::broker) struct ProviderSessions {
    read: Mutex<BTreeMap<Digest, ReadSession>>,
    confirmations: Mutex<VecDeque<Confirmation>>,
}

/// When the provider last spoke of somebody, and what it takes to say it again.
#[derive(Debug, Clone)]
struct ReadSession {
    at: Time,
    token: Option<Secret>,
    /// It is being asked, or could not be; not before this moment.
    not_before: Time,
}

/// A form that waits for the provider to confirm who sends it.
#[derive(Debug, Clone)]
struct Confirmation {
    /// The hash of what the browser alone knows.
    id: Digest,
    person: PersonId,
    session: Digest,
    /// The hash of the form.
    form: Digest,
    asked_at: Time,
    confirmed: bool,
}

/// Whether the provider is to be asked about a session.
#[derive(Debug)]
pub(in crate::broker) enum Reread {
    NotDue,
    /// Ask with this.
    With(Secret),
    /// It was long ago, and there is nothing to ask with.
    Impossible,
}

impl ProviderSessions {
    /// The provider spoke of the person of a session.
    pub(in crate::broker) fn was_read(&self, session: Digest, token: Option<Secret>, now: Time) {
        let mut read = locked(&self.read);
        read.retain(|_, kept| now - kept.at <= TimeDelta::hours(SESSION_HOURS));
        read.insert(session, ReadSession { at: now, token, not_before: now });
    }

    /// Whether the provider is to be asked about a session that began at this moment. One caller at a
    /// time is told so.
    pub(in crate::broker) fn due(
        &self,
        (session, began): (Digest, Time),
        every: TimeDelta,
        now: Time,
    ) -> Reread {
        let mut read = locked(&self.read);
        let Some(kept) = read.get_mut(&session) else {
            return if now - began < every { Reread::NotDue } else { Reread::Impossible };
        };
        if now - kept.at < every || now < kept.not_before {
            return Reread::NotDue;
        }
        kept.not_before = now + RETRY;
        kept.token.clone().map_or(Reread::Impossible, Reread::With)
    }

    /// A new form that waits.
    pub(in crate::broker) fn ask(
        &self,
        id: Digest,
        (person, session): (PersonId, Digest),
        form: Digest,
        now: Time,
    ) {
        let mut kept = locked(&self.confirmations);
        kept.retain(|one| now - one.asked_at < CONFIRMED_WITHIN);
        if kept.iter().filter(|one| one.person == person).count() >= PER_PERSON_MAX {
            let oldest = kept.iter().position(|one| one.person == person);
            oldest.and_then(|oldest| kept.remove(oldest));
        }
        kept.push_back(Confirmation { id, person, session, form, asked_at: now, confirmed: false });
    }

    /// When the session's own form began to wait; none where none does.
    pub(in crate::broker) fn asked_at(
        &self,
        id: Digest,
        session: Digest,
        now: Time,
    ) -> Option<Time> {
        let kept = locked(&self.confirmations);
        let own = kept.iter().find(|one| one.id == id && one.session == session);
        own.filter(|own| now - own.asked_at < CONFIRMED_WITHIN).map(|own| own.asked_at)
    }

    /// The provider confirmed who sends it.
    pub(in crate::broker) fn confirm(&self, id: Digest, now: Time) {
        let mut kept = locked(&self.confirmations);
        if let Some(own) = kept.iter_mut().find(|one| one.id == id) {
            own.confirmed = true;
            own.asked_at = now;
        }
    }

    /// Whether the form of this session was confirmed. It is over with that.
    pub(in crate::broker) fn take(
        &self,
        id: Digest,
        session: Digest,
        form: Digest,
        now: Time,
    ) -> bool {
        let mut kept = locked(&self.confirmations);
        let place = kept.iter().position(|one| one.id == id && one.session == session);
        let Some(own) = place.and_then(|place| kept.remove(place)) else { return false };
        own.confirmed && own.form == form && now - own.asked_at < CONFIRMED_WITHIN
    }
}

fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
