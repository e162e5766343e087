//! Bytes that mean one thing only: the ground of every digest and of the audit chain.
//!
//! Each field is a length (eight bytes, big endian) and its bytes, so no two different lists of
//! fields give the same bytes. A version byte and a kind come first.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::len_u64;

/// A SHA-256 digest; prints as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of nothing: what the first audit entry names as its predecessor.
    pub const ZERO: Self = Self([0; 32]);

    /// SHA-256 of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (pairs, []) = text.as_bytes().as_chunks() else { return None };
        let pairs: &[[u8; 2]; 32] = pairs.try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self(bytes))
    }

    /// The first twelve hexadecimal digits: enough to recognise, never enough to approve.
    pub fn prefix(&self) -> String {
        self.to_string().chars().take(12).collect()
    }

    /// The 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The value of a lower-case hexadecimal digit.
const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The lower-case hexadecimal digit of a value below 16.
const fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a digest has 64 lower-case hexadecimal digits")
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.map(|byte| [digit(byte >> 4), digit(byte & 15)]);
        f.write_str(str::from_utf8(digits.as_flattened()).map_err(|_not_ascii| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Builds canonical bytes, field after field.
#[derive(Debug, Clone)]
pub struct Canonical(Vec<u8>);

impl Canonical {
    /// Starts with the format's version and the kind of thing that follows.
    pub fn new(version: u8, kind: &str) -> Self {
        // Most fit, so that the bytes are moved seldom.
        let mut bytes = Vec::with_capacity(1024);
        bytes.push(version);
        Self(bytes).text(kind)
    }

    /// Adds bytes.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(&len_u64(bytes.len()).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds text, as UTF-8.
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds text that may be absent; absent and empty differ.
    pub fn maybe(self, text: Option<&str>) -> Self {
        match text {
            None => self.number(0),
            Some(text) => self.number(1).text(text),
        }
    }

    /// Adds a whole number.
    pub fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// Adds a list: its length, then each item.
    pub fn list<T>(
        self,
        items: impl ExactSizeIterator<Item = T>,
        mut add: impl FnMut(Self, T) -> Self,
    ) -> Self {
        let length = len_u64(items.len());
        items.fold(self.number(length), &mut add)
    }

    /// The digest of all fields added.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_letter_between_fields_changes_digest() {
        let one = Canonical::new(1, "x").text("ab").text("c").digest();
        let two = Canonical::new(1, "x").text("a").text("bc").digest();
        assert_ne!(one, two);
    }

    #[test]
    fn absent_and_empty_fields_differ() {
        let absent = Canonical::new(1, "x").maybe(None).digest();
        let empty = Canonical::new(1, "x").maybe(Some("")).digest();
        assert_ne!(absent, empty);
    }

    #[test]
    fn digest_parses_only_its_own_format() {
        let digest = Digest::of(b"x");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse(&digest.to_string().to_uppercase()), None);
        assert_eq!(Digest::parse(&digest.prefix()), None);
        assert_eq!(Digest::parse(&format!("+f{}", "0".repeat(62))), None);
        assert_eq!(
            digest.to_string(),
            "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        );
    }
}
