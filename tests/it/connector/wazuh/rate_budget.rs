//! One manager, shared politely: a budget, one call at a time, a circuit.

use std::time::Duration;

use countersign::{
    connector::{Connector, ConnectorError},
    domain::{action::Term, endpoint::Selection},
};
use tokio::time::timeout;
use wazuh_simulator::{Calls, Fault, Outage, Settings, Times, Work};

use crate::connector::{
    fake_server::{Tap, always},
    fixtures::{Lab, block, ids, later, now, outcomes, send, send_at, settings},
};

const INFO: &str = r#"{"data": {"api_version": "4.14.7", "affected_items": ["001"]}}"#;

fn few(calls: u16) -> impl FnOnce(&mut countersign::connector::WazuhSettings) {
    move |settings| settings.calls_per_minute_max = calls
}

#[tokio::test]
async fn reads_reserve_quarter_of_rate_budget_for_responses() {
    let lab = Lab::start_with(Settings::captured(), few(8)).await;
    for _ in 0..5 {
        // The first one signs in too.
        lab.connector.probe(now()).await.unwrap();
    }
    let error = lab.connector.probe(later(20)).await.unwrap_err();
    assert!(matches!(error, ConnectorError::OverBudget { calls: 6, seconds: 40, .. }), "{error}");
    assert!(error.to_string().ends_with("it waits for 40 s"), "{error}");
    for _ in 0..2 {
        assert_eq!(outcomes(&send_at(&lab.connector, &["001"], later(20)).await), ["001 sent"]);
    }
    let dispatched = send_at(&lab.connector, &["001"], later(20)).await;
    assert_eq!(dispatched.retry_in, Some(Duration::from_secs(40)));
    assert_eq!(outcomes(&dispatched), [""; 0]);
    assert_eq!(lab.sim.received().len(), 2);
    assert_eq!(lab.connector.health(later(20)).calls_last_minute, 8);
    lab.connector.probe(later(60)).await.unwrap();
}

#[tokio::test]
async fn refusal_stops_all_calls_until_minute_ends() {
    let tap = Tap::start(always(429, "{}")).await;
    let connector = Connector::wazuh(settings(&tap.url())).unwrap();
    connector.probe(now()).await.unwrap_err();
    let called = tap.heard("").len();
    for seconds in [0, 30, 59] {
        let error = connector.probe(later(seconds)).await.unwrap_err();
        let left = u32::try_from(60 - seconds).unwrap();
        let expected =
            matches!(error, ConnectorError::RateLimited { seconds, .. } if seconds == left);
        assert!(expected, "{error}");
        let dispatched = send_at(&connector, &["001"], later(seconds)).await;
        assert_eq!(dispatched.retry_in, Some(Duration::from_secs(left.into())));
    }
    assert_eq!(tap.heard("").len(), called);
    connector.probe(later(60)).await.unwrap_err();
    assert_eq!(tap.heard("").len(), called + 1);
}

#[tokio::test]
async fn only_one_response_is_in_flight() {
    let lab = Lab::captured().await;
    lab.resolve(&["002"]).await;
    lab.sim.hold("001");
    let (one, other) = (lab.connector.clone(), lab.connector.clone());
    let first = tokio::spawn(async move { send(&one, &["001"]).await });
    lab.sim.until_received(1).await;
    let mut second = tokio::spawn(async move { send(&other, &["002"]).await });
    let early = timeout(Duration::from_millis(200), &mut second).await;
    assert!(early.is_err(), "it waits for its turn");
    assert_eq!(lab.sim.received().len(), 1);
    lab.sim.release("001");
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!(
        (outcomes(&first), outcomes(&second)),
        (vec!["001 sent".into()], vec!["002 sent".into()])
    );
    assert_eq!(lab.sim.received().len(), 2);
}

#[tokio::test]
async fn endpoint_query_waits_while_dispatch_holds_its_turn() {
    let lab = Lab::captured().await;
    let turn = lab.connector.sign_in(now()).await.unwrap();
    let asking = lab.connector.clone();
    let mut asked = tokio::spawn(async move {
        let ids = Selection::Ids(ids(&["001"]));
        asking.resolve(&ids, &block("203.0.113.7"), Term::Permanent, now()).await.is_ok()
    });
    let early = timeout(Duration::from_millis(200), &mut asked).await;
    assert!(early.is_err(), "001 is not asked whether its responses are on");
    drop(turn);
    assert!(asked.await.unwrap());
}

