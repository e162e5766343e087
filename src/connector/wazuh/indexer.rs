//! The indexer: the alert that an agent names, the evidence that a response leaves, and the
//! responses that are not ours.

pub(super) mod alerts;
pub(super) mod evidence;
mod rule_responses;
pub(super) mod search;
