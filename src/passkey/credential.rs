//! A new key (Web Authentication Level 3, 7.1).

use coset::cbor::{Value, de::from_reader};

use super::{
    ATTESTATION_BYTES_MAX, PasskeyError, PublicKey, RelyingParty,
    authenticator::AuthenticatorData,
    client_data::{self, Ceremony},
    within,
};
use crate::domain::digest::Digest;

/// A key that a person enrolled, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The authenticator's own name for it, 1 to 1023 bytes.
    pub id: Vec<u8>,
    /// The public key, as COSE writes it.
    pub key: Vec<u8>,
    /// How often it was used, where it counts; otherwise 0.
    pub counter: u32,
    /// The model of the authenticator (AAGUID); zeros where it does not say.
    pub model: [u8; 16],
    /// Whether the person may have it on several devices.
    pub may_be_copied: bool,
}

/// What a browser hands over when a key was made.
#[derive(Debug, Clone, Copy)]
pub struct Registration<'a> {
    /// `response.clientDataJSON`.
    pub client_data: &'a [u8],
    /// `response.attestationObject`.
    pub attestation: &'a [u8],
}

impl Registration<'_> {
    /// The key, if it was made for this server in answer to this challenge, by somebody whom the
    /// authenticator knows. The attestation statement is not read: none is asked for, and who made an
    /// authenticator decides nothing here.
    pub fn verify(
        &self,
        challenge: Digest,
        party: &RelyingParty,
    ) -> Result<Credential, PasskeyError> {
        client_data::check(self.client_data, Ceremony::Create, challenge, party)?;
        within("attestation", self.attestation, ATTESTATION_BYTES_MAX)?;
        let bytes = authenticator_data(self.attestation)
            .ok_or(PasskeyError::Unreadable { what: "attestation" })?;
        let data = AuthenticatorData::parse(&bytes)?;
        data.check(party)?;
        let made = data.attested.as_ref().filter(|made| !made.credential.is_empty());
        let made = made.ok_or(PasskeyError::Unreadable { what: "authenticator data" })?;
        PublicKey::parse(made.key)?;
        Ok(Credential {
            id: made.credential.to_vec(),
            key: made.key.to_vec(),
            counter: data.counter,
            model: made.model,
            may_be_copied: data.may_be_copied(),
        })
    }
}

/// The bytes under `authData` in an attestation object (6.5).
fn authenticator_data(object: &[u8]) -> Option<Vec<u8>> {
    let mut rest = object;
    let map: Value = from_reader(&mut rest).ok()?;
    let mut entries = map.into_map().ok()?.into_iter();
    let (_, data) = entries.find(|(name, _)| name.as_text() == Some("authData"))?;
    data.into_bytes().ok().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passkey::fake_authenticator::{FakeAuthenticator, attestation, party};

    fn challenge() -> Digest {
        Digest::of(b"add this key")
    }

    fn enrolled(client_data: &[u8], attestation: &[u8]) -> Result<Credential, PasskeyError> {
        Registration { client_data, attestation }.verify(challenge(), &party())
    }

    #[test]
    fn enrolled_key_is_the_one_that_signs_later() {
        let key = FakeAuthenticator::new();
        let (client_data, attestation) = key.register(challenge());
        let credential = enrolled(&client_data, &attestation).unwrap();
        assert_eq!((&credential.id, &credential.key), (&key.id, &key.cose_key()));
        let other = Digest::of(b"approve");
        let public = PublicKey::parse(&credential.key).unwrap();
        key.sign(other).verify(other, &party(), &public).unwrap();
    }

    #[test]
    fn key_for_another_question_or_server_is_refused() {
        let mut key = FakeAuthenticator::new();
        let (client_data, object) = key.register(Digest::of(b"add another key"));
        assert_eq!(enrolled(&client_data, &object), Err(PasskeyError::OtherChallenge));
        let used = key.client_data("webauthn.get", challenge());
        let error = enrolled(&used, &object).unwrap_err();
        assert!(matches!(error, PasskeyError::OtherCeremony { .. }), "{error}");
        "evil.example".clone_into(&mut key.party.id);
        let (client_data, object) = key.register(challenge());
        assert_eq!(enrolled(&client_data, &object), Err(PasskeyError::OtherRelyingParty));
    }

    #[test]
    fn key_without_verified_person_is_refused() {
        let mut key = FakeAuthenticator::new();
        key.flags = 0x01;
        let (client_data, object) = key.register(challenge());
        assert_eq!(enrolled(&client_data, &object), Err(PasskeyError::NotVerified));
    }

    #[test]
    fn registration_without_key_or_id_is_refused() {
        let mut key = FakeAuthenticator::new();
        let client_data = key.client_data("webauthn.create", challenge());
        let unreadable = |what| Err(PasskeyError::Unreadable { what });
        let bare = attestation(key.authenticator_data(None));
        assert_eq!(enrolled(&client_data, &bare), unreadable("authenticator data"));
        key.id.clear();
        let nameless = attestation(key.authenticator_data(Some(&key.cose_key())));
        assert_eq!(enrolled(&client_data, &nameless), unreadable("authenticator data"));
        for broken in [&b""[..], b"\xa0", b"\x00", b"\xa1\x68authData\x00", &[0x9f; 16_000]] {
            assert_eq!(enrolled(&client_data, broken), unreadable("attestation"), "{broken:?}");
        }
    }

    #[test]
    fn key_that_could_not_sign_is_refused() {
        let key = FakeAuthenticator::new();
        let client_data = key.client_data("webauthn.create", challenge());
        for (odd, error) in [
            (&b"\xa1\x01\x02"[..], PasskeyError::OtherAlgorithm),
            (b"\xa2\x01\x02\x03\x26", PasskeyError::Unreadable { what: "key" }),
            (b"\x01", PasskeyError::Unreadable { what: "key" }),
        ] {
            let object = attestation(key.authenticator_data(Some(odd)));
            assert_eq!(enrolled(&client_data, &object), Err(error), "{odd:?}");
        }
    }

    #[test]
    fn too_long_id_and_attestation_are_refused() {
        let mut key = FakeAuthenticator::new();
        key.id = vec![1; 1024];
        let (client_data, object) = key.register(challenge());
        let error = enrolled(&client_data, &object).unwrap_err();
        assert!(error.to_string().contains("1024 bytes. Allowed: at most 1023"), "{error}");
        let error = enrolled(&client_data, &vec![0; 16 * 1024 + 1]).unwrap_err();
        assert!(matches!(error, PasskeyError::TooLong { .. }), "{error}");
    }

    #[test]
    fn every_cut_of_a_registration_is_refused() {
        let key = FakeAuthenticator::new();
        let (client_data, object) = key.register(challenge());
        for at in 0..object.len() {
            assert!(enrolled(&client_data, &object[..at]).is_err(), "cut at {at}");
        }
        let longer = [object.as_slice(), &[0]].concat();
        assert!(enrolled(&client_data, &longer).is_err());
        let data = key.authenticator_data(Some(&key.cose_key()));
        for at in 0..data.len() {
            let cut = attestation(data[..at].to_vec());
            assert!(enrolled(&client_data, &cut).is_err(), "data cut at {at}");
        }
    }
}
