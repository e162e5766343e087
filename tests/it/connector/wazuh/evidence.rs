//! What counts as evidence of a call, and what does not.

use std::time::Duration;

use chrono::TimeDelta;
use countersign::{
    connector::{Connector, DispatchTurn, WazuhSettings as Ours},
    domain::{
        action::Term,
        digest::Digest,
        endpoint::Selection,
        evidence::{Sighting, Sign, Watched},
        id::RequestId,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;
use wazuh_simulator::{Calls, Endpoint, Fault, Os, Settings, Times, Work};

use crate::connector::{
    fake_server::{Tap, always},
    fixtures::{Lab, block, connector, ids, later, mark, now, permit, send, settings},
};

fn with_evidence(agents: Vec<Endpoint>) -> Settings {
    Settings { agents, evidence: true, ..Settings::captured() }
}

fn ubuntu(id: &str) -> Endpoint {
    Endpoint::new(id, "machine", Os::UBUNTU)
}

/// The usual call, whose evidence is looked for on these endpoints.
fn watched(named: &[&str]) -> Watched {
    let mark = mark();
    let (request, attempt) = (mark.request, mark.attempt);
    // The digest of the request that the permits of these tests come from.
    Watched {
        request,
        attempt,
        digest: mark.digest,
        endpoints: ids(named),
        since: now(),
        reporter: None,
    }
}

async fn observe(lab: &Lab, named: &[&str]) -> Vec<Sighting> {
    lab.connector.observe(&[watched(named)], now()).await.unwrap().sightings
}

fn seen(sightings: &[Sighting]) -> Vec<(String, Sign)> {
    sightings.iter().map(|sighting| (sighting.endpoint.to_string(), sighting.seen)).collect()
}

/// An alert of the usual call, two seconds after it, with these changes.
fn alert(changes: &[(&str, Value)]) -> Value {
    let mut alert = json!({
        "id": "1790000000.1",
        "timestamp": "2026-09-21T13:46:42.000+0000",
        "rule": {"id": "651", "level": 3},
        "agent": {"id": "001"},
        "data": {
            "command": "add",
            "parameters": {
                "extra_args": [mark().to_string()],
                "program": "active-response/bin/firewall-drop",
            },
        },
        "full_log": "x active-response/bin/firewall-drop: {}",
    });
    for (field, value) in changes {
        *alert.pointer_mut(field).unwrap() = value.clone();
    }
    alert
}

/// What is seen in an indexer that holds just this, at a manager whose clock agrees with ours.
async fn seen_in(alerts: &[Value]) -> Vec<Sighting> {
    let hit = |alert: &Value| json!({"_index": "i", "_id": alert["id"], "_source": alert});
    let hits: Vec<_> = alerts.iter().map(hit).collect();
    let body = json!({"hits": {"hits": hits}}).to_string();
    let tap = Tap::start(always(200, &body)).await;
    connector(&tap.url()).observe(&[watched(&["001"])], now()).await.unwrap().sightings
}

#[tokio::test]
async fn endpoints_own_alert_shows_response_started() {
    let lab = Lab::start(with_evidence(vec![ubuntu("001"), ubuntu("002").log_lost()])).await;
    lab.send(&["001", "002"]).await;
    let sightings = observe(&lab, &["001", "002"]).await;
    assert_eq!(seen(&sightings), [("001".to_owned(), Sign::Started)]);
    let Sighting { evidence, doubt, request, attempt, .. } = &sightings[0];
    assert_eq!((*request, *attempt, doubt), (mark().request, mark().attempt, &None));
    assert_eq!(evidence.rule, "651");
    assert!(evidence.index.starts_with("wazuh-alerts-"), "{}", evidence.index);
    // The manager's clock is months ahead of the tests' present.
    assert!((evidence.at - now()).abs() < TimeDelta::seconds(30), "{}", evidence.at);
}

#[tokio::test]
async fn endpoints_own_alert_shows_response_ended() {
    let lab = Lab::start(with_evidence(vec![ubuntu("001")])).await;
    let body = lab.connector.body("firewall-drop6", &block("203.0.113.7"), &mark());
    lab.connector
        .dispatch(permit(&["001"], &body, later(60)), DispatchTurn::default(), now())
        .await;
    lab.connector.probe(now()).await.unwrap();
    lab.sim.advance(Duration::from_secs(10));
    let sightings = lab.connector.observe(&[watched(&["001"])], later(10)).await.unwrap().sightings;
    let both = [("001".to_owned(), Sign::Started), ("001".to_owned(), Sign::Ended)];
    assert_eq!(seen(&sightings), both);
    assert_eq!(sightings[1].evidence.rule, "652");
}

#[tokio::test]
async fn undo_is_confirmed_by_its_own_alert() {
    let lab = Lab::start(with_evidence(vec![ubuntu("001")])).await;
    let undo = block("203.0.113.7").undo().unwrap();
    let selection = Selection::Ids(ids(&["001"]));
    let resolved = lab.connector.resolve(&selection, &undo, Term::Seconds(600), now()).await;
    let command = resolved.unwrap().candidates[0].command.clone().unwrap();
    let body = lab.connector.body(&command, &undo, &mark());
    lab.connector
        .dispatch(permit(&["001"], &body, later(60)), DispatchTurn::default(), now())
        .await;
    let sightings = observe(&lab, &["001"]).await;
    assert_eq!(seen(&sightings)[0], ("001".to_owned(), Sign::Started));
}

#[tokio::test]
async fn repeated_alert_counts_once() {
    let sightings = seen_in(&[alert(&[]), alert(&[])]).await;
    assert_eq!(seen(&sightings), [("001".to_owned(), Sign::Started)]);
    assert_eq!(sightings[0].evidence.at, later(2));
}

#[tokio::test]
async fn unrelated_alerts_confirm_nothing() {
    let mut other = mark();
    other.request = RequestId::from(Uuid::from_u128(9));
    let mut forged = mark();
    forged.digest = Digest::of(b"other");
    let own = mark().to_string();
    let args = "/data/parameters/extra_args";
    let cases = [
        ("another request", vec![(args, json!([other.to_string()]))]),
        ("another digest", vec![(args, json!([forged.to_string()]))]),
        ("more than the mark", vec![(args, json!([format!("{own}0")]))]),
        ("a part of the mark", vec![(args, json!([own.strip_suffix(|_: char| true)]))]),
        ("no arguments", vec![(args, json!([]))]),
        ("another endpoint", vec![("/agent/id", json!("002"))]),
        ("no endpoint", vec![("/agent/id", json!(1))]),
        ("before the call", vec![("/timestamp", json!("2026-09-21T13:45:39.000+0000"))]),
        ("not yet", vec![("/timestamp", json!("2026-09-21T13:47:41.000+0000"))]),
        ("no time", vec![("/timestamp", json!("yesterday"))]),
        ("another rule", vec![("/rule/id", json!("5763"))]),
        ("rule and command differ", vec![("/rule/id", json!("652"))]),
        ("command and rule differ", vec![("/data/command", json!("delete"))]),
        ("neither add nor delete", vec![("/data/command", json!("check_keys"))]),
    ];
    for (what, changes) in cases {
        assert_eq!(seen_in(&[alert(&changes)]).await, [], "{what}");
    }
    for timestamp in ["2026-09-21T13:45:40.000+0000", "2026-09-21T13:47:40.000+0000"] {
        let at_the_edge = alert(&[("/timestamp", json!(timestamp))]);
        assert_eq!(seen_in(&[at_the_edge]).await.len(), 1, "{timestamp}");
    }
    for rule in ["651", "653", "655", "657"] {
        assert_eq!(seen_in(&[alert(&[("/rule/id", json!(rule))])]).await[0].seen, Sign::Started);
    }
    for rule in ["652", "654", "656", "657"] {
        let ended = alert(&[("/rule/id", json!(rule)), ("/data/command", json!("delete"))]);
        assert_eq!(seen_in(&[ended]).await[0].seen, Sign::Ended);
    }
}

#[tokio::test]
async fn managers_clock_difference_of_an_hour_is_corrected() {
    for hours in [1, -1] {
        let lab = Lab::start(with_evidence(vec![ubuntu("001")])).await;
        let hour = Duration::from_hours(1);
        if hours > 0 {
            lab.sim.advance(hour);
        } else {
            lab.sim.turn_back(hour);
        }
        lab.send(&["001"]).await;
        let sightings = observe(&lab, &["001"]).await;
        assert_eq!(sightings.len(), 1, "{hours}");
        assert!((sightings[0].evidence.at - now()).abs() < TimeDelta::seconds(30));
    }
}

#[tokio::test]
async fn alert_before_call_is_ignored_despite_clock_difference() {
    let lab = Lab::start(with_evidence(vec![ubuntu("001")])).await;
    lab.send(&["001"]).await;
    let mut later_call = watched(&["001"]);
    later_call.since = later(100);
    assert_eq!(lab.connector.observe(&[later_call], later(0)).await.unwrap().sightings, []);
}

#[tokio::test]
async fn disabled_windows_firewall_is_a_doubt() {
    let windows = Endpoint::new("001", "dc", Os::WINDOWS_SERVER);
    let lab = Lab::start(with_evidence(vec![windows.firewall_off()])).await;
    let body = lab.connector.body("!netsh.exe", &block("203.0.113.7"), &mark());
    lab.connector
        .dispatch(permit(&["001"], &body, later(60)), DispatchTurn::default(), now())
        .await;
    let sightings = observe(&lab, &["001"]).await;
    let doubt = sightings[0].doubt.as_deref().unwrap();
    assert!(doubt.contains("Windows firewall is off"), "{doubt}");
}

#[tokio::test]
async fn script_failure_message_is_a_doubt() {
    let failing = ubuntu("001").script_fails("Unable to run iptables");
    let lab = Lab::start(with_evidence(vec![failing, ubuntu("002")])).await;
    lab.send(&["001", "002"]).await;
    let sightings = observe(&lab, &["001", "002"]).await;
    let doubts: Vec<_> =
        sightings.iter().map(|s| (s.endpoint.as_str(), s.doubt.is_some())).collect();
    assert_eq!(doubts, [("001", true), ("002", false)]);
    assert!(sightings[0].doubt.as_deref().unwrap().contains("Unable to run iptables"));
}

#[tokio::test]
async fn failure_of_another_script_or_time_is_ignored() {
    let line = |timestamp: &str, program: &str| {
        let mut line = alert(&[
            ("/timestamp", json!(timestamp)),
            ("/rule/id", json!("650")),
            ("/full_log", json!(format!("x {program}: Unable to run iptables"))),
        ]);
        line["id"] = json!("1790000000.2");
        line
    };
    let own = "active-response/bin/firewall-drop";
    for (timestamp, program, doubted) in [
        ("2026-09-21T13:46:43.000+0000", own, true),
        ("2026-09-21T13:47:12.000+0000", own, true),
        ("2026-09-21T13:47:13.000+0000", own, false),
        ("2026-09-21T13:46:41.000+0000", own, false),
        ("2026-09-21T13:46:43.000+0000", "active-response/bin/host-deny", false),
    ] {
        let sightings = seen_in(&[alert(&[]), line(timestamp, program)]).await;
        assert_eq!(sightings[0].doubt.is_some(), doubted, "{timestamp} {program}");
    }
}

#[tokio::test]
async fn late_indexed_alert_is_still_found() {
    let lab = Lab::start(with_evidence(vec![ubuntu("001")])).await;
    lab.sim.hold_evidence();
    lab.send(&["001"]).await;
    assert_eq!(observe(&lab, &["001"]).await, []);
    lab.sim.release_evidence();
    assert_eq!(observe(&lab, &["001"]).await.len(), 1);
}

#[tokio::test]
async fn alerts_are_read_page_by_page() {
    let lab = Lab::captured().await;
    lab.connector.probe(now()).await.unwrap();
    let names: Vec<String> = (1..=1100).map(|id| format!("{id:04}")).collect();
    for (place, id) in names.iter().enumerate() {
        let mut one = alert(&[("/agent/id", json!(id))]);
        one["id"] = json!(format!("1790000000.{place}"));
        one.as_object_mut().unwrap().remove("timestamp");
        lab.sim.add_alert(one);
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let sightings = observe(&lab, &names).await;
    assert_eq!(sightings.len(), 1100);
}

#[tokio::test]
async fn search_that_is_cut_off_says_so() {
    let hit = |place: u32| {
        let sort = json!([place, "x"]);
        let source = alert(&[("/id", json!(format!("1790000000.{place}")))]);
        json!({"_index": "i", "_id": place.to_string(), "_source": source, "sort": sort})
    };
    for (hits, cut) in [(999, false), (1000, true)] {
        let body = json!({"hits": {"hits": (0..hits).map(hit).collect::<Vec<_>>()}}).to_string();
        let tap = Tap::start(always(200, &body)).await;
        let seen = connector(&tap.url()).observe(&[watched(&["001"])], now()).await.unwrap();
        assert_eq!(seen.sightings.len(), usize::try_from(hits).unwrap());
        let said = |gap: Option<String>, most: &str| gap.is_some_and(|gap| gap.contains(most));
        assert_eq!(said(seen.gap, "more than the 10000 alerts"), cut, "{hits}");
        assert!(said(seen.doubt_gap, "more than the 2000 alerts"), "{hits}");
    }
}

#[tokio::test]
async fn without_indexer_no_evidence_is_collected() {
    let without = |settings: &mut Ours| settings.indexer = None;
    let lab = Lab::start_with(with_evidence(vec![ubuntu("001")]), without).await;
    let dispatched = send(&lab.connector, &["001"]).await;
    assert_eq!(dispatched.report.confirm_within, None);
    assert_eq!(lab.connector.capabilities().confirm_within, None);
    assert_eq!(observe(&lab, &["001"]).await, []);
}

#[tokio::test]
async fn failing_indexer_is_an_error() {
    let lab = Lab::start(with_evidence(vec![ubuntu("001")])).await;
    lab.send(&["001"]).await;
    let one = [watched(&["001"])];
    for fault in [Fault::Drop(Work::NotDone), Fault::NoJson(Work::NotDone), Fault::Flood] {
        lab.sim.misbehave_on(Calls::Search, fault.clone(), Times::Once);
        lab.connector.observe(&one, now()).await.unwrap_err();
    }
    assert_eq!(observe(&lab, &["001"]).await.len(), 1);
}

#[tokio::test]
async fn evidence_is_found_while_manager_is_down() {
    let lab = Lab::start(with_evidence(vec![ubuntu("001")])).await;
    lab.send(&["001"]).await;
    let mut elsewhere = settings("http://127.0.0.1:1");
    let url = lab.connector.url().to_owned();
    elsewhere.indexer.as_mut().unwrap().url = url;
    let orphan = Connector::wazuh(elsewhere).unwrap();
    // Nobody knows its clock, which is months ahead: nothing is believed.
    assert_eq!(orphan.observe(&[watched(&["001"])], now()).await.unwrap().sightings, []);
}
