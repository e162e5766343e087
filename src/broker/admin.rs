//! Who may use Countersign and under which policies: people, agents, sessions, policies and the
//! kill switch.

pub mod agents;
pub mod kill_switch;
mod known_browser;
pub mod operator;
pub mod passkeys;
mod password;
pub mod people;
pub mod policies;
pub mod recover;
pub mod saved_views;
pub mod sessions;
pub mod setup;

pub use known_browser::BROWSER_DAYS;
pub use sessions::{NewSession, OwnSession, ProviderAnswer, ProviderTrip};
