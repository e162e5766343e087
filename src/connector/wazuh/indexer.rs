//! The indexer: the alert that an agent names, and the evidence that a response leaves.

pub(super) mod alerts;
pub(super) mod dashboard;
pub(super) mod evidence;
pub(super) mod fields;
pub(super) mod freshness;
mod log_line;
mod names;
mod refusal;
pub(super) mod search;
