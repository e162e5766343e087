//! Which database a broker serves, shown to those who can read that database and to nobody else: for
//! `countersign doctor`, which meets whatever listens at an address.

use crate::domain::digest::{Canonical, Digest};

/// The header of a question that asks for [`proof`]: a random challenge, as 64 hexadecimal digits.
pub const CHALLENGE_HEADER: &str = "countersign-challenge";
/// How the line of the answer begins that has it.
pub const PROOF_LINE: &str = "database ";

/// The answer to a challenge. An installation is the hash of the first entry of its audit. Without
/// that hash the answer says nothing, not even whether two brokers are the same.
pub fn proof(installation: Digest, challenge: Digest) -> Digest {
    Canonical::new(1, "installation").bytes(installation.bytes()).bytes(challenge.bytes()).digest()
}
