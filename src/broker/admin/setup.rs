//! The first run: whoever sees what the server prints makes the first admin. There is no password
//! that everybody knows.

use super::password::one_time_secret;
use crate::{
    broker::{Broker, BrokerError, in_memory::FailureKey},
    domain::{actor::sign_in::SignInOrigin, proposal::InvalidField},
};

impl Broker {
    /// Opens the set-up where nobody exists: the one-time code, in the only moment in which it is
    /// known.
    pub async fn open_setup(&self) -> Result<Option<String>, BrokerError> {
        if !self.unchecked().people().await?.is_empty() {
            return Ok(None);
        }
        let code = one_time_secret(self.clock());
        self.setup_code().open(&code);
        Ok(Some(code))
    }

    /// Whether the set-up is open: it was opened at the start, and still nobody exists.
    pub async fn setup_is_open(&self) -> Result<bool, BrokerError> {
        let opened = self.setup_code().is_open();
        Ok(opened && self.unchecked().people().await?.is_empty())
    }

    /// Makes the first admin. [`BrokerError::NotFound`] where the set-up is not open,
    /// [`BrokerError::SignInRefused`] where the code is wrong, [`BrokerError::SignInThrottled`]
    /// after too many wrong ones from this source.
    pub async fn set_up(
        &self,
        code: &str,
        name: &str,
        password: &str,
        origin: &SignInOrigin,
    ) -> Result<(), BrokerError> {
        if !self.setup_is_open().await? {
            return Err(BrokerError::NotFound);
        }
        let key = FailureKey::new(origin, None);
        let attempts = self.unchecked().attempts();
        let tried = attempts.begin(&key, self.clock().now(), || Ok(()));
        if let Err(refused) = tried.and_then(|()| self.setup_code().check(code)) {
            self.unchecked().record_refused(name, origin, true).await?;
            return Err(refused);
        }
        attempts.forget(&key);
        let local = &self.settings().sign_in.local_people;
        if let Some(local) = local.as_ref().filter(|local| !local.contains(name)) {
            let names = local.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
            return Err(InvalidField {
                field: "name".to_owned(),
                problem: format!("`{name}` could not sign in: oidc.local_people does not name it"),
                allowed: names.join(", "),
            }
            .into());
        }
        self.unchecked().add_first(name, password).await?;
        self.setup_code().close();
        Ok(())
    }
}
