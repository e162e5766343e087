//! Active responses on endpoints, and custom scripts.

mod companions;
mod rules;

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::{Endpoint, Os, Script, Settings};

use super::evidence;
use crate::client::Caller;

/// The demo's manager with a script that lifts what `firewall-drop` holds.
fn settings() -> Settings {
    let mut settings = Settings::demo("wazuh", "admin");
    settings.scripts.push(Script {
        name: "unblock",
        executable: "countersign-unblock",
        lifts: Some("firewall-drop"),
    });
    settings.names.push("unblock0".to_owned());
    settings
}

async fn start() -> Caller {
    Caller::start(settings()).await
}

async fn send(caller: &Caller, command: &str, data: Value) {
    send_to(caller, "001", command, data).await;
}

async fn send_to(caller: &Caller, endpoint: &str, command: &str, data: Value) {
    let body = json!({"command": command, "arguments": [command], "alert": {"data": data}});
    let answer = caller.put(&format!("?agents_list={endpoint}"), body).await;
    assert_eq!(answer.json()["error"], 0, "{}", answer.text);
}

async fn block(caller: &Caller, command: &str) {
    send(caller, command, json!({"srcip": "203.0.113.9"})).await;
}

async fn lock(caller: &Caller, command: &str, account: &str) {
    send(caller, command, json!({"dstuser": account})).await;
}

const BLOCKED: &str = "firewall-drop 203.0.113.9";

#[tokio::test]
async fn timed_block_lasts_until_its_time_is_over() {
    let caller = start().await;
    block(&caller, "firewall-drop600").await;
    block(&caller, "firewall-drop600").await;
    assert_eq!(caller.sim.active_responses("001"), [BLOCKED], "the second call is aborted");
    assert_eq!(caller.sim.active_responses("002"), [""; 0]);
    caller.sim.advance(Duration::from_secs(595));
    assert_eq!(caller.sim.active_responses("001"), [BLOCKED]);
    caller.sim.advance(Duration::from_secs(6));
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
}

#[tokio::test]
async fn expiry_command_lifts_timed_block_with_first_arguments() {
    let caller = start().await;
    block(&caller, "firewall-drop600").await;
    block(&caller, "firewall-drop1").await;
    caller.sim.advance(Duration::from_secs(1));
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
    let last = evidence(&caller).await.pop().unwrap();
    assert_eq!(last, ["652", "delete", "001", "firewall-drop600"]);
}

#[tokio::test]
async fn expiry_command_without_block_blocks_for_a_second() {
    let caller = start().await;
    block(&caller, "firewall-drop1").await;
    assert_eq!(caller.sim.active_responses("001"), [BLOCKED]);
    caller.sim.advance(Duration::from_secs(1));
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
    let wanted =
        [["651", "add", "001", "firewall-drop1"], ["652", "delete", "001", "firewall-drop1"]];
    assert_eq!(evidence(&caller).await, wanted);
}

#[tokio::test]
async fn permanent_blocks_stack_and_do_not_expire() {
    let caller = start().await;
    block(&caller, "!firewall-drop").await;
    block(&caller, "!firewall-drop").await;
    block(&caller, "firewall-drop1").await;
    assert_eq!(caller.sim.active_responses("001"), [BLOCKED; 3]);
    caller.sim.advance(Duration::from_hours(24));
    assert_eq!(caller.sim.active_responses("001"), [BLOCKED; 2]);
}

#[tokio::test]
async fn custom_script_lifts_all_blocks_of_its_target() {
    for unblock in ["!countersign-unblock", "unblock0"] {
        let caller = start().await;
        block(&caller, "!firewall-drop").await;
        block(&caller, "firewall-drop600").await;
        send(&caller, "!firewall-drop", json!({"srcip": "203.0.113.8"})).await;
        block(&caller, unblock).await;
        assert_eq!(caller.sim.active_responses("001"), ["firewall-drop 203.0.113.8"], "{unblock}");
        let last = evidence(&caller).await.pop().unwrap();
        assert_eq!(last, ["657", "add", "001", unblock]);
        caller.sim.advance(Duration::from_mins(10));
        let last = evidence(&caller).await.pop().unwrap();
        assert_eq!(last, ["652", "delete", "001", "firewall-drop600"], "the timer knows nothing");
    }
}

#[tokio::test]
async fn demo_unlocks_accounts_with_custom_script() {
    let caller = start().await;
    lock(&caller, "!disable-account", "anna").await;
    lock(&caller, "disable-account600", "ben").await;
    assert_eq!(caller.sim.active_responses("001"), ["disable-account anna", "disable-account ben"]);
    lock(&caller, "!countersign-unlock", "anna").await;
    assert_eq!(caller.sim.active_responses("001"), ["disable-account ben"]);
    lock(&caller, "!countersign-unlock", "ben").await;
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
}

