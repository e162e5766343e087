//! Which command does what on which platform.
//!
//! Sources: the scripts that Wazuh 4.14 ships, `src/os_execd` for the two kinds of name. `!x` runs
//! the file `active-response/bin/x` and nothing ends it; `x600` is an entry that the manager makes
//! of an `<active-response>` block, and the endpoint ends it after 600 seconds. The API can only
//! say "add": what ends a response early is a second block with a timeout of one second, or a
//! script that the configuration names.
//!
//! Where the companion scripts of `deploy/active-response` are installed they go first. Words that
//! follow the name of their command become arguments: `!countersign-block-undo undo=<request>`. So
//! they are part of what people see and approve.

use std::collections::BTreeMap;

use super::{command_names::CommandTable, scripts::EXPIRY_SECS};
use crate::domain::{
    action::{
        Action, ActionKind, PlatformCommand, Term, UNDO_PREFIX, UNDO_SUFFIX, UndoWay, duration_text,
    },
    endpoint::{EndpointId, Platform, SkipReason},
    id::RequestId,
    request::Undone,
};

/// What endpoints would have to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct CommandRequest<'a> {
    pub(super) action: &'a Action,
    pub(super) term: Term,
    /// The configured commands that take something back.
    pub(super) undo: &'a BTreeMap<(ActionKind, Platform), String>,
    /// The arguments that name what an isolated endpoint still reaches.
    pub(super) keeps: &'a [String],
    /// What an undo takes back, where that is known.
    pub(super) undone: Option<&'a Undone>,
}

/// Where a command is to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct CommandPlace<'a> {
    pub(super) platform: Platform,
    /// The names of the endpoint's node, or why they are not known.
    pub(super) names: Result<&'a CommandTable, &'a str>,
    /// Whether the companion scripts are there.
    pub(super) has_companions: bool,
    /// The request whose effect a companion script keeps there and an undo takes back.
    pub(super) kept_for: Option<RequestId>,
}

