//! The facts of tokens for the API. Never a token itself.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::stored_form::full_time;
use crate::domain::{Time, actor::api_token::TokenScope, id::ApiTokenId};

/// A token was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewApiTokenFacts {
    /// Which.
    pub id: ApiTokenId,
    /// What it is called.
    pub name: String,
    /// Whether a service acts with it, in its own name.
    pub service: bool,
    /// What it is for.
    pub scopes: Vec<TokenScope>,
    /// From where it opens something.
    pub networks: Vec<IpNet>,
    /// From when on it opens nothing.
    #[serde(with = "full_time")]
    pub expires_at: Time,
}

/// A token was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiTokenFacts {
    /// Which.
    pub id: ApiTokenId,
    /// What it was called.
    pub name: String,
}

/// A token was used from outside of its networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedApiTokenFacts {
    /// Which.
    pub id: ApiTokenId,
    /// What it is called.
    pub name: String,
    /// The address that it came from; where proxies do not say it, those words.
    pub source: String,
}
