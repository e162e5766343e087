//! The indexer, and what is read of its alerts.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Table;

use super::RemoteConfig;

/// The Wazuh indexer.
#[derive(Debug, Clone, Deserialize)]
pub struct IndexerConfig {
    /// How it is reached.
    #[serde(flatten)]
    pub reach: RemoteConfig,
    /// The indices that hold alerts.
    #[serde(default = "alerts_index")]
    pub alerts_index: String,
    /// How long an endpoint's own alert may take, in seconds.
    #[serde(default = "confirm_within_seconds")]
    pub confirm_within_seconds: u16,
    /// How old its newest alert may be before it counts as behind, in minutes.
    #[serde(default = "stale_after_minutes")]
    pub stale_after_minutes: u16,
    /// Where Wazuh's dashboard is: alerts are shown with a link to it.
    pub dashboard_url: Option<String>,
    #[serde(flatten)]
    pub(super) other: Table,
}

fn alerts_index() -> String {
    "wazuh-alerts-*".to_owned()
}

const fn confirm_within_seconds() -> u16 {
    120
}

const fn stale_after_minutes() -> u16 {
    60
}

/// In which fields an alert may name what a response acts on: field, and how its value is read.
/// Fields that ship and are not named here stay.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertFieldsConfig {
    /// Fields that name an address: `address`, or `ignored`.
    pub addresses: BTreeMap<String, String>,
    /// Fields that name an account: `name`, `windows`, `cloud`, or `ignored`.
    pub accounts: BTreeMap<String, String>,
    /// The fields that may let something run without people; those that ship where it is left out.
    pub peer: Option<Vec<String>>,
}
