//! Countersign's own scripts: each request holds its effect by itself, and reports appear where rules are.

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::Settings;

use crate::client::Caller;

fn settings(rules: bool) -> Settings {
    let mut settings = Settings::demo("wazuh", "admin");
    settings.companion_rules = rules;
    settings.names.push("countersign-block600".to_owned());
    for endpoint in &mut settings.agents {
        endpoint.companions = Some("1");
    }
    settings
}

async fn send(caller: &Caller, (id, command): (&str, &str), arguments: &[&str]) {
    let alert = json!({"data": {"srcip": "203.0.113.9"}});
    let body = json!({"command": command, "arguments": arguments, "alert": alert});
    let answer = caller.put(&format!("?agents_list={id}"), body).await;
    assert_eq!(answer.json()["error"], 0, "{}", answer.text);
}

/// The rule and the result of each report.
fn reports(caller: &Caller) -> Vec<String> {
    let alerts = caller.sim.alerts().into_iter();
    let said = |alert: Value| {
        let result = alert["data"]["countersign"]["result"].as_str()?.to_owned();
        Some(format!("{} {result}", alert["rule"]["id"].as_str()?))
    };
    alerts.filter_map(said).collect()
}

const HELD: &str = "countersign-block 203.0.113.9";

#[tokio::test]
async fn undo_ends_what_its_request_holds() {
    let caller = Caller::start(settings(true)).await;
    for request in ["req_1", "req_2"] {
        let tag = format!("countersign={request}/att_1/abc");
        send(&caller, ("001", "!countersign-block"), &[&tag]).await;
    }
    assert_eq!(caller.sim.active_responses("001"), [HELD, HELD]);
    let undo = ["countersign=req_3/att_1/abc", "undo=req_1"];
    send(&caller, ("001", "!countersign-block-undo"), &undo).await;
    assert_eq!(caller.sim.active_responses("001"), [HELD]);
    let undo = ["countersign=req_4/att_1/abc", "undo=req_2"];
    send(&caller, ("001", "!countersign-block-undo"), &undo).await;
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
    send(&caller, ("001", "!countersign-block-undo"), &undo).await;
    let said = ["117701 done", "117701 done", "117704 kept", "117703 undone", "117702 already"];
    assert_eq!(reports(&caller), said);
}

#[tokio::test]
async fn timed_one_ends_by_itself_and_says_so() {
    let caller = Caller::start(settings(true)).await;
    send(&caller, ("001", "countersign-block600"), &["countersign=req_1/att_1/abc"]).await;
    caller.sim.advance(Duration::from_secs(601));
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
    assert_eq!(reports(&caller), ["117701 done", "117703 undone"]);
}

#[tokio::test]
async fn what_the_script_does_not_know_fails() {
    let caller = Caller::start(settings(true)).await;
    let arguments = ["countersign=req_1/att_1/abc", "keep=10.0.0.53"];
    send(&caller, ("001", "!countersign-block"), &arguments).await;
    send(&caller, ("001", "!countersign-kill"), &["countersign=req_1/att_1/abc"]).await;
    assert_eq!(reports(&caller), ["117705 failed", "117705 failed"]);
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
}

#[tokio::test]
async fn without_rules_or_on_windows_nothing_is_reported() {
    let caller = Caller::start(settings(false)).await;
    send(&caller, ("001", "!countersign-block"), &["countersign=req_1/att_1/abc"]).await;
    send(&caller, ("004", "!countersign-block"), &["countersign=req_1/att_1/abc"]).await;
    assert_eq!(reports(&caller), [""; 0]);
    assert_eq!(caller.sim.active_responses("001"), [HELD]);
    assert_eq!(caller.sim.active_responses("004"), [""; 0]);
}
