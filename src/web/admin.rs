//! Signing in, people and agents, policies and the system.

pub(super) mod account;
pub(super) mod agents;
pub(super) mod passkey;
pub(super) mod password;
pub(super) mod people;
pub(super) mod policy;
pub(super) mod provider;
pub(super) mod reauthenticate;
pub(super) mod security_review;
pub(super) mod setup;
pub(super) mod sign_in;
pub(super) mod system;
