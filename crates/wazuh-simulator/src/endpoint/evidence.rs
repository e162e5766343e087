//! The alerts that responses leave behind: an agent logs the input of its scripts, and the
//! manager's rules 650-658 turn that into alerts.
//!
//! As in reality, an "add" proves only that a script started. It is logged even for a target that
//! the script refuses and for a repetition that it aborts. The "delete" carries the arguments of
//! the call that blocked.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::api::query::dotted;
use crate::clock;
use crate::endpoint::run::{NETSH, Run};
use crate::world::World;

/// Number, level and description of a rule. Source of the numbers and levels:
/// ruleset/rules/0015-ossec_rules.xml; the wording is not from a capture.
pub(crate) struct Rule(pub(crate) &'static str, pub(crate) u8, pub(crate) String);

/// Logs that a script was started, and its errors.
pub(crate) fn started(world: &mut World, run: &Run, time: DateTime<Utc>) {
    write(world, run, "add", time);
    if run.endpoint.firewall_off && run.script == NETSH {
        let said = json!({"message": "No firewall profile is on", "status": "inactive"});
        let rule = Rule("658", 5, "The Windows firewall is off: blocks have no effect".to_owned());
        file(world, run, time, (rule, &said.to_string(), Some(said.clone())));
    }
    if let Some(complaint) = &run.endpoint.script_fails {
        // On a fresh manager this rule has level 0, which gives no alert.
        let rule = Rule("650", 3, "Messages of active response".to_owned());
        file(world, run, time, (rule, complaint, None));
    }
}

/// Logs that a script was started to undo its effect.
pub(crate) fn undone(world: &mut World, run: &Run, time: DateTime<Utc>) {
    write(world, run, "delete", time);
}

fn program(run: &Run) -> String {
    let suffix = if run.endpoint.is_windows() { ".exe" } else { "" };
    format!("active-response/bin/{}{suffix}", run.script)
}

/// What execd writes to a script, as the script logs it.
pub(crate) fn message(world: &World, run: &Run, verb: &str) -> Value {
    let command = &run.command;
    json!({
        "version": "1",
        "origin": {"name": world.origin(&run.endpoint), "module": "wazuh-execd"},
        "command": verb,
        "parameters": {
            "extra_args": command.arguments,
            "alert": command.alert,
            "program": program(run),
        },
    })
}

/// Logs the input of a script.
pub(crate) fn write(world: &mut World, run: &Run, verb: &str, time: DateTime<Utc>) {
    let mut data = message(world, run, verb);
    let said = data.to_string();
    let srcip = dotted(&run.command.alert, "data.srcip").filter(|value| value.is_string());
    if let (Some(srcip), Some(fields)) = (srcip, data.as_object_mut()) {
        fields.insert("srcip".to_owned(), srcip.clone());
    }
    file(world, run, time, (rule(&run.script, verb), &said, Some(data)));
}

/// Logs how one of Countersign's scripts ended.
pub(crate) fn report(
    world: &mut World,
    run: &Run,
    time: DateTime<Utc>,
    (rule, said, data): (Rule, &str, Value),
) {
    file(world, run, time, (rule, said, Some(data)));
}

/// Turns a log line into an alert: the rule that fires, the text, and the decoded data.
fn file(
    world: &mut World,
    run: &Run,
    time: DateTime<Utc>,
    (Rule(id, level, description), said, data): (Rule, &str, Option<Value>),
) {
    let endpoint = &run.endpoint;
    if !world.settings.evidence || endpoint.log_lost {
        return;
    }
    let stamp = clock::alert_form(time);
    let location = if endpoint.is_windows() {
        r"active-response\active-responses.log"
    } else {
        "/var/ossec/logs/active-responses.log"
    };
    let mut alert = json!({
        "id": format!("{}.{}", time.timestamp(), 20_000 + world.documents),
        "timestamp": stamp,
        "@timestamp": stamp,
        "rule": {
            "id": id,
            "level": level,
            "description": description,
            "groups": ["ossec", "active_response"],
        },
        "agent": {"id": endpoint.id, "name": endpoint.name, "ip": endpoint.ip},
        "manager": {"name": world.settings.manager},
        "decoder": {"name": if data.is_some() { "ar_log_json" } else { "ar_log" }},
        "location": location,
        "full_log": format!("{} {}: {said}", time.format("%Y/%m/%d %H:%M:%S"), program(run)),
    });
    if let (Some(data), Some(fields)) = (data, alert.as_object_mut()) {
        fields.insert("data".to_owned(), data);
    }
    world.index(alert);
}

fn rule(script: &str, verb: &str) -> Rule {
    let (added, deleted) = match script {
        "firewall-drop" => ("651", "652"),
        "host-deny" => ("653", "654"),
        "route-null" => ("655", "656"),
        _ => return Rule("657", 3, format!("Active response: {script} - {verb}")),
    };
    if verb == "delete" {
        Rule(deleted, 3, format!("Host Unblocked by {script} Active Response"))
    } else {
        Rule(added, 3, format!("Host Blocked by {script} Active Response"))
    }
}
