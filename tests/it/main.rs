//! The specification, entered by the product's doors.

// Always on here; it lets clippy see that helpers are test code too.
#![cfg(test)]

mod approve;
mod attack;
mod attack3;
mod binary;
mod connector;
mod crash;
mod execute;
mod harness;
mod imports;
mod lifecycle;
mod managers;
mod mcp;
mod migrations;
mod notices;
mod observe;
mod policy;
mod proposal;
mod simulator;
mod simulator_captures;
mod simulator_client;
mod states_doc;
mod story;
mod submit;
mod undo;
mod wazuh_words;
mod web;
