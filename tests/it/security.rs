//! Attacks, by subject. Each test states what must hold.

mod agent_limits;
mod approval_fatigue;
mod approvals;
mod at_once;
mod availability;
mod clock;
mod database;
mod ended_sessions;
mod file_modes;
mod fixtures;
mod front_door;
mod hostile_input;
mod kill_switch_release;
mod lock_out;
mod passwords_and_sessions;
mod policy_activation;
mod public_url;
mod review;
mod revoked_rights;
mod sign_in_flood;
mod spoofing;
mod storms;
pub(crate) mod teams;
mod undo_and_evidence;
pub(crate) mod web;
