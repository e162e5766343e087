//! `[manager.<name>]`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Table;

use super::{IndexerConfig, RemoteConfig};

/// A Wazuh manager.
#[derive(Debug, Clone, Deserialize)]
pub struct ManagerConfig {
    /// How it is reached.
    #[serde(flatten)]
    pub reach: RemoteConfig,
    /// The most endpoints in one call, 1 to 500.
    #[serde(default = "batch_endpoints_max")]
    pub batch_endpoints_max: u16,
    /// How long a call may take, in seconds.
    #[serde(default = "call_timeout_seconds")]
    pub call_timeout_seconds: u16,
    /// The most responses that are sent at once, 1 to 64.
    #[serde(default = "calls_in_flight")]
    pub calls_in_flight: u16,
    /// The most calls in a minute, 1 to 30,000.
    #[serde(default = "calls_per_minute_max")]
    pub calls_per_minute_max: u16,
    /// What takes back a response that does not end by itself: action, platform, and `!` with the
    /// name of a script on the endpoints, or the name of a command of the manager.
    #[serde(default)]
    pub undo_commands: BTreeMap<String, BTreeMap<String, String>>,
    /// The groups whose Linux endpoints have the scripts of `deploy/active-response`.
    #[serde(default)]
    pub companion_groups: Vec<String>,
    /// What an isolated endpoint still reaches, beside its managers and Countersign: hosts with or
    /// without a port, at most 16 with Countersign's own.
    #[serde(default)]
    pub isolation_keeps: Vec<String>,
    /// Its indexer: without one no alert is ever found, nothing runs without people, and no start
    /// of a response is confirmed.
    pub indexer: Option<IndexerConfig>,
    #[serde(flatten)]
    pub(super) other: Table,
}

const fn batch_endpoints_max() -> u16 {
    50
}

const fn calls_in_flight() -> u16 {
    1
}

const fn call_timeout_seconds() -> u16 {
    75
}

const fn calls_per_minute_max() -> u16 {
    200
}
