//! Public keys of authenticators, as COSE writes them (RFC 9052, RFC 9053, RFC 8230).

use coset::{
    CborSerializable as _, CoseKey, Label, RegisteredLabel, RegisteredLabelWithPrivate,
    cbor::Value,
    iana::{self, EnumI64 as _},
};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

use super::PasskeyError;

/// How a key signs. These three are what authenticators have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// `EdDSA` on Ed25519.
    EdDsa,
    /// RSA, PKCS #1 v1.5, with SHA-256; 2048 bits or more.
    Rs256,
}

impl Algorithm {
    /// All of them, the preferred first.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// The number in COSE's registry.
    pub fn number(self) -> i64 {
        match self {
            Self::Es256 => iana::Algorithm::ES256.to_i64(),
            Self::EdDsa => iana::Algorithm::EdDSA.to_i64(),
            Self::Rs256 => iana::Algorithm::RS256.to_i64(),
        }
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(Material);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    /// The point, uncompressed (SEC 1, 2.3.3).
    P256([u8; 65]),
    Ed25519([u8; 32]),
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
}

impl PublicKey {
    /// Reads a key; its bytes are all of these.
    pub fn parse(bytes: &[u8]) -> Result<Self, PasskeyError> {
        let key = CoseKey::from_slice(bytes)
            .map_err(|_malformed| PasskeyError::Unreadable { what: "key" })?;
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| {
            let stated = key.alg.as_ref().map(|stated| match stated {
                RegisteredLabelWithPrivate::Assigned(stated) => stated.to_i64(),
                RegisteredLabelWithPrivate::PrivateUse(number) => *number,
                RegisteredLabelWithPrivate::Text(_) => 0,
            });
            stated == Some(algorithm.number())
        });
        let algorithm = algorithm.ok_or(PasskeyError::OtherAlgorithm)?;
        let material = material(&key, algorithm);
        material.map(Self).ok_or(PasskeyError::Unreadable { what: "key" })
    }

    /// How it signs.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
            Material::Rsa { .. } => Algorithm::Rs256,
        }
    }

    /// Whether the key signed exactly these bytes.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let checked =
            match &self.0 {
                Material::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
                    .verify(message, signature),
                Material::Ed25519(key) => {
                    UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
                }
                Material::Rsa { modulus: n, exponent: e } => RsaPublicKeyComponents { n, e }
                    .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            };
        checked.is_ok()
    }
}

/// The key itself, where its parts are those of the algorithm.
fn material(key: &CoseKey, algorithm: Algorithm) -> Option<Material> {
    let of_type = |wanted: iana::KeyType| key.kty == RegisteredLabel::Assigned(wanted);
    match algorithm {
        Algorithm::Es256 if of_type(iana::KeyType::EC2) => {
            use iana::Ec2KeyParameter::{Crv, X, Y};
            is_curve(key, Crv.to_i64(), iana::EllipticCurve::P_256)?;
            let (x, y) = (fixed(key, X.to_i64())?, fixed(key, Y.to_i64())?);
            let mut point = [4; 65];
            let (first, second) = point.split_at_mut(33);
            first.get_mut(1..)?.copy_from_slice(&x);
            second.copy_from_slice(&y);
            Some(Material::P256(point))
        }
        Algorithm::EdDsa if of_type(iana::KeyType::OKP) => {
            use iana::OkpKeyParameter::{Crv, X};
            is_curve(key, Crv.to_i64(), iana::EllipticCurve::Ed25519)?;
            Some(Material::Ed25519(fixed(key, X.to_i64())?))
        }
        Algorithm::Rs256 if of_type(iana::KeyType::RSA) => {
            use iana::RsaKeyParameter::{E, N};
            let part = |label| part(key, label)?.as_bytes().cloned();
            Some(Material::Rsa { modulus: part(N.to_i64())?, exponent: part(E.to_i64())? })
        }
        Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Rs256 => None,
    }
}

fn part(key: &CoseKey, label: i64) -> Option<&Value> {
    let mut found = key.params.iter().filter(|(other, _)| *other == Label::Int(label));
    found.next().map(|(_, value)| value)
}

fn fixed(key: &CoseKey, label: i64) -> Option<[u8; 32]> {
    part(key, label)?.as_bytes()?.as_slice().try_into().ok()
}

fn is_curve(key: &CoseKey, label: i64, curve: iana::EllipticCurve) -> Option<()> {
    let stated: i64 = part(key, label)?.as_integer()?.try_into().ok()?;
    (stated == curve.to_i64()).then_some(())
}

#[cfg(test)]
mod tests {
    use coset::CoseKeyBuilder;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;
    use crate::passkey::fake_authenticator::FakeAuthenticator;

