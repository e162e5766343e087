//! The scripts that Wazuh ships, what those of the catalogue carry out, and how long the one that ends a
//! response early may run.

use crate::domain::action::{ActionKind, known_responses, without_exe};

/// The timeout of the twin that ends another response early.
pub(super) const EXPIRY_SECS: u32 = 1;

/// The scripts that Wazuh ships, without `.exe` and `.sh`.
const SHIPPED: [&str; 15] = [
    "default-firewall-drop",
    "disable-account",
    "firewall-drop",
    "firewalld-drop",
    "host-deny",
    "ip-customblock",
    "ipfw",
    "kaspersky",
    "netsh",
    "npf",
    "pf",
    "restart",
    "restart-wazuh",
    "route-null",
    "wazuh-slack",
];

/// How the words of companion scripts for what they undo begin: `unblock_domain`.
const UNDOES: [&str; 5] = ["unblock", "unlock", "release", "restore", "undo"];

/// Whether a companion script says with this word that it undid something.
pub(super) fn says_undone(action: &str) -> bool {
    UNDOES.iter().any(|word| action.starts_with(word))
}

/// The script that a path leads to, and the response that it carries out; none for those that carry
/// out no response of the catalogue.
pub(super) fn response_of(path: &str) -> Option<(&str, ActionKind)> {
    let name = without_exe(path.rsplit(['/', '\\']).next()?);
    let kind = known_responses()
        .into_iter()
        .find(|kind| kind.entry().scripts().any(|script| script == name))?;
    Some((name, kind))
}

/// Whether a file is one of the scripts that Wazuh ships, none of which takes anything back when
/// it is called through the API.
pub(super) fn is_shipped_script(file: &str) -> bool {
    let name = file.strip_suffix(".exe").or_else(|| file.strip_suffix(".sh")).unwrap_or(file);
    SHIPPED.contains(&name)
}
