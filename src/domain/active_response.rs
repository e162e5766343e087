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

use chrono::TimeDelta;

use super::{
    Time,
    action::{ActionKind, Term},
    endpoint::{EndpointId, Platform},
    id::{AgentId, RequestId},
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
}

/// What is left of each command that adds, in the order given: the order in which they were sent.
pub fn replay(keeping: RuleKeeping, commands: &[SentCommand]) -> Vec<CommandState> {
    run(keeping, commands).0
}

fn run(keeping: RuleKeeping, commands: &[SentCommand]) -> (Vec<CommandState>, Option<Timer>) {
    let mut states: Vec<CommandState> = Vec::new();
    let mut timer: Option<Timer> = None;
    for command in commands {
        timer = timer.filter(|timer| timer.ends > command.at);
        match command.effect {
            CommandEffect::Add(term) => {
                let only_timer = term.seconds().is_some() && timer.is_some();
                // The rule may be gone while its timer runs: then nothing is blocked anew.
                let without_rule = only_timer && !states.iter().any(|one| one.stands(command.at));
                if let Some(seconds) = term.seconds() {
                    let ends = command.at + TimeDelta::seconds(seconds.into());
                    let after = Timer { ends, set_by: command.request };
                    move_ends(&mut states, (keeping, timer.as_ref(), &after), command.at);
                    timer = Some(after);
                }
                let bound = timer
                    .as_ref()
                    .filter(|_| keeping == RuleKeeping::Single || term.seconds().is_some());
                let ends = bound.map(|timer| timer.ends);
                states.push(CommandState {
                    request: command.request,
                    ends: if without_rule { Some(command.at) } else { ends },
                    ended_by: bound.map_or(command.request, |timer| timer.set_by),
                    only_timer,
                    lifted_by: None,
                    seen_by: None,
                });
            }
            CommandEffect::Expire => {
                let after = Timer { ends: command.at + EXPIRY, set_by: command.request };
                for state in move_ends(&mut states, (keeping, timer.as_ref(), &after), command.at) {
                    state.lifted_by = Some(command.request);
                }
                timer = Some(after);
            }
            CommandEffect::SeenEnd => {
                let after = Timer { ends: command.at, set_by: command.request };
                let own = timer.take();
                // An endpoint's clock may be some seconds ahead, so the timer may be over here.
                for state in move_ends(&mut states, (keeping, own.as_ref(), &after), command.at) {
                    state.seen_by = Some(command.request);
                }
            }
            CommandEffect::Clear => {
                for state in states.iter_mut().filter(|state| state.stands(command.at)) {
                    state.ends = Some(command.at);
                    state.ended_by = command.request;
                    state.lifted_by = Some(command.request);
                }
            }
        }
    }
    (states, timer)
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

/// What another command would do to what is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forecast {
    /// The timer that runs gets a new end; nothing else happens.
    ReplacesTimer {
        /// When it ends now.
        from: Time,
        /// When it would end.
        to: Time,
    },
    /// A rule more; each ends by itself.
    AddsRule,
    /// It is active, stays active, and ends when it would have ended.
    ChangesNothing,
    /// It starts, but the timer that runs ends it together with what is active.
    EndsWithTimer {
        /// When.
        at: Time,
    },
    /// Its timer also ends what would not have ended by itself.
    EndsPermanent {
        /// When.
        at: Time,
    },
    /// It would not start: an undo removed the rule, but the timer of that rule still runs.
    DoesNotStart {
        /// Until when the timer runs.
        until: Time,
    },
}

impl Forecast {
    /// What a command that adds would do; none where it meets nothing.
    pub fn of(
        keeping: RuleKeeping,
        commands: &[SentCommand],
        term: Term,
        (request, now): (RequestId, Time),
    ) -> Option<Self> {
        let (before, timer) = run(keeping, commands);
        let new = SentCommand { request, at: now, effect: CommandEffect::Add(term) };
        let all: Vec<_> = commands.iter().copied().chain([new]).collect();
        let after = replay(keeping, &all);
        let new = after.last()?;
        if !before.iter().any(|state| state.stands(now)) {
            let until = timer.filter(|timer| timer.ends > now)?.ends;
            return match new.ends {
                Some(_) if new.only_timer => Some(Self::DoesNotStart { until }),
                Some(at) => Some(Self::EndsWithTimer { at }),
                None => None,
            };
        }
        let moved = |(before, after): &(&CommandState, &CommandState)| {
            before.stands(now) && before.ends != after.ends
        };
        Some(match (before.iter().zip(&after).find(moved), new.ends) {
            (Some((CommandState { ends: Some(from), .. }, _)), Some(to)) => {
                Self::ReplacesTimer { from: *from, to }
            }
            (Some((CommandState { ends: None, .. }, _)), Some(at)) => Self::EndsPermanent { at },
            _ if new.only_timer => Self::ChangesNothing,
            (_, Some(at)) if term == Term::Permanent => Self::EndsWithTimer { at },
            _ if keeping == RuleKeeping::Stacked => Self::AddsRule,
            _ => Self::ChangesNothing,
        })
    }

