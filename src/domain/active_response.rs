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
//! | a companion script keeps what each request did by itself, and has execd time each by itself | `deploy/active-response` |
//!
//! A command that may not have run makes two worlds: it ran in one, and not in the other. What
//! people decided counts as active until it has ended in all of them.

mod forecast;

use std::collections::BTreeSet;

use chrono::TimeDelta;

pub use forecast::{AlreadyActive, Forecast, RestsOn};

pub use super::action::RuleKeeping;

use super::{
    Time,
    action::{ActionKind, Term, UNDO_PREFIX},
    endpoint::Platform,
    id::RequestId,
};

impl RuleKeeping {
    /// How this response is kept on this platform. What is not known counts as the kind where one
    /// command can undo another.
    pub fn of(kind: ActionKind, platform: Platform) -> Self {
        kind.entry().commands.get(&platform).map_or(Self::Single, |command| command.keeps)
    }
}

/// What a command that was sent does on the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandEffect {
    /// It blocks or disables, for this long.
    Add(Term),
    /// The same by a companion script: no other command ends it but its own request's undo.
    Hold(Term),
    /// A companion script takes back what this request holds, and nothing else.
    Release(RequestId),
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
        let by_companion = kind.entry().companion_in(command).is_some();
        let mut words = command.split(' ');
        let undone = words.find_map(|word| word.strip_prefix(UNDO_PREFIX)?.parse().ok());
        if !kind.is_undo() && kind.entry().once {
            Self::Hold(Term::Seconds(0))
        } else if !kind.is_undo() {
            if by_companion { Self::Hold(term) } else { Self::Add(term) }
        } else if let (true, Some(undone)) = (by_companion, undone) {
            Self::Release(undone)
        } else if command.starts_with('!') || command.ends_with('0') {
            Self::Clear
        } else {
            Self::Expire
        }
    }
}

impl CommandEffect {
    /// Whether something is in effect because of it.
    pub const fn adds(self) -> bool {
        matches!(self, Self::Add(_) | Self::Hold(_))
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
    /// Whether it counts as run there. One that does not may or may not have run.
    pub started: bool,
}

impl SentCommand {
    const fn adds(&self) -> bool {
        self.effect.adds()
    }

    /// When it ends where nothing else moves its end.
    fn own_end(&self, term: Term) -> Option<Time> {
        term.seconds().map(|seconds| self.at + TimeDelta::seconds(seconds.into()))
    }

