//! What an endpoint's agent does with a command, as its `wazuh-execd` does it
//! (`src/os_execd/execd.c`, on Windows `src/os_execd/win_execd.c`).
//!
//! The agent keeps one timer per script and target, and only for commands with a timeout. Such a
//! command for the same script and target while the timer runs is aborted: its script does nothing,
//! and the timer is set anew with the new timeout, shorter or longer. At its end the agent runs the
//! script with `delete` and with the arguments of the first call. A command without a timeout is
//! never aborted and does not touch a timer. A clean stop of the agent runs every `delete` at once.
//!
//! What `add` and `delete` change is up to the platform: see `rules`.

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::command::{Command, split_timeout};
use crate::endpoint::Endpoint;
use crate::endpoint::companion;
use crate::endpoint::evidence;
use crate::endpoint::run::Run;
use crate::world::World;

/// A `delete` that an agent still has to run.
#[derive(Debug)]
pub(crate) struct Timer {
    /// The first call.
    run: Run,
    target: String,
    ends: DateTime<Utc>,
}

impl Timer {
    fn is_for(&self, run: &Run, target: &str) -> bool {
        self.run.endpoint.id == run.endpoint.id
            && self.run.script == run.script
            && self.target == target
    }
}

/// Runs a command as an endpoint's agent does.
pub(crate) fn start(world: &mut World, endpoint: &Endpoint, command: &Command) {
    let (script, timeout_secs) = if let Some(script) = command.name.strip_prefix('!') {
        (script.trim_end_matches(".exe"), 0)
    } else {
        let (name, timeout_secs) = split_timeout(&command.name);
        (world.settings.executable(name), timeout_secs)
    };
    let run = Run::new(&world.settings, endpoint, script, command);
    if companion::is_companion(&run) {
        expire(world);
        let now = world.now();
        if let Some(key) = companion::start(world, &run, now)
            && timeout_secs > 0
        {
            set_timer(world, (run, key), now + TimeDelta::seconds(i64::from(timeout_secs)));
        }
        return;
    }
    if !run.exists(&world.settings) {
        // The agent drops it without a trace.
        return;
    }
    expire(world);
    let now = world.now();
    evidence::started(world, &run, now);
    if run.restarts() {
        restart(world, &endpoint.id);
        return;
    }
    let Some(target) = run.target() else {
        // The script stops before it tells its agent the target.
        return;
    };
    if timeout_secs > 0 {
        let ends = now + TimeDelta::seconds(i64::from(timeout_secs));
        if set_timer(world, (run.clone(), target.clone()), ends) {
            return;
        }
    }
    world.rules.add(&run, &target);
}

/// Sets the agent's timer; whether one ran.
fn set_timer(world: &mut World, (run, target): (Run, String), ends: DateTime<Utc>) -> bool {
    let pending = world.timers.iter_mut().find(|timer| timer.is_for(&run, &target));
    if let Some(pending) = pending {
        pending.ends = ends;
        return true;
    }
    world.timers.push(Timer { run, target, ends });
    false
}

/// Ends every timer whose time is over, in the order of their times.
pub(crate) fn expire(world: &mut World) {
    let now = world.now();
    let mut over: Vec<Timer> = world.timers.extract_if(.., |timer| timer.ends <= now).collect();
    over.sort_by_key(|timer| timer.ends);
    for timer in over {
        let time = timer.ends;
        end(world, &timer, time);
    }
}

/// Ends all timers of an endpoint, as an agent does on a clean stop.
pub(crate) fn restart(world: &mut World, endpoint: &str) {
    expire(world);
    let now = world.now();
    let pending: Vec<Timer> =
        world.timers.extract_if(.., |timer| timer.run.endpoint.id == endpoint).collect();
    for timer in pending {
        end(world, &timer, now);
    }
}

fn end(world: &mut World, timer: &Timer, time: DateTime<Utc>) {
    if companion::is_companion(&timer.run) {
        companion::end(world, &timer.run, time);
        return;
    }
    evidence::undone(world, &timer.run, time);
    world.rules.delete(&timer.run, &timer.target);
}

/// The rules that stand on an endpoint.
pub(crate) fn active_responses(world: &mut World, endpoint: &str) -> Vec<String> {
    expire(world);
    let held = world.holds.iter().filter(|hold| hold.endpoint == endpoint);
    let held = held.map(|hold| format!("{} {}", hold.script, hold.target).trim_end().to_owned());
    world.rules.of(endpoint).into_iter().chain(held).collect()
}
