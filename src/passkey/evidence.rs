//! What passkeys signed, verified again from the audit alone: the entry that added a key has the public
//! key, and the entry of an approval has everything that was signed.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{Act, Assertion, Challenge, NONCE_BYTES, PasskeyError, PublicKey, RelyingParty};
use crate::domain::{
    audit::{
        AuditDetail,
        detail::passkey::{NewPasskeyFacts, ProofFacts},
    },
    digest::Digest,
    facts::Verb,
    id::{PasskeyId, PersonId, RequestId},
    public_url::PublicUrl,
};

/// Why the proof in an entry proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// A part cannot be read.
    #[error("the {0} of its passkey cannot be read")]
    Unreadable(&'static str),
    /// No entry before it added this key for this person, or it was removed since.
    #[error("its passkey was not this person's at the time")]
    OtherKey,
    /// Another entry has the same signature.
    #[error("its passkey signed another entry with the same nonce")]
    Reused,
    /// What the key says.
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
}

/// The keys that the entries so far added, and the nonces that they used.
#[derive(Debug, Default)]
pub struct ProofVerifier {
    keys: BTreeMap<PasskeyId, NewPasskeyFacts>,
    nonces: BTreeSet<String>,
}

impl ProofVerifier {
    /// Goes on with the next entry, by this person and of this request. Whether it has a proof, which was
    /// verified.
    pub fn verify_next(
        &mut self,
        detail: &AuditDetail,
        person: Option<PersonId>,
        request: Option<RequestId>,
    ) -> Result<bool, EvidenceError> {
        if let AuditDetail::PasskeyAdded(facts) = detail {
            self.keys.insert(facts.id, facts.clone());
        } else if let AuditDetail::PasskeyRemoved(facts) = detail {
            self.keys.remove(&facts.id);
        } else if let Some((verb, digest, proof)) = signed(detail) {
            let request = request.ok_or(EvidenceError::Unreadable("request"))?;
            let act = Act::Request { verb, request, version: proof.version, digest };
            self.verify(act, person, proof)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn verify(
        &mut self,
        act: Act,
        person: Option<PersonId>,
        proof: &ProofFacts,
    ) -> Result<(), EvidenceError> {
        let key = self.keys.get(&proof.passkey).filter(|key| Some(key.person) == person);
        let key = key.ok_or(EvidenceError::OtherKey)?;
        let url = PublicUrl::parse(&proof.origin);
        let party = url.as_ref().and_then(RelyingParty::of);
        let party = party.filter(|party| party.id == key.relying_party);
        let party = party.ok_or(PasskeyError::OtherRelyingParty)?;
        let nonce = bytes(&proof.nonce, "nonce")?;
        let nonce: [u8; NONCE_BYTES] =
            nonce.try_into().map_err(|_length| EvidenceError::Unreadable("nonce"))?;
        let assertion = Assertion {
            client_data: bytes(&proof.client_data, "client data")?,
            authenticator_data: bytes(&proof.authenticator_data, "authenticator data")?,
            signature: bytes(&proof.signature, "signature")?,
        };
        let public = PublicKey::parse(&bytes(&key.public_key, "public key")?)?;
        let challenge = Challenge { act, person, nonce }.digest();
        assertion.verify(challenge, &party, &public)?;
        if !self.nonces.insert(proof.nonce.clone()) {
            return Err(EvidenceError::Reused);
        }
        Ok(())
    }
}

/// What was done to which bytes, where a passkey signed it.
fn signed(detail: &AuditDetail) -> Option<(Verb, Digest, &ProofFacts)> {
    if let AuditDetail::VoteApproved(facts) = detail {
        return Some((Verb::Approve, facts.digest, facts.proof.as_ref()?));
    }
    if let AuditDetail::GlassBroken(facts) = detail {
        return Some((Verb::BreakGlass, facts.digest, facts.proof.as_ref()?));
    }
    None
}

fn bytes(text: &str, what: &'static str) -> Result<Vec<u8>, EvidenceError> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_unreadable| EvidenceError::Unreadable(what))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::{
            actor::Role,
            audit::detail::{
                passkey::PasskeyFacts,
                request::{AllowedBy, ApprovalFacts, DecisionFacts, VerdictName},
            },
            request::StateName,
        },
        passkey::fake_authenticator::FakeAuthenticator,
    };

    const NONCE: [u8; NONCE_BYTES] = [3; NONCE_BYTES];

    fn person(number: u128) -> PersonId {
        PersonId::from(Uuid::from_u128(number))
    }

    fn request(number: u128) -> RequestId {
        RequestId::from(Uuid::from_u128(number))
    }

