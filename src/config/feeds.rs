//! The programs that get the audit.

use std::{
    collections::HashSet,
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use super::{ConfigError, WebhookConfig, notify::one_of};
use crate::domain::{
    all_variants,
    audit::{EventGroup, EventKind},
    proposal::{MANAGER_GRAMMAR, is_manager_name},
    public_url::is_host_name,
};

/// What a feed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum FeedKind {
    /// Lines of a file.
    File,
    /// Messages to a syslog server.
    Syslog,
    /// Signed HTTP posts.
    Webhook,
}

impl FeedKind {
    /// All of them.
    const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The keys that it has beside those of every feed.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::File => &["path", "mode"],
            Self::Syslog => &["host", "port", "transport", "ca_file", "pin_sha256"],
            Self::Webhook => {
                &["url", "url_file", "secret_file", "token_file", "ca_file", "pin_sha256"]
            }
        }
    }
}

/// A program that gets the audit, or those events of it that it asks for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedConfig {
    /// What it is called. No two have the same name.
    pub name: String,
    /// `file`, `syslog` or `webhook`.
    pub kind: String,
    /// Groups of events, and single kinds; all without it.
    pub events: Option<Vec<String>>,
    /// Where a new feed begins: `now`, or `start` of the audit.
    #[serde(default = "now")]
    pub from: String,
    /// The file.
    pub path: Option<PathBuf>,
    /// `0600`, or `0640` for the file's group to read it.
    pub mode: Option<String>,
    /// The syslog server.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// `udp`, `tcp` or `tls`.
    pub transport: Option<String>,
    /// As of a webhook for notifications.
    pub url: Option<String>,
    /// As of a webhook for notifications.
    pub url_file: Option<PathBuf>,
    /// As of a webhook for notifications.
    pub secret_file: Option<PathBuf>,
    /// As of a webhook for notifications.
    pub token_file: Option<PathBuf>,
    /// PEM file of the authorities that may have signed the receiver's certificate.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of the receiver's certificate: instead of `ca_file`.
    pub pin_sha256: Option<String>,
}

fn now() -> String {
    "now".to_owned()
}

impl FeedConfig {
    /// What it is; none where its word is none, which the check refuses.
    pub fn known_kind(&self) -> Option<FeedKind> {
        self.kind.parse().ok()
    }

    /// The part of the configuration that it is, as errors name it.
    pub fn section(&self) -> String {
        format!("feeds.{}", self.name)
    }

    /// The kinds of events that it asks for; the error names the word that is none.
    pub fn kinds(&self) -> Result<HashSet<EventKind>, ConfigError> {
        let Some(words) = &self.events else { return Ok(EventKind::ALL.into()) };
        let wrong = |word: &str| {
            let groups = EventGroup::ALL.map(EventGroup::name).join(", ");
            let allowed = format!(
                "one or more groups of events ({groups}), or kinds such as vote.broke_glass: \
                 docs/feeds.md lists them; without `events` all are sent"
            );
            ConfigError::value(&format!("{}.events", self.section()), &word, allowed)
        };
        let mut kinds = HashSet::new();
        for word in words {
            match (word.parse::<EventGroup>(), EventKind::parse(word)) {
                (Ok(group), _) => kinds.extend(group.kinds()),
                (Err(_), Some(kind)) => {
                    kinds.insert(kind);
                }
                (Err(_), None) => return Err(wrong(word)),
            }
        }
        if kinds.is_empty() { Err(wrong("[]")) } else { Ok(kinds) }
    }

    /// The mode of its file; none where its word is none.
    pub fn file_mode(&self) -> Option<u32> {
        match self.mode.as_deref() {
            None | Some("0600") => Some(0o600),
            Some("0640") => Some(0o640),
            Some(_) => None,
        }
    }

