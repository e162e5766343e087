//! The verbs on one request: an agent or a person asks, people decide.

pub(in crate::broker) mod active_ends;
pub mod approve_identical;
pub mod break_glass;
pub mod cancel;
pub mod comment;
mod draft;
pub(in crate::broker) mod evaluate;
pub mod rate_limit;
pub mod resolve;
pub mod submit;
pub mod undo;
pub mod vote;
