//! What the browser says of the question that it passed on (Web Authentication Level 3, 5.8.1).

use std::net::IpAddr;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{CLIENT_DATA_BYTES_MAX, PasskeyError, within};
use crate::domain::{digest::Digest, public_url::PublicUrl};

/// For whom keys are made: a name of this server, and the origin of its pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// The host name, without a port: `soc.example.net`.
    pub id: String,
    /// Scheme, host and port: `https://soc.example.net`.
    pub origin: String,
}

impl RelyingParty {
    /// This server, where browsers make keys for it: it has a name, and TLS or is on this machine (Web
    /// Authentication Level 3, 13.4.9; Secure Contexts, 3.1).
    pub fn of(url: &PublicUrl) -> Option<Self> {
        let id = url.bare_host();
        let named = id.parse::<IpAddr>().is_err();
        let secure = url.is_https() || id == "localhost" || id.ends_with(".localhost");
        (named && secure).then(|| Self { id, origin: url.origin() })
    }

    /// What the authenticator has in place of the name.
    pub(super) fn id_hash(&self) -> [u8; 32] {
        Sha256::digest(self.id.as_bytes()).into()
    }
}

/// Making a key, or using it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ceremony {
    Create,
    Get,
}

impl Ceremony {
    const fn name(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

/// The members that are compared. Others may come with later browsers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

/// Fails unless a page of this server asked exactly this.
pub(super) fn check(
    bytes: &[u8],
    ceremony: Ceremony,
    challenge: Digest,
    party: &RelyingParty,
) -> Result<(), PasskeyError> {
    within("client data", bytes, CLIENT_DATA_BYTES_MAX)?;
    let read: ClientData = serde_json::from_slice(bytes)
        .map_err(|_malformed| PasskeyError::Unreadable { what: "client data" })?;
    if read.r#type != ceremony.name() {
        return Err(PasskeyError::OtherCeremony { found: read.r#type, wanted: ceremony.name() });
    }
    if read.challenge != BASE64_URL_SAFE_NO_PAD.encode(challenge.bytes()) {
        return Err(PasskeyError::OtherChallenge);
    }
    if read.origin != party.origin {
        return Err(PasskeyError::OtherOrigin { found: read.origin, wanted: party.origin.clone() });
    }
    if read.cross_origin || read.top_origin.is_some() {
        return Err(PasskeyError::CrossOrigin);
    }
    Ok(())
}
