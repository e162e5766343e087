//! The indexer: the alert that an agent names, and the evidence that a response leaves.

pub(super) mod alerts;
pub(super) mod evidence;
pub(super) mod search;
