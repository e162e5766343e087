//! A script that ran on an endpoint: whether it is there, and whom it is told to act on.

use std::net::IpAddr;

use serde_json::Value;

use crate::api::command::Command;
use crate::api::query::dotted;
use crate::endpoint::Endpoint;
use crate::settings::Settings;

/// Scripts that a Windows agent includes.
const ON_WINDOWS: [&str; 3] = [NETSH, ROUTE_NULL, RESTART];
/// Scripts that other agents include.
const ELSEWHERE: [&str; 12] = [
    "firewall-drop",
    "default-firewall-drop",
    "firewalld-drop",
    "host-deny",
    ROUTE_NULL,
    ACCOUNT,
    "ip-customblock",
    RESTART,
    "restart.sh",
    "pf",
    "npf",
    "ipfw",
];
pub(crate) const NETSH: &str = "netsh";
pub(crate) const ROUTE_NULL: &str = "route-null";
/// Locks an account's password.
pub(crate) const ACCOUNT: &str = "disable-account";
const RESTART: &str = "restart-wazuh";
/// Longer names are refused since 4.14.7.
const ACCOUNT_CHARS_MAX: usize = 256;

/// A script that an agent started.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) endpoint: Endpoint,
    pub(crate) script: String,
    pub(crate) command: Command,
    /// The script whose effect it undoes, if it is a custom one that does.
    pub(crate) lifts: Option<&'static str>,
}

impl Run {
    pub(crate) fn new(
        settings: &Settings,
        endpoint: &Endpoint,
        script: &str,
        command: &Command,
    ) -> Self {
        let custom = settings.scripts.iter().find(|custom| custom.executable == script);
        Self {
            endpoint: endpoint.clone(),
            script: script.to_owned(),
            command: command.clone(),
            lifts: custom.and_then(|custom| custom.lifts),
        }
    }

    pub(crate) fn exists(&self, settings: &Settings) -> bool {
        let shipped = if self.endpoint.is_windows() { &ON_WINDOWS[..] } else { &ELSEWHERE };
        shipped.contains(&self.script.as_str())
            || settings.scripts.iter().any(|script| script.executable == self.script)
    }

    /// Whether it restarts the agent. Such a script reads no target.
    pub(crate) fn restarts(&self) -> bool {
        [RESTART, "restart.sh"].contains(&self.script.as_str())
    }

    /// The target that the script reads from the alert and tells its agent as its key; `None` if
    /// the script refuses it. A custom script accepts anything.
    pub(crate) fn target(&self) -> Option<String> {
        let alert = &self.command.alert;
        let text = |field| dotted(alert, field).and_then(Value::as_str);
        let account = || text("data.dstuser").filter(|name| is_account(name)).map(str::to_owned);
        // In this order: the Windows fields take precedence.
        let address = || {
            let fields =
                ["data.win.eventdata.ipAddress", "data.win.eventdata.destinationIp", "data.srcip"];
            let found = fields.into_iter().find_map(text)?;
            found.parse::<IpAddr>().ok().map(|_| found.to_owned())
        };
        let script = self.lifts.unwrap_or(&self.script);
        if script == ACCOUNT {
            account()
        } else if ELSEWHERE.contains(&script) || ON_WINDOWS.contains(&script) {
            address()
        } else {
            address().or_else(account).or_else(|| Some(String::new()))
        }
    }
}

fn is_account(name: &str) -> bool {
    name != "root"
        && !name.is_empty()
        && name.chars().count() <= ACCOUNT_CHARS_MAX
        && !name.contains([' ', '/', ':', ','])
        && !name.contains("..")
}
