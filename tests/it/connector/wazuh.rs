//! The driver for Wazuh.

mod alerts;
mod command_names;
mod dispatch;
mod doctor;
mod endings;
mod endpoint_rules;
mod evidence;
mod inventory;
mod login;
mod malformed_answers;
mod odd_answers;
mod rate_budget;
