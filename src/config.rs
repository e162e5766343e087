//! The configuration file: one TOML file, with overrides from the environment.
//!
//! `COUNTERSIGN__MANAGER__MAIN__URL=https://…` overrides `url` in `[manager.main]`. Secrets are never in the
//! file: it names files that hold them.

use std::{
    collections::BTreeMap,
    fmt::Display,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error as _};
use toml::{Table, Value};

use crate::{
    domain::{digest::Digest, facts::protected::ProtectedTargets, public_url::PublicUrl},
    trusted_file,
};

mod accounts;
mod check;
mod feeds;
mod indexer;
mod manager;
mod metrics;
mod notify;
mod oidc;

pub use accounts::{SystemAccountsConfig, TEMPLATE};
pub use feeds::{FeedConfig, FeedKind};
pub use indexer::{AlertFieldsConfig, IndexerConfig};
pub use manager::ManagerConfig;
pub use metrics::MetricsConfig;
pub use notify::{EscalationConfig, MailConfig, NotifyConfig, ON_CALL, WebhookConfig};
pub use oidc::{OidcConfig, RoleOfGroup};

/// A configuration that cannot be used: which key, what it holds, what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {why}", path.display())]
    Unreadable {
        /// The file, as it was named.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The file is not of the right form.
    #[error("{}: {why}", path.display())]
    Form {
        /// The file, as it was named.
        path: PathBuf,
        /// Where, and why.
        why: String,
    },
    /// A value cannot be right.
    #[error("`{key}` is `{value}`. Allowed: {allowed}.")]
    Value {
        /// The key, as section.key.
        key: String,
        /// What it holds.
        value: String,
        /// What would be right.
        allowed: String,
    },
}

impl ConfigError {
    /// A value that cannot be right.
    pub fn value(key: &str, value: &dyn Display, allowed: impl Into<String>) -> Self {
        Self::Value { key: key.to_owned(), value: value.to_string(), allowed: allowed.into() }
    }
}

/// The whole configuration. Paths in it are taken from the folder of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where people and agents reach the broker.
    pub server: ServerConfig,
    /// The Wazuh managers, by the names that people, agents and policies use.
    pub manager: BTreeMap<String, ManagerConfig>,
    /// How long things may wait.
    #[serde(default)]
    pub requests: RequestsConfig,
    /// How critical the endpoints of a Wazuh group are, 1 to 5. An endpoint has the highest of
    /// its groups; without any it has 5.
    #[serde(default)]
    pub criticality: BTreeMap<String, u8>,
    /// What responses may not touch, or only with more people.
    #[serde(default)]
    pub protected: ProtectedConfig,
    /// When the office is staffed.
    #[serde(default)]
    pub business_hours: BusinessHoursConfig,
    /// How much an agent may ask for.
    #[serde(default)]
    pub agents: AgentsConfig,
    /// In which fields an alert may name what a response acts on.
    #[serde(default)]
    pub alert_fields: AlertFieldsConfig,
    /// How people are notified outside the page.
    #[serde(default)]
    pub notify: NotifyConfig,
    /// The programs that get the audit.
    #[serde(default)]
    pub feeds: Vec<FeedConfig>,
    /// Where Prometheus comes in, beside `server.metrics_token_file`.
    pub metrics: Option<MetricsConfig>,
    /// Where people sign in beside this server.
    pub oidc: Option<OidcConfig>,
    /// SHA-256 of the file that all this was read from.
    #[serde(skip, default = "of_no_file")]
    pub sha256: Digest,
}

const fn of_no_file() -> Digest {
    Digest::ZERO
}

/// Where people and agents reach the broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on. Beyond loopback only with TLS or `behind_tls_proxy`.
    pub listen: SocketAddr,
    /// The address that people type, such as `https://countersign.example`.
    #[serde(deserialize_with = "public_url")]
    pub public_url: PublicUrl,
    /// The database file.
    #[serde(default = "database")]
    pub database: PathBuf,
    /// The file of the high-water mark, best on another disk; beside the database without it.
    pub high_water_mark: Option<PathBuf>,
    /// The folder of the policies.
    #[serde(default = "policies")]
    pub policies: PathBuf,
    /// PEM file of the certificate chain.
    pub tls_certificate_file: Option<PathBuf>,
    /// PEM file of its key.
    pub tls_key_file: Option<PathBuf>,
    /// The file of the token that opens `/metrics`, 0600; without it there is no `/metrics`.
    pub metrics_token_file: Option<PathBuf>,
    /// A proxy in front speaks TLS and this listener is reachable only through it.
    #[serde(default)]
    pub behind_tls_proxy: bool,
    /// Proxies whose `Forwarded` or `X-Forwarded-For` says where a request comes from: networks.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// The most connections at once, 64 to 60000. Fewer where this machine has not the files.
    #[serde(default = "connections_max")]
    pub connections_max: u16,
    /// The most connections of one address.
    #[serde(default = "connections_per_address_max")]
    pub connections_per_address_max: u16,
}

