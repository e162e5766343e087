//! The first run: whoever sees what the server prints makes the first admin. There is no password
//! that everybody knows.

use std::sync::{Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq as _;

use super::operator::one_time_secret;
use crate::{
    broker::{Broker, BrokerError},
    domain::{
        actor::Actor,
        audit::{AuditDetail, AuditEvent, detail::accounts::RefusedSignInFacts},
        digest::Digest,
    },
};

/// So many wrong codes, and only a restart draws another.
const WRONG_MAX: u8 = 5;

/// The door to the first admin; shut unless the server was started without people.
#[derive(Debug, Default)]
pub(in crate::broker) struct Setup(Mutex<Option<OpenSetup>>);

#[derive(Debug)]
struct OpenSetup {
    /// The hash of the one-time code.
    code: Digest,
    wrong: u8,
}

impl Setup {
    fn lock(&self) -> MutexGuard<'_, Option<OpenSetup>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counted and compared under one lock: tries at the same moment are throttled too.
    fn check(&self, code: &str) -> Result<(), BrokerError> {
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

impl Broker {
    /// Opens the set-up where nobody exists: the one-time code, in the only moment in which it is
    /// known.
    pub async fn open_setup(&self) -> Result<Option<String>, BrokerError> {
        if !self.operator().people().await?.is_empty() {
            return Ok(None);
        }
        let code = one_time_secret(self.clock());
        *self.setup_state().lock() =
            Some(OpenSetup { code: Digest::of(code.as_bytes()), wrong: 0 });
        Ok(Some(code))
    }

    /// Whether the set-up is open: it was opened at the start, and still nobody exists.
    pub async fn setup_is_open(&self) -> Result<bool, BrokerError> {
        let opened = self.setup_state().lock().is_some();
        Ok(opened && self.operator().people().await?.is_empty())
    }

    /// Makes the first admin. [`BrokerError::NotFound`] where the set-up is not open,
    /// [`BrokerError::SignInRefused`] where the code is wrong, [`BrokerError::SignInThrottled`]
    /// after too many wrong ones.
    pub async fn set_up(&self, code: &str, name: &str, password: &str) -> Result<(), BrokerError> {
        if !self.setup_is_open().await? {
            return Err(BrokerError::NotFound);
        }
        if let Err(refused) = self.setup_state().check(code) {
            if matches!(refused, BrokerError::SignInThrottled) {
                return Err(refused);
            }
            let actor = Actor::Unknown { claimed: name.chars().take(64).collect() };
            let detail = AuditDetail::SignInRefused(RefusedSignInFacts { set_up: true });
            self.record(&AuditEvent::new(actor, None, detail)).await?;
            return Err(refused);
        }
        self.operator().add_first(name, password).await?;
        *self.setup_state().lock() = None;
        Ok(())
    }

    fn setup_state(&self) -> &Setup {
        &self.0.setup
    }
}
