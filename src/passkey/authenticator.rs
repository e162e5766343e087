//! What the authenticator says of itself (Web Authentication Level 3, 6.1): bytes at fixed places.

use coset::cbor::{Value, de::from_reader};

use super::{CREDENTIAL_ID_BYTES_MAX, PasskeyError, RelyingParty, within};

/// Somebody touched it.
const USER_PRESENT: u8 = 0x01;
/// It made sure who, by PIN, fingerprint or face.
const USER_VERIFIED: u8 = 0x04;
/// It may be copied to other devices of the person.
const BACKUP_ELIGIBLE: u8 = 0x08;
/// It has been.
const BACKED_UP: u8 = 0x10;
/// A new key follows.
const ATTESTED: u8 = 0x40;
/// Extensions follow.
const EXTENSIONS: u8 = 0x80;

/// The bytes, read.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    party: [u8; 32],
    flags: u8,
    pub(super) counter: u32,
    pub(super) attested: Option<AttestedKey<'a>>,
}

/// A new key (6.5.1).
#[derive(Debug)]
pub(super) struct AttestedKey<'a> {
    pub(super) model: [u8; 16],
    pub(super) credential: &'a [u8],
    /// As COSE writes it (RFC 9053).
    pub(super) key: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    /// Reads all of the bytes; what is left over at the end is an error.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, PasskeyError> {
        Self::read(bytes).ok_or(PasskeyError::Unreadable { what: "authenticator data" })
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (party, rest) = bytes.split_first_chunk()?;
        let ([flags], rest) = rest.split_first_chunk()?;
        let (counter, mut rest) = rest.split_first_chunk()?;
        let mut attested = None;
        if flags & ATTESTED != 0 {
            let (model, after) = rest.split_first_chunk()?;
            let (length, after) = after.split_first_chunk()?;
            let (credential, after) =
                after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            let left = after_item(after)?;
            let key = after.get(..after.len() - left.len())?;
            attested = Some(AttestedKey { model: *model, credential, key });
            rest = left;
        }
        if flags & EXTENSIONS != 0 {
            rest = after_item(rest)?;
        }
        let counter = u32::from_be_bytes(*counter);
        rest.is_empty().then_some(Self { party: *party, flags: *flags, counter, attested })
    }

    /// Fails unless it belongs to this server and made sure who is there (7.1 and 7.2).
    pub(super) fn check(&self, party: &RelyingParty) -> Result<(), PasskeyError> {
        if self.party != party.id_hash() {
            return Err(PasskeyError::OtherRelyingParty);
        }
        if !self.has(USER_PRESENT) {
            return Err(PasskeyError::NobodyPresent);
        }
        if !self.has(USER_VERIFIED) {
            return Err(PasskeyError::NotVerified);
        }
        // What cannot be backed up, and is: no authenticator says so (6.1.3).
        if self.has(BACKED_UP) && !self.has(BACKUP_ELIGIBLE) {
            return Err(PasskeyError::Unreadable { what: "authenticator data" });
        }
        let id = self.attested.as_ref().map_or(&[][..], |attested| attested.credential);
        within("id", id, CREDENTIAL_ID_BYTES_MAX)
    }

    /// Whether the person may have it on several devices.
    pub(super) const fn may_be_copied(&self) -> bool {
        self.has(BACKUP_ELIGIBLE)
    }

    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// What follows one item of CBOR.
fn after_item(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    let _item: Value = from_reader(&mut rest).ok()?;
    Some(rest)
}
