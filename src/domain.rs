//! The vocabulary: nouns and pure transitions. No I/O, no clock, no randomness.
//!
//! In reading order: what an agent sends ([`proposal`]), what becomes of it ([`request`]), what
//! policy says ([`decision`], from [`facts`]), how a request lives ([`lifecycle`]), the one key
//! that opens the manager ([`permit`]), why something is not done ([`refusal`]), what is recorded ([`audit`]), and what people are told
//! of it ([`notice`]).

pub mod action;
pub mod active_response;
pub mod actor;
pub mod address;
pub mod audit;
pub mod certificate;
pub mod clock_jump;
pub mod decision;
pub mod digest;
pub mod endpoint;
pub mod evidence;
pub mod facts;
pub mod halt;
pub mod id;
pub mod kill_switch;
pub mod lifecycle;
pub mod notice;
pub mod permit;
pub mod plan;
pub mod printable;
pub mod proposal;
pub mod public_url;
pub mod refusal;
pub mod request;
pub mod site;

/// All variants of an enum, from the list that strum derives: `N` is its `COUNT`. For constants:
/// a wrong number does not compile.
pub(crate) const fn all_variants<T: Copy, const N: usize>(list: &'static [T]) -> [T; N] {
    assert!(list.len() == N, "the number is not that of the list");
    match list.first_chunk() {
        Some(all) => *all,
        None => unreachable!(),
    }
}

/// A length as a number of 64 bits, which no platform's `usize` exceeds.
#[expect(clippy::as_conversions, reason = "there is no infallible conversion, and this one is")]
pub const fn len_u64(len: usize) -> u64 {
    len as u64
}

/// The whole seconds of a span; none before it begins.
pub fn seconds_of(span: chrono::TimeDelta) -> u64 {
    span.num_seconds().max(0).unsigned_abs()
}

/// A moment, in UTC. Stored as microseconds since the Unix epoch.
pub type Time = chrono::DateTime<chrono::Utc>;
