//! The machines that the simulated manager looks after.

pub(crate) mod block;
pub(crate) mod effects;
pub(crate) mod evidence;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// What the manager's database says about the connection of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Disconnected,
    NeverConnected,
    Pending,
}

impl Status {
    /// The word that the API uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disconnected => "disconnected",
            Self::NeverConnected => "never_connected",
            Self::Pending => "pending",
        }
    }
}

/// What happens when the manager asks an active endpoint for its configuration, which it does
/// before each response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// It answers at once.
    Answers,
    /// It answers after this time, in which the manager's one worker waits.
    After(Duration),
    /// The question cannot be sent: failed item 1117.
    Unreachable,
}

/// An operating system as agents report it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Os {
    pub name: &'static str,
    /// `os.platform`, the field to choose commands by.
    pub platform: &'static str,
    pub version: &'static str,
}

impl Os {
    pub const CENTOS: Self = Self { name: "CentOS Linux", platform: "centos", version: "7.9" };
    pub const DEBIAN: Self = Self { name: "Debian GNU/Linux", platform: "debian", version: "12" };
    pub const UBUNTU: Self = Self { name: "Ubuntu", platform: "ubuntu", version: "22.04.4 LTS" };
    pub const MACOS: Self = Self { name: "macOS", platform: "darwin", version: "14.4" };
    pub const WINDOWS_11: Self =
        Self { name: "Microsoft Windows 11 Pro", platform: "windows", version: "10.0.22631.3155" };
    pub const WINDOWS_SERVER: Self = Self {
        name: "Microsoft Windows Server 2022 Standard",
        platform: "windows",
        version: "10.0.20348.2322",
    };
}

/// A machine with a Wazuh agent.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// At least three digits. `000` is the manager itself and is always there.
    pub id: String,
    pub name: String,
    /// `any` for one that never connected.
    pub ip: String,
    /// What it runs; unknown while it never connected.
    pub os: Option<Os>,
    /// The agent's version without a prefix, such as `4.14.7`.
    pub version: String,
    pub groups: Vec<String>,
    pub status: Status,
    /// When this id was enrolled: the only field that tells a re-enrolled machine from the old one.
    pub date_added: DateTime<Utc>,
    pub contact: Contact,
    /// Active response is switched off in its own configuration: failed item 1750.
    pub responses_off: bool,
    /// The node of a cluster that it reports to; without one, the node of the settings.
    pub node: Option<String>,
    /// The Windows firewall is off: `netsh` says so, and blocks nothing.
    pub firewall_off: bool,
    /// What its scripts complain of after they started. They have no effect then.
    pub script_fails: Option<String>,
    /// The log of its scripts never arrives: no alerts.
    pub log_lost: bool,
    /// How long ago it was heard of last, where that differs from what its status says.
    pub silent_for: Option<TimeDelta>,
}

impl Endpoint {
    /// An active, current, well-behaved machine in the group `default`.
    pub fn new(id: &str, name: &str, os: Os) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            ip: address(id),
            os: Some(os),
            version: "4.14.7".to_owned(),
            groups: vec!["default".to_owned()],
            status: Status::Active,
            date_added: first_enrolment(id),
            contact: Contact::Answers,
            responses_off: false,
            node: None,
            firewall_off: false,
            script_fails: None,
            log_lost: false,
            silent_for: None,
        }
    }

    /// A machine that was given a key and never showed up.
    pub fn never_connected(id: &str, name: &str) -> Self {
        Self {
            ip: "any".to_owned(),
            os: None,
            status: Status::NeverConnected,
            ..Self::new(id, name, Os::DEBIAN)
        }
    }

    #[must_use]
    pub fn ip(self, ip: &str) -> Self {
        Self { ip: ip.to_owned(), ..self }
    }

    #[must_use]
    pub fn groups(self, groups: &[&str]) -> Self {
        Self { groups: groups.iter().map(|&group| group.to_owned()).collect(), ..self }
    }

    #[must_use]
    pub fn version(self, version: &str) -> Self {
        Self { version: version.to_owned(), ..self }
    }

    #[must_use]
    pub fn status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    #[must_use]
    pub fn contact(self, contact: Contact) -> Self {
        Self { contact, ..self }
    }

    #[must_use]
    pub fn responses_off(self) -> Self {
        Self { responses_off: true, ..self }
    }

    #[must_use]
    pub fn on_node(self, node: &str) -> Self {
        Self { node: Some(node.to_owned()), ..self }
    }

    #[must_use]
    pub fn firewall_off(self) -> Self {
        Self { firewall_off: true, ..self }
    }

    #[must_use]
    pub fn script_fails(self, complaint: &str) -> Self {
        Self { script_fails: Some(complaint.to_owned()), ..self }
    }

    #[must_use]
    pub fn log_lost(self) -> Self {
        Self { log_lost: true, ..self }
    }

    /// Lets `lastKeepAlive` lag; the status stays as it is.
    #[must_use]
    pub fn silent_for(self, time: Duration) -> Self {
        Self { silent_for: TimeDelta::from_std(time).ok(), ..self }
    }

    /// Whether its agent is at least this version.
    pub(crate) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
    }

    pub(crate) fn is_windows(&self) -> bool {
        self.os.as_ref().is_some_and(|os| os.platform == "windows")
    }
}

/// A private address made of the id, as in the captures: agent 001 has 10.0.0.11.
fn address(id: &str) -> String {
    let host = id.parse::<u32>().unwrap_or(0).saturating_add(10);
    format!("10.0.{}.{}", host / 250, host % 250)
}

/// An enrolment date that differs from endpoint to endpoint and stays the same from run to run.
fn first_enrolment(id: &str) -> DateTime<Utc> {
    let minutes = id.parse::<u32>().unwrap_or(0);
    DateTime::UNIX_EPOCH + TimeDelta::days(20_089) + TimeDelta::minutes(i64::from(minutes))
}