    /// Its keys as those of a webhook for notifications.
    pub fn webhook(&self) -> WebhookConfig {
        WebhookConfig {
            url: self.url.clone(),
            url_file: self.url_file.clone(),
            format: "json".to_owned(),
            secret_file: self.secret_file.clone(),
            token_file: self.token_file.clone(),
            ca_file: self.ca_file.clone(),
            pin_sha256: self.pin_sha256.clone(),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !is_manager_name(&self.name) {
            return Err(ConfigError::value("feeds.name", &self.name, MANAGER_GRAMMAR));
        }
        let section = self.section();
        let key = |key: &str| format!("{section}.{key}");
        let Some(kind) = self.known_kind() else {
            let allowed = FeedKind::ALL.map(|kind| kind.into_str()).join(", ");
            return Err(ConfigError::value(&key("kind"), &self.kind, allowed));
        };
        let strange = self.set_keys().into_iter().find(|set| !kind.keys().contains(set));
        if let Some(strange) = strange {
            let (kind, keys) = (kind.into_str(), kind.keys().join(", "));
            let allowed = format!("no such key where kind is {kind}; it has {keys}");
            return Err(ConfigError::value(&key(strange), &"(not shown)", allowed));
        }
        self.kinds()?;
        if !["now", "start"].contains(&self.from.as_str()) {
            let allowed = "now, or start for all that is in the audit";
            return Err(ConfigError::value(&key("from"), &self.from, allowed));
        }
        match kind {
            FeedKind::File => self.check_file(),
            FeedKind::Syslog => self.check_syslog(),
            FeedKind::Webhook => self.webhook().check(&section),
        }
    }

    fn check_file(&self) -> Result<(), ConfigError> {
        let key = |key: &str| format!("{}.{key}", self.section());
        if self.path.as_ref().is_none_or(|path| path.file_name().is_none()) {
            let path = self.path.as_ref().map(|path| path.display().to_string());
            let allowed = "a file, in a folder that only Countersign's user may write";
            return Err(ConfigError::value(&key("path"), &path.unwrap_or_default(), allowed));
        }
        if self.file_mode().is_none() {
            let mode = self.mode.clone().unwrap_or_default();
            let allowed = "\"0600\", or \"0640\" for the file's group to read it";
            return Err(ConfigError::value(&key("mode"), &mode, allowed));
        }
        Ok(())
    }

    /// It writes into no file that another feed or something else of ours has: what is written under its
    /// name or names beside it, and what holds a secret.
    pub(super) fn check_own_file(
        &self,
        all: &[Self],
        written: [Option<&PathBuf>; 2],
        secrets: &[&Path],
    ) -> Result<(), ConfigError> {
        let Some(path) = &self.path else { return Ok(()) };
        let key = format!("{}.path", self.section());
        let same = |other: &Self| other.name != self.name && other.path == self.path;
        if all.iter().any(same) {
            let allowed = "a file of its own: another feed has this one";
            return Err(ConfigError::value(&key, &path.display(), allowed));
        }
        // The database has files beside it, under its name and more.
        let name = path.as_os_str().as_encoded_bytes();
        let mut written =
            written.into_iter().flatten().map(|file| file.as_os_str().as_encoded_bytes());
        if written.any(|file| name.starts_with(file)) || secrets.contains(&path.as_path()) {
            let allowed = "a file of its own: Countersign has this one";
            return Err(ConfigError::value(&key, &path.display(), allowed));
        }
        Ok(())
    }

    fn check_syslog(&self) -> Result<(), ConfigError> {
        let key = |key: &str| format!("{}.{key}", self.section());
        let host = self.host.as_deref().unwrap_or_default();
        if !is_host_name(host) && host.parse::<IpAddr>().is_err() {
            let allowed = "the name or the address of a syslog server, without its port";
            return Err(ConfigError::value(&key("host"), &host, allowed));
        }
        let port = self.port.unwrap_or_default();
        if port == 0 {
            let allowed = "1 to 65535, often 514, or 6514 with TLS";
            return Err(ConfigError::value(&key("port"), &port, allowed));
        }
        let proven = self.ca_file.is_some() || self.pin_sha256.is_some();
        let transport = self.transport.as_deref().unwrap_or_default();
        match (transport, proven) {
            ("tls", true) | ("udp" | "tcp", false) => {}
            ("tls", false) => {
                let allowed = "ca_file or pin_sha256 beside it: a certificate is always verified";
                return Err(ConfigError::value(&key("transport"), &transport, allowed));
            }
            ("udp" | "tcp", true) => {
                let allowed = "tls, where ca_file or pin_sha256 stands beside it";
                return Err(ConfigError::value(&key("transport"), &transport, allowed));
            }
            (_, _) => {
                let allowed = "udp, tcp or tls";
                return Err(ConfigError::value(&key("transport"), &transport, allowed));
            }
        }
        one_of(&self.section(), self.ca_file.is_some(), self.pin_sha256.as_ref())
    }

    /// The keys of some kind that are set.
    fn set_keys(&self) -> Vec<&'static str> {
        [
            ("path", self.path.is_some()),
            ("mode", self.mode.is_some()),
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("transport", self.transport.is_some()),
            ("url", self.url.is_some()),
            ("url_file", self.url_file.is_some()),
            ("secret_file", self.secret_file.is_some()),
            ("token_file", self.token_file.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("pin_sha256", self.pin_sha256.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, set)| set.then_some(key))
        .collect()
    }

    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let Self { path, url_file, secret_file, token_file, ca_file, .. } = self;
        [path, url_file, secret_file, token_file, ca_file].into_iter().flatten()
    }

    /// The files that hold secrets.
    pub(super) fn private_files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.url_file, &self.secret_file, &self.token_file].into_iter().flatten()
    }
}
