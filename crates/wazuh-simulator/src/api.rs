//! The manager's API: one file per group of calls, and what they share.

pub(crate) mod active_response;
pub(crate) mod agents;
pub(crate) mod answer;
pub(crate) mod cluster;
pub(crate) mod command;
pub(crate) mod login;
pub(crate) mod manager;
pub(crate) mod params;
pub(crate) mod query;
pub(crate) mod ruleset;
