//! A simulated Wazuh manager: the API of 4.14.7 and the searches of its indexer, over plain HTTP.
//!
//! It answers like the real thing, with its statuses, texts and oddities, remembers what it was
//! told, and misbehaves on demand. Tests and the demo use it; nothing else in the crate does, and
//! it uses nothing else of the crate.
//!
//! "Captures" in the comments are answers recorded from the real API of 4.14.7; the test
//! `simulator_captures` replays them under the same numbers.
//!
//! Deliberately absent: TLS, changing users and roles over HTTP.

mod api;
mod clock;
mod endpoint;
mod fault;
mod indexer;
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