/// A manager that failed so often.
async fn after_failures(count: u32, fault: Fault) -> Lab {
    let lab = Lab::captured().await;
    lab.connector.probe(now()).await.unwrap();
    lab.sim.misbehave_on(Calls::Reads, fault, Times::UntilCleared);
    for _ in 0..count {
        lab.connector.probe(now()).await.unwrap_err();
    }
    lab
}

#[tokio::test]
async fn circuit_opens_after_three_failures_and_closes_after_success() {
    let broken = || Fault::Drop(Work::NotDone);
    let lab = after_failures(2, broken()).await;
    assert_eq!(lab.connector.health(now()).circuit_open, None);
    lab.connector.probe(now()).await.unwrap_err();
    let shut = lab.connector.health(now()).circuit_open.unwrap();
    assert_eq!((shut.since, shut.next_try), (now(), later(30)));
    assert!(shut.why.contains("does not answer"), "{}", shut.why);
    lab.sim.behave();
    let error = lab.connector.probe(later(29)).await.unwrap_err();
    assert!(matches!(error, ConnectorError::CircuitOpen { seconds: 1, .. }), "{error}");
    let dispatched = send_at(&lab.connector, &["001"], later(29)).await;
    assert_eq!(
        (outcomes(&dispatched).len(), dispatched.retry_in),
        (0, Some(Duration::from_secs(1)))
    );
    assert_eq!(lab.sim.received().len(), 0);
    lab.connector.probe(later(30)).await.unwrap();
    let health = lab.connector.health(later(30));
    assert_eq!((health.circuit_open, health.last_answer_at), (None, Some(later(30))));
}

#[tokio::test]
async fn failed_probe_keeps_circuit_open() {
    let outage = Fault::Fail(Outage::Restarting, Work::NotDone);
    let lab = after_failures(3, outage).await;
    lab.connector.probe_if_due(later(30)).await;
    let shut = lab.connector.health(later(30)).circuit_open.unwrap();
    assert_eq!((shut.since, shut.next_try), (now(), later(60)));
    assert!(shut.why.contains("is not ready"), "{}", shut.why);
    lab.sim.behave();
    lab.connector.probe_if_due(later(59)).await;
    assert!(lab.connector.health(later(59)).circuit_open.is_some(), "not yet due");
    lab.connector.probe_if_due(later(60)).await;
    assert_eq!(lab.connector.health(later(60)).circuit_open, None);
}

#[tokio::test]
async fn other_failures_and_successes_keep_circuit_closed() {
    for fault in [Fault::Forbidden, Fault::Fail(Outage::Timeout, Work::NotDone)] {
        let lab = after_failures(5, fault.clone()).await;
        assert_eq!(lab.connector.health(now()).circuit_open, None, "{fault:?}");
    }
    let lab = after_failures(2, Fault::Drop(Work::NotDone)).await;
    lab.sim.behave();
    lab.connector.probe(now()).await.unwrap();
    lab.sim.misbehave_on(Calls::Reads, Fault::Drop(Work::NotDone), Times::N(2));
    for _ in 0..2 {
        lab.connector.probe(now()).await.unwrap_err();
    }
    assert_eq!(lab.connector.health(now()).circuit_open, None);
}

#[tokio::test]
async fn healthy_manager_is_not_probed() {
    let tap = Tap::start(always(200, INFO)).await;
    let connector = Connector::wazuh(settings(&tap.url())).unwrap();
    connector.probe_if_due(now()).await;
    assert_eq!(tap.heard("").len(), 0);
    assert_eq!(connector.health(now()).calls_per_minute_max, 200);
}

#[tokio::test]
async fn clock_set_far_back_does_not_block_calls() {
    let lab = after_failures(3, Fault::Drop(Work::NotDone)).await;
    lab.sim.behave();
    lab.connector.probe(later(-3600)).await.unwrap();
}