const fn connections_max() -> u16 {
    2048
}

const fn connections_per_address_max() -> u16 {
    1024
}

/// What `server.public_url` may be.
const PUBLIC_URL: &str = "https:// and a host with an optional port, without a path; http:// only \
                          where the broker listens on loopback without a proxy. The host is an IP \
                          address, or a name of letters, digits, hyphens and dots";

fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PublicUrl, D::Error> {
    let text = String::deserialize(deserializer)?;
    PublicUrl::parse(&text).ok_or_else(|| D::Error::custom(PUBLIC_URL))
}

fn database() -> PathBuf {
    PathBuf::from("countersign.db")
}

fn policies() -> PathBuf {
    PathBuf::from("policies")
}

/// How an outside system is reached.
#[derive(Debug, Clone, Deserialize)]
pub struct RemoteConfig {
    /// `https://host:port`; `http://` for loopback only.
    pub url: String,
    /// The user to sign in as.
    pub user: String,
    /// The file that holds the password, 0600.
    pub password_file: PathBuf,
    /// PEM file of the authority that signed the system's certificate.
    pub ca_file: Option<PathBuf>,
    /// The name in that certificate, where it is not the host of `url`.
    pub tls_server_name: Option<String>,
    /// SHA-256 of the system's certificate, 64 hexadecimal digits: instead of `ca_file`.
    pub pin_sha256: Option<String>,
}

/// How long things may wait.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestsConfig {
    /// People have this many minutes to decide.
    pub decide_within_minutes: u32,
    /// An approval is used within this many minutes, or never.
    pub use_approval_within_minutes: u32,
    /// Endpoints that are away are waited for so many hours after a response was asked for.
    pub wait_for_endpoints_hours: u32,
}

impl Default for RequestsConfig {
    fn default() -> Self {
        Self {
            decide_within_minutes: 240,
            use_approval_within_minutes: 10,
            wait_for_endpoints_hours: 24,
        }
    }
}

/// How much an agent may ask for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentsConfig {
    /// The most open requests of one agent, 1 to 1000.
    pub open_requests_max: u16,
    /// The most proposals of one agent in a minute, 1 to 1000.
    pub asks_per_minute_max: u16,
}

impl Default for AgentsConfig {
    fn default() -> Self {
        // The same as `broker::limits::AgentLimits`.
        Self { open_requests_max: 20, asks_per_minute_max: 30 }
    }
}

/// What responses may not touch, or only with more people. Names may end in `*`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectedConfig {
    /// Own networks beyond the private ranges, which policy protects anyway.
    pub networks: Vec<IpNet>,
    /// Single hosts, by address or name: partners, proxies, gateways.
    pub addresses: Vec<String>,
    /// Accounts that no response may disable.
    pub accounts: Vec<String>,
    /// Accounts with special rights.
    pub privileged_accounts: Vec<String>,
    /// Accounts of systems and services, which no response may disable either.
    pub system_accounts: SystemAccountsConfig,
    /// Paths, processes, domains, and endpoints that are never isolated.
    pub targets: ProtectedTargets,
}

/// When the office is staffed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusinessHoursConfig {
    /// Days of the week, 1 is Monday.
    pub days: Vec<u8>,
    /// From this hour on.
    pub from_hour: u8,
    /// Until this hour, not included.
    pub until_hour: u8,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_minutes: i16,
}

impl Default for BusinessHoursConfig {
    fn default() -> Self {
        Self { days: vec![1, 2, 3, 4, 5], from_hour: 8, until_hour: 18, utc_offset_minutes: 0 }
    }
}

