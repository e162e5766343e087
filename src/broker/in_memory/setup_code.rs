//! The one-time code that opens the first set-up.

use std::sync::{Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq as _;

use crate::{broker::BrokerError, domain::digest::Digest};

/// After this many wrong codes only a restart draws another.
const WRONG_MAX: u8 = 5;

/// The code of the first set-up; none unless the server was started without people.
#[derive(Debug, Default)]
pub(in crate::broker) struct SetupCode(Mutex<Option<OpenSetup>>);

#[derive(Debug)]
struct OpenSetup {
    /// The hash of the one-time code.
    code: Digest,
    wrong: u8,
}

impl SetupCode {
    fn lock(&self) -> MutexGuard<'_, Option<OpenSetup>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::broker) fn open(&self, code: &str) {
        *self.lock() = Some(OpenSetup { code: Digest::of(code.as_bytes()), wrong: 0 });
    }

    pub(in crate::broker) fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    pub(in crate::broker) fn close(&self) {
        *self.lock() = None;
    }

    /// Counted and compared under one lock: tries at the same moment are throttled too.
    pub(in crate::broker) fn check(&self, code: &str) -> Result<(), BrokerError> {
        let mut open = self.lock();
        let open = open.as_mut().ok_or(BrokerError::NotFound)?;
        if open.wrong >= WRONG_MAX {
            return Err(BrokerError::SignInThrottled);
        }
        if Digest::of(code.trim().as_bytes()).bytes().ct_eq(open.code.bytes()).into() {
            return Ok(());
        }
        open.wrong += 1;
        Err(BrokerError::SignInRefused)
    }
}
