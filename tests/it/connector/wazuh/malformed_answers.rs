//! Answers that nobody should trust: nonsense, slow, without end, about somebody else.

use std::time::{Duration, Instant};

use countersign::{
    connector::{ConnectorError, WazuhSettings as Ours},
    domain::evidence::Watched,
};
use wazuh_simulator::{Calls, Fault, Settings, Times, Work};

use crate::connector::fixtures::{Lab, block, ids, later, mark, now, outcomes, resolve, send};

/// Short deadlines: these managers are slow on purpose.
fn impatient(settings: &mut Ours) {
    settings.call_deadline = Duration::from_millis(500);
    settings.read_deadline = Duration::from_millis(500);
}

async fn lab() -> Lab {
    let lab = Lab::start_with(Settings::captured(), impatient).await;
    resolve(&lab.connector, &["001"]).await;
    lab
}

/// Runs all that reads, writes and searches, with this fault on every call of a kind.
async fn all_of(calls: Calls, fault: Fault) -> (Lab, Vec<String>) {
    let lab = lab().await;
    if calls == Calls::Login {
        lab.sim.revoke_tokens();
    }
    lab.sim.misbehave_on(calls, fault, Times::UntilCleared);
    let begun = Instant::now();
    let mut said = Vec::new();
    if let Err(error) = lab.connector.probe(later(1)).await {
        said.push(error.to_string());
    }
    let dispatched = send(&lab.connector, &["001"]).await;
    said.extend(outcomes(&dispatched));
    let mark = mark();
    let (request, attempt) = (mark.request, mark.attempt);
    let watched = Watched {
        request,
        attempt,
        digest: mark.digest,
        endpoints: ids(&["001"]),
        since: now(),
        reporter: None,
    };
    if let Ok(seen) = lab.connector.observe(&[watched], now()).await {
        assert_eq!(seen.sightings, [], "nothing was done, so nothing is confirmed");
    }
    let alert = lab.connector.find_alert("a.1", &block("203.0.113.7"), now()).await;
    assert!(!alert.found);
    assert!(begun.elapsed() < Duration::from_secs(15), "it hangs: {:?}", begun.elapsed());
    lab.sim.behave();
    (lab, said)
}

#[tokio::test]
async fn endless_body_is_cut_off_on_every_call() {
    let (_, said) = all_of(Calls::Login, Fault::Flood).await;
    assert_eq!(said.last().unwrap(), "001 not_sent", "{said:?}");
    let (_, said) = all_of(Calls::Reads, Fault::Flood).await;
    assert!(said[0].contains("answered with more than 8 MiB"), "{said:?}");
    let (_, said) = all_of(Calls::ActiveResponse, Fault::Flood).await;
    assert_eq!(said, ["001 unknown"]);
    let (_, said) = all_of(Calls::Search, Fault::Flood).await;
    assert_eq!(said, ["001 sent"]);
}

#[tokio::test]
async fn missing_body_times_out_on_every_call() {
    let (_, said) = all_of(Calls::Login, Fault::Drip).await;
    // A login that does not end: surely nothing was sent, and it may be tried again.
    assert!(said.iter().all(|line| !line.starts_with("001")), "{said:?}");
    let (_, said) = all_of(Calls::Reads, Fault::Drip).await;
    assert!(said[0].contains("no answer in time"), "{said:?}");
    let (_, said) = all_of(Calls::ActiveResponse, Fault::Drip).await;
    assert_eq!(said, ["001 unknown"]);
    let (_, said) = all_of(Calls::Search, Fault::Drip).await;
    assert_eq!(said, ["001 sent"]);
}

#[tokio::test]
async fn malformed_body_is_an_error_on_every_call() {
    let (_, said) = all_of(Calls::ActiveResponse, Fault::NoJson(Work::NotDone)).await;
    assert_eq!(said, ["001 unknown"]);
    let (_, said) = all_of(Calls::Reads, Fault::NoJson(Work::NotDone)).await;
    assert!(said[0].contains("not what it should be"), "{said:?}");
    let (_, said) = all_of(Calls::Login, Fault::NoJson(Work::NotDone)).await;
    assert_eq!(said.last().unwrap(), "001 not_sent", "{said:?}");
    for body in ["[]", "{}", r#"{"data": null}"#, r#"{"data": {"affected_items": {}}}"#] {
        let answer = Fault::Answer { status: 200, body: body.to_owned() };
        let (_, said) = all_of(Calls::ActiveResponse, answer).await;
        assert_eq!(said, ["001 unknown"], "{body}");
    }
}

#[tokio::test]
async fn malformed_command_names_prevent_only_timed_blocks() {
    let lab = Lab::captured().await;
    let selection = countersign::domain::endpoint::Selection::Ids(ids(&["001"]));
    let action = block("203.0.113.7");
    lab.connector.probe(now()).await.unwrap();
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let timeouts = r#"{"data": {"affected_items": [{"active-response": [
        {"command": "firewall-drop", "timeout": 99999999999}, {"command": "../x", "timeout": 600},
        {"command": "firewall-drop\n", "timeout": 600}, {"command": "", "timeout": 600}]}]}}"#;
    for body in [deep.as_str(), "{}", timeouts] {
        // Endpoints, time and cluster are read as usual.
        let usual = Fault::Delay(Duration::ZERO);
        lab.sim.misbehave_on(Calls::Reads, usual, Times::N(3));
        let answer = Fault::Answer { status: 200, body: body.to_owned() };
        lab.sim.misbehave_on(Calls::Reads, answer, Times::UntilCleared);
        let timed = countersign::domain::action::Term::Seconds(600);
        let found = lab.connector.resolve(&selection, &action, timed, now()).await;
        let none = found.as_ref().map_or(true, |f| f.candidates.iter().all(|c| c.command.is_err()));
        assert!(none, "{found:?}");
        lab.sim.behave();
    }
    assert_eq!(resolve(&lab.connector, &["001"]).await.candidates.len(), 1);
}

#[tokio::test]
async fn unrequested_ids_are_neither_endpoints_nor_outcomes() {
    let lab = lab().await;
    let strangers = || Fault::Strangers(vec!["002".to_owned(), "777".to_owned()]);
    lab.sim.misbehave_on(Calls::Reads, strangers(), Times::UntilCleared);
    let inventory = resolve(&lab.connector, &["001"]).await;
    let found: Vec<_> = inventory.candidates.iter().map(|c| c.endpoint.id.as_str()).collect();
    assert_eq!(found, ["001"]);
    lab.sim.misbehave(strangers(), Times::Once);
    let dispatched = send(&lab.connector, &["001"]).await;
    assert_eq!(outcomes(&dispatched), ["001 sent"]);
    assert!(dispatched.report.summary.contains("names 2 that were not asked for: 002, 777"));
}

#[tokio::test]
async fn slow_manager_is_queried_again() {
    let (lab, _) = all_of(Calls::Reads, Fault::Drip).await;
    let error = lab.connector.probe(now()).await;
    assert!(!matches!(error, Err(ConnectorError::CircuitOpen { .. })), "two failures in a row");
}
