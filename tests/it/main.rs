//! The specification, entered by the product's doors.

// Always on here; it lets clippy see that helpers are test code too.
#![cfg(test)]

mod agents;
mod approve;
mod attack;
mod attack3;
mod attack4;
mod audit_rows;
mod binary;
mod connector;
mod crash;
mod execute;
mod fatigue;
mod harness;
mod imports;
mod kill_switch;
mod lifecycle;
mod managers;
mod mcp;
mod migrations;
mod notices;
mod observe;
mod people;
mod policy;
mod proposal;
mod races;
mod security_doc;
mod set_up;
mod spoof;
mod states_doc;
mod story;
mod submit;
mod undo;
mod wazuh_words;
mod web;
