//! Which command does what where, and the bytes that carry it.
//!
//! Sources: the scripts that Wazuh 4.14 ships, `src/os_execd` for the two kinds of name. `!x` runs
//! the file `active-response/bin/x` and nothing ends it; `x600` is an entry that the manager makes
//! of an `<active-response>` block, and the endpoint ends it after 600 seconds.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::json;

use super::error::ConnectorError;
use crate::domain::{
    action::{Action, ActionKind, Term, spoken_seconds},
    canonical::Digest,
    endpoint::{Platform, SkipReason},
    id::{AttemptId, RequestId},
    proposal::DURATION_SECONDS_MAX,
};

/// The timed names that the manager has, such as `firewall-drop600`, as the configuration lists
/// them by action and platform. A fresh manager has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commands(pub BTreeMap<(ActionKind, Platform), Vec<String>>);

/// What a call carries in its arguments, so that the endpoint's own log leads back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The request.
    pub request: RequestId,
    /// The attempt.
    pub attempt: AttemptId,
    /// The digest that was approved.
    pub digest: Digest,
}

/// The bytes of a response's body.
pub(super) fn body(command: &str, action: &Action, mark: &Mark) -> Vec<u8> {
    let Mark { request, attempt, digest } = mark;
    let mark = format!("countersign={request}/{attempt}/{}", digest.prefix());
    // In alphabetical order, which is the order of the bytes however serde_json is built.
    json!({
        "alert": { "data": { action.kind().argument(): action.argument() } },
        "arguments": [mark],
        "command": command,
    })
    .to_string()
    .into_bytes()
}

/// A script that Wazuh ships.
#[derive(Debug, Clone, Copy)]
struct Script {
    /// What its timed names begin with.
    base: &'static str,
    /// The file.
    file: &'static str,
}

const FIREWALL_DROP: Script = Script { base: "firewall-drop", file: "firewall-drop" };
const NETSH: Script = Script { base: "netsh", file: "netsh.exe" };
const DISABLE_ACCOUNT: Script = Script { base: "disable-account", file: "disable-account" };

const fn script(kind: ActionKind, platform: Platform) -> Option<Script> {
    match (kind, platform) {
        (ActionKind::BlockIp, Platform::Linux | Platform::MacOs) => Some(FIREWALL_DROP),
        (ActionKind::BlockIp, Platform::Windows) => Some(NETSH),
        (ActionKind::DisableAccount, Platform::Linux) => Some(DISABLE_ACCOUNT),
        (ActionKind::BlockIp, Platform::Other)
        | (ActionKind::DisableAccount, Platform::MacOs | Platform::Windows | Platform::Other)
        | (ActionKind::UnblockIp | ActionKind::EnableAccount, _) => None,
    }
}

/// The checked [`Commands`].
#[derive(Debug)]
pub(super) struct Catalogue(BTreeMap<(ActionKind, Platform), BTreeMap<u32, String>>);

impl Catalogue {
    /// Checks each name; an error names the key in the configuration.
    pub(super) fn read(Commands(commands): &Commands) -> Result<Self, ConnectorError> {
        let mut catalogue = BTreeMap::new();
        for (&(kind, platform), names) in commands {
            let key = format!("manager.timed_commands.{kind}.{}", platform.name());
            let timed: &mut BTreeMap<u32, String> = catalogue.entry((kind, platform)).or_default();
            for name in names {
                let wrong = |allowed| ConnectorError::settings(&key, name, allowed);
                let Some(Script { base, .. }) = script(kind, platform) else {
                    return Err(wrong("Wazuh has no command for that there".to_owned()));
                };
                let seconds = seconds_of(name, base).ok_or_else(|| {
                    wrong(format!("it is {base} and a number of seconds, such as {base}600"))
                })?;
                // 0 never ends; 1 is the twin that ends another one early.
                if seconds > 1 {
                    timed.insert(seconds, name.clone());
                }
            }
        }
        Ok(Self(catalogue))
    }

    /// The seconds that a response can last, by platform.
    pub(super) fn durations(&self, kind: ActionKind) -> BTreeMap<Platform, Vec<u32>> {
        self.0
            .iter()
            .filter(|((other, _), timed)| *other == kind && !timed.is_empty())
            .map(|((_, platform), timed)| (*platform, timed.keys().copied().collect()))
            .collect()
    }

    /// The command for an action on a platform, or why there is none.
    pub(super) fn command(
        &self,
        action: &Action,
        platform: Platform,
        term: Term,
    ) -> Result<String, SkipReason> {
        let none = |why: String| Err(SkipReason::NoCommand(why));
        let kind = action.kind();
        let Some(Script { base, file }) = script(kind, platform) else {
            return none(format!("Wazuh has no command for {kind} on {}", spoken(platform)));
        };
        // src/active-response/netsh.c writes `remoteip=<address>/32` whatever the address.
        if base == NETSH.base && matches!(action, Action::BlockIp(IpAddr::V6(_))) {
            return none("on windows Wazuh would block a /32 around an IPv6 address".to_owned());
        }
        let seconds = match term {
            Term::Permanent => return Ok(format!("!{file}")),
            Term::Seconds(seconds) => seconds,
        };
        match self.0.get(&(kind, platform)).and_then(|timed| timed.get(&seconds)) {
            Some(name) => Ok(name.clone()),
            None => none(format!(
                "no command that ends after {} is configured for {}",
                spoken_seconds(seconds),
                platform.name()
            )),
        }
    }
}

const fn spoken(platform: Platform) -> &'static str {
    match platform {
        Platform::Other => "this system",
        Platform::Linux | Platform::MacOs | Platform::Windows => platform.name(),
    }
}

/// The seconds in a timed name: plain digits, as the manager appends them.
fn seconds_of(name: &str, base: &str) -> Option<u32> {
    let digits = name.strip_prefix(base)?;
    let seconds: u32 = digits.parse().ok()?;
    (digits == seconds.to_string() && seconds <= DURATION_SECONDS_MAX).then_some(seconds)
}
