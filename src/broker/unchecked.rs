//! What needs neither a manager nor policy: people, agents, the kill switch, the audit. Policy is
//! not asked here. The [`Broker`] asks it first; the [`Operator`] stands for the command line,
//! which anyone who can read the data folder may use.
//!
//! Private to the broker, so that a door reaches it through an authorized verb alone.
//!
//! [`Broker`]: super::Broker
//! [`Operator`]: super::admin::operator::Operator

use crate::{clock::Clock, store::Store};

/// Store and clock, without policy.
#[derive(Debug, Clone)]
pub(super) struct Unchecked {
    store: Store,
    clock: Clock,
}

impl Unchecked {
    pub(super) fn new(store: Store, clock: Clock) -> Self {
        Self { store: store.with_clock(clock.clone()), clock }
    }

    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }
}