    /// A key of 2048 bits, made with OpenSSL, and its signature of [`MESSAGE`].
    const MODULUS: &[&str] = &[
        "c7854a4f50c879e4b09a14d95fe4d77d87458585786c6355d9aa662898a1fcd23deb8ab184327e5d",
        "a495c210efa6bd795854667e97903db4ef464bc8547bf249a92e8f0c8120e4c4d6d862209bbfeeff",
        "e7e7dd637d4e1138d5a63cb1c48dbe4576112b98700c5c2afca505348fe4fa0d2e530f79d0cebf0e",
        "3522bbd9165b8864e39665acdf24d7cb27e2d55ba791aa574fa88b72865ef30007303f20dd221025",
        "7b71e57d7ebe9015abcc0eab5322f4f3017bd9f1016fa8ce137e4cfddc5acf6724065adde2a71720",
        "442682d90aedbada08f8aa09aacfab6ed9e95c59fa7aaaaf79c746bb6a93b9d335f1f667e5d480f9",
        "b494b5f6f56f8334eede4e6ec90bb06b",
    ];
    const SIGNATURE: &[&str] = &[
        "a4399977ad4d2130c3177ff74c4cf0f79caa98f6ca8e4bb8b2861df2d569260becccd671a7aaf2db",
        "519327f7f268526c69a4c90fa020c8ab6078c7f709023efcbaf1b88ea8fc958078ed3ba1a429efec",
        "7b53198b78232596e6191e86cfb93008611e5d206f766767b09dfc496f6d774ff9cbeb13aa7871ce",
        "eb54fba7f9b4f0220641cdfd65b33f8b1ac861e6f5f5f3cdd8d1a26e746af8b90b04f6345fb2de4d",
        "b67ce4c05fe0e080e82daf336cd9595ab7f574ba4dc49c9a5a2fecc123bfce31920d7aa7e5e3cd52",
        "af4e0e6aabf824b5dd8d066fc10465ec32bef8a62d3f6d3d71da324d78879248487aaf3b74b8f8ff",
        "d126b9e52ce80acb28eb0c875037c4af",
    ];
    const MESSAGE: &[u8] = b"a message";

    fn bytes(lines: &[&str]) -> Vec<u8> {
        let digits = lines.concat();
        let (pairs, _) = digits.as_bytes().as_chunks::<2>();
        let digit = |byte: &u8| u8::try_from(char::from(*byte).to_digit(16).unwrap()).unwrap();
        pairs.iter().map(|[high, low]| digit(high) << 4 | digit(low)).collect()
    }

    fn rsa(modulus: Vec<u8>) -> CoseKey {
        let mut key = CoseKeyBuilder::new().algorithm(iana::Algorithm::RS256).build();
        key.kty = RegisteredLabel::Assigned(iana::KeyType::RSA);
        key.params = vec![
            (Label::Int(-1), Value::Bytes(modulus)),
            (Label::Int(-2), Value::Bytes(vec![1, 0, 1])),
        ];
        key
    }

    fn parse(key: CoseKey) -> Result<PublicKey, PasskeyError> {
        PublicKey::parse(&key.to_vec().unwrap())
    }

    #[test]
    fn signature_of_each_algorithm_is_checked() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
        let public = Value::Bytes(pair.public_key().as_ref().to_vec());
        let ed25519 = CoseKeyBuilder::new_okp_key()
            .algorithm(iana::Algorithm::EdDSA)
            .param(-1, Value::from(6))
            .param(-2, public)
            .build();
        let signed = pair.sign(MESSAGE).as_ref().to_vec();
        for (key, algorithm, signature) in [
            (ed25519, Algorithm::EdDsa, signed),
            (rsa(bytes(MODULUS)), Algorithm::Rs256, bytes(SIGNATURE)),
        ] {
            let key = parse(key).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert!(key.signed(MESSAGE, &signature));
            assert!(!key.signed(b"another message", &signature));
            assert!(!key.signed(MESSAGE, &signature[1..]));
        }
    }

    #[test]
    fn key_of_another_algorithm_is_refused() {
        let mut key = CoseKey::from_slice(&FakeAuthenticator::new().cose_key()).unwrap();
        for algorithm in [None, Some(iana::Algorithm::ES384), Some(iana::Algorithm::HMAC_256_256)] {
            key.alg = algorithm.map(RegisteredLabelWithPrivate::Assigned);
            assert_eq!(parse(key.clone()), Err(PasskeyError::OtherAlgorithm));
        }
    }

    #[test]
    fn key_whose_parts_do_not_fit_is_refused() {
        let good = CoseKey::from_slice(&FakeAuthenticator::new().cose_key()).unwrap();
        let changes: [fn(&mut CoseKey); 5] = [
            |key| key.kty = RegisteredLabel::Assigned(iana::KeyType::OKP),
            |key| key.params.retain(|(label, _)| *label != Label::Int(-3)),
            |key| key.params[0].1 = Value::from(2),
            |key| key.params[1].1 = Value::Bytes(vec![1; 31]),
            |key| key.params[1].1 = Value::from(7),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut key = good.clone();
            change(&mut key);
            let error = PasskeyError::Unreadable { what: "key" };
            assert_eq!(parse(key), Err(error), "change {number}");
        }
    }

    #[test]
    fn key_on_another_curve_is_refused() {
        let okp = |curve: i64| {
            let key = CoseKeyBuilder::new_okp_key().algorithm(iana::Algorithm::EdDSA);
            parse(key.param(-1, Value::from(curve)).param(-2, Value::Bytes(vec![1; 32])).build())
        };
        assert!(okp(6).is_ok());
        assert_eq!(okp(4), Err(PasskeyError::Unreadable { what: "key" }));
    }

    #[test]
    fn short_rsa_key_and_point_off_curve_sign_nothing() {
        let short = parse(rsa(bytes(MODULUS)[..128].to_vec())).unwrap();
        assert!(!short.signed(MESSAGE, &bytes(SIGNATURE)[..128]));
        let mut key = CoseKey::from_slice(&FakeAuthenticator::new().cose_key()).unwrap();
        key.params[1].1 = Value::Bytes(vec![0; 32]);
        assert!(!parse(key).unwrap().signed(MESSAGE, b"anything"));
    }
}
