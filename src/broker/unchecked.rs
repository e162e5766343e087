//! What needs neither a manager nor policy: people, agents, the kill switch, the audit. Policy is
//! not asked here. The [`Broker`] asks it first; the [`Operator`] stands for the command line,
//! which anyone who can read the data folder may use.
//!
//! Private to the broker, so that a door reaches it through an authorized verb alone.
//!
//! [`Broker`]: super::Broker
//! [`Operator`]: super::admin::operator::Operator

use super::{BrokerError, SignedIn};
use crate::{
    clock::Clock,
    domain::digest::Digest,
    store::{Store, Tx, accounts},
};

/// Store and clock, without policy.
#[derive(Debug, Clone)]
pub(super) struct Unchecked {
    store: Store,
    clock: Clock,
    /// Nothing is changed once this session is over.
    session: Option<Digest>,
}

impl Unchecked {
    pub(super) const fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, session: None }
    }

    /// The same for as long as a session stands: it ends when its person is disabled or gets
    /// another role or another password.
    pub(super) fn for_session(&self, who: &SignedIn) -> Self {
        Self { session: Some(who.session), ..self.clone() }
    }

    /// Fails where the session that the change rests on is over by now.
    pub(super) async fn ensure_session_active(&self, tx: &mut Tx<'_>) -> Result<(), BrokerError> {
        let Some(session) = self.session else { return Ok(()) };
        if accounts::session(tx, session).await?.is_some() {
            return Ok(());
        }
        Err(BrokerError::NotAllowed("your session is over; sign in again".to_owned()))
    }

    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }
}
