//! The facts of passkeys, and the evidence that they leave. Bytes are in base64url, as browsers write them.

use serde::{Deserialize, Serialize};

use crate::domain::id::{PasskeyId, PersonId};

/// A person added a passkey. Whoever has this verifies what the key signs afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPasskeyFacts {
    /// Which.
    pub id: PasskeyId,
    /// Whose.
    pub person: PersonId,
    /// The person's own name for it.
    pub name: String,
    /// The authenticator's name for it, in base64url.
    pub credential: String,
    /// The public key as COSE writes it, in base64url.
    pub public_key: String,
    /// The model of the authenticator (AAGUID), in base64url.
    pub model: String,
    /// Whether the person may have it on several devices.
    pub may_be_copied: bool,
    /// For which server it was made.
    pub relying_party: String,
}

/// A passkey was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyFacts {
    /// Which.
    pub id: PasskeyId,
    /// The person's own name for it.
    pub name: String,
}

/// A person got recovery codes; earlier ones end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryCodesFacts {
    /// How many.
    pub codes: u64,
}

/// What a passkey signed was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPasskeyFacts {
    /// Which.
    pub id: PasskeyId,
    /// The person's own name for it.
    pub name: String,
    /// Why not.
    pub why: String,
}

/// What a passkey signed for an act on a request. With the key of the entry that added it, the request,
/// the verb, the digest and the person of this one, anybody can verify the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofFacts {
    /// Which passkey.
    pub passkey: PasskeyId,
    /// The person's own name for it then.
    pub name: String,
    /// The version of the request that was on the screen.
    pub version: u64,
    /// What made the question one of its own.
    pub nonce: String,
    /// Where the page was: scheme, host and port.
    pub origin: String,
    /// What the browser said of the question.
    pub client_data: String,
    /// What the authenticator said of itself and of the person.
    pub authenticator_data: String,
    /// The signature of both.
    pub signature: String,
}
