//! A build without the feature `oidc`: no provider can be configured, so nobody asks one.

#![expect(clippy::unused_async, reason = "as where there is one")]

use super::{Handshake, Identity, IdentityProvider, ProviderError, ProviderSettings};
use crate::{
    connector::{ConnectorError, Secret},
    domain::Time,
};

impl IdentityProvider {
    /// Fails: this build cannot.
    pub fn new(settings: ProviderSettings) -> Result<Self, ConnectorError> {
        Err(absent(&settings))
    }

    /// No host.
    pub fn host(&self) -> &str {
        ""
    }

    /// Fails.
    pub async fn authorize_url(&self, _: &Handshake, _: u32) -> Result<String, ConnectorError> {
        Err(absent(&self.settings))
    }

    /// Fails.
    pub async fn redeem(
        &self,
        _: &str,
        _: &Handshake,
        _: Option<Time>,
    ) -> Result<Identity, ProviderError> {
        Err(absent(&self.settings).into())
    }

    /// Fails.
    pub async fn read_again(&self, _: &str, _: &Secret) -> Result<Identity, ProviderError> {
        Err(absent(&self.settings).into())
    }

    /// Nothing.
    pub async fn says_when(&self) -> bool {
        false
    }

    /// Fails.
    pub async fn examine(&self) -> Result<String, String> {
        Err(absent(&self.settings).to_string())
    }
}

fn absent(settings: &ProviderSettings) -> ConnectorError {
    let allowed = "no [oidc]: this program was built without the feature `oidc`";
    ConnectorError::settings("oidc.issuer", &settings.issuer, allowed)
}
