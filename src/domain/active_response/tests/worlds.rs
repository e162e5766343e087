//! Every world that is possible: each command that may not have run ran in it, or did not.

use std::{cmp::Ordering, collections::BTreeMap};

use super::*;

/// One is longer than the short gap, and one than the long gap.
const EFFECTS: [CommandEffect; 5] = [
    CommandEffect::Add(Seconds(50)),
    CommandEffect::Add(Seconds(150)),
    CommandEffect::Add(Permanent),
    Expire,
    Clear,
];
const GAPS: [i64; 2] = [10, 100];

/// No end is the latest.
fn rank(ends: Option<Time>) -> i64 {
    ends.map_or(i64::MAX, |ends| (ends - at(0)).num_milliseconds())
}

/// All sequences of this many commands, with each subset of them uncertain.
fn sequences(count: u128) -> Vec<Vec<SentCommand>> {
    let mut all: Vec<Vec<SentCommand>> = vec![Vec::new()];
    for number in 1..=count {
        let mut longer = Vec::new();
        for before in &all {
            let gaps = if before.is_empty() { &GAPS[..1] } else { &GAPS[..] };
            let last = before.last().map_or(0, |last| (last.at - at(0)).num_seconds());
            for (effect, gap, started) in EFFECTS
                .iter()
                .flat_map(|effect| gaps.iter().map(move |gap| (effect, gap)))
                .flat_map(|(effect, gap)| [(effect, gap, true), (effect, gap, false)])
            {
                let command = SentCommand { started, ..undo(number, last + gap, *effect) };
                longer.push(before.iter().copied().chain([command]).collect());
            }
        }
        all = longer;
    }
    all
}

/// What surely ran, and a choice of what may have run; all of it ran.
fn worlds(commands: &[SentCommand]) -> Vec<Vec<SentCommand>> {
    let mut all: Vec<Vec<SentCommand>> = vec![Vec::new()];
    for command in commands {
        let ran = SentCommand { started: true, ..*command };
        let without = if command.started { Vec::new() } else { all.clone() };
        for world in &mut all {
            world.push(ran);
        }
        all.extend(without);
    }
    all
}

