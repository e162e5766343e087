//! Answers of the real manager API 4.14.7, replayed against the simulator. The numbers are those
//! of the recordings. Captures 60-66, 72 and 75-85 change users or time over HTTP, and 89 sends
//! events: tests do such things through the Rust handle, or not at all.

mod dispatch;
mod failures;
mod reads;

use serde_json::{Value, json};
use wazuh_simulator::{Message, Settings};

use crate::client::{Answer, Caller, answer};

const PROBLEM: &str = "application/problem+json; charset=utf-8";

const ALL: &str = "AR command was sent to all agents";
const SOME: &str = "AR command was not sent to some agents";
const NONE: &str = "AR command was not sent to any agent";

const DENIED: &str = "Please, make sure you have permissions to execute the current request. For more information on how to set up permissions, please visit https://documentation.wazuh.com/4.14/user-manual/api/rbac/configuration.html";
const FIELDS: &str = "configSum, dateAdd, disconnection_time, group, group_config_status, id, ip, lastKeepAlive, manager, mergedSum, name, node_name, os.arch, os.build, os.codename, os.major, os.minor, os.name, os.platform, os.uname, os.version, registerIP, status, status_code, version";

/// The captured fleet without a limit on requests.
async fn captured() -> Caller {
    Caller::start(Settings { rate_limit_per_minute: 0, ..Settings::captured() }).await
}

/// Whether both are equal; "*" matches any value that exists.
fn fits(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (_, Value::String(any)) if any == "*" => true,
        (Value::Object(actual), Value::Object(wanted)) => {
            actual.len() == wanted.len()
                && wanted
                    .iter()
                    .all(|(name, value)| actual.get(name).is_some_and(|actual| fits(actual, value)))
        }
        (Value::Array(actual), Value::Array(wanted)) => {
            actual.len() == wanted.len()
                && actual.iter().zip(wanted).all(|(actual, wanted)| fits(actual, wanted))
        }
        _ => actual == wanted,
    }
}

#[track_caller]
fn check(capture: u32, answer: &Answer, status: u16, body: &Value) {
    assert_eq!(answer.status, status, "capture {capture}: {}", answer.text);
    let kind = if status == 200 { "application/json" } else { PROBLEM };
    assert_eq!(answer.kind, kind, "capture {capture}");
    let actual = answer.json();
    assert!(fits(&actual, body), "capture {capture}:\n got {actual}\nwant {body}");
}

/// A success for several items.
fn items(message: &str, affected: Value, failed: Value) -> Value {
    let total = affected.as_array().unwrap().len();
    items_of(message, affected, failed, total)
}

/// The same, for one page of a longer list.
fn items_of(message: &str, affected: Value, failed: Value, total: usize) -> Value {
    let groups = failed.as_array().unwrap();
    let count: usize = groups.iter().map(|group| group["id"].as_array().unwrap().len()).sum();
    let error = match (count, total) {
        (0, _) => 0,
        (_, 0) => 1,
        _ => 2,
    };
    let mut data = json!({"total_affected_items": total, "total_failed_items": count});
    data["affected_items"] = affected;
    data["failed_items"] = failed;
    json!({"data": data, "message": message, "error": error})
}

/// One group of failed items, as worded in the recordings.
fn failed(code: u16, ids: &[&str]) -> Value {
    let (message, remedy) = match code {
        1013 => (
            "Unable to connect with socket: remote",
            Some("Please, restart Wazuh to restore sockets"),
        ),
        1117 => (
            "Unable to connect with component. The component might be disabled.: com:active-response",
            None,
        ),
        1652 => (
            "The command used is not defined in the configuration.",
            Some(
                "Please, visit the official documentation (https://documentation.wazuh.com/4.14/user-manual/capabilities/active-response/how-to-configure.html)to get more information",
            ),
        ),
        1701 => (
            "Agent does not exist",
            Some("Please, use `GET /agents?select=id,name` to find all available agents"),
        ),
        1707 => (
            "Cannot send request, agent is not active",
            Some(
                "Please, check non-active agents connection and try again. Visit https://documentation.wazuh.com/4.14/user-manual/registering/index.html and https://documentation.wazuh.com/4.14/user-manual/agents/agent-connection.html to obtain more information on registering and connecting agents",
            ),
        ),
        1750 => (
            "Could not send restart command, active-response is disabled in the agent",
            Some("You can activate it in agents' `WAZUH_HOME/etc/ossec.conf`"),
        ),
        4000 => ("Permission denied: Resource type: agent:id", Some(DENIED)),
        other => panic!("no words for {other}"),
    };
    let mut error = json!({"code": code, "message": message});
    if let Some(remedy) = remedy {
        error["remediation"] = json!(remedy);
    }
    json!({"error": error, "id": ids})
}

fn problem(title: &str, detail: &str) -> Value {
    json!({"title": title, "detail": detail})
}

fn block(command: &str, srcip: &str) -> Value {
    json!({"command": command, "alert": {"data": {"srcip": srcip}}})
}

fn drop_7() -> Value {
    block("!firewall-drop", "203.0.113.7")
}

/// One recorded `PUT`: its number, query, body, message, affected ids and failed items.
type Put<'a> = (u32, &'a str, Value, &'a str, &'a [&'a str], Vec<Value>);

/// Replays a `PUT`, and checks that exactly the affected endpoints received the message.
async fn replay(caller: &Caller, (capture, query, body, sentence, affected, failed): Put<'_>) {
    let before = caller.sim.delivered().len();
    let answer = caller.put(query, body.clone()).await;
    check(capture, &answer, 200, &items(sentence, json!(affected), json!(failed)));
    let delivered = caller.sim.delivered().split_off(before);
    let reached: Vec<&str> = delivered.iter().map(|one| one.agent.as_str()).collect();
    assert_eq!(reached, affected, "capture {capture}");
    let nothing = (json!([]), json!({}));
    for one in &delivered {
        let Message::Json(message) = &one.message else { continue };
        let wanted = json!({
            "version": 1,
            "origin": {"name": null, "module": "API"},
            "command": body["command"],
            "parameters": {
                "extra_args": body.get("arguments").unwrap_or(&nothing.0),
                "alert": body.get("alert").unwrap_or(&nothing.1),
            },
        });
        assert_eq!(message, &wanted, "capture {capture}");
    }
}

#[tokio::test]
async fn logins_are_answered_as_recorded() {
    let caller = captured().await;
    let path = "/security/user/authenticate";
    let ok = caller.login("wazuh", "wazuh").await;
    check(1, &ok, 200, &json!({"data": {"token": "*"}, "error": 0}));
    let raw = caller.bare("POST", &format!("{path}?raw=true")).basic_auth("wazuh", Some("wazuh"));
    let raw = answer(raw).await.unwrap();
    assert_eq!((raw.status, raw.text.starts_with('{')), (200, false), "capture 2");
    let wrong = caller.login("wazuh", "wrong").await;
    check(3, &wrong, 401, &problem("Unauthorized", "Invalid credentials"));
    let missing = answer(caller.bare("POST", path)).await.unwrap();
    check(4, &missing, 401, &problem("Unauthorized", "Invalid credentials"));
    let none = answer(caller.bare("GET", "/agents")).await.unwrap();
    check(5, &none, 401, &problem("Unauthorized", "No authorization token provided"));
    let garbage = answer(caller.bare("GET", "/agents").bearer_auth("garbage")).await.unwrap();
    check(6, &garbage, 401, &problem("Unauthorized", "Invalid token"));
}
