//! The identity provider that people sign in at, by OpenID Connect: where a browser is sent, what a code
//! is worth, and what the provider says of somebody later.

use std::sync::Arc;

#[cfg(feature = "oidc")]
use super::http::client::HttpClient;
use super::{ConnectorError, Secret, Tls};
use crate::{
    clock::Clock,
    domain::{Time, digest::Digest},
};

#[cfg(not(feature = "oidc"))]
mod absent;
#[cfg(feature = "oidc")]
mod claims;
#[cfg(feature = "oidc")]
mod oidc;

/// An identity provider. Clones share what it said of itself.
#[derive(Debug, Clone)]
pub struct IdentityProvider {
    settings: Arc<ProviderSettings>,
    #[cfg(feature = "oidc")]
    http: HttpClient,
    #[cfg(feature = "oidc")]
    known: oidc::Known,
}

/// How the identity provider is reached, and what it knows us by.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// What people call it.
    pub name: String,
    /// Its issuer: `https://`; `http://` on this machine only. Letter by letter what its tokens say.
    pub issuer: String,
    /// How it proves that it is the right one.
    pub tls: Tls,
    /// What it knows us by.
    pub client_id: String,
    /// What proves that it is us; none for a public client, which has PKCE alone.
    pub client_secret: Option<Secret>,
    /// Where it sends browsers back to.
    pub redirect_url: String,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// Which claim holds what.
    pub claims: ClaimNames,
    /// For when tokens expire.
    pub clock: Clock,
}

/// The claims of an ID token that are read. A dot leads into an object: `realm_access.roles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The name to sign in with.
    pub name: String,
    /// The name that people are called by.
    pub display_name: String,
    /// The groups or roles: a text, or a list of them.
    pub groups: String,
}

/// What ties an answer of the provider to the browser that was sent there: all follows from a secret
/// that only this browser has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// Comes back beside the code (RFC 6749, section 10.12).
    pub state: String,
    /// Comes back in the ID token (OpenID Connect Core, section 3.1.2.1).
    pub nonce: String,
    /// Proves that the code is redeemed by who asked for it (RFC 7636).
    pub verifier: String,
}

impl Handshake {
    /// What follows from the browser's secret.
    pub fn of(secret: &str) -> Self {
        let part = |name: &str| Digest::of(format!("countersign oidc {name}\n{secret}").as_bytes());
        Self {
            state: part("state").to_string(),
            nonce: part("nonce").to_string(),
            verifier: part("verifier").to_string(),
        }
    }
}

/// Somebody of whom the provider says who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is, for ever, at this issuer.
    pub subject: String,
    /// The name, as the provider has it; empty where it says none.
    pub name: String,
    /// What people call them; empty where it says none.
    pub display_name: String,
    /// The groups or roles.
    pub groups: Vec<String>,
    /// When they gave a password, or what stands for it.
    pub authenticated_at: Option<Time>,
    /// What the provider takes to say all this again.
    pub refresh_token: Option<Secret>,
}

/// Why the provider says of nobody who it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It cannot be asked at the moment.
    #[error(transparent)]
    Unavailable(#[from] ConnectorError),
    /// It refuses, or what it says does not hold.
    #[error("{name} does not confirm who you are: {why}")]
    Refused {
        /// What people call it.
        name: String,
        /// What is wrong: partly text from outside, at most a line.
        why: String,
    },
}

impl IdentityProvider {
    /// What people call it.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its issuer.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_handshake_tell_nothing_of_each_other() {
        let Handshake { state, nonce, verifier } = Handshake::of("secret");
        assert!(state != nonce && nonce != verifier && verifier != state);
        assert_ne!(Handshake::of("secret"), Handshake::of("another"));
    }
}