    fn text(bytes: &[u8]) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn added(key: &FakeAuthenticator) -> AuditDetail {
        AuditDetail::PasskeyAdded(NewPasskeyFacts {
            id: PasskeyId::from(Uuid::from_u128(1)),
            person: person(1),
            name: "security key".to_owned(),
            credential: text(&key.id),
            public_key: text(&key.cose_key()),
            model: text(&[0; 16]),
            may_be_copied: false,
            relying_party: key.party.id.clone(),
        })
    }

    /// What the first person's key signs for an approval of version 4 of the first request.
    fn approval(key: &FakeAuthenticator) -> ApprovalFacts {
        let digest = Digest::of(b"what was shown");
        let act = Act::Request { verb: Verb::Approve, request: request(1), version: 4, digest };
        let challenge = Challenge { act, person: Some(person(1)), nonce: NONCE }.digest();
        let signed = key.sign(challenge);
        ApprovalFacts {
            role: Role::Senior,
            comment: String::new(),
            digest,
            allowed_by: AllowedBy(Vec::new()),
            decision: DecisionFacts {
                verdict: VerdictName::Run,
                needs: None,
                people: 1,
                break_glass: false,
                policies: Vec::new(),
                why: String::new(),
                errors: Vec::new(),
                policy_hash: Digest::ZERO,
            },
            state: StateName::Approved,
            proof: Some(ProofFacts {
                passkey: PasskeyId::from(Uuid::from_u128(1)),
                name: "security key".to_owned(),
                version: 4,
                nonce: text(&NONCE),
                origin: key.party.origin.clone(),
                client_data: text(&signed.client_data),
                authenticator_data: text(&signed.authenticator_data),
                signature: text(&signed.signature),
            }),
        }
    }

    fn verify(
        verifier: &mut ProofVerifier,
        facts: ApprovalFacts,
        by: u128,
        of: u128,
    ) -> Result<bool, EvidenceError> {
        let detail = AuditDetail::VoteApproved(facts);
        verifier.verify_next(&detail, Some(person(by)), Some(request(of)))
    }

    #[test]
    fn proof_in_the_audit_is_verified_once() {
        let (key, mut verifier) = (FakeAuthenticator::new(), ProofVerifier::default());
        assert_eq!(verifier.verify_next(&added(&key), Some(person(1)), None), Ok(false));
        assert_eq!(verify(&mut verifier, approval(&key), 1, 1), Ok(true));
        assert_eq!(verify(&mut verifier, approval(&key), 1, 1), Err(EvidenceError::Reused));
    }

    #[test]
    fn proof_of_anything_else_is_bad() {
        let key = FakeAuthenticator::new();
        let fresh = || {
            let mut verifier = ProofVerifier::default();
            verifier.verify_next(&added(&key), Some(person(1)), None).unwrap();
            verifier
        };
        let other = Err(EvidenceError::Passkey(PasskeyError::OtherChallenge));
        assert_eq!(verify(&mut fresh(), approval(&key), 1, 2), other, "another request");
        assert_eq!(
            verify(&mut fresh(), approval(&key), 2, 1),
            Err(EvidenceError::OtherKey),
            "another person"
        );
        let digest = ApprovalFacts { digest: Digest::of(b"else"), ..approval(&key) };
        assert_eq!(verify(&mut fresh(), digest, 1, 1), other, "another digest");
        let changed = |change: fn(&mut ProofFacts)| {
            let mut facts = approval(&key);
            change(facts.proof.as_mut().unwrap());
            verify(&mut fresh(), facts, 1, 1)
        };
        assert_eq!(changed(|proof| proof.version = 5), other);
        assert_eq!(changed(|proof| proof.nonce = text(&[4; NONCE_BYTES])), other);
        let party = Err(EvidenceError::Passkey(PasskeyError::OtherRelyingParty));
        assert_eq!(changed(|proof| proof.origin = "https://evil.example".to_owned()), party);
        let signature = Err(EvidenceError::Passkey(PasskeyError::WrongSignature));
        assert_eq!(changed(|proof| proof.signature = text(b"none")), signature);
        let unreadable = Err(EvidenceError::Unreadable("nonce"));
        assert_eq!(changed(|proof| proof.nonce = "?".to_owned()), unreadable);
        let removed = AuditDetail::PasskeyRemoved(PasskeyFacts {
            id: PasskeyId::from(Uuid::from_u128(1)),
            name: String::new(),
        });
        let mut verifier = fresh();
        verifier.verify_next(&removed, Some(person(1)), None).unwrap();
        assert_eq!(verify(&mut verifier, approval(&key), 1, 1), Err(EvidenceError::OtherKey));
    }
}
