//! What needs neither a manager nor policy: people, agents, the kill switch, the audit. Policy is
//! not asked here. The [`Broker`] asks it first; the [`Operator`] stands for the command line,
//! which anyone who can read the data folder may use.
//!
//! Private to the broker, so that a door reaches it through an authorized verb alone.
//!
//! [`Broker`]: super::Broker
//! [`Operator`]: super::admin::operator::Operator

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::in_memory::{PasswordHasher, SignInAttempts};
use crate::{clock::Clock, store::Store};

/// Store, clock and what passwords need, without policy.
#[derive(Debug, Clone)]
pub(super) struct Unchecked {
    store: Store,
    clock: Clock,
    passwords: PasswordHasher,
    attempts: Arc<SignInAttempts>,
    browser_key: Arc<OnceCell<[u8; 32]>>,
}

impl Unchecked {
    pub(super) fn new(store: Store, clock: Clock) -> Self {
        let (passwords, attempts) = (PasswordHasher::default(), Arc::default());
        Self {
            store: store.with_clock(clock.clone()),
            clock,
            passwords,
            attempts,
            browser_key: Arc::default(),
        }
    }

    /// The same, with the store's connections for the worker.
    pub(super) fn for_worker(&self) -> Self {
        Self { store: self.store.for_worker(), ..self.clone() }
    }

    /// The same, with the store's connections for pages.
    pub(super) fn for_pages(&self) -> Self {
        Self { store: self.store.for_pages(), ..self.clone() }
    }

    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) const fn passwords(&self) -> &PasswordHasher {
        &self.passwords
    }

    pub(super) fn attempts(&self) -> &SignInAttempts {
        &self.attempts
    }

    /// Once it was read.
    pub(super) fn cached_browser_key(&self) -> &OnceCell<[u8; 32]> {
        &self.browser_key
    }
}
