//! A simulated Wazuh manager and indexer for tests: the API of Wazuh 4.14.7 and the searches of its
//! indexer, over plain HTTP.
//!
//! It answers like a real manager, with its statuses, texts and oddities. It remembers the commands
//! that it was given, runs their scripts on simulated endpoints, and misbehaves on demand. Start
//! with [`Simulator::new`] and [`Simulator::listen`]; `README.md` has an example.
//!
//! "Captures" in the comments are answers recorded from the API of a real 4.14.7 manager. The tests
//! in `tests/it/captures.rs` replay them under the same numbers. What no capture shows comes from
//! the source of Wazuh or is marked as a guess.
//!
//! Deliberately absent: TLS, and calls that change users and roles.

#![warn(missing_docs)]

mod api;
mod clock;
mod endpoint;
mod fault;
mod indexer;
pub mod namespaces;
mod rights;
mod server;
mod settings;
mod simulator;
mod world;

pub use api::answer::AgentError;
pub use endpoint::{Contact, Endpoint, Os, Status};
pub use fault::{Calls, Fault, Outage, Times, Work};
pub use rights::Rights;
pub use server::Server;
pub use settings::{Script, Settings, User};
pub use simulator::Simulator;
pub use world::{Delivered, Message, Received};
