//! What scripts do on endpoints: which effects exist, until when, and what lifts them.
//!
//! A timed command is undone when its time is over. The same command with timeout 1 brings that
//! time forward. A command without a timeout is undone only by a custom script. Source: the real
//! agent's programs, as recorded in the captures.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::api::command::{Command, split_timeout};
use crate::api::query::dotted;
use crate::endpoint::Endpoint;
use crate::endpoint::block::{ACCOUNT, Block, ELSEWHERE, ON_WINDOWS, Run};
use crate::endpoint::evidence;
use crate::settings::Settings;
use crate::world::World;

/// Longer names are refused since 4.14.7.
const ACCOUNT_CHARS_MAX: usize = 256;

/// Runs a command as an endpoint's agent does.
pub(crate) fn start(world: &mut World, endpoint: &Endpoint, command: &Command) {
    let (script, timeout_secs) = if let Some(script) = command.name.strip_prefix('!') {
        (script.trim_end_matches(".exe"), 0)
    } else {
        let (name, timeout_secs) = split_timeout(&command.name);
        (world.settings.executable(name), timeout_secs)
    };
    let script = script.to_owned();
    let run = Run { endpoint: endpoint.clone(), script, command: command.clone() };
    if !run.exists(&world.settings) {
        // The agent drops it without a trace.
        return;
    }
    end_blocks(world);
    let now = world.now();
    evidence::started(world, &run, now);
    let lifts = lifted_by(&world.settings, &run.script);
    let wanted = lifts.unwrap_or(&run.script);
    let Some(target) = target(wanted, &run.command.alert) else {
        // The script stops before it tells its agent the target.
        return;
    };
    if let Some(lifted) = lifts {
        lift(world, &endpoint.id, lifted, &target);
    }
    let ends = (timeout_secs > 0).then(|| now + TimeDelta::seconds(i64::from(timeout_secs)));
    let stands = lifts.is_none() && run.takes_effect();
    hold(world, Block { run, target, stands, ends });
}

fn lifted_by(settings: &Settings, executable: &str) -> Option<&'static str> {
    settings.scripts.iter().find(|script| script.executable == executable)?.lifts
}

/// The target that a script reads from the alert; `None` if the script refuses it. A custom script
/// accepts anything.
fn target(script: &str, alert: &Value) -> Option<String> {
    let text = |field| dotted(alert, field).and_then(Value::as_str);
    let account = || text("data.dstuser").filter(|name| is_account(name)).map(str::to_owned);
    // In this order: the Windows fields take precedence.
    let address = || {
        let fields =
            ["data.win.eventdata.ipAddress", "data.win.eventdata.destinationIp", "data.srcip"];
        let found = fields.into_iter().find_map(text)?;
        found.parse::<IpAddr>().ok().map(|_| found.to_owned())
    };
    if script == ACCOUNT {
        account()
    } else if ELSEWHERE.contains(&script) || ON_WINDOWS.contains(&script) {
        address()
    } else {
        address().or_else(account).or_else(|| Some(String::new()))
    }
}

fn is_account(name: &str) -> bool {
    name != "root"
        && !name.is_empty()
        && name.chars().count() <= ACCOUNT_CHARS_MAX
        && !name.contains([' ', '/', ':', ','])
        && !name.contains("..")
}

/// Records a block. If the agent still has to undo the same one, it starts nothing, resets the
/// time, and keeps the arguments of the first call.
fn hold(world: &mut World, block: Block) {
    let same = |other: &&mut Block| {
        other.is(&block.run.endpoint.id, &block.run.script, &block.target) && other.ends.is_some()
    };
    match world.blocks.iter_mut().find(same) {
        Some(pending) if block.ends.is_some() => pending.ends = block.ends,
        Some(_) | None if block.stands || block.ends.is_some() => world.blocks.push(block),
        Some(_) | None => {}
    }
}

/// Ends every effect that this script had on this target. The agent does not know, and still undoes
/// timed blocks when their time comes.
fn lift(world: &mut World, endpoint: &str, script: &str, target: &str) {
    for block in world.blocks.iter_mut().filter(|block| block.is(endpoint, script, target)) {
        block.stands = false;
    }
    world.blocks.retain(|block| block.stands || block.ends.is_some());
}

/// Undoes every block whose time is over.
pub(crate) fn end_blocks(world: &mut World) {
    let now = world.now();
    undo(world, |block| block.ends.filter(|ends| *ends <= now));
}

/// Undoes all timed blocks of an endpoint, as an agent does on a clean stop.
pub(crate) fn restart(world: &mut World, endpoint: &str) {
    end_blocks(world);
    let now = world.now();
    undo(world, |block| block.ends.filter(|_| block.run.endpoint.id == endpoint).map(|_| now));
}

/// Undoes the blocks that have ended, each at the time `over` gives.
fn undo(world: &mut World, over: impl Fn(&Block) -> Option<DateTime<Utc>>) {
    let (mut ended, standing): (Vec<Block>, Vec<Block>) =
        std::mem::take(&mut world.blocks).into_iter().partition(|block| over(block).is_some());
    world.blocks = standing;
    ended.sort_by_key(&over);
    for block in ended {
        if let Some(time) = over(&block) {
            evidence::undone(world, &block.run, time);
        }
        if block.run.script == ACCOUNT {
            lift(world, &block.run.endpoint.id, ACCOUNT, &block.target);
        }
    }
}

/// The active responses on an endpoint: script and target, in the order of the calls.
pub(crate) fn active_responses(world: &mut World, endpoint: &str) -> Vec<String> {
    end_blocks(world);
    let mut shown: Vec<String> = Vec::new();
    for block in &world.blocks {
        let line = format!("{} {}", block.run.script, block.target).trim_end().to_owned();
        let locked_before = block.run.script == ACCOUNT && shown.contains(&line);
        if block.stands && block.run.endpoint.id == endpoint && !locked_before {
            shown.push(line);
        }
    }
    shown
}
