//! Evidence that is doubtful, missing or late.

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::{Endpoint, Os, Settings};

use super::{evidence, timed};
use crate::client::Caller;

async fn start(endpoint: Endpoint) -> Caller {
    let settings = Settings { alerts: Vec::new(), ..Settings::demo("wazuh", "admin") };
    Caller::start(Settings { agents: vec![endpoint], ..settings }).await
}

fn rules(alerts: &[Value]) -> Vec<&str> {
    alerts.iter().map(|alert| alert["rule"]["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn disabled_windows_firewall_leaves_second_alert_and_no_block() {
    let caller = start(Endpoint::new("001", "pc", Os::WINDOWS_11).firewall_off()).await;
    caller.put("?agents_list=001", timed("netsh600", "mine")).await;
    let alerts = caller.sim.alerts();
    assert_eq!(rules(&alerts), ["657", "658"]);
    assert_eq!(alerts[0]["data"]["parameters"]["extra_args"], json!(["mine"]));
    let off = &alerts[1];
    assert_eq!((&off["rule"]["level"], &off["agent"]["id"]), (&json!(5), &json!("001")));
    assert!(off["data"].get("parameters").is_none(), "{off}");
    assert!(off["full_log"].as_str().unwrap().contains("active-response/bin/netsh.exe: {"));
    assert!(off["location"].as_str().unwrap().ends_with("active-responses.log"), "{off}");
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
    caller.sim.advance(Duration::from_mins(10));
    assert_eq!(rules(&caller.sim.alerts()), ["657", "658", "657"], "the agent undoes it anyway");
}

#[tokio::test]
async fn disabled_firewall_does_not_affect_other_scripts() {
    let caller = start(Endpoint::new("001", "pc", Os::WINDOWS_11).firewall_off()).await;
    caller.put("?agents_list=001", timed("!route-null", "x")).await;
    assert_eq!(rules(&caller.sim.alerts()), ["655"]);
    assert_eq!(caller.sim.active_responses("001"), ["route-null 203.0.113.7"]);
}

#[tokio::test]
async fn failed_script_logs_error_without_our_arguments() {
    let endpoint = Endpoint::new("001", "web", Os::CENTOS);
    let caller = start(endpoint.script_fails("Unable to run firewall-cmd")).await;
    caller.put("?agents_list=001", timed("!firewalld-drop", "mine")).await;
    let alerts = caller.sim.alerts();
    assert_eq!(rules(&alerts), ["657", "650"]);
    let said = alerts[1]["full_log"].as_str().unwrap();
    let (time, text) = said.split_at("2026/11/22 07:36:11".len());
    assert!(time.chars().all(|one| one.is_ascii_digit() || "/ :".contains(one)), "{said}");
    assert_eq!(text, " active-response/bin/firewalld-drop: Unable to run firewall-cmd");
    assert!(alerts[1].get("data").is_none(), "{}", alerts[1]);
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
}

#[tokio::test]
async fn endpoint_with_lost_log_acts_without_alerts() {
    let caller = start(Endpoint::new("001", "web", Os::CENTOS).log_lost()).await;
    caller.put("?agents_list=001", timed("firewall-drop600", "x")).await;
    assert_eq!(caller.sim.active_responses("001"), ["firewall-drop 203.0.113.7"]);
    caller.sim.advance(Duration::from_mins(10));
    assert_eq!(caller.sim.active_responses("001"), [""; 0]);
    assert_eq!(caller.sim.alerts().len(), 0);
}

#[tokio::test]
async fn lagging_indexer_finds_alerts_later() {
    let caller = start(Endpoint::new("001", "web", Os::CENTOS)).await;
    caller.put("?agents_list=001", timed("firewall-drop5", "early")).await;
    caller.sim.advance(Duration::from_secs(5));
    caller.sim.hold_evidence();
    let early = [["651", "add", "001", "early"], ["652", "delete", "001", "early"]];
    assert_eq!(evidence(&caller).await, early, "what happened before is found");
    caller.put("?agents_list=001", timed("firewall-drop5", "late")).await;
    caller.sim.advance(Duration::from_mins(1));
    assert_eq!(evidence(&caller).await, early);
    caller.sim.advance(Duration::from_hours(1));
    caller.sim.release_evidence();
    assert_eq!(evidence(&caller).await.len(), 4);
    let alerts = caller.sim.alerts();
    let time = |place: usize| {
        let stamp = alerts[place]["timestamp"].as_str().unwrap();
        chrono::DateTime::parse_from_str(stamp, "%Y-%m-%dT%H:%M:%S%.f%z").unwrap()
    };
    assert_eq!((time(3) - time(2)).num_seconds(), 5, "the times are those of the events");
    assert!((time(2) - time(1)).num_seconds() < 60);
}
