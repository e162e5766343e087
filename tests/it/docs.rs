//! The documents and the source, held against what the code does.

pub(crate) mod imports;
mod security;
mod states;
mod wazuh_words;