impl CommandRequest<'_> {
    pub(super) fn kind(&self) -> ActionKind {
        self.action.kind()
    }

    /// Whether the manager's names count: a `!` command runs without.
    pub(super) fn needs_names(&self) -> bool {
        self.term != Term::Permanent || self.action.kind().is_undo()
    }

    /// The request whose effect on an endpoint is taken back by a companion script.
    pub(super) fn kept_for(&self, endpoint: &EndpointId) -> Option<RequestId> {
        let undone = self.undone.filter(|undone| undone.by_companion.contains(endpoint))?;
        Some(undone.request)
    }

    /// The command at a place, or why there is none.
    pub(super) fn command(&self, place: CommandPlace<'_>) -> Result<String, SkipReason> {
        let CommandPlace { platform, names, .. } = place;
        let kind = self.action.kind();
        let done = done_by(kind, platform)?;
        let Some(undo) = kind.entry().undo.as_ref().filter(|_| kind.is_undo()) else {
            return self.response(done, place);
        };
        if let (Some(script), Some(request)) = (&done.companion, place.kept_for) {
            return Ok(format!("!{script}{UNDO_SUFFIX} {UNDO_PREFIX}{request}"));
        }
        let ways = match self.term {
            Term::Seconds(_) => undo.timed.as_slice(),
            Term::Permanent => undo.permanent.as_slice(),
        };
        let mut missing = Vec::new();
        for way in ways {
            match self.undone_by(*way, done, (platform, names)) {
                Ok(command) => return Ok(command),
                Err(why) => missing.push(why),
            }
        }
        let several = missing.len() > 1;
        let first = missing.into_iter().next();
        let first = first.unwrap_or_else(|| self.not_through_wazuh(done, "there is no way"));
        if !several {
            return Err(first);
        }
        let by_hand = self.by_hand(done);
        Err(SkipReason::NotConfigured(format!("{first}. by hand, on the endpoint: {by_hand}")))
    }

    fn undone_by(
        &self,
        way: UndoWay,
        done: &PlatformCommand,
        (platform, names): (Platform, Result<&CommandTable, &str>),
    ) -> Result<String, SkipReason> {
        match (way, self.term) {
            (UndoWay::Expiry, Term::Seconds(seconds)) => {
                let script = done.script.as_deref().unwrap_or_default();
                expiry_command(script, seconds, names)
            }
            (UndoWay::Expiry, Term::Permanent) | (UndoWay::Configured, _) => {
                self.configured(done, platform, names)
            }
            (UndoWay::Script, _) => {
                let undo = self.action.kind().entry().undo.as_ref();
                let script = undo.and_then(|undo| undo.scripts.get(&platform));
                let none = || self.not_through_wazuh(done, "there is no script for it");
                script.map(|script| format!("!{script}")).ok_or_else(none)
            }
        }
    }

    fn response(
        &self,
        done: &PlatformCommand,
        place: CommandPlace<'_>,
    ) -> Result<String, SkipReason> {
        if let Some(script) = done.companion.as_ref().filter(|_| place.has_companions) {
            match self.companion(script, place) {
                Err(_) if done.script.is_some() => {}
                command => return command,
            }
        }
        let Some(script) = &done.script else {
            return Err(SkipReason::NotConfigured(format!(
                "nothing that Wazuh ships does this: install the script {} there \
                 (deploy/active-response/README.md), and name a group of the endpoint in \
                 companion_groups of its manager",
                done.companion.as_deref().unwrap_or_default()
            )));
        };
        if let Some(why) = done.no_ipv6.as_ref().filter(|_| is_ipv6(self.action)) {
            return Err(SkipReason::NoCommand(why.clone()));
        }
        self.run(script, place, CommandTable::command)
    }

    /// A companion script with what it is told beside the target.
    fn companion(&self, script: &str, place: CommandPlace<'_>) -> Result<String, SkipReason> {
        let command = self.run(script, place, CommandTable::own_command)?;
        let isolates = self.action.kind().entry().isolates;
        let keeps = self.keeps.iter().filter(|_| isolates).map(String::as_str);
        Ok([command.as_str()].into_iter().chain(keeps).collect::<Vec<_>>().join(" "))
    }

    /// The command that runs a script for the time that is asked for.
    fn run(
        &self,
        script: &str,
        CommandPlace { platform, names, .. }: CommandPlace<'_>,
        named: for<'t> fn(&'t CommandTable, &str, u32) -> Option<&'t str>,
    ) -> Result<String, SkipReason> {
        let Term::Seconds(seconds) = self.term else { return Ok(format!("!{script}")) };
        let names = names.map_err(unread)?;
        let (time, platform) = (duration_text(seconds), platform.name());
        // A timeout of 0 never ends, and 1 is the expiry command: a block with it would not help.
        if seconds <= EXPIRY_SECS {
            return Err(SkipReason::NotConfigured(format!(
                "no response for {platform} ends after {time}: a command with timeout \
                 {EXPIRY_SECS} is what ends another early, so use a longer <active-response> block"
            )));
        }
        named(names, script, seconds).map(|name| format!("{name}{seconds}")).ok_or_else(|| {
            let command = names.command_name(script);
            SkipReason::NotConfigured(format!(
                "the manager has no command that ends after {time} for {platform}: add an \
                 <active-response> block for {command} with timeout {seconds}"
            ))
        })
    }

    /// The command that the configuration names, or what to do by hand.
    fn configured(
        &self,
        done: &PlatformCommand,
        platform: Platform,
        names: Result<&CommandTable, &str>,
    ) -> Result<String, SkipReason> {
        let response = self.action.kind().response();
        let Some(command) = self.undo.get(&(response, platform)) else {
            return Err(self.not_through_wazuh(done, "no undo command is configured"));
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

    fn not_through_wazuh(&self, done: &PlatformCommand, why: &str) -> SkipReason {
        let by_hand = self.by_hand(done);
        SkipReason::NoCommand(format!(
            "cannot be undone through Wazuh: {why}. by hand, on the endpoint: {by_hand}"
        ))
    }

    /// What a person does on the endpoint instead.
    fn by_hand(&self, done: &PlatformCommand) -> String {
        let of_ipv6 = done.by_hand_ipv6.as_ref().filter(|_| is_ipv6(self.action));
        self.action.filled_in(of_ipv6.unwrap_or(&done.by_hand))
    }
}

fn done_by(kind: ActionKind, platform: Platform) -> Result<&'static PlatformCommand, SkipReason> {
    let entry = kind.entry();
    entry.commands.get(&platform).ok_or_else(|| {
        let platform = match platform {
            Platform::Other => "an unknown platform",
            Platform::Linux | Platform::MacOs | Platform::Windows => platform.name(),
        };
        SkipReason::NoCommand(format!("Wazuh has no command for {} on {platform}", entry.name))
    })
}

fn is_ipv6(action: &Action) -> bool {
    action.address().is_some_and(|address| address.is_ipv6())
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