    const fn state(&self, ends: Option<Time>) -> CommandState {
        CommandState {
            request: self.request,
            ends,
            ended_by: self.request,
            only_timer: false,
            under_timer: false,
            held: matches!(self.effect, CommandEffect::Hold(_)),
            started: self.started,
            lifted_by: None,
            seen_by: None,
        }
    }
}

/// What is left of a command that blocks or disables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
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
    /// Whether its request holds it by itself, so that no other command moves its end.
    pub held: bool,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Timer {
    ends: Time,
    /// Whose command set it last.
    set_by: RequestId,
    /// An own script removed the rule that it is for: it will remove the next one that is added.
    without_rule: bool,
}

/// What is left of each command that adds, in the order given: the order in which they were sent.
/// The ends are the latest that are possible.
pub fn replay(keeping: RuleKeeping, commands: &[SentCommand]) -> Vec<CommandState> {
    let mut worlds = worlds(keeping, commands).into_iter();
    let mut latest = worlds.next().unwrap_or_else(|| World::new(keeping));
    worlds.for_each(|world| latest.merge(world));
    let place = |state: &CommandState| {
        commands.iter().position(|one| one.adds() && one.request == state.request)
    };
    latest.states.sort_by_key(place);
    latest.states
}

/// The requests that an undo would lift in one of the worlds that are possible.
pub fn may_lift(
    keeping: RuleKeeping,
    commands: &[SentCommand],
    undo: SentCommand,
) -> BTreeSet<RequestId> {
    let states = worlds(keeping, commands).into_iter().flat_map(|world| world.after(undo).states);
    let lifted = states.filter(|state| state.lifted_by == Some(undo.request));
    lifted.map(|state| state.request).collect()
}

/// Every world that is possible after the commands, that in which all of them ran first. Worlds
/// that any further command would find alike are one, so their number grows with the number of
/// commands, not with its power.
fn worlds(keeping: RuleKeeping, commands: &[SentCommand]) -> Vec<World> {
    let mut worlds = vec![World::new(keeping)];
    for command in commands {
        let ran = worlds.iter().map(|world| world.after(*command));
        let uncertain = worlds.iter().filter(|_| !command.started);
        let otherwise = uncertain.flat_map(|world| [world.clone(), world.after_late(*command)]);
        let mut merged: Vec<World> = Vec::new();
        for world in ran.chain(otherwise) {
            match merged.iter_mut().find(|known| known.is_like(&world, command.at)) {
                Some(known) => known.merge(world),
                None => merged.push(world),
            }
        }
        worlds = merged;
    }
    worlds
}

/// One endpoint and target, after some of the commands.
#[derive(Debug, Clone)]
struct World {
    keeping: RuleKeeping,
    /// Of each command that ran and adds.
    states: Vec<CommandState>,
    timer: Option<Timer>,
}

impl World {
    const fn new(keeping: RuleKeeping) -> Self {
        Self { keeping, states: Vec::new(), timer: None }
    }

    fn is_active(&self, at: Time) -> bool {
        self.states.iter().any(|state| state.stands(at))
    }

    /// Whether something stands that a timer or an own script ends.
    fn has_rule(&self, at: Time) -> bool {
        self.states.iter().any(|state| !state.held && state.stands(at))
    }

    /// Whether any further command finds both alike.
    fn is_like(&self, other: &Self, at: Time) -> bool {
        let timer = |world: &Self| world.timer.filter(|timer| timer.ends > at);
        let differs = |(one, same): (&CommandState, &CommandState)| {
            one.stands(at) && same.stands(at) && one.under_timer != same.under_timer
        };
        timer(self) == timer(other)
            && self.is_active(at) == other.is_active(at)
            && !self.states.iter().any(|one| {
                let same = other.states.iter().find(|same| same.request == one.request);
                same.is_some_and(|same| differs((one, same)))
            })
    }

    /// Of each command, takes the later of the two ends.
    fn merge(&mut self, other: Self) {
        for state in other.states {
            match self.states.iter_mut().find(|known| known.request == state.request) {
                Some(known) => {
                    let only_timer = known.only_timer && state.only_timer;
                    if known.ends.is_some_and(|ends| state.stands(ends)) {
                        *known = state;
                    }
                    known.only_timer = only_timer;
                }
                None => self.states.push(state),
            }
        }
    }

    fn after(&self, command: SentCommand) -> Self {
        let mut world = self.clone();
        if command.effect != CommandEffect::SeenEnd {
            world.timer.take_if(|timer| timer.ends <= command.at);
        }
        match command.effect {
            CommandEffect::Add(term) => world.add(command, term),
            CommandEffect::Hold(term) => world.states.push(command.state(command.own_end(term))),
            CommandEffect::Release(undone) => world.release(command, undone),
            CommandEffect::Expire => world.expire(command),
            CommandEffect::Clear => world.clear(command),
            CommandEffect::SeenEnd => world.seen_end(command),
        }
        world
    }

    /// Where a command that adds ran after the timer before was gone: it has its own end.
    fn after_late(&self, command: SentCommand) -> Self {
        let mut world = self.clone();
        if let CommandEffect::Hold(term) = command.effect {
            world.states.push(command.state(command.own_end(term)));
        }
        let CommandEffect::Add(term) = command.effect else { return world };
        let ends = command.own_end(term);
        if let Some(ends) = ends {
            if self.timer.is_some_and(|timer| timer.ends >= ends) {
                return world;
            }
            world.timer = Some(Timer { ends, set_by: command.request, without_rule: false });
        }
        world.states.push(CommandState { under_timer: ends.is_some(), ..command.state(ends) });
        world
    }

