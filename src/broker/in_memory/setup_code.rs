//! The one-time code that opens the first set-up.

use std::sync::{Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq as _;

use crate::{broker::BrokerError, domain::digest::Digest};

/// The hash of the code of the first set-up; none unless the server was started without people.
#[derive(Debug, Default)]
pub(in crate::broker) struct SetupCode(Mutex<Option<Digest>>);

impl SetupCode {
    fn lock(&self) -> MutexGuard<'_, Option<Digest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::broker) fn open(&self, code: &str) {
        *self.lock() = Some(Digest::of(code.as_bytes()));
    }

    pub(in crate::broker) fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    pub(in crate::broker) fn close(&self) {
        *self.lock() = None;
    }

    pub(in crate::broker) fn check(&self, code: &str) -> Result<(), BrokerError> {
        let open = self.lock().ok_or(BrokerError::NotFound)?;
        if Digest::of(code.trim().as_bytes()).bytes().ct_eq(open.bytes()).into() {
            return Ok(());
        }
        Err(BrokerError::SignInRefused)
    }
}