impl Config {
    /// Reads the file and the overrides, and checks what can be checked without going out.
    pub fn load(
        path: &Path,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let unreadable = |path: &Path, why| ConfigError::Unreadable { path: path.to_owned(), why };
        if !path.exists() {
            let why = "there is no such file. Run this in the folder that `countersign init` made, \
                       or name the file with --config";
            return Err(unreadable(path, why.to_owned()));
        }
        let text = trusted_file::read(path).map_err(|why| unreadable(path, why))?;
        // Whoever may write the folder puts another file in its place.
        let home = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        for folder in [path, &home].into_iter().filter_map(Path::parent) {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            trusted_file::check_writers(folder).map_err(|why| unreadable(folder, why))?;
        }
        let wrong = |why: String| ConfigError::Form { path: path.to_owned(), why };
        let mut table: Table = toml::from_str(&text)
            .map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        for (name, value) in environment {
            if let Some(keys) = name.strip_prefix("COUNTERSIGN__") {
                override_key(&mut table, &keys.to_lowercase(), &value)?;
            }
        }
        named_managers(&table)?;
        check_public_url(&table)?;
        let mut config: Self = table
            .try_into()
            .map_err(|error: toml::de::Error| wrong(error.to_string().trim_end().to_owned()))?;
        config.check()?;
        config.sha256 = Digest::of(text.as_bytes());
        config.resolve_paths(path.parent().unwrap_or(Path::new(".")));
        Ok(config)
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let server = &mut self.server;
        let mut paths = vec![&mut server.database, &mut server.policies];
        paths.extend(server.high_water_mark.as_mut());
        paths.extend(server.tls_certificate_file.as_mut());
        paths.extend(server.tls_key_file.as_mut());
        paths.extend(server.metrics_token_file.as_mut());
        for manager in self.manager.values_mut() {
            let indexer = manager.indexer.as_mut().map(|indexer| &mut indexer.reach);
            for reach in std::iter::once(&mut manager.reach).chain(indexer) {
                paths.push(&mut reach.password_file);
                paths.extend(reach.ca_file.as_mut());
            }
        }
        paths.extend(self.notify.paths());
        paths.extend(self.feeds.iter_mut().flat_map(FeedConfig::paths));
        paths.extend(self.oidc.iter_mut().flat_map(OidcConfig::paths));
        for path in paths {
            *path = folder.join(&*path);
        }
    }

    /// Files that hold secrets or data.
    pub fn private_files(&self) -> Vec<&Path> {
        let passwords = self.manager.values().flat_map(|manager| {
            let indexer = manager.indexer.as_ref().map(|indexer| &indexer.reach.password_file);
            [Some(&manager.reach.password_file), indexer]
        });
        let server = &self.server;
        let own = [Some(&server.database), server.high_water_mark.as_ref()];
        let keys = [&server.tls_key_file, &server.metrics_token_file].map(Option::as_ref);
        let own = own.into_iter().chain(keys).chain(passwords).flatten();
        let feeds = self.feeds.iter().flat_map(FeedConfig::private_files);
        let own = own.chain(self.notify.private_files()).chain(feeds);
        let secret = self.oidc.iter().filter_map(|oidc| oidc.client_secret_file.as_ref());
        own.chain(secret).map(PathBuf::as_path).collect()
    }
}

/// A manager's keys stand in a section with its name.
fn named_managers(table: &Table) -> Result<(), ConfigError> {
    let managers = table.get("manager").and_then(Value::as_table);
    match managers.into_iter().flatten().find(|(_, value)| !value.is_table()) {
        None => Ok(()),
        Some((key, _)) => Err(ConfigError::value(
            &format!("manager.{key}"),
            &"(not shown)",
            format!("`{key}` in a section with the manager's name, such as [manager.main]"),
        )),
    }
}

/// Says what is wrong with the address in a sentence with its key; serde would name the file alone.
fn check_public_url(table: &Table) -> Result<(), ConfigError> {
    let server = table.get("server").and_then(Value::as_table);
    match server.and_then(|server| server.get("public_url")).and_then(Value::as_str) {
        Some(text) if PublicUrl::parse(text).is_none() => {
            Err(ConfigError::value("server.public_url", &text, PUBLIC_URL))
        }
        Some(_) | None => Ok(()),
    }
}

/// Sets `section__key` to a value: TOML where it reads as such, else text.
fn override_key(table: &mut Table, keys: &str, value: &str) -> Result<(), ConfigError> {
    let parsed = toml::from_str::<Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    let (sections, key) = keys.rsplit_once("__").map_or((None, keys), |(s, k)| (Some(s), k));
    let wrong = || ConfigError::value(&keys.replace("__", "."), &value, "a key inside a section");
    let mut place = table;
    for section in sections.into_iter().flat_map(|sections| sections.split("__")) {
        place = place
            .entry(section)
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .ok_or_else(wrong)?;
    }
    place.insert(key.to_owned(), parsed);
    Ok(())
}
