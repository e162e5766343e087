//! An authenticator in software: it does what it is told, right or wrong. The unit tests of the
//! library use it too.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use coset::{
    CborSerializable as _, CoseKeyBuilder,
    cbor::{Value, ser::into_writer},
    iana,
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use sha2::{Digest as _, Sha256};

use super::{Assertion, Digest, RelyingParty};

/// Present, verified.
pub(crate) const GOOD: u8 = 0x05;

pub(crate) struct FakeAuthenticator {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    pub(crate) id: Vec<u8>,
    pub(crate) flags: u8,
    pub(crate) counter: u32,
    /// What it says of the page that asked.
    pub(crate) party: RelyingParty,
    /// What follows in the authenticator data.
    pub(crate) tail: Vec<u8>,
    /// More members of the client data: `,"crossOrigin":true`.
    pub(crate) more: String,
}

impl FakeAuthenticator {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self {
            pair: EcdsaKeyPair::from_pkcs8(algorithm, pair.as_ref(), &random).unwrap(),
            random,
            id: vec![7; 16],
            flags: GOOD,
            counter: 1,
            party: party(),
            tail: Vec::new(),
            more: String::new(),
        }
    }

    pub(crate) fn cose_key(&self) -> Vec<u8> {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        CoseKeyBuilder::new_ec2_pub_key(iana::EllipticCurve::P_256, x.to_vec(), y.to_vec())
            .algorithm(iana::Algorithm::ES256)
            .build()
            .to_vec()
            .unwrap()
    }

    pub(crate) fn client_data(&self, ceremony: &str, challenge: Digest) -> Vec<u8> {
        let (challenge, origin) =
            (BASE64_URL_SAFE_NO_PAD.encode(challenge.bytes()), &self.party.origin);
        format!(
            r#"{{"type":"{ceremony}","challenge":"{challenge}","origin":"{origin}"{}}}"#,
            self.more
        )
        .into_bytes()
    }

    /// `key`: a new one follows.
    pub(crate) fn authenticator_data(&self, key: Option<&[u8]>) -> Vec<u8> {
        let mut data = Sha256::digest(self.party.id.as_bytes()).to_vec();
        data.push(self.flags | if key.is_some() { 0x40 } else { 0 });
        data.extend(self.counter.to_be_bytes());
        if let Some(key) = key {
            data.extend([0; 16]);
            data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
            data.extend(&self.id);
            data.extend(key);
        }
        data.extend(&self.tail);
        data
    }

    /// Client data and attestation object of a new key.
    pub(crate) fn register(&self, challenge: Digest) -> (Vec<u8>, Vec<u8>) {
        let data = self.authenticator_data(Some(&self.cose_key()));
        (self.client_data("webauthn.create", challenge), attestation(data))
    }

    pub(crate) fn sign(&self, challenge: Digest) -> Assertion {
        let client_data = self.client_data("webauthn.get", challenge);
        let authenticator_data = self.authenticator_data(None);
        let hash = Sha256::digest(&client_data);
        let message = [authenticator_data.as_slice(), hash.as_slice()].concat();
        let signature = self.pair.sign(&self.random, &message).unwrap().as_ref().to_vec();
        Assertion { client_data, authenticator_data, signature }
    }
}

pub(crate) fn party() -> RelyingParty {
    RelyingParty { id: "soc.example.net".to_owned(), origin: "https://soc.example.net".to_owned() }
}

pub(crate) fn attestation(data: Vec<u8>) -> Vec<u8> {
    let text = |text: &str| Value::Text(text.to_owned());
    let map = Value::Map(vec![
        (text("fmt"), text("none")),
        (text("attStmt"), Value::Map(Vec::new())),
        (text("authData"), Value::Bytes(data)),
    ]);
    let mut bytes = Vec::new();
    into_writer(&map, &mut bytes).unwrap();
    bytes
}
