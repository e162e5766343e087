//! Which command does what on which platform.
//!
//! Sources: the scripts that Wazuh 4.14 ships, `src/os_execd` for the two kinds of name. `!x` runs
//! the file `active-response/bin/x` and nothing ends it; `x600` is an entry that the manager makes
//! of an `<active-response>` block, and the endpoint ends it after 600 seconds. The API can only
//! say "add": what ends a response early is a second block with a timeout of one second, or a
//! script that the configuration names.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    command_names::CommandTable,
    scripts::{EXPIRY_SECS, script},
};
use crate::domain::{
    action::{Action, ActionKind, Term, duration_text},
    endpoint::{Platform, SkipReason},
};

/// What endpoints would have to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct CommandRequest<'a> {
    pub(super) action: &'a Action,
    pub(super) term: Term,
    /// The configured commands that take something back.
    pub(super) undo: &'a BTreeMap<(ActionKind, Platform), String>,
}

impl CommandRequest<'_> {
    pub(super) fn kind(&self) -> ActionKind {
        self.action.kind()
    }

    /// Whether the manager's names count: a `!` command runs without.
    pub(super) fn needs_names(&self) -> bool {
        self.term != Term::Permanent || self.action.kind().is_undo()
    }

    /// The command on a platform, or why there is none. `names` are those of the endpoint's node,
    /// or why they are not known.
    pub(super) fn command(
        &self,
        platform: Platform,
        names: Result<&CommandTable, &str>,
    ) -> Result<String, SkipReason> {
        match (self.action.kind(), self.term) {
            (kind @ (ActionKind::BlockIp | ActionKind::DisableAccount), term) => {
                self.response(script_of(kind, platform)?, term, (platform, names))
            }
            (ActionKind::UnblockIp, Term::Seconds(seconds)) => {
                let script = script_of(ActionKind::BlockIp, platform)?;
                expiry_command(script, seconds, names)
            }
            (ActionKind::UnblockIp, Term::Permanent) => {
                self.undo(ActionKind::BlockIp, platform, names)
            }
            // execd unlocks the account as it does when the time is over. An own script would leave
            // its timer running, which a later request would meet.
            (ActionKind::EnableAccount, Term::Seconds(seconds)) => {
                let script = script_of(ActionKind::DisableAccount, platform)?;
                expiry_command(script, seconds, names).or_else(|missing| {
                    let own = self.undo(ActionKind::DisableAccount, platform, names);
                    own.map_err(|_not_configured| {
                        let by_hand = manual_steps(self.action, platform);
                        SkipReason::NotConfigured(format!(
                            "{missing}. by hand, on the endpoint: {by_hand}"
                        ))
                    })
                })
            }
            (ActionKind::EnableAccount, Term::Permanent) => {
                self.undo(ActionKind::DisableAccount, platform, names)
            }
        }
    }

    fn response(
        &self,
        script: &str,
        term: Term,
        (platform, names): (Platform, Result<&CommandTable, &str>),
    ) -> Result<String, SkipReason> {
        // src/active-response/netsh.c writes `remoteip=<address>/32` whatever the address.
        if platform == Platform::Windows && matches!(self.action, Action::BlockIp(IpAddr::V6(_))) {
            let why = "on windows Wazuh would block a /32 around an IPv6 address";
            return Err(SkipReason::NoCommand(why.to_owned()));
        }
        let Term::Seconds(seconds) = term else { return Ok(format!("!{script}")) };
        let names = names.map_err(unread)?;
        let (time, platform) = (duration_text(seconds), platform.name());
        // A timeout of 0 never ends, and 1 is the expiry command: a block with it would not help.
        if seconds <= EXPIRY_SECS {
            return Err(SkipReason::NotConfigured(format!(
                "no response for {platform} ends after {time}: a command with timeout \
                 {EXPIRY_SECS} is what ends another early, so use a longer <active-response> block"
            )));
        }
        names.command(script, seconds).map(|name| format!("{name}{seconds}")).ok_or_else(|| {
            let command = names.command_name(script);
            SkipReason::NotConfigured(format!(
                "the manager has no command that ends after {time} for {platform}: add an \
                 <active-response> block for {command} with timeout {seconds}"
            ))
        })
    }

    /// The command that the configuration names, or what to do by hand.
    fn undo(
        &self,
        kind: ActionKind,
        platform: Platform,
        names: Result<&CommandTable, &str>,
    ) -> Result<String, SkipReason> {
        script_of(kind, platform)?;
        let Some(command) = self.undo.get(&(kind, platform)) else {
            return Err(SkipReason::NoCommand(format!(
                "cannot be undone through Wazuh: no undo command is configured. by hand, on the \
                 endpoint: {}",
                manual_steps(self.action, platform)
            )));
        };
        if command.starts_with('!') || names.map_err(unread)?.can_undo(command) {
            return Ok(command.clone());
        }
        let base = command.trim_end_matches('0');
        Err(SkipReason::NotConfigured(format!(
            "the manager has no command {command}: add an <active-response> block for {base} with \
             timeout 0, or write ! and the name of a script on the endpoint"
        )))
    }
}

