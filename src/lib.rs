//! Countersign: a policy-gated response broker with human approval for Wazuh.
//!
//! An LLM agent asks over MCP ([`mcp`]) for a response. Cedar ([`policy`]) decides whether it
//! runs, waits for people ([`web`]), or is refused. The [`worker`] calls the manager through the
//! [`connector`]. The [`broker`] holds every verb, the [`store`] every row, and the [`domain`]
//! every rule. `docs/ARCHITECTURE.md` has the picture.

#[cfg(feature = "demo")]
pub mod demo;
pub mod domain;
pub mod text;

pub mod clock;
pub mod config;
mod failpoint;
mod slots;
mod trusted_file;

pub mod connector;
pub mod passkey;
pub mod policy;
pub mod store;

pub mod broker;

pub mod api;
pub mod mcp;
pub mod web;
pub mod worker;

pub mod app;
pub mod cli;
