//! How a simulated manager is set up, with three ready-made set-ups.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::clock;
use crate::endpoint::{Contact, Endpoint, Os, Status};
use crate::rights::Rights;

/// An API user of the manager.
#[derive(Clone)]
pub struct User {
    /// The name to log in with.
    pub name: String,
    /// The password.
    pub password: String,
    /// What the user may do.
    pub rights: Rights,
}

impl User {
    /// A user with these rights.
    pub fn new(name: &str, password: &str, rights: Rights) -> Self {
        Self { name: name.to_owned(), password: password.to_owned(), rights }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A custom script, installed on every endpoint and configured as a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// The command's name. With a timeout appended, it may be listed in [`Settings::names`].
    pub name: &'static str,
    /// The file in `active-response/bin`. It can also be called directly, with `!` in front.
    pub executable: &'static str,
    /// The script whose effect it undoes for the same target, such as `firewall-drop`.
    pub lifts: Option<&'static str>,
}

/// Everything that differs between managers.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// The API users.
    pub users: Vec<User>,
    /// The endpoints.
    pub agents: Vec<Endpoint>,
    /// The timed names of ar.conf, such as `firewall-drop600`.
    pub names: Vec<String>,
    /// The names in ar.conf per node, for nodes whose file differs. A cluster does not synchronize
    /// it.
    pub names_on: BTreeMap<String, Vec<String>>,
    /// Custom scripts.
    pub scripts: Vec<Script>,
    /// `auth_token_exp_timeout`, 900 s on a fresh manager. Measured by the simulator's clock.
    pub token_life: Duration,
    /// `request_timeout`, 10 s on a fresh manager. Measured in real time.
    pub api_timeout: Duration,
    /// `max_request_per_minute`, 300 on a fresh manager; 0 means no limit.
    pub rate_limit_per_minute: u32,
    /// The host name of the manager, which is agent 000.
    pub manager: String,
    /// The UUID of the installation (`GET /manager/info`).
    pub uuid: String,
    /// The name of this node.
    pub node: String,
    /// Whether it belongs to a cluster. Messages then carry the node's name as their origin. The
    /// other nodes are those named by endpoints and by [`Self::names_on`].
    pub cluster: bool,
    /// The version of the API. For `5.` versions, only the removed calls are simulated.
    pub api_version: String,
    /// The indexer's user. Its rights are ignored.
    pub indexer: User,
    /// Whether the indexer's user may search.
    pub indexer_rights: bool,
    /// Whether Wazuh's index template is installed. Without it fields are text, and a search that
    /// sorts by one fails.
    pub index_template: bool,
    /// Alerts that are in the indexer from the start.
    pub alerts: Vec<Value>,
    /// Whether the decoder and the rules for Countersign's own scripts are installed (`deploy/wazuh`).
    pub companion_rules: bool,
    /// Whether delivered commands leave alerts behind, as real agents do.
    pub evidence: bool,
}

impl Default for Settings {
    /// A fresh manager with three well-behaved endpoints.
    fn default() -> Self {
        Self {
            users: vec![User::new("wazuh", "wazuh", Rights::administrator())],
            agents: vec![
                Endpoint::new("001", "web-01", Os::UBUNTU).groups(&["default", "linux"]),
                Endpoint::new("002", "web-02", Os::DEBIAN).groups(&["default", "linux"]),
                Endpoint::new("003", "win-dc01", Os::WINDOWS_SERVER)
                    .groups(&["default", "windows"]),
            ],
            names: names(&["restart-ossec0", "restart-wazuh0"]),
            names_on: BTreeMap::new(),
            scripts: Vec::new(),
            token_life: Duration::from_mins(15),
            api_timeout: Duration::from_secs(10),
            rate_limit_per_minute: 300,
            manager: "wazuh-manager".to_owned(),
            uuid: "00000000-0000-4000-8000-000000000000".to_owned(),
            node: "node01".to_owned(),
            cluster: false,
            api_version: "4.14.7".to_owned(),
            indexer: User::new("admin", "admin", Rights::none()),
            indexer_rights: true,
            index_template: true,
            alerts: Vec::new(),
            companion_rules: false,
            evidence: false,
        }
    }
}

impl Settings {
    /// The manager, the endpoints and the command names of the captures. The slow endpoint 011
    /// answers at once until a test holds it, so that tests do not wait 14 s.
    pub fn captured() -> Self {
        Self {
            agents: captured_fleet(),
            names: names(&[
                "restart-ossec0",
                "restart-wazuh0",
                "firewall-drop600",
                "firewall-drop6",
                "firewall-drop1",
                "firewall-drop0",
                "disable-account300",
                "disable-account6",
                "disable-account1",
                "netsh600",
            ]),
            manager: "lab-manager".to_owned(),
            node: "lab-node".to_owned(),
            ..Self::default()
        }
    }

    /// A small company with a fresh brute-force alert, for a demo. The users are `wazuh` for the
    /// manager and `admin` for the indexer.
    pub fn demo(manager_password: &str, indexer_password: &str) -> Self {
        Self {
            users: vec![User::new("wazuh", manager_password, Rights::administrator())],
            agents: demo_fleet(),
            names: names(&[
                "restart-ossec0",
                "restart-wazuh0",
                "firewall-drop600",
                "firewall-drop3600",
                "firewall-drop5",
                "firewall-drop1",
                "netsh600",
                "netsh1",
                "disable-account600",
                "disable-account1",
            ]),
            scripts: vec![Script {
                name: "countersign-unlock",
                executable: "countersign-unlock",
                lifts: Some("disable-account"),
            }],
            indexer: User::new("admin", indexer_password, Rights::none()),
            alerts: vec![brute_force()],
            evidence: true,
            ..Self::default()
        }
    }

