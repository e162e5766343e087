//! What the configuration says about a Wazuh manager, and the clock.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use super::{indexer::fields::AlertFields, scripts::is_shipped_script};
use crate::{
    clock::Clock,
    connector::http::{
        error::ConnectorError,
        secret::{Secret, Tls},
    },
    domain::{
        action::{ActionKind, KEEP_PREFIX},
        endpoint::Platform,
        public_url::is_host_name,
    },
};

/// The longest name of an undo command.
const NAME_CHARS_MAX: usize = 64;

/// A manager, and perhaps its indexer.
#[derive(Debug, Clone)]
pub struct WazuhSettings {
    /// The name that people and policies use. Errors name keys of `[manager.<name>]`.
    pub name: String,
    /// Where its API is, such as `https://wazuh.example:55000`.
    pub url: String,
    /// The API user. It needs the rights that `countersign doctor` lists, and is used by this
    /// broker alone: a logout elsewhere ends all tokens of a user.
    pub user: String,
    /// The API user's password.
    pub password: Secret,
    /// How the manager proves that it is the right one.
    pub tls: Tls,
    /// The commands that take back what does not end by itself, by the action that they take
    /// back and the platform: `!name` of a script on the endpoints, or the name of a command that
    /// the manager has without a timeout, such as `unblock0`.
    pub undo_commands: BTreeMap<(ActionKind, Platform), String>,
    /// The groups whose Linux endpoints have the scripts of `deploy/active-response`.
    pub companion_groups: Vec<String>,
    /// What an isolated endpoint still reaches beside its managers, as arguments of the script: at most
    /// [`WazuhSettings::KEEPS_MAX`].
    pub keeps: Vec<String>,
    /// The most endpoints in one call, 1 to 500.
    pub batch_endpoints_max: u16,
    /// The most responses that are sent at once, 1 to 64. A manager waits for a silent endpoint, and
    /// that holds up its other calls.
    pub calls_in_flight: u16,
    /// The most calls to the manager in any 60 s, 1 to 30,000. The manager counts those of all its
    /// clients together, and allows 300 unless its `api.yaml` says otherwise.
    pub calls_per_minute_max: u16,
    /// How long a response may take. A manager asks each endpoint first, and one that is silent
    /// holds it up for a minute.
    pub call_deadline: Duration,
    /// How long anything else may take.
    pub read_deadline: Duration,
    /// Where alerts are looked up; without it no alert is ever found, and nobody sees whether a
    /// response started.
    pub indexer: Option<IndexerSettings>,
    /// How time passes: waits and measured delays are by this clock.
    pub clock: Clock,
}

impl WazuhSettings {
    /// What one isolation names at most.
    pub const KEEPS_MAX: usize = 16;
    /// The usual [`WazuhSettings::batch_endpoints_max`].
    pub const BATCH_ENDPOINTS_MAX: u16 = 50;
    /// The usual [`WazuhSettings::calls_in_flight`].
    pub const CALLS_IN_FLIGHT: u16 = 1;
    /// The usual [`WazuhSettings::calls_per_minute_max`].
    pub const CALLS_PER_MINUTE_MAX: u16 = 200;
    /// The usual [`WazuhSettings::call_deadline`].
    pub const CALL_DEADLINE: Duration = Duration::from_secs(75);
    /// The usual [`WazuhSettings::read_deadline`].
    pub const READ_DEADLINE: Duration = Duration::from_secs(15);

    /// Whether an endpoint of these groups has the companion scripts.
    pub(super) fn has_companions(&self, groups: &[String]) -> bool {
        groups.iter().any(|group| self.companion_groups.contains(group))
    }

    /// The section of the configuration that these come from.
    pub(super) fn section(&self) -> String {
        format!("manager.{}", self.name)
    }

