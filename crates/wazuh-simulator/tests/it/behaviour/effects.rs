//! What stands on endpoints, and the scripts of a site's own.

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
    let body = json!({"command": command, "arguments": [command], "alert": {"data": data}});
    let answer = caller.put("?agents_list=001", body).await;
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
async fn a_timed_block_stands_until_its_time_is_over() {
    let caller = start().await;
    block(&caller, "firewall-drop600").await;
    block(&caller, "firewall-drop600").await;
    assert_eq!(caller.sim.in_force("001"), [BLOCKED], "the second call is aborted");
    assert_eq!(caller.sim.in_force("002"), [""; 0]);
    caller.sim.advance(Duration::from_secs(595));
    assert_eq!(caller.sim.in_force("001"), [BLOCKED]);
    caller.sim.advance(Duration::from_secs(6));
    assert_eq!(caller.sim.in_force("001"), [""; 0]);
}

#[tokio::test]
async fn the_twin_lifts_a_timed_block_a_second_later_in_the_name_of_the_first_call() {
    let caller = start().await;
    block(&caller, "firewall-drop600").await;
    block(&caller, "firewall-drop1").await;
    caller.sim.advance(Duration::from_secs(1));
    assert_eq!(caller.sim.in_force("001"), [""; 0]);
    let last = evidence(&caller).await.pop().unwrap();
    assert_eq!(last, ["652", "delete", "001", "firewall-drop600"]);
}

#[tokio::test]
async fn a_twin_with_nothing_to_lift_blocks_for_a_second() {
    let caller = start().await;
    block(&caller, "firewall-drop1").await;
    assert_eq!(caller.sim.in_force("001"), [BLOCKED]);
    caller.sim.advance(Duration::from_secs(1));
    assert_eq!(caller.sim.in_force("001"), [""; 0]);
    let wanted =
        [["651", "add", "001", "firewall-drop1"], ["652", "delete", "001", "firewall-drop1"]];
    assert_eq!(evidence(&caller).await, wanted);
}

#[tokio::test]
async fn permanent_blocks_stack_and_neither_a_twin_nor_time_lifts_them() {
    let caller = start().await;
    block(&caller, "!firewall-drop").await;
    block(&caller, "!firewall-drop").await;
    block(&caller, "firewall-drop1").await;
    assert_eq!(caller.sim.in_force("001"), [BLOCKED; 3]);
    caller.sim.advance(Duration::from_hours(24));
    assert_eq!(caller.sim.in_force("001"), [BLOCKED; 2]);
}

#[tokio::test]
async fn a_script_of_the_site_lifts_permanent_and_timed_blocks_of_its_target() {
    for unblock in ["!countersign-unblock", "unblock0"] {
        let caller = start().await;
        block(&caller, "!firewall-drop").await;
        block(&caller, "firewall-drop600").await;
        send(&caller, "!firewall-drop", json!({"srcip": "203.0.113.8"})).await;
        block(&caller, unblock).await;
        assert_eq!(caller.sim.in_force("001"), ["firewall-drop 203.0.113.8"], "{unblock}");
        let last = evidence(&caller).await.pop().unwrap();
        assert_eq!(last, ["657", "add", "001", unblock]);
        caller.sim.advance(Duration::from_mins(10));
        let last = evidence(&caller).await.pop().unwrap();
        assert_eq!(last, ["652", "delete", "001", "firewall-drop600"], "the timer knows nothing");
    }
}

#[tokio::test]
async fn the_demo_unlocks_accounts_by_a_script_of_its_own() {
    let caller = start().await;
    lock(&caller, "!disable-account", "anna").await;
    lock(&caller, "disable-account600", "ben").await;
    assert_eq!(caller.sim.in_force("001"), ["disable-account anna", "disable-account ben"]);
    lock(&caller, "!countersign-unlock", "anna").await;
    assert_eq!(caller.sim.in_force("001"), ["disable-account ben"]);
    lock(&caller, "!countersign-unlock", "ben").await;
    assert_eq!(caller.sim.in_force("001"), [""; 0]);
}

#[tokio::test]
async fn an_account_is_locked_once_and_one_undo_opens_it() {
    let caller = start().await;
    lock(&caller, "!disable-account", "anna").await;
    lock(&caller, "disable-account1", "anna").await;
    assert_eq!(caller.sim.in_force("001"), ["disable-account anna"]);
    caller.sim.advance(Duration::from_secs(1));
    assert_eq!(caller.sim.in_force("001"), [""; 0]);
}

#[tokio::test]
async fn a_restart_undoes_what_is_timed_and_leaves_what_is_permanent() {
    let caller = start().await;
    block(&caller, "!firewall-drop").await;
    block(&caller, "firewall-drop600").await;
    lock(&caller, "disable-account600", "anna").await;
    let other = json!({"command": "firewall-drop600", "alert": {"data": {"srcip": "203.0.113.9"}}});
    caller.put("?agents_list=002", other).await;
    caller.sim.restart_agent("001");
    assert_eq!(caller.sim.in_force("001"), [BLOCKED]);
    assert_eq!(caller.sim.in_force("002"), [BLOCKED]);
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
    assert_eq!(caller.sim.in_force("001"), [BLOCKED]);
}

#[tokio::test]
async fn a_script_does_nothing_to_a_target_that_it_refuses() {
    let caller = start().await;
    for data in [json!({"srcip": "not-an-ip"}), json!({"srcip": "10.0.0.0/8"}), json!({})] {
        send(&caller, "firewall-drop600", data).await;
    }
    lock(&caller, "disable-account600", "root").await;
    lock(&caller, "disable-account600", "a b").await;
    assert_eq!(caller.sim.in_force("001"), [""; 0]);
    caller.sim.advance(Duration::from_hours(1));
    let rows = caller.sim.alerts();
    assert_eq!(rows.len(), 6, "five starts and the demo's alert, nothing undone");
}

#[tokio::test]
async fn the_windows_field_of_an_alert_wins() {
    let caller = start().await;
    let both = json!({"srcip": "203.0.113.9", "win": {"eventdata": {"ipAddress": "203.0.113.5"}}});
    send(&caller, "!firewall-drop", both).await;
    assert_eq!(caller.sim.in_force("001"), ["firewall-drop 203.0.113.5"]);
}

#[tokio::test]
async fn a_script_that_is_not_there_does_nothing_without_a_trace() {
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
        assert_eq!(caller.sim.in_force(id), [""; 0], "{id}");
    }
    assert_eq!(caller.sim.alerts().len(), 1, "the demo's alert");
}

#[tokio::test]
async fn effects_need_no_alerts() {
    let caller = Caller::start(Settings { evidence: false, ..settings() }).await;
    block(&caller, "firewall-drop600").await;
    assert_eq!(caller.sim.in_force("001"), [BLOCKED]);
    assert_eq!(caller.sim.alerts().len(), 1);
}

#[tokio::test]
async fn the_configuration_shows_the_commands_and_their_files() {
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
fn the_demo_knows_exactly_these_names() {
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