#[tokio::test]
async fn account_locks_do_not_stack() {
    let caller = start().await;
    lock(&caller, "!disable-account", "anna").await;
    lock(&caller, "disable-account1", "anna").await;
    assert_eq!(caller.sim.active_responses("001"), ["disable-account anna"]);
    caller.sim.advance(Duration::from_secs(1));
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
}

#[tokio::test]
async fn restart_undoes_timed_blocks_only() {
    let caller = start().await;
    block(&caller, "!firewall-drop").await;
    block(&caller, "firewall-drop600").await;
    lock(&caller, "disable-account600", "anna").await;
    let other = json!({"command": "firewall-drop600", "alert": {"data": {"srcip": "203.0.113.9"}}});
    caller.put("?agents_list=002", other).await;
    caller.sim.restart_agent("001");
    assert_eq!(caller.sim.active_responses("001"), [BLOCKED]);
    assert_eq!(caller.sim.active_responses("002"), [BLOCKED]);
    let undone: Vec<Value> = caller
        .sim
        .alerts()
        .into_iter()
        .filter(|alert| alert["data"]["command"] == "delete")
        .map(|alert| alert["data"]["parameters"]["extra_args"][0].clone())
        .collect();
    assert_eq!(undone, ["firewall-drop600", "disable-account600"]);
    block(&caller, "firewall-drop1").await;
    caller.sim.advance(Duration::from_secs(1));
    assert_eq!(caller.sim.active_responses("001"), [BLOCKED]);
}

#[tokio::test]
async fn script_does_nothing_to_refused_target() {
    let caller = start().await;
    for data in [json!({"srcip": "not-an-ip"}), json!({"srcip": "10.0.0.0/8"}), json!({})] {
        send(&caller, "firewall-drop600", data).await;
    }
    lock(&caller, "disable-account600", "root").await;
    lock(&caller, "disable-account600", "a b").await;
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
    caller.sim.advance(Duration::from_hours(1));
    let rows = caller.sim.alerts();
    assert_eq!(rows.len(), 6, "five starts and the demo's alert, nothing undone");
}

#[tokio::test]
async fn windows_field_of_alert_takes_precedence() {
    let caller = start().await;
    let both = json!({"srcip": "203.0.113.9", "win": {"eventdata": {"ipAddress": "203.0.113.5"}}});
    send(&caller, "!firewall-drop", both).await;
    assert_eq!(caller.sim.active_responses("001"), ["firewall-drop 203.0.113.5"]);
}

#[tokio::test]
async fn missing_script_leaves_no_trace() {
    let mut settings = settings();
    settings.agents.push(Endpoint::new("020", "old", Os::UBUNTU).version("4.1.5"));
    let caller = Caller::start(settings).await;
    block(&caller, "!host-isolation").await;
    let drop = json!({"command": "!firewall-drop", "alert": {"data": {"srcip": "203.0.113.9"}}});
    let lock = json!({"command": "!disable-account", "alert": {"data": {"dstuser": "anna"}}});
    for body in [drop, lock] {
        caller.put("?agents_list=004,020", body).await;
    }
    for id in ["001", "004", "020"] {
        assert_eq!(caller.sim.active_responses(id), [""; 0], "{id}");
    }
    assert_eq!(caller.sim.alerts().len(), 1, "the demo's alert");
}

#[tokio::test]
async fn effects_need_no_alerts() {
    let caller = Caller::start(Settings { evidence: false, ..settings() }).await;
    block(&caller, "firewall-drop600").await;
    assert_eq!(caller.sim.active_responses("001"), [BLOCKED]);
    assert_eq!(caller.sim.alerts().len(), 1);
}

#[tokio::test]
async fn configuration_lists_commands_and_files() {
    let caller = start().await;
    let section = async |name: &str| {
        let path = format!("/manager/configuration/analysis/{name}");
        caller.get(&path).await.json()["data"]["affected_items"][0].clone()
    };
    let commands = section("command").await;
    let unblock =
        json!({"name": "unblock", "executable": "countersign-unblock", "timeout_allowed": 0});
    assert!(commands["command"].as_array().unwrap().contains(&unblock), "{commands}");
    let blocks = section("active_response").await;
    let shown = blocks["active-response"].as_array().unwrap();
    let unblock =
        json!({"command": "unblock", "timeout": 0, "level": 0, "location": "REMOTE_AGENT"});
    assert_eq!(shown.last(), Some(&unblock));
}

#[test]
fn demo_configures_exactly_these_names() {
    let wanted = [
        "restart-ossec0",
        "restart-wazuh0",
        "firewall-drop600",
        "firewall-drop3600",
        "firewall-drop5",
        "firewall-drop1",
        "netsh600",
        "netsh1",
        "disable-account600",
        "disable-account1",
    ];
    let demo = Settings::demo("wazuh", "admin");
    assert_eq!(demo.names, wanted);
    assert!(demo.evidence);
}
