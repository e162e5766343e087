//! The alerts that responses leave behind: an agent logs what its scripts were told, and the
//! manager's rules 651-657 turn that into alerts.
//!
//! As in reality they prove only that a script started: also for a target that it refuses, and
//! for a repetition that it aborts. A timed command is undone when its time is over; the same
//! name with timeout 1 brings that time forward. The "delete" then carries the arguments of the
//! call that blocked.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::clock;
use super::command::Command;
use super::endpoint::Endpoint;
use super::manager::split_timeout;
use super::query::dotted;
use super::world::World;

/// Scripts that a Wazuh agent on Windows has; all others are found everywhere else.
const ON_WINDOWS: [&str; 3] = ["netsh", "route-null", "restart-wazuh"];
const ONLY_ON_WINDOWS: &str = "netsh";

/// A script that an agent started.
#[derive(Debug)]
struct Run {
    endpoint: Endpoint,
    script: String,
    command: Command,
}

impl Run {
    fn exists(&self) -> bool {
        if self.endpoint.is_windows() {
            ON_WINDOWS.contains(&self.script.as_str())
        } else {
            self.script != ONLY_ON_WINDOWS
        }
    }

    fn program(&self) -> String {
        let suffix = if self.endpoint.is_windows() { ".exe" } else { "" };
        format!("active-response/bin/{}{suffix}", self.script)
    }

    /// The keys by which an agent recognises a repetition.
    fn target(&self) -> [Option<&Value>; 2] {
        [dotted(&self.command.alert, "data.srcip"), dotted(&self.command.alert, "data.dstuser")]
    }

    fn repeats(&self, other: &Self) -> bool {
        self.endpoint.id == other.endpoint.id
            && self.script == other.script
            && self.target() == other.target()
    }
}

/// Something in force on an endpoint that its agent will undo.
#[derive(Debug)]
pub(super) struct Block {
    run: Run,
    ends: DateTime<Utc>,
}

/// What the agent does with a command, seen from the indexer.
pub(super) fn leave(world: &mut World, endpoint: &Endpoint, command: &Command) {
    let (script, timeout_secs) = match command.name.strip_prefix('!') {
        Some(script) => (script.trim_end_matches(".exe"), 0),
        None => split_timeout(&command.name),
    };
    let script = script.to_owned();
    let run = Run { endpoint: endpoint.clone(), script, command: command.clone() };
    if !run.exists() {
        // Dropped by the agent without a trace.
        return;
    }
    end_blocks(world);
    let now = world.now();
    write(world, &run, "add", now);
    if timeout_secs > 0 {
        hold(world, run, now + TimeDelta::seconds(i64::from(timeout_secs)));
    }
}

/// Writes the "delete" of every block whose time is over.
pub(super) fn end_blocks(world: &mut World) {
    let now = world.now();
    let (mut over, standing): (Vec<Block>, Vec<Block>) =
        std::mem::take(&mut world.blocks).into_iter().partition(|block| block.ends <= now);
    world.blocks = standing;
    over.sort_by_key(|block| block.ends);
    for block in over {
        write(world, &block.run, "delete", block.ends);
    }
}

/// A block that stands already gets the new time, and keeps the arguments of its first call.
fn hold(world: &mut World, run: Run, ends: DateTime<Utc>) {
    match world.blocks.iter_mut().find(|block| block.run.repeats(&run)) {
        Some(block) => block.ends = ends,
        None => world.blocks.push(Block { run, ends }),
    }
}

fn write(world: &mut World, run: &Run, verb: &str, time: DateTime<Utc>) {
    let (program, command) = (run.program(), &run.command);
    let (rule, description) = rule(&run.script, verb);
    let stamp = clock::alert_form(time);
    let node = world.origin(&run.endpoint);
    let mut data = json!({
        "version": "1",
        "origin": {"name": node, "module": "wazuh-execd"},
        "command": verb,
        "parameters": {
            "extra_args": command.arguments,
            "alert": command.alert,
            "program": program,
        },
    });
    let full_log = format!("{} {program}: {data}", time.format("%Y/%m/%d %H:%M:%S"));
    let srcip = dotted(&command.alert, "data.srcip").filter(|value| value.is_string());
    if let (Some(srcip), Some(fields)) = (srcip, data.as_object_mut()) {
        fields.insert("srcip".to_owned(), srcip.clone());
    }
    let endpoint = &run.endpoint;
    let alert = json!({
        "id": format!("{}.{}", time.timestamp(), 20_000 + world.alerts.len()),
        "timestamp": stamp,
        "@timestamp": stamp,
        "rule": {
            "id": rule,
            "level": 3,
            "description": description,
            "groups": ["ossec", "active_response"],
        },
        "agent": {"id": endpoint.id, "name": endpoint.name, "ip": endpoint.ip},
        "manager": {"name": world.settings.manager},
        "data": data,
        "decoder": {"name": "ar_log_json"},
        "location": "/var/ossec/logs/active-responses.log",
        "full_log": full_log,
    });
    world.index(alert);
}

/// The rule that fires. Source of the numbers: ruleset/rules/0015-ossec_rules.xml; the wording
/// is not from a capture.
fn rule(script: &str, verb: &str) -> (&'static str, String) {
    let (added, deleted) = match script {
        "firewall-drop" => ("651", "652"),
        "host-deny" => ("653", "654"),
        "route-null" => ("655", "656"),
        _ => return ("657", format!("Active response: {script} - {verb}")),
    };
    if verb == "delete" {
        (deleted, format!("Host Unblocked by {script} Active Response"))
    } else {
        (added, format!("Host Blocked by {script} Active Response"))
    }
}
