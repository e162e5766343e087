//! What is active on an endpoint: one rule and one timer for each target, as the endpoint keeps
//! them.
//!
//! An endpoint knows no requests. Its execd holds at most one timer for a script and a target, and
//! its system holds rules. So a second command for the same target can end the first, prolong it,
//! or change nothing. [`replay`] follows the commands that were sent and says what is left of each.
//!
//! | what the command does | source in Wazuh 4.14 |
//! |---|---|
//! | a timed command while a timer runs: the script does not run, the timer starts again with the new time | `src/os_execd/execd.c` |
//! | a command without a time: the script runs, the timer does not change | `src/os_execd/execd.c` |
//! | the end of a timer on Linux removes one of the rules of an address | `src/active-response/firewalls/default-firewall-drop.c` |
//! | on macOS an address is in the table once | `src/active-response/firewalls/pf.c` |
//! | on Windows it removes every rule of the address | `src/active-response/netsh.c` |
//! | an account has one lock | `src/active-response/disable-account.c` |

mod forecast;

use chrono::TimeDelta;

pub use forecast::{AlreadyActive, Forecast, RestsOn};

use super::{
    Time,
    action::{ActionKind, Term},
    endpoint::Platform,
    id::RequestId,
};

/// How an endpoint keeps what a script did to one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleKeeping {
    /// Each command adds a rule, and a timer's end removes one.
    Stacked,
    /// There is one rule, table entry or lock: a timer's end removes it, whoever added it.
    Single,
}

impl RuleKeeping {
    /// How this response is kept on this platform. What is not known counts as the kind where one
    /// command can undo another.
    pub const fn of(kind: ActionKind, platform: Platform) -> Self {
        match (kind, platform) {
            (ActionKind::BlockIp | ActionKind::UnblockIp, Platform::Linux) => Self::Stacked,
            (
                ActionKind::BlockIp | ActionKind::UnblockIp,
                Platform::MacOs | Platform::Windows | Platform::Other,
            )
            | (ActionKind::DisableAccount | ActionKind::EnableAccount, _) => Self::Single,
        }
    }
}

/// What a command that was sent does on the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandEffect {
    /// It blocks or disables, for this long.
    Add(Term),
    /// It sets the timer to one second, so that execd undoes what the timer is for.
    Expire,
    /// An own script removes every rule; execd's timer does not know of it.
    Clear,
    /// No command: the endpoint's own alert shows that execd undid what its timer was for.
    SeenEnd,
}

impl CommandEffect {
    /// The effect of a manager's command. `!x` and `x0` run a script without a timer, `x600` sets
    /// one (`src/config/active-response.c`).
    pub fn of(kind: ActionKind, term: Term, command: &str) -> Self {
        if !kind.is_undo() {
            Self::Add(term)
        } else if command.starts_with('!') || command.ends_with('0') {
            Self::Clear
        } else {
            Self::Expire
        }
    }
}

/// A command that was, or may have been, sent to an endpoint for one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentCommand {
    /// The request that it was sent for.
    pub request: RequestId,
    /// When.
    pub at: Time,
    /// What it does there.
    pub effect: CommandEffect,
}

/// What is left of a command that blocks or disables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandState {
    /// The request that it was sent for.
    pub request: RequestId,
    /// When the endpoint ends it; none where nothing does.
    pub ends: Option<Time>,
    /// Whose command moved its end, or its own request.
    pub ended_by: RequestId,
    /// Whether execd only set its timer anew, so that the script did not run.
    pub only_timer: bool,
    /// The undo that took it back.
    pub lifted_by: Option<RequestId>,
    /// The request whose evidence shows that it ended.
    pub seen_by: Option<RequestId>,
}

/// How long a timer runs that an undo sets: the shortest that execd knows.
const EXPIRY: TimeDelta = TimeDelta::seconds(1);

/// execd's timer for one script and target.
struct Timer {
    ends: Time,
    /// Whose command set it last.
    set_by: RequestId,
    /// An own script removed the rule that it is for: it will remove the next one that is added.
    without_rule: bool,
}

