//! A key that was used (Web Authentication Level 3, 7.2).

use sha2::{Digest as _, Sha256};

use super::{
    AUTHENTICATOR_DATA_BYTES_MAX, Credential, PasskeyError, PublicKey, RelyingParty,
    SIGNATURE_BYTES_MAX,
    authenticator::AuthenticatorData,
    client_data::{self, Ceremony},
    within,
};
use crate::domain::digest::Digest;

/// What a browser hands over when a key was used: the evidence, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// `response.clientDataJSON`.
    pub client_data: Vec<u8>,
    /// `response.authenticatorData`.
    pub authenticator_data: Vec<u8>,
    /// `response.signature`.
    pub signature: Vec<u8>,
}

/// That a person was there, with the key, and meant the challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedAssertion {
    /// How often the key was used by now, where it counts; otherwise 0.
    pub counter: u32,
}

impl Assertion {
    /// Whether this key signed this challenge, for this server, with the person verified.
    pub fn verify(
        &self,
        challenge: Digest,
        party: &RelyingParty,
        key: &PublicKey,
    ) -> Result<VerifiedAssertion, PasskeyError> {
        client_data::check(&self.client_data, Ceremony::Get, challenge, party)?;
        within("authenticator data", &self.authenticator_data, AUTHENTICATOR_DATA_BYTES_MAX)?;
        within("signature", &self.signature, SIGNATURE_BYTES_MAX)?;
        let data = AuthenticatorData::parse(&self.authenticator_data)?;
        data.check(party)?;
        let hash = Sha256::digest(&self.client_data);
        let signed = [self.authenticator_data.as_slice(), hash.as_slice()].concat();
        if !key.signed(&signed, &self.signature) {
            return Err(PasskeyError::WrongSignature);
        }
        Ok(VerifiedAssertion { counter: data.counter })
    }

