//! What a right password gives somebody whose password alone does not sign in.

use std::fmt;

use crate::{
    domain::id::PersonId,
    passkey::{NONCE_BYTES, nonce_text, parse_nonce},
};

/// That the password was right: it begins one session, within five minutes, together with a second
/// factor. It holds only while the person has that very password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecondFactorTicket {
    pub(in crate::broker) person: PersonId,
    /// What the passkeys of the person are asked with.
    pub(in crate::broker) nonce: [u8; NONCE_BYTES],
}

impl SecondFactorTicket {
    /// As a page has it.
    pub fn text(self) -> String {
        format!("{}.{}", self.person, nonce_text(&self.nonce))
    }

    /// What a page brings back.
    pub(in crate::broker) fn parse(text: &str) -> Option<Self> {
        let (person, nonce) = text.split_once('.')?;
        Some(Self { person: person.parse().ok()?, nonce: parse_nonce(nonce)? })
    }
}

impl fmt::Debug for SecondFactorTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecondFactorTicket(..)")
    }
}
