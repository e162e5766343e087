//! What the configuration says about the outside systems.

use std::{fmt, path::PathBuf, time::Duration};

use super::command::Commands;

/// A manager, and perhaps its indexer.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name that people and policies use.
    pub name: String,
    /// Where its API is, such as `https://wazuh.example:55000`.
    pub url: String,
    /// The API user. It needs the rights `agent:read` and `active-response:command`, and is used
    /// by this broker alone: a logout elsewhere ends all tokens of a user.
    pub user: String,
    /// The API user's password.
    pub password: Secret,
    /// How the manager proves that it is the right one.
    pub tls: Tls,
    /// The timed commands that the manager has.
    pub commands: Commands,
    /// How long a response may take. A manager asks each endpoint first, and one that is silent
    /// holds it up for a minute.
    pub call_deadline: Duration,
    /// How long anything else may take.
    pub read_deadline: Duration,
    /// Where alerts are looked up; without it no alert is ever found.
    pub indexer: Option<IndexerSettings>,
}

impl Settings {
    /// The usual [`Settings::call_deadline`].
    pub const CALL_DEADLINE: Duration = Duration::from_secs(75);
    /// The usual [`Settings::read_deadline`].
    pub const READ_DEADLINE: Duration = Duration::from_secs(15);
}

/// An indexer: `OpenSearch`, or what Wazuh makes of it.
#[derive(Debug, Clone)]
pub struct IndexerSettings {
    /// Where it is, such as `https://wazuh.example:9200`.
    pub url: String,
    /// A user that may read the alerts.
    pub user: String,
    /// That user's password.
    pub password: Secret,
    /// How the indexer proves that it is the right one.
    pub tls: Tls,
    /// The indices that hold alerts, as in a search's path.
    pub alert_index: String,
}

impl IndexerSettings {
    /// The usual [`IndexerSettings::alert_index`].
    pub const ALERT_INDEX: &'static str = "wazuh-alerts-*";
}

/// How an outside system proves that it is the right one. Deliberately absent: a way to trust
/// anyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// By a certificate that one of the authorities in this file issued.
    Ca {
        /// A PEM file.
        file: PathBuf,
        /// The name that the certificate must carry, where it is not the URL's host.
        server_name: Option<String>,
    },
    /// By this very certificate: chain, name and dates do not count.
    Pin {
        /// SHA-256 of its DER form.
        sha256: [u8; 32],
    },
    /// Not at all: `http://`, on this machine only.
    Plain,
}

/// A password or a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
