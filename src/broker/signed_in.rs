//! A person who signed in. Only the broker makes one.

use crate::domain::{
    Time,
    actor::{Actor, Person},
    digest::Digest,
    facts::Principal,
};

/// Somebody with a session. Outside of the broker nobody can make one or change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    pub(in crate::broker) person: Person,
    /// The hash of the session's token.
    pub(in crate::broker) session: Digest,
    /// When the password was last given.
    pub(in crate::broker) authenticated_at: Time,
}

impl SignedIn {
    /// Who.
    pub const fn person(&self) -> &Person {
        &self.person
    }

    /// For unit tests of the doors.
    #[cfg(test)]
    pub(crate) fn made_up(person: Person) -> Self {
        Self { person, session: Digest::ZERO, authenticated_at: Time::UNIX_EPOCH }
    }

    /// What policy is told: the person, and the age of the password in seconds.
    pub fn principal(&self, now: Time) -> Principal {
        let age = (now - self.authenticated_at).num_seconds();
        // A clock that went back must not make a password younger than it is.
        Principal::Person(self.person.clone(), u64::try_from(age).unwrap_or(u64::MAX))
    }

    /// What the audit is told.
    pub fn actor(&self) -> Actor {
        Actor::from(&self.person)
    }
}
