//! Who may use Countersign and under which policies: people, agents, sessions, policies and the
//! kill switch.

pub mod kill_switch;
pub mod operator;
pub mod people_and_agents;
pub mod policies;
pub mod sessions;
pub mod setup;
