//! The door for agents, entered by HTTP, by rmcp's own client and by the stdio bridge.

mod agent_flow;
mod answers;
mod auth;
mod bridge;
mod door;
mod dry_run;
mod endpoint_names;
mod evaluations;
mod fixtures;
pub(crate) mod json_schema;
mod long_polling;
mod lookups;
mod outcomes;
mod reading;
mod request_states;
mod tool_schemas;
mod undo;
