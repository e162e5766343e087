//! HTTP and TLS to other systems: clients, certificates, secrets, errors.

pub(super) mod client;
pub(super) mod error;
pub(super) mod secret;
pub(super) mod tls;
pub(super) mod transport;