    /// The same, of a key that is in use: its counter goes up, where it has one (6.1.1).
    pub fn verify_next(
        &self,
        challenge: Digest,
        party: &RelyingParty,
        credential: &Credential,
    ) -> Result<VerifiedAssertion, PasskeyError> {
        let proof = self.verify(challenge, party, &PublicKey::parse(&credential.key)?)?;
        let (found, known) = (proof.counter, credential.counter);
        if (found, known) != (0, 0) && found <= known {
            return Err(PasskeyError::Copied { found, known });
        }
        Ok(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passkey::fake_authenticator::{FakeAuthenticator, GOOD, party};

    fn challenge() -> Digest {
        Digest::of(b"approve this")
    }

    /// What becomes of an assertion by an authenticator that was changed in some way.
    fn refused(change: impl FnOnce(&mut FakeAuthenticator)) -> PasskeyError {
        let mut key = FakeAuthenticator::new();
        change(&mut key);
        let public = PublicKey::parse(&key.cose_key()).unwrap();
        key.sign(challenge()).verify(challenge(), &party(), &public).unwrap_err()
    }

    fn enrolled(key: &FakeAuthenticator) -> Credential {
        Credential {
            id: key.id.clone(),
            key: key.cose_key(),
            counter: key.counter,
            model: [0; 16],
            may_be_copied: false,
        }
    }

    #[test]
    fn signature_of_the_challenge_is_a_proof() {
        let key = FakeAuthenticator::new();
        let public = PublicKey::parse(&key.cose_key()).unwrap();
        let proof = key.sign(challenge()).verify(challenge(), &party(), &public).unwrap();
        assert_eq!(proof, VerifiedAssertion { counter: 1 });
    }

    #[test]
    fn answer_to_another_question_is_no_proof() {
        let key = FakeAuthenticator::new();
        let public = PublicKey::parse(&key.cose_key()).unwrap();
        let replayed = key.sign(Digest::of(b"approve that"));
        let error = replayed.verify(challenge(), &party(), &public).unwrap_err();
        assert_eq!(error, PasskeyError::OtherChallenge);
        let registration = key.register(challenge()).0;
        let other = Assertion { client_data: registration, ..key.sign(challenge()) };
        let error = other.verify(challenge(), &party(), &public).unwrap_err();
        assert!(matches!(error, PasskeyError::OtherCeremony { .. }), "{error}");
    }

    #[test]
    fn page_of_another_server_is_refused() {
        let elsewhere = |origin: &str| {
            let origin = origin.to_owned();
            refused(|key| key.party.origin = origin)
        };
        for origin in ["https://soc.example.net.evil.example", "http://soc.example.net", ""] {
            let error = elsewhere(origin);
            assert!(matches!(error, PasskeyError::OtherOrigin { .. }), "{origin}: {error}");
        }
        let id = refused(|key| "example.net".clone_into(&mut key.party.id));
        assert_eq!(id, PasskeyError::OtherRelyingParty);
        for more in [r#","crossOrigin":true"#, r#","topOrigin":"https://evil.example""#] {
            let error = refused(|key| more.clone_into(&mut key.more));
            assert_eq!(error, PasskeyError::CrossOrigin, "{more}");
        }
    }

    #[test]
    fn nobody_who_is_not_verified_proves_anything() {
        assert_eq!(refused(|key| key.flags = GOOD & !0x04), PasskeyError::NotVerified);
        assert_eq!(refused(|key| key.flags = GOOD & !0x01), PasskeyError::NobodyPresent);
        let odd = refused(|key| key.flags = GOOD | 0x10);
        assert_eq!(odd, PasskeyError::Unreadable { what: "authenticator data" });
    }

    #[test]
    fn extensions_are_skipped_and_nothing_else() {
        let unreadable = PasskeyError::Unreadable { what: "authenticator data" };
        assert_eq!(refused(|key| key.tail = vec![0xa0]), unreadable);
        let extended = |tail: &[u8]| {
            let mut key = FakeAuthenticator::new();
            (key.flags, key.tail) = (GOOD | 0x80, tail.to_vec());
            let public = PublicKey::parse(&key.cose_key()).unwrap();
            key.sign(challenge()).verify(challenge(), &party(), &public)
        };
        assert!(extended(b"\xa1\x61x\x01").is_ok());
        for tail in [&b""[..], b"\xa1\x61x", b"\xa0\xa0"] {
            assert_eq!(extended(tail), Err(unreadable.clone()), "{tail:?}");
        }
    }

    #[test]
    fn key_of_somebody_else_proves_nothing() {
        let (key, other) = (FakeAuthenticator::new(), FakeAuthenticator::new());
        let public = PublicKey::parse(&other.cose_key()).unwrap();
        let error = key.sign(challenge()).verify(challenge(), &party(), &public).unwrap_err();
        assert_eq!(error, PasskeyError::WrongSignature);
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let key = FakeAuthenticator::new();
        let public = PublicKey::parse(&key.cose_key()).unwrap();
        let good = key.sign(challenge());
        let parts: [fn(&mut Assertion) -> &mut Vec<u8>; 3] = [
            |one| &mut one.client_data,
            |one| &mut one.authenticator_data,
            |one| &mut one.signature,
        ];
        for (number, part) in parts.into_iter().enumerate() {
            for at in 0..part(&mut good.clone()).len() {
                let mut bad = good.clone();
                part(&mut bad)[at] ^= 1;
                let checked = bad.verify(challenge(), &party(), &public);
                assert!(checked.is_err(), "part {number}, byte {at}");
            }
            for change in [|bytes: &mut Vec<u8>| bytes.push(0), |bytes: &mut Vec<u8>| bytes.clear()]
            {
                let mut bad = good.clone();
                change(part(&mut bad));
                assert!(bad.verify(challenge(), &party(), &public).is_err(), "part {number}");
            }
        }
    }

    #[test]
    fn counter_that_does_not_go_up_means_a_copy() {
        let mut key = FakeAuthenticator::new();
        key.counter = 5;
        let known = enrolled(&key);
        let next = |key: &FakeAuthenticator| {
            key.sign(challenge()).verify_next(challenge(), &party(), &known).map(|one| one.counter)
        };
        assert_eq!(next(&key), Err(PasskeyError::Copied { found: 5, known: 5 }));
        key.counter = 0;
        assert_eq!(next(&key), Err(PasskeyError::Copied { found: 0, known: 5 }));
        key.counter = 6;
        assert_eq!(next(&key), Ok(6));
    }

    #[test]
    fn key_without_counter_is_used_again() {
        let mut key = FakeAuthenticator::new();
        key.counter = 0;
        let known = enrolled(&key);
        let proof = key.sign(challenge()).verify_next(challenge(), &party(), &known).unwrap();
        assert_eq!(proof.counter, 0);
    }

    #[test]
    fn client_data_that_is_too_long_is_refused() {
        let error = refused(|key| key.more = format!(r#","x":"{}""#, "x".repeat(5000)));
        assert!(error.to_string().contains("Allowed: at most 4096"), "{error}");
    }
}
