//! What Countersign's own scripts do on Linux endpoints (`deploy/active-response`): each request holds
//! its effect by itself, and each run writes a second line that says how it ended. With the decoder and
//! the rules of `deploy/wazuh` the manager makes an alert of that line.
//!
//! Firewalls, processes and files are not simulated: what a request holds is the effect.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::endpoint::evidence::{self, Rule};
use crate::endpoint::run::Run;
use crate::world::World;

/// A script: its name, the words for what it does and undoes, and the keys of `alert.data` that it
/// takes, of which the first is its target.
struct Companion(&'static str, &'static str, Option<&'static str>, &'static [&'static str]);

const COMPANIONS: [Companion; 7] = [
    Companion("countersign-block", "block", Some("unblock"), &["srcip"]),
    Companion("countersign-account", "lock", Some("unlock"), &["dstuser"]),
    Companion("countersign-isolate", "isolate", Some("release"), &[]),
    Companion("countersign-kill", "kill", None, &["pid", "process", "sha256"]),
    Companion("countersign-quarantine", "quarantine", Some("restore"), &["path", "sha256"]),
    Companion("countersign-domain", "block_domain", Some("unblock_domain"), &["domain"]),
    // A script of the site's own, which reports as these do.
    Companion("countersign-hold-mail", "hold_mail", Some("undo_hold_mail"), &["mailbox"]),
];

/// What one request holds on an endpoint.
#[derive(Debug, PartialEq)]
pub(crate) struct Hold {
    pub(crate) endpoint: String,
    pub(crate) script: &'static str,
    pub(crate) target: String,
    request: String,
}

impl Companion {
    /// The script of that file, and whether the file undoes.
    fn of(run: &Run) -> Option<(&'static Self, bool)> {
        run.endpoint.companions?;
        let is_linux = !run.endpoint.is_windows() && !run.endpoint.is_macos();
        let (name, undoes) = match run.script.strip_suffix("-undo") {
            Some(name) => (name, true),
            None => (run.script.as_str(), false),
        };
        let named = COMPANIONS.iter().find(|one| one.0 == name && is_linux)?;
        (!undoes || named.2.is_some()).then_some((named, undoes))
    }
}

/// Whether the script of a run is one of these, and installed.
pub(crate) fn is_companion(run: &Run) -> bool {
    Companion::of(run).is_some()
}

/// Runs one with `add`. Gives the key under which its agent remembers it until the time is over.
pub(crate) fn start(world: &mut World, run: &Run, time: DateTime<Utc>) -> Option<String> {
    let (companion, undoes) = Companion::of(run)?;
    let message = match Message::read(companion, undoes, run) {
        Ok(message) => message,
        Err(why) => {
            report(world, run, time, (companion, undoes, "", Outcome::failed(why)));
            return None;
        }
    };
    evidence::write(world, run, "add", time);
    if let Some(said) = on_machine(world, run, "add") {
        for said in &said {
            file(world, run, time, said);
        }
    } else {
        let outcome = match &run.endpoint.script_fails {
            Some(complaint) => Outcome::failed(complaint),
            None => act(world, run, companion, &message),
        };
        report(world, run, time, (companion, undoes, &message.target, outcome));
    }
    Some(format!("{} {}", message.target, message.request))
}

/// Runs one with `delete`, when its time is over.
pub(crate) fn end(world: &mut World, run: &Run, time: DateTime<Utc>) {
    let Some((companion, _)) = Companion::of(run) else { return };
    let Ok(message) = Message::read(companion, false, run) else { return };
    evidence::undone(world, run, time);
    if let Some(said) = on_machine(world, run, "delete") {
        for said in &said {
            file(world, run, time, said);
        }
        return;
    }
    let own = Some(message.request.clone());
    let outcome = release(world, run, companion, &Message { undone: own, ..message.clone() });
    report(world, run, time, (companion, true, &message.target, outcome));
}

/// What a message of execd says.
#[derive(Clone)]
struct Message {
    request: String,
    target: String,
    undoes: bool,
    /// Of an undo: the request whose effect it ends; none where it ends that of all.
    undone: Option<String>,
}

impl Message {
    fn read(companion: &Companion, undoes: bool, run: &Run) -> Result<Self, &'static str> {
        let Companion(name, _, _, keys) = companion;
        let (mut request, mut undone) = (None, None);
        for argument in &run.command.arguments {
            if let Some(tag) = argument.strip_prefix("countersign=") {
                request = tag.split('/').next().map(str::to_owned);
            } else if let Some(of) = argument.strip_prefix("undo=").filter(|_| undoes) {
                undone = Some(of.to_owned());
            } else if !(argument.starts_with("keep=") && *name == "countersign-isolate" && !undoes)
            {
                return Err("an argument that this script does not know");
            }
        }
        let data = run.command.alert.get("data").and_then(Value::as_object);
        if data.is_some_and(|data| data.keys().any(|key| !keys.contains(&key.as_str()))) {
            return Err("a key of alert.data that this script does not know");
        }
        let text = |key| data.and_then(|data| data.get(key)?.as_str()).map(str::to_owned);
        let target = match keys {
            [] => Some(String::new()),
            [first, ..] => text(*first),
        };
        let target = target.ok_or("alert.data does not name the target")?;
        let request = request.ok_or("the arguments hold no tag")?;
        Ok(Self { request, target, undoes, undone })
    }
}

/// How a run ended.
struct Outcome(&'static str, String);

impl Outcome {
    fn failed(why: &str) -> Self {
        Self("failed", why.to_owned())
    }

    fn good(result: &'static str) -> Self {
        Self(result, String::new())
    }
}

fn act(world: &mut World, run: &Run, companion: &'static Companion, message: &Message) -> Outcome {
    if message.undoes {
        return release(world, run, companion, message);
    }
    let Companion(script, _, undo, _) = *companion;
    let (target, request) = (message.target.clone(), message.request.clone());
    let hold = Hold { endpoint: run.endpoint.id.clone(), script, target, request };
    if world.holds.contains(&hold) {
        return Outcome::good("already");
    }
    if undo.is_some() {
        world.holds.push(hold);
    }
    Outcome::good("done")
}

fn release(
    world: &mut World,
    run: &Run,
    companion: &'static Companion,
    message: &Message,
) -> Outcome {
    let of = message.undone.clone();
    let same = |hold: &Hold| {
        hold.endpoint == run.endpoint.id
            && hold.script == companion.0
            && hold.target == message.target
    };
    let before = world.holds.len();
    world.holds.retain(|hold| !same(hold) || of.as_ref().is_some_and(|of| *of != hold.request));
    let left = world.holds.iter().filter(|hold| same(hold)).count();
    if left > 0 {
        Outcome("kept", format!("requests that still hold it: {left}"))
    } else {
        Outcome::good(if world.holds.len() < before { "undone" } else { "already" })
    }
}

/// The rule that a report fires, by its result.
fn rule(result: &str, verified: bool) -> (&'static str, u8) {
    match result {
        "failed" => ("117705", 8),
        _ if !verified => ("117706", 5),
        "done" => ("117701", 3),
        "already" => ("117702", 3),
        "undone" => ("117703", 3),
        _ => ("117704", 3),
    }
}

fn report(
    world: &mut World,
    run: &Run,
    time: DateTime<Utc>,
    (companion, undoes, target, Outcome(result, reason)): (&Companion, bool, &str, Outcome),
) {
    let Companion(_, does, undo, _) = companion;
    let verified = result != "failed" && !run.endpoint.unverified;
    let tag = run.command.arguments.iter().find(|one| one.starts_with("countersign="));
    let said = json!({ "countersign": {
        "script": run.script,
        "version": run.endpoint.companions,
        "tag": tag,
        "action": undo.filter(|_| undoes).unwrap_or(does),
        "target": target,
        "result": result,
        "verified": verified,
        "reason": reason,
    } });
    file(world, run, time, &said);
}

/// The reports of the script on a machine that stands for the endpoint; none where there is no such
/// machine.
fn on_machine(world: &mut World, run: &Run, verb: &str) -> Option<Vec<Value>> {
    let message = evidence::message(world, run, verb);
    let machine = world.machines.get_mut(&run.endpoint.id)?;
    Some(machine(&run.script, &message))
}

/// Makes an alert of a report, where the rules are installed.
fn file(world: &mut World, run: &Run, time: DateTime<Utc>, said: &Value) {
    if !world.settings.companion_rules {
        return;
    }
    let field = |name: &str| said.get("countersign").and_then(|report| report.get(name));
    let text = |name: &str| field(name).and_then(Value::as_str).unwrap_or_default();
    let (result, target) = (text("result"), text("target"));
    let verified = field("verified").and_then(Value::as_bool).unwrap_or_default();
    let (id, level) = rule(result, verified);
    let rule = Rule(id, level, format!("Countersign: {} {target}: {result}", run.script));
    // The decoder makes text of it.
    let mut data = said.clone();
    if let Some(field) = data.pointer_mut("/countersign/verified") {
        *field = json!(verified.to_string());
    }
    let later = time + TimeDelta::milliseconds(1);
    evidence::report(world, run, later, (rule, &said.to_string(), data));
}