fn words(commands: &[SentCommand]) -> String {
    let word = |one: &SentCommand| {
        let mark = if one.started { "" } else { "perhaps " };
        format!("{mark}{:?}@{}", one.effect, (one.at - at(0)).num_seconds())
    };
    commands.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn of(commands: &[SentCommand], request: RequestId) -> Vec<SentCommand> {
    commands.iter().filter(|one| one.request == request).copied().collect()
}

fn end_word(ends: Option<Time>) -> String {
    ends.map_or_else(|| "never".into(), |ends| (ends - at(0)).num_seconds().to_string())
}

fn report(faults: &[String], what: &str) {
    assert!(
        faults.is_empty(),
        "{what}: {} faults, such as\n{}",
        faults.len(),
        faults[..faults.len().min(20)].join("\n")
    );
}

#[test]
fn end_is_never_earlier_than_in_any_world() {
    let mut faults = Vec::new();
    let (mut exact, mut later) = (0_u32, 0_u32);
    for count in 1..=4 {
        for commands in sequences(count) {
            for keeping in [Single, Stacked] {
                let states = replay(keeping, &commands);
                let mut latest: BTreeMap<RequestId, Option<Time>> = BTreeMap::new();
                for world in worlds(&commands) {
                    for state in replay(keeping, &world) {
                        let known = latest.entry(state.request).or_insert(state.ends);
                        if rank(*known) < rank(state.ends) {
                            *known = state.ends;
                        }
                    }
                }
                for state in states {
                    let possible = latest[&state.request];
                    match rank(state.ends).cmp(&rank(possible)) {
                        Ordering::Less => faults.push(format!(
                            "{keeping:?} [{}]: {} ends {} and may end {}; lifted_by {:?}",
                            words(&commands),
                            words(&of(&commands, state.request)),
                            end_word(state.ends),
                            end_word(possible),
                            state.lifted_by.is_some(),
                        )),
                        Ordering::Equal => exact += 1,
                        Ordering::Greater => later += 1,
                    }
                }
            }
        }
    }
    assert!(later * 20 < exact, "{later} ends later than possible, {exact} exact");
    report(&faults, "too early");
}

#[test]
fn lifted_is_only_what_no_world_keeps() {
    let mut faults = Vec::new();
    for count in 1..=4 {
        for commands in sequences(count) {
            for keeping in [Single, Stacked] {
                for state in replay(keeping, &commands) {
                    let Some(by) = state.lifted_by else { continue };
                    let lifted = commands.iter().find(|one| one.request == by).unwrap();
                    let kept = worlds(&commands).iter().any(|world| {
                        replay(keeping, world).iter().any(|one| {
                            one.request == state.request && one.stands(lifted.at + EXPIRY)
                        })
                    });
                    if kept {
                        faults.push(format!(
                            "{keeping:?} [{}]: lifts {}",
                            words(&commands),
                            words(&of(&commands, state.request))
                        ));
                    }
                }
            }
        }
    }
    report(&faults, "lifted");
}

/// Whether in this world a command more ends something earlier, or ends early itself.
fn shortens_in(keeping: RuleKeeping, world: &[SentCommand], new: SentCommand) -> bool {
    let before = replay(keeping, world);
    let with: Vec<_> = world.iter().copied().chain([new]).collect();
    let after = replay(keeping, &with);
    let earlier = before
        .iter()
        .zip(&after)
        .any(|(before, after)| before.stands(new.at) && rank(after.ends) < rank(before.ends));
    let CommandEffect::Add(term) = new.effect else { return earlier };
    let own = term.seconds().map(|seconds| new.at + TimeDelta::seconds(seconds.into()));
    earlier || after.last().is_some_and(|last| rank(last.ends) < rank(own))
}

#[test]
fn forecast_warns_of_what_shortens_in_any_world() {
    let mut faults = Vec::new();
    let mut needless = 0_u32;
    for count in 1..=3 {
        for commands in sequences(count) {
            let last = commands.last().unwrap().at;
            for (keeping, gap, term) in [Single, Stacked].into_iter().flat_map(|keeping| {
                GAPS.into_iter().flat_map(move |gap| {
                    [Seconds(50), Seconds(150), Seconds(1000), Permanent]
                        .map(|term| (keeping, gap, term))
                })
            }) {
                let now = last + TimeDelta::seconds(gap);
                let new = SentCommand {
                    request: request(9),
                    at: now,
                    effect: CommandEffect::Add(term),
                    started: true,
                };
                let forecast =
                    Forecast::of(keeping, &commands, CommandEffect::Add(term), (request(9), now));
                let warned = forecast.is_some_and(Forecast::shortens);
                let shortens = worlds(&commands)
                    .iter()
                    .find(|world| shortens_in(keeping, world, new))
                    .cloned();
                match (warned, shortens) {
                    (false, Some(world)) => faults.push(format!(
                        "{keeping:?} [{}] then {term:?}@{}: {forecast:?}; shortens in the world [{}]",
                        words(&commands),
                        (now - at(0)).num_seconds(),
                        words(&world)
                    )),
                    (true, None) => needless += 1,
                    _ => {}
                }
            }
        }
    }
    assert!(needless < 400, "{needless} needless warnings");
    report(&faults, "forecast");
}

#[test]
fn undo_names_all_that_it_lifts_in_any_world() {
    let mut faults = Vec::new();
    for count in 1..=3 {
        for commands in sequences(count) {
            let last = commands.last().unwrap().at;
            for (keeping, gap, effect) in [Single, Stacked].into_iter().flat_map(|keeping| {
                GAPS.into_iter()
                    .flat_map(move |gap| [Expire, Clear].map(|effect| (keeping, gap, effect)))
            }) {
                let now = last + TimeDelta::seconds(gap);
                let new = SentCommand { request: request(9), at: now, effect, started: true };
                let lifts = |world: &[SentCommand]| -> Vec<RequestId> {
                    let with: Vec<_> = world.iter().copied().chain([new]).collect();
                    let lifted = replay(keeping, &with);
                    let before = replay(keeping, world);
                    before
                        .iter()
                        .zip(lifted)
                        .filter(|(before, one)| {
                            before.stands(now) && one.lifted_by == Some(request(9))
                        })
                        .map(|(one, _)| one.request)
                        .collect()
                };
                let named = may_lift(keeping, &commands, new);
                for world in worlds(&commands) {
                    for missed in lifts(&world).iter().filter(|one| !named.contains(one)) {
                        faults.push(format!(
                            "{keeping:?} [{}] then {effect:?}@{}: lifts {} in the world [{}]",
                            words(&commands),
                            (now - at(0)).num_seconds(),
                            words(&of(&commands, *missed)),
                            words(&world)
                        ));
                    }
                }
            }
        }
    }
    report(&faults, "undo");
}
