//! What a passkey signs: exactly one act of one person on exactly these bytes, once.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::domain::{
    digest::{Canonical, Digest},
    facts::Verb,
    id::{PersonId, RequestId},
};

/// How many random bytes a nonce has.
pub const NONCE_BYTES: usize = 32;

/// The version of the canonical bytes.
const VERSION: u8 = 1;

/// What a person wants to do with a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Begin a session.
    SignIn,
    /// Add this key to the person's own.
    AddKey,
    /// Do something to a request, as it was shown.
    Request {
        /// What.
        verb: Verb,
        /// To which.
        request: RequestId,
        /// In which version.
        version: u64,
        /// With which digest.
        digest: Digest,
    },
}

/// A question to a passkey. Its digest is what the authenticator signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    /// What for.
    pub act: Act,
    /// Whose key is asked; none while nobody has signed in.
    pub person: Option<PersonId>,
    /// Makes it a question of its own: the server made it and takes it once.
    pub nonce: [u8; NONCE_BYTES],
}

impl Challenge {
    /// The 32 bytes for the authenticator. What the act, the person and the nonce do not name is not
    /// signed, so that an answer to one question is none to any other.
    pub fn digest(&self) -> Digest {
        let start = Canonical::new(VERSION, "countersign passkey");
        let of_act = match self.act {
            Act::SignIn => start.text("sign-in"),
            Act::AddKey => start.text("add-key"),
            Act::Request { verb, request, version, digest } => start
                .text("request")
                .text(verb.name())
                .text(&request.to_string())
                .number(version)
                .bytes(digest.bytes()),
        };
        let person = self.person.map(|person| person.to_string());
        of_act.maybe(person.as_deref()).bytes(&self.nonce).digest()
    }
}

/// A nonce as browsers bring it back.
pub fn nonce_text(nonce: &[u8; NONCE_BYTES]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(nonce)
}

/// Reads it.
pub fn parse_nonce(text: &str) -> Option<[u8; NONCE_BYTES]> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_part_of_a_challenge_is_signed() {
        let person = |number| Some(PersonId::from(Uuid::from_u128(number)));
        let request = |number| RequestId::from(Uuid::from_u128(number));
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let act = |verb, of, version, digest| Act::Request {
            verb,
            request: request(of),
            version,
            digest,
        };
        let ask = |act, person, nonce| Challenge { act, person, nonce: [nonce; NONCE_BYTES] };
        let all = [
            ask(Act::SignIn, None, 1),
            ask(Act::SignIn, person(1), 1),
            ask(Act::AddKey, person(1), 1),
            ask(act(Verb::Approve, 1, 1, one), person(1), 1),
            ask(act(Verb::BreakGlass, 1, 1, one), person(1), 1),
            ask(act(Verb::Approve, 2, 1, one), person(1), 1),
            ask(act(Verb::Approve, 1, 2, one), person(1), 1),
            ask(act(Verb::Approve, 1, 1, other), person(1), 1),
            ask(act(Verb::Approve, 1, 1, one), person(2), 1),
            ask(act(Verb::Approve, 1, 1, one), person(1), 2),
        ];
        let digests: BTreeSet<_> = all.iter().map(Challenge::digest).collect();
        assert_eq!(digests.len(), all.len());
    }
}
