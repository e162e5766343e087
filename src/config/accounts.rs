//! The accounts of systems and services: a list that ships, and that a configuration may replace.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Table;

/// The configuration that `countersign init` writes, with a comment for every key. It is where the
/// list stands that ships.
pub const TEMPLATE: &str = include_str!("../cli/countersign.toml");

/// Accounts that no response may disable, by the platform that brings them along. A name may end in
/// `*`. A platform that the configuration leaves out has the list that ships.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SystemAccountsConfig {
    /// Linux: of distributions, of services, and the first accounts of cloud images.
    pub linux: Vec<String>,
    /// macOS.
    pub macos: Vec<String>,
    /// Windows, and Active Directory.
    pub windows: Vec<String>,
}

impl SystemAccountsConfig {
    /// All names: a machine that is joined to a directory has accounts of other platforms.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        [&self.linux, &self.macos, &self.windows].into_iter().flatten()
    }
}

impl Default for SystemAccountsConfig {
    fn default() -> Self {
        let template: Table = toml::from_str(TEMPLATE).unwrap_or_default();
        let mut lists: BTreeMap<String, Vec<String>> = template
            .get("protected")
            .and_then(|protected| protected.get("system_accounts"))
            .and_then(|lists| lists.clone().try_into().ok())
            .unwrap_or_default();
        let mut list = |platform| lists.remove(platform).unwrap_or_default();
        Self { linux: list("linux"), macos: list("macos"), windows: list("windows") }
    }
}
