//! A script that ran on an endpoint, and what it left there.

use chrono::{DateTime, Utc};

use crate::api::command::Command;
use crate::endpoint::Endpoint;
use crate::settings::Settings;

/// Scripts that a Windows agent includes.
pub(crate) const ON_WINDOWS: [&str; 3] = [NETSH, "route-null", "restart-wazuh"];
/// Scripts that other agents include.
pub(crate) const ELSEWHERE: [&str; 12] = [
    "firewall-drop",
    "default-firewall-drop",
    "firewalld-drop",
    "host-deny",
    "route-null",
    ACCOUNT,
    "ip-customblock",
    "restart-wazuh",
    "restart.sh",
    "pf",
    "npf",
    "ipfw",
];
pub(crate) const NETSH: &str = "netsh";
/// Locks an account's password. Locks do not stack: one undo unlocks it.
pub(crate) const ACCOUNT: &str = "disable-account";

/// A script that an agent started.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) endpoint: Endpoint,
    pub(crate) script: String,
    pub(crate) command: Command,
}

impl Run {
    pub(crate) fn exists(&self, settings: &Settings) -> bool {
        let shipped = if self.endpoint.is_windows() { &ON_WINDOWS[..] } else { &ELSEWHERE };
        shipped.contains(&self.script.as_str())
            || settings.scripts.iter().any(|script| script.executable == self.script)
    }

    /// Whether it has an effect after it starts.
    pub(crate) fn takes_effect(&self) -> bool {
        let endpoint = &self.endpoint;
        let macos = endpoint.os.as_ref().is_some_and(|os| os.platform == "darwin");
        endpoint.script_fails.is_none()
            && !(endpoint.firewall_off && self.script == NETSH)
            && !(macos && self.script == ACCOUNT)
    }
}

/// An effect of a script that its agent, or another script, may undo.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) run: Run,
    pub(crate) target: String,
    /// Whether it has an effect. It has none if the script failed or another script has lifted it.
    pub(crate) stands: bool,
    /// When the agent undoes it; `None` for a permanent one.
    pub(crate) ends: Option<DateTime<Utc>>,
}

impl Block {
    pub(crate) fn is(&self, endpoint: &str, script: &str, target: &str) -> bool {
        self.run.endpoint.id == endpoint && self.run.script == script && self.target == target
    }
}