    /// Whether something would end earlier than was decided: what is active, or the new one itself.
    pub fn shortens(self) -> bool {
        match self {
            Self::ReplacesTimer { from, to } => to < from,
            Self::AddsRule | Self::ChangesNothing => false,
            Self::EndsWithTimer { .. } | Self::EndsPermanent { .. } | Self::DoesNotStart { .. } => {
                true
            }
        }
    }
}

/// What is active on one endpoint for the target of a request that is not sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlreadyActive {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// Its name: text from outside.
    pub name: String,
    /// When the first of it began; none where only a timer is left of it.
    pub since: Option<Time>,
    /// When all of it ends; none where it does not end by itself.
    pub ends: Option<Time>,
    /// What it rests on, oldest first. Of an undo: the other requests that it would lift, too.
    pub rests_on: Vec<RestsOn>,
    /// What the command would do to it; none of an undo, which lifts it.
    pub forecast: Option<Forecast>,
}

/// A request that an active response rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestsOn {
    /// The request.
    pub request: RequestId,
    /// The agent that asked for it.
    pub agent: AgentId,
    /// Who asked: the agent's name, or the person's.
    pub asked_by: String,
    /// Whether it surely started.
    pub certain: bool,
}

impl AlreadyActive {
    /// Whether the same that is asked for is active, or may be.
    pub fn is_active(&self) -> bool {
        self.forecast.is_some() && !self.rests_on.is_empty()
    }

