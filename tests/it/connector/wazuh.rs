//! The driver for Wazuh.

mod alert_names;
mod alerts;
mod command_names;
mod dispatch;
mod doctor;
mod endings;
mod endpoint_rules;
mod evidence;
mod freshness;
mod inventory;
mod login;
mod malformed_answers;
mod odd_answers;
mod rate_budget;
