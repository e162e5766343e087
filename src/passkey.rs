//! Passkeys: whether what an authenticator signed is what was asked of it (Web Authentication Level 3).
//!
//! Nothing here asks a store or a clock. A signature is looked at again with the bytes that were kept,
//! years later and elsewhere, by the same functions that took it: an approval is evidence. ADR 38 says
//! why no library stands here.

mod assertion;
mod authenticator;
mod challenge;
mod client_data;
mod credential;
mod evidence;
#[cfg(test)]
#[path = "../tests/it/harness/authenticator.rs"]
mod fake_authenticator;
mod key;

#[cfg(test)]
use crate::domain::digest::Digest;

pub use self::{
    assertion::{Assertion, VerifiedAssertion},
    challenge::{Act, Challenge, NONCE_BYTES, nonce_text, parse_nonce},
    client_data::RelyingParty,
    credential::{Credential, Registration},
    evidence::{EvidenceError, ProofVerifier},
    key::{Algorithm, PublicKey},
};

/// The most bytes that a browser may hand over as client data: a challenge, an origin and a few words.
const CLIENT_DATA_BYTES_MAX: usize = 4096;
/// The most bytes of an attestation object: a key, and a statement that is not read.
const ATTESTATION_BYTES_MAX: usize = 16 * 1024;
/// The most bytes of authenticator data: 37, and extensions, of which none is asked for.
const AUTHENTICATOR_DATA_BYTES_MAX: usize = 1024;
/// The most bytes of a signature: RSA of 8192 bits.
const SIGNATURE_BYTES_MAX: usize = 1024;
/// The most bytes of the id of a credential (Web Authentication Level 3, 7.1, step 26).
const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

/// Why a passkey does not prove what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// What the browser handed over cannot be read.
    #[error("the {what} of the passkey cannot be read")]
    Unreadable {
        /// Which part of it.
        what: &'static str,
    },
    /// A part is longer than any authenticator makes it.
    #[error("the {what} of the passkey has {bytes} bytes. Allowed: at most {most}")]
    TooLong {
        /// Which part of it.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// It was made for something else than signing in, or approving.
    #[error("the passkey was asked for “{found}”, not for “{wanted}”")]
    OtherCeremony {
        /// What the browser says.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// It answers another question: an earlier one, or one about another act.
    #[error("the passkey signed something else than what was asked")]
    OtherChallenge,
    /// It was asked on a page of another server.
    #[error("the passkey was used at {found}, not at {wanted}")]
    OtherOrigin {
        /// What the browser says.
        found: String,
        /// Where this server is.
        wanted: String,
    },
    /// A page of another server had this one in a frame.
    #[error("the passkey was used within a page of another server")]
    CrossOrigin,
    /// It belongs to another server.
    #[error("the passkey belongs to another server")]
    OtherRelyingParty,
    /// Nobody touched it.
    #[error("nobody confirmed at the passkey")]
    NobodyPresent,
    /// It did not make sure who touched it.
    #[error("the passkey did not ask for its PIN, fingerprint or face")]
    NotVerified,
    /// It was not this key that signed, or other bytes were signed.
    #[error("the signature of the passkey is wrong")]
    WrongSignature,
    /// The counter did not go up: there may be a second copy of the key.
    #[error("the passkey counts {found} uses after {known}: somebody may have a copy of it")]
    Copied {
        /// What it says now.
        found: u32,
        /// What it said last.
        known: u32,
    },
    /// Its kind of signature is not taken.
    #[error("the passkey signs with an algorithm that is not taken. Allowed: ES256, EdDSA, RS256")]
    OtherAlgorithm,
}

/// Fails where a part is longer than it may be.
fn within(what: &'static str, bytes: &[u8], most: usize) -> Result<(), PasskeyError> {
    if bytes.len() <= most {
        return Ok(());
    }
    Err(PasskeyError::TooLong { what, bytes: bytes.len(), most })
}
