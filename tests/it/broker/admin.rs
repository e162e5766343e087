//! People, agents, sessions, setup and the kill switch.

mod agents;
mod kill_switch;
pub(crate) mod people;
mod sessions;
mod setup;
