//! The scripts that Wazuh ships for responses, and how long the one that ends a response early may
//! run.

use crate::domain::{action::ActionKind, endpoint::Platform};

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

/// The script that Wazuh ships for a response on a platform: the name of its file.
pub(super) const fn script(kind: ActionKind, platform: Platform) -> Option<&'static str> {
    match (kind, platform) {
        (ActionKind::BlockIp, Platform::Linux | Platform::MacOs) => Some("firewall-drop"),
        (ActionKind::BlockIp, Platform::Windows) => Some("netsh.exe"),
        (ActionKind::DisableAccount, Platform::Linux) => Some("disable-account"),
        (ActionKind::BlockIp, Platform::Other)
        | (ActionKind::DisableAccount, Platform::MacOs | Platform::Windows | Platform::Other)
        | (ActionKind::UnblockIp | ActionKind::EnableAccount, _) => None,
    }
}

/// The shipped script that a path leads to, and the response that it carries out; none for those
/// that carry out no response of ours. `pf`, `ipfw`, `npf` and `default-firewall-drop` are what
/// `firewall-drop` calls.
pub(super) fn response_of(path: &str) -> Option<(&str, ActionKind)> {
    let file = path.rsplit(['/', '\\']).next()?;
    let name = file.strip_suffix(".exe").unwrap_or(file);
    let kind = match name {
        "firewall-drop"
        | "default-firewall-drop"
        | "firewalld-drop"
        | "pf"
        | "npf"
        | "ipfw"
        | "netsh"
        | "host-deny"
        | "route-null" => ActionKind::BlockIp,
        "disable-account" => ActionKind::DisableAccount,
        _ => return None,
    };
    Some((name, kind))
}

/// Whether a file is one of the scripts that Wazuh ships, none of which takes anything back when
/// it is called through the API.
pub(super) fn is_shipped_script(file: &str) -> bool {
    let name = file.strip_suffix(".exe").or_else(|| file.strip_suffix(".sh")).unwrap_or(file);
    SHIPPED.contains(&name)
}