    pub(super) fn check(&self) -> Result<(), ConnectorError> {
        let section = self.section();
        let range = |key: &str, value: u16, max: u16| {
            if (1..=max).contains(&value) {
                return Ok(());
            }
            let key = format!("{section}.{key}");
            Err(ConnectorError::settings(key, value.to_string(), format!("1 to {max}")))
        };
        range("batch_endpoints_max", self.batch_endpoints_max, 500)?;
        range("calls_in_flight", self.calls_in_flight, 64)?;
        range("calls_per_minute_max", self.calls_per_minute_max, 30_000)?;
        if self.keeps.len() > Self::KEEPS_MAX {
            let key = format!("{section}.isolation_keeps");
            let value = format!("{} hosts, with Countersign's own", self.keeps.len());
            let allowed = format!("at most {}", Self::KEEPS_MAX);
            return Err(ConnectorError::settings(key, value, allowed));
        }
        for ((kind, platform), command) in &self.undo_commands {
            let key = format!("{section}.undo_commands.{kind}.{}", platform.name());
            if kind.is_undo() {
                let allowed = "only what can be taken back has an undo command";
                return Err(ConnectorError::settings(key, command, allowed));
            }
            if !is_valid_name(command.strip_prefix('!').unwrap_or(command)) {
                let allowed = "it is the name of a script such as !countersign-unblock, or of a \
                               command of the manager such as unblock0: letters, digits, `_`, \
                               `.`, `-`, at most 64, no `..`";
                return Err(ConnectorError::settings(key, command, allowed));
            }
            if command.strip_prefix('!').is_some_and(is_shipped_script) {
                let allowed = "the scripts that Wazuh ships can only do it once more: name one of \
                               your own that takes it back";
                return Err(ConnectorError::settings(key, command, allowed));
            }
        }
        Ok(())
    }
}

/// Whether the manager can mean one file by this name.
pub(super) fn is_valid_name(name: &str) -> bool {
    let sound = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(sound) && !name.contains("..")
}

/// What a kept host must look like, for people.
pub const KEEP_GRAMMAR: &str = "an address in its canonical form, or a name in lower case with at \
                                least one dot; perhaps with a port, such as dns.example:53 or \
                                [2001:db8::7]:53; no loopback, link-local or multicast address";

/// The argument `keep=HOST` or `keep=HOST:PORT` of the companion script for a host of [`KEEP_GRAMMAR`]; none for anything else.
pub fn kept_host(text: &str) -> Option<String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").map(|(host, port)| (host, Some(port)))?,
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            Some(_) | None => (text, None),
        },
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|n| n > 0 && n.to_string() == port);
    let in_brackets = text.starts_with('[');
    let is_host = if let Ok(address) = host.parse::<IpAddr>() {
        let brackets = address.is_ipv6() && port.is_some();
        is_one_host(address) && address.to_string() == host && in_brackets == brackets
    } else {
        let lower = !host.bytes().any(|b| b.is_ascii_uppercase());
        !in_brackets && lower && host.contains('.') && is_host_name(host)
    };
    (is_host && port.is_none_or(is_port)).then(|| format!("{KEEP_PREFIX}{text}"))
}

/// Whether it stands for a single other host: the script refuses what does not.
fn is_one_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !matches!(v4.octets(), [0 | 127 | 224..=255, ..]),
        IpAddr::V6(v6) => {
            let local = v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local();
            !local && !v6.is_multicast() && v6.to_ipv4_mapped().is_none()
        }
    }
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
    /// How long an endpoint's own alert may take to come.
    pub confirm_within: Duration,
    /// How old its newest alert may be. Where it is older, an alert that is not there says nothing,
    /// and nothing runs without people.
    pub stale_after: Duration,
    /// The fields in which an alert may name what a response acts on.
    pub fields: AlertFields,
    /// Where Wazuh's dashboard is, such as `https://wazuh-dashboard.example`; without it alerts are
    /// shown without a link.
    pub dashboard_url: Option<String>,
}

impl IndexerSettings {
    /// The usual [`IndexerSettings::alert_index`].
    pub const ALERT_INDEX: &'static str = "wazuh-alerts-*";
    /// The usual [`IndexerSettings::confirm_within`].
    pub const CONFIRM_WITHIN: Duration = Duration::from_mins(2);
    /// The usual [`IndexerSettings::stale_after`]: a manager and its agents make alerts of their own
    /// logins, scans and updates many times an hour.
    pub const STALE_AFTER: Duration = Duration::from_hours(1);
}
