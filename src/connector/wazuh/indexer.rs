//! The indexer: the alert that an agent names, the evidence that a response leaves, and the
//! responses that are not ours.

pub(super) mod alerts;
mod calls;
pub(super) mod dashboard;
pub(super) mod evidence;
pub(super) mod fields;
pub(super) mod freshness;
mod log_line;
mod names;
mod peer;
mod refusal;
mod rule_responses;
pub(super) mod search;
