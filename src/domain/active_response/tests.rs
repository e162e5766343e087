//! The rules of one endpoint, command after command.

use super::*;

fn request(number: u128) -> RequestId {
    uuid::Uuid::from_u128(number).into()
}

fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_800_000_000 + seconds, 0).unwrap_or_default()
}

fn add(number: u128, seconds: i64, term: Term) -> SentCommand {
    undo(number, seconds, CommandEffect::Add(term))
}

/// One that may not have run.
fn perhaps(command: SentCommand) -> SentCommand {
    SentCommand { started: false, ..command }
}

fn undo(number: u128, seconds: i64, effect: CommandEffect) -> SentCommand {
    SentCommand { request: request(number), at: at(seconds), effect, started: true }
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
fn seen_end_counts_for_all_under_the_timer() {
    let early = undo(1, 300, CommandEffect::SeenEnd);
    let commands = [add(1, 0, Seconds(600)), add(2, 10, Seconds(600)), early];
    for keeping in [Single, Stacked] {
        assert_eq!(ends(keeping, &commands), [Some(300), Some(300)]);
        let seen = replay(keeping, &commands);
        assert!(seen.iter().all(|state| state.seen_by == Some(request(1))));
        let later: Vec<_> = commands.into_iter().chain([add(3, 400, Permanent)]).collect();
        assert_eq!(ends(keeping, &later).last(), Some(&None), "the timer is gone");
    }
    let late = [add(1, 0, Seconds(60)), undo(1, 63, CommandEffect::SeenEnd)];
    assert_eq!(replay(Single, &late)[0].seen_by, Some(request(1)));
}

#[test]
fn uncertain_command_never_shortens_or_lifts() {
    for keeping in [Single, Stacked] {
        let of = |later: &[SentCommand]| {
            let first = [add(1, 0, Seconds(600))];
            ends(keeping, &[&first, later].concat())
        };
        assert_eq!(of(&[perhaps(add(2, 30, Seconds(60)))]), [Some(600), Some(90)]);
        assert_eq!(of(&[perhaps(add(2, 30, Seconds(900)))]), [Some(930), Some(930)]);
        assert_eq!(of(&[perhaps(undo(2, 30, Expire))]), [Some(600)]);
        assert_eq!(of(&[perhaps(undo(2, 30, Clear))]), [Some(600)]);
        let both = [perhaps(add(2, 30, Seconds(900))), perhaps(add(3, 40, Seconds(60)))];
        assert_eq!(of(&both), [Some(930), Some(930), Some(100)], "only the first may have run");
        let surely = [perhaps(add(2, 30, Seconds(900))), add(3, 40, Seconds(60))];
        assert_eq!(of(&surely), [Some(100), Some(100), Some(100)]);
    }
    let permanent = [add(1, 0, Permanent), perhaps(add(2, 10, Seconds(20)))];
    assert_eq!(ends(Single, &permanent), [None, Some(30)]);
    let after = [&permanent[..], &[add(3, 15, Permanent)]].concat();
    assert_eq!(ends(Single, &after), [None, Some(30), None], "its timer may not run");
    let lock = [add(1, 0, Seconds(20)), perhaps(add(2, 10, Permanent))];
    assert_eq!(ends(Single, &lock), [Some(20), None], "it may come after the timer's end");
}

#[test]
fn seen_end_of_another_ends_nothing_uncertain() {
    let seen = undo(1, 300, CommandEffect::SeenEnd);
    let commands = [add(1, 0, Seconds(600)), perhaps(add(2, 10, Seconds(900))), seen];
    for keeping in [Single, Stacked] {
        assert_eq!(ends(keeping, &commands), [Some(300), Some(910)]);
        let by: Vec<_> = replay(keeping, &commands).iter().map(|state| state.seen_by).collect();
        assert_eq!(by, [Some(request(1)), None]);
    }
}

#[test]
fn undo_lifts_what_may_run_under_its_timer() {
    let commands = [add(1, 0, Seconds(600)), perhaps(add(2, 10, Seconds(60))), undo(3, 30, Expire)];
    assert_eq!(ends(Stacked, &commands), [Some(31), Some(31)]);
}

#[test]
fn timer_survives_own_script_and_ends_later_rule() {
    let commands = [add(1, 0, Seconds(600)), undo(2, 50, Clear), add(3, 100, Permanent)];
    assert_eq!(ends(Single, &commands), [Some(50), Some(600)]);
    assert_eq!(ends(Stacked, &commands), [Some(50), Some(600)], "it removes one rule");
    let two: Vec<_> = commands.into_iter().chain([add(4, 200, Permanent)]).collect();
    assert_eq!(ends(Stacked, &two), [Some(50), Some(600), None]);
}

#[test]
fn timed_command_does_not_start_while_old_timer_runs() {
    let undone = [add(1, 0, Seconds(600)), undo(2, 50, Clear)];
    for keeping in [Single, Stacked] {
        let again: Vec<_> = undone.into_iter().chain([add(3, 100, Seconds(60))]).collect();
        assert_eq!(ends(keeping, &again), [Some(50), Some(100)]);
        let forecast =
            |term| Forecast::of(keeping, &undone, CommandEffect::Add(term), (request(3), at(100)));
        let blocked = Forecast::DoesNotStart { until: at(600) };
        assert_eq!(forecast(Seconds(60)), Some(blocked));
        assert_eq!(forecast(Permanent), Some(Forecast::EndsWithTimer { at: at(600) }));
    }
}

#[test]
fn forecast_says_what_another_command_changes() {
    let forecast = |keeping, commands: &[SentCommand], term| {
        Forecast::of(keeping, commands, CommandEffect::Add(term), (request(9), at(100)))
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
    assert_eq!(forecast(Single, &timed, Permanent), Some(Forecast::EndsWithTimer { at: at(600) }));
    assert_eq!(
        forecast(Single, &permanent, Seconds(60)),
        Some(Forecast::EndsPermanent { at: at(160) })
    );
}

#[test]
fn what_a_request_holds_ends_by_its_own_undo() {
    let hold = |number, seconds, term| SentCommand {
        effect: CommandEffect::Hold(term),
        ..add(number, seconds, term)
    };
    let other = |effect, number, seconds| SentCommand { effect, ..add(number, seconds, Permanent) };
    for keeping in [Single, Stacked] {
        let sent = [
            hold(1, 0, Permanent),
            hold(2, 10, Seconds(600)),
            add(3, 20, Seconds(60)),
            other(CommandEffect::Release(request(1)), 4, 30),
        ];
        let ends: Vec<_> = replay(keeping, &sent).iter().map(|state| state.ends).collect();
        assert_eq!(ends, [Some(at(30)), Some(at(610)), Some(at(80))], "{keeping:?}");
        // Neither a timer nor a script that clears ends it, nor the end that was seen of another.
        for effect in [Expire, Clear] {
            let sent = [hold(1, 0, Permanent), add(3, 20, Permanent), other(effect, 4, 30)];
            assert_eq!(replay(keeping, &sent)[0].ends, None, "{keeping:?} {effect:?}");
        }
        let seen = [
            hold(1, 0, Seconds(80)),
            add(3, 20, Seconds(60)),
            other(CommandEffect::SeenEnd, 3, 70),
        ];
        assert_eq!(replay(keeping, &seen)[0].ends, Some(at(80)), "{keeping:?}");
        let forecast = |commands: &[SentCommand], effect| {
            Forecast::of(keeping, commands, effect, (request(9), at(40)))
        };
        let held = CommandEffect::Hold(Seconds(60));
        assert_eq!(forecast(&[], held), None);
        assert_eq!(forecast(&[add(3, 20, Permanent)], held), Some(Forecast::AddsRule));
        assert_eq!(forecast(&[add(3, 0, Seconds(600)), other(Clear, 4, 30)], held), None);
    }
}

#[test]
fn companion_command_tells_what_it_holds() {
    let of = |name, command: &str| {
        CommandEffect::of(ActionKind::parse(name).unwrap(), Seconds(600), command)
    };
    let held = CommandEffect::Hold(Seconds(600));
    assert_eq!(of("block_ip", "countersign-block600"), held);
    assert_eq!(of("isolate_host", "!countersign-isolate keep=10.0.0.53:53"), held);
    let undo = format!("!countersign-block-undo undo={}", request(7));
    assert_eq!(of("unblock_ip", &undo), CommandEffect::Release(request(7)));
    assert_eq!(of("unblock_ip", "!countersign-unblock"), Clear);
    assert_eq!(of("block_ip", "countersign-kill600"), CommandEffect::Add(Seconds(600)));
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
    let of = |command| {
        CommandEffect::of(ActionKind::parse("unblock_ip").unwrap(), Seconds(600), command)
    };
    assert_eq!(of("drop1"), Expire);
    assert_eq!(of("!lift-block"), Clear);
    assert_eq!(of("lift-block0"), Clear);
    let add = CommandEffect::of(ActionKind::parse("block_ip").unwrap(), Seconds(600), "drop600");
    assert_eq!(add, CommandEffect::Add(Seconds(600)));
}

mod worlds;
