//! The active-response scripts, run for real: as execd runs them, on an endpoint of its own made of
//! namespaces. The machine's own firewall, accounts and files are never touched.
//!
//! It takes root and the tools that `.ci/scripts` installs; without them a test says that it was
//! skipped. With `COUNTERSIGN_SCRIPTS=required` that is a failure.

// Always on here; it lets clippy see that helpers are test code too.
#![cfg(test)]

mod account;
mod block;
mod domain;
mod endpoint;
mod execd;
mod firewall;
mod fuzz;
mod input;
mod isolate;
mod kill;
mod quarantine;
mod reader;
mod ruleset;
mod shells;
mod tutorial;

/// Ids of requests.
const FIRST: &str = "req_00000000000000000000000000000001";
const SECOND: &str = "req_00000000000000000000000000000002";
const THIRD: &str = "req_00000000000000000000000000000003";
