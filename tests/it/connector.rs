//! The connector, over real HTTP: against the simulated manager, and against a tap that says what
//! no simulator would and remembers every byte.

mod alerts;
mod bad;
mod doctor;
mod driver;
mod endings;
mod harness;
mod inventory;
mod names;
mod polite;
mod sending;
mod settings;
pub(crate) mod tap;
pub(crate) mod tls;
mod tokens;
mod traces;