    /// The same settings, with this one API user.
    #[must_use]
    pub fn only_user(self, user: User) -> Self {
        Self { users: vec![user], ..self }
    }

    pub(crate) fn is_version_5(&self) -> bool {
        self.api_version.starts_with("5.")
    }

    /// Whether `PUT /active-response` leaves out the manager and what is beyond 500 endpoints
    /// without a word: since 4.14.0. Before, 000 fails with 1703.
    pub(crate) fn drops_silently(&self) -> bool {
        let mut parts = self.api_version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (parts.next(), parts.next()) >= (Some(4), Some(14))
    }

    /// The node that an endpoint reports to.
    pub(crate) fn node_of<'a>(&'a self, endpoint: &'a Endpoint) -> &'a str {
        endpoint.node.as_deref().unwrap_or(&self.node)
    }

    /// The names in a node's ar.conf.
    pub(crate) fn names_of(&self, node: &str) -> &[String] {
        self.names_on.get(node).unwrap_or(&self.names)
    }

    /// The file that a command executes.
    pub(crate) fn executable<'a>(&self, name: &'a str) -> &'a str {
        self.scripts.iter().find(|script| script.name == name).map_or(name, |one| one.executable)
    }

    /// All nodes, ordered by name.
    pub(crate) fn nodes(&self) -> BTreeSet<&str> {
        let reported = self.agents.iter().map(|endpoint| self.node_of(endpoint));
        let named = self.names_on.keys().map(String::as_str);
        reported.chain(named).chain([self.node.as_str()]).collect()
    }
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|&name| name.to_owned()).collect()
}

fn captured_fleet() -> Vec<Endpoint> {
    vec![
        Endpoint::new("001", "web-01", Os::UBUNTU).groups(&["default", "linux", "prod"]),
        Endpoint::new("002", "web-02", Os::DEBIAN).groups(&["default", "linux"]),
        Endpoint::new("003", "win-dc01", Os::WINDOWS_SERVER)
            .groups(&["default", "windows"])
            .version("4.14.5"),
        Endpoint::new("004", "mac-01", Os::MACOS).version("4.12.0"),
        Endpoint::new("005", "legacy-01", Os::CENTOS)
            .groups(&["default", "linux"])
            .version("4.1.5"),
        Endpoint::new("006", "laptop-07", Os::WINDOWS_11).status(Status::Disconnected),
        Endpoint::never_connected("007", "new-08"),
        Endpoint::new("008", "pending-09", Os::UBUNTU)
            .groups(&["default", "linux"])
            .status(Status::Pending),
        Endpoint::new("009", "ar-off-10", Os::DEBIAN).groups(&["default", "linux"]).responses_off(),
        Endpoint::new("010", "gone-11", Os::DEBIAN)
            .groups(&["default", "linux"])
            .contact(Contact::Unreachable),
        Endpoint::new("011", "slow-12", Os::UBUNTU).groups(&["slow"]),
    ]
}

fn demo_fleet() -> Vec<Endpoint> {
    let linux = |id, name, os| Endpoint::new(id, name, os).groups(&["default", "linux"]);
    vec![
        linux("001", "web-01", Os::UBUNTU).groups(&["default", "linux", "web"]),
        linux("002", "web-02", Os::UBUNTU).groups(&["default", "linux", "web"]),
        linux("003", "db-01", Os::DEBIAN).groups(&["default", "linux", "core"]),
        Endpoint::new("004", "dc-01", Os::WINDOWS_SERVER).groups(&["default", "windows", "core"]),
        Endpoint::new("005", "files-01", Os::WINDOWS_SERVER).groups(&["default", "windows"]),
        linux("006", "mail-01", Os::DEBIAN).version("4.12.0"),
        linux("007", "build-01", Os::UBUNTU),
        Endpoint::new("008", "laptop-anna", Os::WINDOWS_11).groups(&["default", "office"]),
        Endpoint::new("009", "laptop-ben", Os::WINDOWS_11).groups(&["default", "office"]),
        Endpoint::new("010", "mac-design", Os::MACOS).groups(&["default", "office"]),
        Endpoint::new("011", "laptop-cleo", Os::WINDOWS_11)
            .groups(&["default", "office"])
            .status(Status::Disconnected),
        Endpoint::never_connected("012", "printer-gw"),
        linux("013", "legacy-erp", Os::CENTOS).version("4.1.5"),
        linux("014", "vpn-01", Os::DEBIAN).responses_off(),
    ]
}

/// The alert that starts the demo's story, two minutes old.
fn brute_force() -> Value {
    // Between two whole minutes, so that words about its age do not depend on half a second.
    let time = clock::alert_form(clock::now() - TimeDelta::seconds(150));
    json!({
        "id": "1763800000.10001",
        "timestamp": time,
        "@timestamp": time,
        "rule": {
            "id": "5763",
            "level": 10,
            "description": "sshd: brute force trying to get access to the system.",
            "groups": ["syslog", "sshd", "authentication_failures"],
            "mitre": {
                "id": ["T1110"],
                "tactic": ["Credential Access"],
                "technique": ["Brute Force"],
            },
            "frequency": 8,
            "firedtimes": 1,
        },
        "agent": {"id": "001", "name": "web-01", "ip": "10.0.0.11"},
        "manager": {"name": "wazuh-manager"},
        "data": {"srcip": "203.0.113.7", "srcport": "52114", "dstuser": "deploy"},
        "decoder": {"parent": "sshd", "name": "sshd"},
        "location": "/var/log/auth.log",
        "full_log": "sshd[2211]: Failed password for deploy from 203.0.113.7 port 52114 ssh2",
    })
}