    /// Whether what others decided would end earlier, or the request itself would.
    pub fn shortens(&self) -> bool {
        self.forecast.is_none_or(Forecast::shortens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(number: u128) -> RequestId {
        uuid::Uuid::from_u128(number).into()
    }

    fn at(seconds: i64) -> Time {
        Time::from_timestamp(1_800_000_000 + seconds, 0).unwrap_or_default()
    }

    fn add(number: u128, seconds: i64, term: Term) -> SentCommand {
        SentCommand { request: request(number), at: at(seconds), effect: CommandEffect::Add(term) }
    }

    fn undo(number: u128, seconds: i64, effect: CommandEffect) -> SentCommand {
        SentCommand { request: request(number), at: at(seconds), effect }
    }

    fn ends(keeping: RuleKeeping, commands: &[SentCommand]) -> Vec<Option<i64>> {
        let seconds = |ends: Time| (ends - at(0)).num_seconds();
        replay(keeping, commands).iter().map(|state| state.ends.map(seconds)).collect()
    }

    use CommandEffect::{Clear, Expire};
    use RuleKeeping::{Single, Stacked};
    use Term::{Permanent, Seconds};

    #[test]
    fn timer_is_replaced_by_later_timed_command() {
        for keeping in [Single, Stacked] {
            let longer = [add(1, 0, Seconds(60)), add(2, 30, Seconds(600))];
            assert_eq!(ends(keeping, &longer), [Some(630), Some(630)], "{keeping:?}");
            let shorter = [add(1, 0, Seconds(600)), add(2, 30, Seconds(60))];
            assert_eq!(ends(keeping, &shorter), [Some(90), Some(90)], "{keeping:?}");
            let over = [add(1, 0, Seconds(60)), add(2, 60, Seconds(600))];
            assert_eq!(ends(keeping, &over), [Some(60), Some(660)], "{keeping:?}");
        }
    }

    #[test]
    fn timer_ends_permanent_rule_only_where_single() {
        let later = [add(1, 0, Seconds(20)), add(2, 10, Permanent)];
        assert_eq!(ends(Single, &later), [Some(20), Some(20)]);
        assert_eq!(ends(Stacked, &later), [Some(20), None]);
        let earlier = [add(1, 0, Permanent), add(2, 10, Seconds(20))];
        assert_eq!(ends(Single, &earlier), [Some(30), Some(30)]);
        assert_eq!(ends(Stacked, &earlier), [None, Some(30)]);
        let after_end = [add(1, 0, Seconds(20)), add(2, 20, Permanent)];
        assert_eq!(ends(Single, &after_end), [Some(20), None]);
    }

    #[test]
    fn undo_lifts_every_request_of_same_timer() {
        let twins = [add(1, 0, Seconds(600)), add(2, 10, Seconds(600)), undo(3, 50, Expire)];
        for keeping in [Single, Stacked] {
            assert_eq!(ends(keeping, &twins), [Some(51), Some(51)]);
            let by: Vec<_> = replay(keeping, &twins).iter().map(|state| state.lifted_by).collect();
            assert_eq!(by, [Some(request(3)), Some(request(3))]);
        }
        let beside = [add(1, 0, Permanent), add(2, 10, Seconds(600)), undo(3, 50, Expire)];
        assert_eq!(ends(Stacked, &beside), [None, Some(51)]);
        assert_eq!(ends(Single, &beside), [Some(51), Some(51)]);
    }

    #[test]
    fn timer_survives_own_script_and_ends_later_rule() {
        let commands = [add(1, 0, Seconds(600)), undo(2, 50, Clear), add(3, 100, Permanent)];
        assert_eq!(ends(Single, &commands), [Some(50), Some(600)]);
        assert_eq!(ends(Stacked, &commands), [Some(50), None]);
    }

    #[test]
    fn timed_command_does_not_start_while_old_timer_runs() {
        let undone = [add(1, 0, Seconds(600)), undo(2, 50, Clear)];
        for keeping in [Single, Stacked] {
            let again: Vec<_> = undone.into_iter().chain([add(3, 100, Seconds(60))]).collect();
            assert_eq!(ends(keeping, &again), [Some(50), Some(100)]);
            let forecast = |term| Forecast::of(keeping, &undone, term, (request(3), at(100)));
            let blocked = Forecast::DoesNotStart { until: at(600) };
            assert_eq!(forecast(Seconds(60)), Some(blocked));
            let permanent = match keeping {
                Single => Some(Forecast::EndsWithTimer { at: at(600) }),
                Stacked => None,
            };
            assert_eq!(forecast(Permanent), permanent);
        }
    }

    #[test]
    fn forecast_says_what_another_command_changes() {
        let forecast = |keeping, commands: &[SentCommand], term| {
            Forecast::of(keeping, commands, term, (request(9), at(100)))
        };
        let timed = [add(1, 0, Seconds(600))];
        let permanent = [add(1, 0, Permanent)];
        let replaced = |to| Some(Forecast::ReplacesTimer { from: at(600), to: at(to) });
        for keeping in [Single, Stacked] {
            assert_eq!(forecast(keeping, &[], Seconds(60)), None);
            assert_eq!(forecast(keeping, &[add(1, 0, Seconds(60))], Permanent), None);
            assert_eq!(forecast(keeping, &timed, Seconds(60)), replaced(160));
            assert_eq!(forecast(keeping, &timed, Seconds(900)), replaced(1000));
            assert_eq!(
                forecast(keeping, &timed, Seconds(500)),
                Some(Forecast::ChangesNothing),
                "the same end"
            );
        }
        assert_eq!(forecast(Stacked, &timed, Permanent), Some(Forecast::AddsRule));
        assert_eq!(forecast(Stacked, &permanent, Permanent), Some(Forecast::AddsRule));
        assert_eq!(forecast(Stacked, &permanent, Seconds(60)), Some(Forecast::AddsRule));
        assert_eq!(forecast(Single, &permanent, Permanent), Some(Forecast::ChangesNothing));
        assert_eq!(
            forecast(Single, &timed, Permanent),
            Some(Forecast::EndsWithTimer { at: at(600) })
        );
        assert_eq!(
            forecast(Single, &permanent, Seconds(60)),
            Some(Forecast::EndsPermanent { at: at(160) })
        );
    }

    #[test]
    fn only_earlier_end_shortens() {
        let replaces = |to| Forecast::ReplacesTimer { from: at(600), to: at(to) };
        assert!(replaces(160).shortens());
        assert!(!replaces(1000).shortens());
        assert!(!Forecast::AddsRule.shortens());
        assert!(!Forecast::ChangesNothing.shortens());
        assert!(Forecast::EndsWithTimer { at: at(1) }.shortens());
        assert!(Forecast::EndsPermanent { at: at(1) }.shortens());
    }

    #[test]
    fn command_name_tells_how_it_undoes() {
        let of = |command| CommandEffect::of(ActionKind::UnblockIp, Seconds(600), command);
        assert_eq!(of("firewall-drop1"), Expire);
        assert_eq!(of("!lift-block"), Clear);
        assert_eq!(of("lift-block0"), Clear);
        let add = CommandEffect::of(ActionKind::BlockIp, Seconds(600), "firewall-drop600");
        assert_eq!(add, CommandEffect::Add(Seconds(600)));
    }
}
