//! The manager's HTTP API: a connection with its login, its budget of calls and its errors.

pub(super) mod client;
pub(super) mod connection;
pub(super) mod fields;
pub(super) mod login;
pub(super) mod manager_error;
pub(super) mod rate_budget;
