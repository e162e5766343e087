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
//!
//! A command that may not have run ends nothing: what others decided counts as active until it
//! surely is not.

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
    /// Whether it counts as run there. One that does not may prolong what is active, and never
    /// shortens or lifts it.
    pub started: bool,
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
    /// Whether execd's timer ends it.
    pub under_timer: bool,
    /// Whether it counts as run there.
    pub started: bool,
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
    /// Whether it surely runs.
    started: bool,
}

/// What is left of each command that adds, in the order given: the order in which they were sent.
/// The ends are the latest that are possible.
pub fn replay(keeping: RuleKeeping, commands: &[SentCommand]) -> Vec<CommandState> {
    run(keeping, commands).0
}

fn run(keeping: RuleKeeping, commands: &[SentCommand]) -> (Vec<CommandState>, Option<Timer>) {
    let mut replay = Replay { keeping, states: Vec::new(), timer: None };
    for command in commands {
        replay.follow(*command);
    }
    (replay.states, replay.timer)
}

/// One endpoint and target, after some of the commands.
struct Replay {
    keeping: RuleKeeping,
    states: Vec<CommandState>,
    timer: Option<Timer>,
}

impl Replay {
    fn follow(&mut self, command: SentCommand) {
        if command.effect != CommandEffect::SeenEnd {
            self.timer.take_if(|timer| timer.ends <= command.at);
        }
        match command.effect {
            CommandEffect::Add(term) => self.add(command, term),
            CommandEffect::Expire if command.started => self.expire(command),
            CommandEffect::Clear if command.started => self.clear(command),
            CommandEffect::SeenEnd => self.seen_end(command),
            CommandEffect::Expire | CommandEffect::Clear => {}
        }
    }

    fn add(&mut self, command: SentCommand, term: Term) {
        let running = self.timer.as_ref().is_some_and(|timer| timer.started);
        let only_timer = term.seconds().is_some() && running;
        // The rule may be gone while its timer runs: then nothing is blocked anew.
        let without_rule = only_timer && !self.states.iter().any(|one| one.stands(command.at));
        let own_end = term.seconds().map(|seconds| command.at + TimeDelta::seconds(seconds.into()));
        if let Some(ends) = own_end {
            self.set_timer((ends, without_rule), command);
        }
        let takes = |timer: &Timer| {
            let ended = self.keeping == RuleKeeping::Single || timer.without_rule;
            own_end.is_some() || (timer.started && ended)
        };
        let bound = self.timer.as_mut().filter(|timer| takes(timer));
        let (mut ends, mut ended_by, under_timer) = (own_end, command.request, bound.is_some());
        if let Some(timer) = bound.filter(|_| command.started) {
            timer.without_rule &= only_timer;
            (ends, ended_by) = (Some(timer.ends), timer.set_by);
        }
        if without_rule && command.started {
            ends = Some(command.at);
        }
        self.states.push(CommandState {
            request: command.request,
            ends,
            ended_by,
            only_timer,
            under_timer,
            started: command.started,
            lifted_by: None,
            seen_by: None,
        });
    }

    fn expire(&mut self, undo: SentCommand) {
        for state in self.set_timer((undo.at + EXPIRY, false), undo) {
            state.lifted_by = Some(undo.request);
        }
    }

    /// An own script removes everything that stands.
    fn clear(&mut self, undo: SentCommand) {
        if let Some(timer) = &mut self.timer {
            timer.without_rule = true;
        }
        for state in self.states.iter_mut().filter(|state| state.stands(undo.at)) {
            state.ends = Some(undo.at);
            state.ended_by = undo.request;
            state.lifted_by = Some(undo.request);
        }
    }

    /// What was to end together ended together, whatever two clocks say of the moment. What may
    /// have started afterwards did not.
    fn seen_end(&mut self, seen: SentCommand) {
        let own = self.states.iter().find(|state| state.request == seen.request);
        let Some(together) = own.and_then(|state| state.ends) else { return };
        let ended = |state: &&mut CommandState| {
            let own = state.request == seen.request;
            state.ends == Some(together) && (state.started || own)
        };
        for state in self.states.iter_mut().filter(ended) {
            state.ends = Some(together.min(seen.at));
            state.seen_by = Some(seen.request);
        }
        self.timer.take_if(|timer| timer.ends == together);
    }

    /// Sets the timer, and with it the end of what it is for: what runs under the timer before,
    /// and, where there is only one rule, everything else that stands. A command that may not have
    /// run only prolongs. Returns what has a new end.
    fn set_timer(
        &mut self,
        (ends, without_rule): (Time, bool),
        command: SentCommand,
    ) -> Vec<&mut CommandState> {
        let mut moved = Vec::new();
        for state in self.states.iter_mut().filter(|state| state.stands(command.at)) {
            let under_timer = state.under_timer && self.timer.is_some();
            let prolonged = state.ends.is_some_and(|known| known < ends);
            if (under_timer || self.keeping == RuleKeeping::Single)
                && (command.started || prolonged)
            {
                (state.ends, state.ended_by) = (Some(ends), command.request);
                state.under_timer = true;
                moved.push(state);
            }
        }
        let before = self.timer.as_ref();
        if command.started || before.is_none_or(|timer| timer.ends < ends) {
            let started = command.started || before.is_some_and(|timer| timer.started);
            self.timer = Some(Timer { ends, set_by: command.request, without_rule, started });
        }
        moved
    }
}

impl CommandState {
    /// Whether it stands at a moment.
    pub fn stands(&self, at: Time) -> bool {
        self.ends.is_none_or(|ends| ends > at)
    }
}

#[cfg(test)]
mod tests;
