//! The rules of the domain, without a store, a clock or a network.

mod digest;
pub(crate) mod lifecycle;
mod notice;
mod proposal;
