//! Answers in which one field is odd, besides the list of endpoints: only what hangs on it is lost.

use std::collections::BTreeMap;

use countersign::domain::{
    action::Term,
    endpoint::{Inventory, Selection},
};
use serde_json::{Value, json};
use wazuh_simulator::{Calls, Endpoint, Fault, Os, Rights, Settings, Times, User};

use super::inventory::commands;
use crate::connector::fixtures::{Lab, block, now, outcomes, send};

fn edit(path: &str, pointer: &str, value: Option<Value>) -> Fault {
    Fault::Edit { path: path.to_owned(), pointer: pointer.to_owned(), value }
}

/// Null, missing, of a wrong type, empty, huge.
fn oddities() -> [Option<Value>; 6] {
    let huge = Some(json!("x".repeat(10_000)));
    [Some(Value::Null), None, Some(json!(7)), Some(json!([{}])), Some(json!("")), huge]
}

/// The two connected Linux machines and the Windows server of a fresh manager.
fn three(names: &[&str]) -> Settings {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    Settings { names, ..Settings::default() }
}

async fn timed(lab: &Lab) -> Inventory {
    let (action, term) = (block("203.0.113.7"), Term::Seconds(600));
    lab.connector.resolve(&Selection::All, &action, term, now()).await.unwrap()
}