    fn add(&mut self, command: SentCommand, term: Term) {
        let only_timer = term.seconds().is_some() && self.timer.is_some();
        // The rule may be gone while its timer runs: then nothing is blocked anew.
        let without_rule = only_timer && !self.has_rule(command.at);
        let own_end = command.own_end(term);
        if let Some(ends) = own_end {
            self.set_timer((ends, without_rule), command);
        }
        let takes = |timer: &Timer| {
            own_end.is_some() || self.keeping == RuleKeeping::Single || timer.without_rule
        };
        let mut state = CommandState { only_timer, ..command.state(own_end) };
        if let Some(timer) = self.timer.as_mut().filter(|timer| takes(timer)) {
            timer.without_rule &= only_timer;
            (state.ends, state.ended_by) = (Some(timer.ends), timer.set_by);
            state.under_timer = true;
        }
        if without_rule {
            state.ends = Some(command.at);
        }
        self.states.push(state);
    }

    fn expire(&mut self, undo: SentCommand) {
        for state in self.set_timer((undo.at + EXPIRY, false), undo) {
            state.lifted_by = Some(undo.request);
        }
    }

    /// What one request holds is gone.
    fn release(&mut self, undo: SentCommand, undone: RequestId) {
        let own = |state: &&mut CommandState| state.held && state.request == undone;
        for state in self.states.iter_mut().filter(own).filter(|state| state.stands(undo.at)) {
            state.ends = Some(undo.at);
            state.ended_by = undo.request;
            state.lifted_by = Some(undo.request);
        }
    }

    /// An own script removes everything that stands, but for what requests hold.
    fn clear(&mut self, undo: SentCommand) {
        if let Some(timer) = &mut self.timer {
            timer.without_rule = true;
        }
        let ruled = |state: &&mut CommandState| !state.held && state.stands(undo.at);
        for state in self.states.iter_mut().filter(ruled) {
            state.ends = Some(undo.at);
            state.ended_by = undo.request;
            state.lifted_by = Some(undo.request);
        }
    }

    /// What was to end together ended together, whatever two clocks say of the moment. What may
    /// have started afterwards did not.
    fn seen_end(&mut self, seen: SentCommand) {
        let own = self.states.iter().find(|state| state.request == seen.request);
        let Some((together, held)) = own.and_then(|state| Some((state.ends?, state.held))) else {
            return;
        };
        let ended = |state: &&mut CommandState| {
            let own = state.request == seen.request;
            let with_it = !held && !state.held && state.started;
            state.ends == Some(together) && (own || with_it)
        };
        for state in self.states.iter_mut().filter(ended) {
            state.ends = Some(together.min(seen.at));
            state.seen_by = Some(seen.request);
        }
        self.timer.take_if(|timer| !held && timer.ends == together);
    }

    /// Sets the timer, and with it the end of what it is for: what runs under the timer before,
    /// and, where there is only one rule, everything else that stands. Returns what has a new end.
    fn set_timer(
        &mut self,
        (ends, without_rule): (Time, bool),
        command: SentCommand,
    ) -> Vec<&mut CommandState> {
        let mut moved = Vec::new();
        let timer_runs = self.timer.is_some();
        let ruled = |state: &&mut CommandState| !state.held && state.stands(command.at);
        for state in self.states.iter_mut().filter(ruled) {
            if (state.under_timer && timer_runs) || self.keeping == RuleKeeping::Single {
                (state.ends, state.ended_by) = (Some(ends), command.request);
                state.under_timer = true;
                moved.push(state);
            }
        }
        self.timer = Some(Timer { ends, set_by: command.request, without_rule });
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
