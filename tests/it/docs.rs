//! The documents and the source, held against what the code does.

mod actions;
mod alert_fields;
mod feeds;
pub(crate) mod imports;
mod log_messages;
mod mcp;
mod security;
mod states;
mod test_names;
mod wazuh_words;
