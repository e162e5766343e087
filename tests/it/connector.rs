//! The connector, over real HTTP: against the simulated manager, and against a fake server that says
//! what no simulator would and remembers every byte.

pub(crate) mod fake_server;
mod fixtures;
mod second_driver;
mod secret_files;
mod settings;
pub(crate) mod tls;
mod wazuh;