/// What is left of each command that adds, in the order given: the order in which they were sent.
pub fn replay(keeping: RuleKeeping, commands: &[SentCommand]) -> Vec<CommandState> {
    run(keeping, commands).0
}

fn run(keeping: RuleKeeping, commands: &[SentCommand]) -> (Vec<CommandState>, Option<Timer>) {
    let mut states: Vec<CommandState> = Vec::new();
    let mut timer: Option<Timer> = None;
    for command in commands {
        if command.effect != CommandEffect::SeenEnd {
            timer = timer.filter(|timer| timer.ends > command.at);
        }
        match command.effect {
            CommandEffect::Add(term) => {
                let only_timer = term.seconds().is_some() && timer.is_some();
                // The rule may be gone while its timer runs: then nothing is blocked anew.
                let without_rule = only_timer && !states.iter().any(|one| one.stands(command.at));
                if let Some(seconds) = term.seconds() {
                    let ends = command.at + TimeDelta::seconds(seconds.into());
                    let after = Timer { ends, set_by: command.request, without_rule };
                    move_ends(&mut states, (keeping, timer.as_ref(), &after), command.at);
                    timer = Some(after);
                }
                let takes = |timer: &Timer| {
                    keeping == RuleKeeping::Single || term.seconds().is_some() || timer.without_rule
                };
                let bound = timer.as_mut().filter(|timer| takes(timer));
                let (ends, ended_by) = bound.map_or((None, command.request), |timer| {
                    timer.without_rule &= only_timer;
                    (Some(timer.ends), timer.set_by)
                });
                states.push(CommandState {
                    request: command.request,
                    ends: if without_rule { Some(command.at) } else { ends },
                    ended_by,
                    only_timer,
                    lifted_by: None,
                    seen_by: None,
                });
            }
            CommandEffect::Expire => {
                let (ends, set_by) = (command.at + EXPIRY, command.request);
                let after = Timer { ends, set_by, without_rule: false };
                for state in move_ends(&mut states, (keeping, timer.as_ref(), &after), command.at) {
                    state.lifted_by = Some(command.request);
                }
                timer = Some(after);
            }
            CommandEffect::SeenEnd => {
                let own = states.iter().find(|state| state.request == command.request);
                // What was to end together ended together, whatever two clocks say of the moment.
                let Some(together) = own.and_then(|state| state.ends) else { continue };
                for state in states.iter_mut().filter(|state| state.ends == Some(together)) {
                    state.ends = Some(together.min(command.at));
                    state.seen_by = Some(command.request);
                }
                timer = timer.filter(|timer| timer.ends != together);
            }
            CommandEffect::Clear => {
                timer = timer.map(|timer| Timer { without_rule: true, ..timer });
                clear(&mut states, *command);
            }
        }
    }
    (states, timer)
}

/// An own script removes everything that stands.
fn clear(states: &mut [CommandState], undo: SentCommand) {
    for state in states.iter_mut().filter(|state| state.stands(undo.at)) {
        state.ends = Some(undo.at);
        state.ended_by = undo.request;
        state.lifted_by = Some(undo.request);
    }
}

/// Gives what the timer ends its new end: what runs under the timer before, and, where there is
/// only one rule, everything else that stands.
fn move_ends<'a>(
    states: &'a mut [CommandState],
    (keeping, before, after): (RuleKeeping, Option<&Timer>, &Timer),
    at: Time,
) -> Vec<&'a mut CommandState> {
    let mut moved = Vec::new();
    for state in states.iter_mut().filter(|state| state.stands(at)) {
        let under_timer = before.is_some() && state.ends == before.map(|timer| timer.ends);
        if under_timer || keeping == RuleKeeping::Single {
            state.ends = Some(after.ends);
            state.ended_by = after.set_by;
            moved.push(state);
        }
    }
    moved
}

impl CommandState {
    /// Whether it stands at a moment.
    pub fn stands(&self, at: Time) -> bool {
        self.ends.is_none_or(|ends| ends > at)
    }
}

#[cfg(test)]
mod tests;