fn script_of(kind: ActionKind, platform: Platform) -> Result<&'static str, SkipReason> {
    script(kind, platform).ok_or_else(|| {
        let platform = match platform {
            Platform::Other => "an unknown platform",
            Platform::Linux | Platform::MacOs | Platform::Windows => platform.name(),
        };
        SkipReason::NoCommand(format!("Wazuh has no command for {kind} on {platform}"))
    })
}

fn unread(why: &str) -> SkipReason {
    SkipReason::NotConfigured(why.to_owned())
}

/// The expiry command of a timed block: the endpoint's timer for it becomes one second.
fn expiry_command(
    script: &str,
    seconds: u32,
    names: Result<&CommandTable, &str>,
) -> Result<String, SkipReason> {
    let names = names.map_err(unread)?;
    // When the command itself is gone by now, any other of the same script has the same timer.
    let command = names.command(script, seconds).or_else(|| names.command(script, EXPIRY_SECS));
    match command.filter(|name| names.has(name, EXPIRY_SECS)) {
        Some(name) => Ok(format!("{name}{EXPIRY_SECS}")),
        None => Err(SkipReason::NotConfigured(format!(
            "the manager has no command that ends a timed response early: add an <active-response> \
             block for {} with timeout {EXPIRY_SECS}, or wait until it ends by itself",
            command.unwrap_or_else(|| names.command_name(script)),
        ))),
    }
}

/// What a person does on the endpoint instead. Sources: src/active-response/firewalls, passwd(1).
fn manual_steps(action: &Action, platform: Platform) -> String {
    let target = action.argument();
    match (action, platform) {
        (Action::BlockIp(address) | Action::UnblockIp(address), Platform::Linux) => {
            let tool = if address.is_ipv4() { "iptables" } else { "ip6tables" };
            format!(
                "{tool} -D INPUT -s {target} -j DROP, and the same with FORWARD, until it says \
                 that there is none"
            )
        }
        (Action::BlockIp(_) | Action::UnblockIp(_), Platform::MacOs) => {
            format!("pfctl -t wazuh_fwtable -T delete {target}")
        }
        (Action::BlockIp(_) | Action::UnblockIp(_), Platform::Windows) => format!(
            "netsh advfirewall firewall delete rule name=\"WAZUH ACTIVE RESPONSE BLOCKED IP\" \
             remoteip={target}/32"
        ),
        (Action::DisableAccount(_) | Action::EnableAccount(_), Platform::Linux) => {
            format!("passwd -u {target}, if it was not locked before for another reason")
        }
        (Action::BlockIp(_) | Action::UnblockIp(_), Platform::Other)
        | (
            Action::DisableAccount(_) | Action::EnableAccount(_),
            Platform::MacOs | Platform::Windows | Platform::Other,
        ) => "nothing was done there".to_owned(),
    }
}
