//! The specification, entered by the product's doors: one folder for each module of the product.

// Always on here; it lets clippy see that helpers are test code too.
#![cfg(test)]

mod api;
mod broker;
mod cli;
mod connector;
mod crash;
mod docs;
mod domain;
mod harness;
mod mcp;
mod policy;
mod security;
mod store;
mod text;
mod web;