/// What the doctor finds out about one thing, joined.
async fn found(lab: &Lab, check: &str) -> String {
    let findings = lab.connector.diagnose(now()).await;
    let of_it = findings.into_iter().filter(|finding| finding.check == check);
    of_it.map(|finding| finding.found).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn odd_item_of_dispatch_answer_hides_only_unnamed() {
    let (affected, failed) = ("/data/affected_items", "/data/failed_items");
    let cases = [
        // 001 and 002 are affected, 006 failed.
        (affected, Some(Value::Null), ["unknown", "unknown", "refused 1707"]),
        (affected, None, ["unknown", "unknown", "refused 1707"]),
        (affected, Some(json!("001")), ["unknown", "unknown", "refused 1707"]),
        (affected, Some(json!([])), ["unknown", "unknown", "refused 1707"]),
        ("/data/affected_items/0", Some(json!(1)), ["unknown", "sent", "refused 1707"]),
        ("/data/affected_items/0", Some(Value::Null), ["unknown", "sent", "refused 1707"]),
        ("/data/affected_items/0", Some(json!("")), ["unknown", "sent", "refused 1707"]),
        (failed, Some(Value::Null), ["sent", "sent", "unknown"]),
        (failed, None, ["sent", "sent", "unknown"]),
        (failed, Some(json!([7])), ["sent", "sent", "unknown"]),
        ("/data/failed_items/0/id", Some(json!("006")), ["sent", "sent", "unknown"]),
        ("/data/failed_items/0/id", None, ["sent", "sent", "unknown"]),
        ("/data/failed_items/0/id/0", Some(json!(6)), ["sent", "sent", "unknown"]),
        ("/data/failed_items/0/error", Some(Value::Null), ["sent", "sent", "not_sent"]),
        ("/data/failed_items/0/error/code", Some(json!("1707")), ["sent", "sent", "not_sent"]),
        ("/data/failed_items/0/error/code", Some(json!(1u64 << 40)), ["sent", "sent", "not_sent"]),
        ("/data/failed_items/0/error/message", None, ["sent", "sent", "refused 1707"]),
        ("/data", Some(Value::Null), ["unknown"; 3]),
        ("/error", Some(json!("none")), ["sent", "sent", "refused 1707"]),
    ];
    for (pointer, value, expected) in cases {
        let lab = Lab::captured().await;
        lab.resolve(&["001"]).await;
        let fault = edit("/active-response", pointer, value.clone());
        lab.sim.misbehave(fault, Times::Once);
        let dispatched = send(&lab.connector, &["001", "002", "006"]).await;
        let expected: Vec<_> =
            ["001", "002", "006"].iter().zip(expected).map(|(id, o)| format!("{id} {o}")).collect();
        assert_eq!(outcomes(&dispatched), expected, "{pointer} {value:?}");
        let unknown = expected.iter().any(|outcome| outcome.ends_with("unknown"));
        let summary = &dispatched.report.summary;
        let said = ["can be read", "not named"].iter().any(|words| summary.contains(words));
        assert_eq!(said, unknown, "{pointer} {value:?}: {summary}");
    }
}

#[tokio::test]
async fn odd_block_of_configuration_loses_only_its_command() {
    let names = ["firewall-drop600", "netsh600", "firewall-drop900"];
    let blocks = "/manager/configuration/analysis/active_response";
    let commands_path = "/manager/configuration/analysis/command";
    for value in oddities() {
        for (path, pointer) in [
            (blocks, "/data/affected_items/0/active-response/0/command"),
            (blocks, "/data/affected_items/0/active-response/0/timeout"),
            (commands_path, "/data/affected_items/0/command/name=firewall-drop/executable"),
            (commands_path, "/data/affected_items/0/command/name=firewall-drop/timeout_allowed"),
            (commands_path, "/data/affected_items/0/command/name=firewall-drop/name"),
        ] {
            // A number is what a timeout has to be.
            if value == Some(json!(7)) && pointer.contains("timeout") {
                continue;
            }
            let case = format!("{pointer} {value:?}").chars().take(120).collect::<String>();
            let lab = Lab::start(three(&names)).await;
            let fault = edit(path, pointer, value.clone());
            lab.sim.misbehave_on(Calls::Reads, fault, Times::UntilCleared);
            let commands = commands(&timed(&lab).await);
            assert!(commands[0].contains("no command that ends after 10 minutes"), "{case}");
            assert_eq!(commands[2], "003 netsh600", "{case}");
            let field = pointer.rsplit('/').next().unwrap();
            let missing_means_none =
                value.is_none() && ["executable", "timeout", "timeout_allowed"].contains(&field);
            let names = found(&lab, "names").await;
            assert!(names.contains("9 of 64 entries"), "{case}: {names}");
            let told = names.contains(&format!("`{field}` is"));
            assert_eq!(told, !missing_means_none, "{case}: {names}");
        }
    }
}

#[tokio::test]
async fn odd_section_of_configuration_prevents_only_timed_blocks() {
    for (path, pointer) in [
        ("active_response", "/data/affected_items"),
        ("active_response", "/data/affected_items/0/active-response"),
        ("command", "/data/affected_items/0/command"),
    ] {
        let lab = Lab::start(three(&["firewall-drop600"])).await;
        let path = format!("/manager/configuration/analysis/{path}");
        let fault = edit(&path, pointer, Some(Value::Null));
        lab.sim.misbehave_on(Calls::Reads, fault, Times::UntilCleared);
        let field = pointer.rsplit('/').next().unwrap();
        let told = format!("`{field}` is null");
        assert!(commands(&timed(&lab).await)[0].contains(&told), "{pointer}");
        assert_eq!(commands(&lab.resolve(&["001"]).await), ["001 !firewall-drop"], "{pointer}");
        assert!(found(&lab, "names").await.contains(&told), "{pointer}");
    }
}

#[tokio::test]
async fn odd_words_about_manager_lose_only_themselves() {
    for value in oddities() {
        for field in ["api_version", "hostname", "timestamp"] {
            let lab = Lab::start(three(&["firewall-drop600"])).await;
            let fault = edit("/", &format!("/data/{field}"), value.clone());
            lab.sim.misbehave_on(Calls::Reads, fault, Times::UntilCleared);
            assert_eq!(commands(&timed(&lab).await)[0], "001 firewall-drop600", "{field}");
            lab.connector.probe(now()).await.unwrap();
            let version = found(&lab, "version").await;
            let told = version.contains(&format!("`{field}` is"));
            assert_eq!(told, value.is_some() || field == "api_version", "{value:?} {version}");
        }
    }
}

#[tokio::test]
async fn odd_words_about_cluster_lose_only_themselves() {
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let rights =
        Rights::broker().allow("cluster:status", &["*:*:*"]).allow("cluster:read", &["node:id:*"]);
    let cluster = || Settings {
        agents: vec![
            Endpoint::new("001", "web", Os::UBUNTU),
            Endpoint::new("002", "db", Os::DEBIAN).on_node("worker-1"),
        ],
        names: names(&["firewall-drop600"]),
        names_on: BTreeMap::from([("worker-1".to_owned(), names(&["firewall-drop900"]))]),
        cluster: true,
        users: vec![User::new("wazuh", "wazuh", rights.clone())],
        ..Settings::default()
    };
    for value in oddities() {
        for field in ["enabled", "running"] {
            let lab = Lab::start(cluster()).await;
            let fault = edit("/cluster/status", &format!("/data/{field}"), value.clone());
            lab.sim.misbehave_on(Calls::Reads, fault, Times::UntilCleared);
            let commands = commands(&timed(&lab).await);
            assert_eq!(commands[0], "001 firewall-drop600", "{field} {value:?}");
            assert!(
                commands[1].contains("no command that ends"),
                "{field} {value:?}: {commands:?}"
            );
        }
        let lab = Lab::start(cluster()).await;
        let fault =
            edit("/cluster/nodes", "/data/affected_items/name=worker-1/name", value.clone());
        lab.sim.misbehave_on(Calls::Reads, fault, Times::UntilCleared);
        let nodes = found(&lab, "cluster").await;
        assert!(
            nodes.starts_with("nodes: node01; the manager's list has others: `name` is"),
            "{nodes}"
        );
    }
}

#[tokio::test]
async fn odd_token_is_named() {
    for value in oddities().into_iter().chain([Some(json!("two words")), Some(json!("a\nb"))]) {
        let lab = Lab::start(Settings::default()).await;
        let fault = edit("/security/user/authenticate", "/data/token", value.clone());
        lab.sim.misbehave_on(Calls::Login, fault, Times::UntilCleared);
        let error = lab.connector.probe(now()).await.unwrap_err().to_string();
        assert!(error.contains("`data.token` "), "{value:?}: {error}");
    }
}

#[tokio::test]
async fn time_to_come_of_one_endpoint_silences_no_other() {
    let lab = Lab::start(three(&[])).await;
    for clock in [true, false] {
        if !clock {
            let fault = edit("/", "/data/timestamp", None);
            lab.sim.misbehave_on(Calls::Reads, fault, Times::UntilCleared);
        }
        let future = Some(json!("9999-12-31T23:59:59+00:00"));
        let fault = edit("/agents", "/data/affected_items/id=001/lastKeepAlive", future);
        lab.sim.misbehave_on(Calls::Reads, fault, Times::UntilCleared);
        let at = countersign::clock::Clock::system().now();
        let (selection, action) = (Selection::All, block("203.0.113.7"));
        let found = lab.connector.resolve(&selection, &action, Term::Permanent, at).await.unwrap();
        let silent: Vec<_> = found.candidates.iter().map(|candidate| candidate.silent).collect();
        assert_eq!(silent, [true, false, false], "{clock}");
        lab.sim.behave();
    }
}
