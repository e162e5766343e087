//! Who may use Countersign and under which policies: people, agents, sessions, policies and the
//! kill switch.

pub mod agents;
pub mod kill_switch;
pub mod operator;
mod password;
pub mod people;
pub mod policies;
pub mod recover;
pub mod sessions;
pub mod setup;
