//! The connector, over real HTTP: against the simulated manager, and against a tap that says what
//! no simulator would and remembers every byte.

mod alerts;
mod endings;
mod harness;
mod inventory;
mod sending;
mod settings;
mod tap;
mod tls;
mod tokens;
