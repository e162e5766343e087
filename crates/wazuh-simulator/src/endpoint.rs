//! The machines that report to the simulated manager.

pub(crate) mod companion;
pub(crate) mod effects;
pub(crate) mod evidence;
pub(crate) mod rules;
pub(crate) mod run;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// An endpoint's connection status in the manager's database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Connected.
    Active,
    /// It stopped reporting.
    Disconnected,
    /// Enrolled, and never connected.
    NeverConnected,
    /// Connecting.
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

/// What happens when the manager asks an active endpoint for its configuration. It does so before
/// each active response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// It answers at once.
    Answers,
    /// It answers after this time. The manager's only worker waits meanwhile.
    After(Duration),
    /// The question cannot be sent: failed item 1117.
    Unreachable,
}

/// An operating system as a Wazuh agent reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Os {
    /// `os.name`.
    pub name: &'static str,
    /// `os.platform`: on Linux, every distribution has its own word.
    pub platform: &'static str,
    /// `os.version`.
    pub version: &'static str,
}

impl Os {
    /// `CentOS` 7.
    pub const CENTOS: Self = Self { name: "CentOS Linux", platform: "centos", version: "7.9" };
    /// Debian 12.
    pub const DEBIAN: Self = Self { name: "Debian GNU/Linux", platform: "debian", version: "12" };
    /// Ubuntu 22.04.
    pub const UBUNTU: Self = Self { name: "Ubuntu", platform: "ubuntu", version: "22.04.4 LTS" };
    /// macOS 14.
    pub const MACOS: Self = Self { name: "macOS", platform: "darwin", version: "14.4" };
    /// Windows 11.
    pub const WINDOWS_11: Self =
        Self { name: "Microsoft Windows 11 Pro", platform: "windows", version: "10.0.22631.3155" };
    /// Windows Server 2022.
    pub const WINDOWS_SERVER: Self = Self {
        name: "Microsoft Windows Server 2022 Standard",
        platform: "windows",
        version: "10.0.20348.2322",
    };

    /// `os.uname`: the name of the kernel, the machine, and more; on Windows the name of the
    /// version (`src/shared/version_op.c`). A platform that is no other's is a Linux.
    pub(crate) fn uname(&self, machine: &str) -> String {
        let kernel = match self.platform {
            "windows" => return self.name.to_owned(),
            "darwin" => "Darwin",
            "sunos" => "SunOS",
            "bsd" => "FreeBSD",
            "aix" => "AIX",
            _ => "Linux",
        };
        format!("{kernel} |{machine} |6.8.0 |#1 SMP |x86_64")
    }
}

/// A machine with a Wazuh agent.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Endpoint {
    /// At least three digits. `000` is the manager itself and is always there.
    pub id: String,
    /// Its host name.
    pub name: String,
    /// Its address; `any` if it never connected.
    pub ip: String,
    /// Its operating system; unknown if it never connected.
    pub os: Option<Os>,
    /// The agent's version without a prefix, such as `4.14.7`.
    pub version: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// Its connection status.
    pub status: Status,
    /// When this id was enrolled. Only this field tells a re-enrolled machine from the old one.
    pub date_added: DateTime<Utc>,
    /// How it reacts to the manager.
    pub contact: Contact,
    /// Active response is disabled in its own configuration: failed item 1750.
    pub responses_off: bool,
    /// The cluster node that it reports to; by default [`Settings::node`](crate::Settings::node).
    pub node: Option<String>,
    /// The Windows firewall is off: `netsh` reports that and blocks nothing.
    pub firewall_off: bool,
    /// The error that its scripts log after they start. The scripts then have no effect.
    pub script_fails: Option<String>,
    /// The version of Countersign's own scripts there (`deploy/active-response`); none where they are not
    /// installed.
    pub companions: Option<&'static str>,
    /// Those scripts cannot read back what they did.
    pub unverified: bool,
    /// The log of its scripts never reaches the manager, so there are no alerts.
    pub log_lost: bool,
    /// The age of its last keep-alive, if that differs from what its status implies.
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
            companions: None,
            unverified: false,
            log_lost: false,
            silent_for: None,
        }
    }

    /// A machine that was enrolled and never connected.
    pub fn never_connected(id: &str, name: &str) -> Self {
        Self {
            ip: "any".to_owned(),
            os: None,
            status: Status::NeverConnected,
            ..Self::new(id, name, Os::DEBIAN)
        }
    }

    /// Sets its address.
    #[must_use]
    pub fn ip(self, ip: &str) -> Self {
        Self { ip: ip.to_owned(), ..self }
    }

    /// Sets its groups.
    #[must_use]
    pub fn groups(self, groups: &[&str]) -> Self {
        Self { groups: groups.iter().map(|&group| group.to_owned()).collect(), ..self }
    }

    /// Sets the version of its Wazuh agent.
    #[must_use]
    pub fn version(self, version: &str) -> Self {
        Self { version: version.to_owned(), ..self }
    }

    /// Sets its connection status.
    #[must_use]
    pub fn status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// Sets how it reacts to the manager.
    #[must_use]
    pub fn contact(self, contact: Contact) -> Self {
        Self { contact, ..self }
    }

    /// Disables active response on it.
    #[must_use]
    pub fn responses_off(self) -> Self {
        Self { responses_off: true, ..self }
    }

    /// Makes it report to this cluster node.
    #[must_use]
    pub fn on_node(self, node: &str) -> Self {
        Self { node: Some(node.to_owned()), ..self }
    }

    /// Turns its Windows firewall off.
    #[must_use]
    pub fn firewall_off(self) -> Self {
        Self { firewall_off: true, ..self }
    }

    /// Makes its scripts fail with this error.
    #[must_use]
    pub fn script_fails(self, complaint: &str) -> Self {
        Self { script_fails: Some(complaint.to_owned()), ..self }
    }

    /// Installs Countersign's own scripts of this version.
    #[must_use]
    pub fn companions(self, version: &'static str) -> Self {
        Self { companions: Some(version), ..self }
    }

    /// Keeps those scripts from reading back what they did.
    #[must_use]
    pub fn unverified(self) -> Self {
        Self { unverified: true, ..self }
    }

    /// Makes the log of its scripts get lost.
    #[must_use]
    pub fn log_lost(self) -> Self {
        Self { log_lost: true, ..self }
    }

    /// Makes `lastKeepAlive` this old; the status stays the same.
    #[must_use]
    pub fn silent_for(self, time: Duration) -> Self {
        Self { silent_for: TimeDelta::from_std(time).ok(), ..self }
    }

    /// Whether its Wazuh agent has at least this version.
    pub(crate) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
    }

    pub(crate) fn is_windows(&self) -> bool {
        self.os.as_ref().is_some_and(|os| os.platform == "windows")
    }

    pub(crate) fn is_macos(&self) -> bool {
        self.os.as_ref().is_some_and(|os| os.platform == "darwin")
    }
}

/// A private address derived from the id, as in the captures: 001 has 10.0.0.11.
fn address(id: &str) -> String {
    let host = id.parse::<u32>().unwrap_or(0).saturating_add(10);
    format!("10.0.{}.{}", host / 250, host % 250)
}

/// An enrolment date that differs between endpoints and is the same in every run.
fn first_enrolment(id: &str) -> DateTime<Utc> {
    let minutes = id.parse::<u32>().unwrap_or(0);
    DateTime::UNIX_EPOCH + TimeDelta::days(20_089) + TimeDelta::minutes(i64::from(minutes))
}
