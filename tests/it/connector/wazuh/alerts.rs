//! Whether an alert that an agent names is there, and what it says.

use countersign::{
    connector::{Connector, Secret},
    domain::facts::AlertFacts,
};
use serde_json::{Value, json};
use wazuh_simulator::{Calls, Fault, Times, Work};

use crate::connector::{
    fake_server::{Tap, always},
    fixtures::{Lab, block, connector, disable, now, settings},
};

/// Two minutes before the tests' present.
fn brute_force() -> Value {
    json!({
        "id": "1763800000.10001",
        "timestamp": "2026-09-21T13:44:40.123+0000",
        "rule": {"id": "5763", "level": 10, "description": "sshd: brute force"},
        "agent": {"id": "001", "name": "web-01"},
        "data": {"srcip": "203.0.113.7", "dstuser": "deploy"},
    })
}

async fn find(lab: &Lab, id: &str) -> AlertFacts {
    lab.connector.find_alert(id, &block("203.0.113.7"), now()).await
}

/// What is found when the indexer holds the usual alert with these changes.
async fn found_with(changes: Value) -> AlertFacts {
    let lab = Lab::captured().await;
    let mut alert = brute_force();
    for (field, value) in changes.as_object().unwrap() {
        alert[field] = value.clone();
    }
    lab.sim.add_alert(alert);
    find(&lab, "1763800000.10001").await
}

fn assert_not_found(facts: &AlertFacts, why: &str) {
    assert_eq!(facts, &AlertFacts { summary: facts.summary.clone(), ..AlertFacts::default() });
    assert!(facts.summary.contains(why), "{}", facts.summary);
}

#[tokio::test]
async fn existing_alert_is_found_with_its_facts() {
    let expected = AlertFacts {
        found: true,
        names_target: true,
        level: 10,
        age_seconds: Some(119),
        summary: "sshd: brute force (rule 5763, level 10, endpoint 001)".to_owned(),
    };
    assert_eq!(found_with(json!({})).await, expected);
}

#[tokio::test]
async fn alert_is_found_by_document_id() {
    let lab = Lab::captured().await;
    let document = lab.sim.add_alert(brute_force());
    assert!(find(&lab, &document).await.found);
}

#[tokio::test]
async fn missing_alert_is_not_found() {
    let lab = Lab::captured().await;
    assert_not_found(&find(&lab, "1763800000.99999").await, "there is no such alert");
}

#[tokio::test]
async fn duplicate_alert_id_is_not_found() {
    let lab = Lab::captured().await;
    lab.sim.add_alert(brute_force());
    lab.sim.add_alert(brute_force());
    assert_not_found(&find(&lab, "1763800000.10001").await, "more than one alert");
}

#[tokio::test]
async fn alert_about_something_else_does_not_name_target() {
    for data in [json!({"srcip": "203.0.113.8"}), json!({"srcip": "gateway"}), json!({})] {
        let facts = found_with(json!({ "data": data })).await;
        assert!(facts.found && !facts.names_target);
    }
    let elsewhere = json!({"data": {"dstip": "203.0.113.7"}, "location": "203.0.113.7"});
    assert!(!found_with(elsewhere).await.names_target);
}

#[tokio::test]
async fn address_matches_in_any_spelling() {
    for data in [
        json!({"srcip": "::ffff:203.0.113.7"}),
        json!({"win": {"eventdata": {"ipAddress": "203.0.113.7"}}}),
    ] {
        assert!(found_with(json!({ "data": data })).await.names_target);
    }
    let lab = Lab::captured().await;
    let mut alert = brute_force();
    alert["data"]["srcip"] = json!("2001:DB8:0::7");
    lab.sim.add_alert(alert);
    let target = block("2001:db8::7");
    assert!(lab.connector.find_alert("1763800000.10001", &target, now()).await.names_target);
}

#[tokio::test]
async fn account_matches_exactly() {
    let lab = Lab::captured().await;
    lab.sim.add_alert(brute_force());
    for (account, named) in [("deploy", true), ("Deploy", false), ("deploy2", false)] {
        let found = lab.connector.find_alert("1763800000.10001", &disable(account), now()).await;
        assert_eq!((found.found, found.names_target), (true, named), "{account}");
    }
    let windows = json!({"data": {"win": {"eventdata": {"targetUserName": "deploy"}}}});
    let lab = Lab::captured().await;
    let mut alert = brute_force();
    alert["data"] = windows["data"].clone();
    lab.sim.add_alert(alert);
    let found = lab.connector.find_alert("1763800000.10001", &disable("deploy"), now()).await;
    assert!(found.names_target);
}

#[tokio::test]
async fn alert_age_requires_a_valid_past_timestamp() {
    let cases = [
        ("2026-09-21T13:44:40Z", Some(120)),
        ("2026-09-21T15:44:40.000+0200", Some(120)),
        ("2026-09-21T13:46:39+00:00", Some(1)),
        ("2026-09-21T13:51:40.000+0000", Some(0)),
        ("2026-09-21T13:51:41.000+0000", None),
        ("yesterday", None),
        ("2026-09-21T13:44:40", None),
    ];
    for (timestamp, age) in cases {
        let alert = json!({"_id": "a.1", "_source": {"timestamp": timestamp}});
        let body = json!({"hits": {"hits": [alert]}}).to_string();
        let tap = Tap::start(always(200, &body)).await;
        let facts = connector(&tap.url()).find_alert("a.1", &block("203.0.113.7"), now()).await;
        assert_eq!((facts.found, facts.age_seconds), (true, age), "{timestamp}");
    }
}

#[tokio::test]
async fn missing_alert_facts_count_as_lowest() {
    for rule in [json!({}), json!({"level": "10"}), json!({"level": 17}), json!({"level": -1})] {
        let facts = found_with(json!({ "rule": rule, "agent": {} })).await;
        assert_eq!(facts.level, 0);
        let expected =
            "an alert without a description (rule unknown, level unknown, endpoint unknown)";
        assert_eq!(facts.summary, expected);
    }
}

#[tokio::test]
async fn long_alert_description_is_cut() {
    let description = "x".repeat(1000);
    let facts = found_with(json!({ "rule": {"description": description} })).await;
    assert!(facts.summary.starts_with(&"x".repeat(200)));
    assert!(facts.summary.chars().count() < 300);
}

#[tokio::test]
async fn hit_with_another_id_is_not_found() {
    let alert = json!({"_id": "b.2", "_source": {"id": "b.3"}});
    let body = json!({"hits": {"hits": [alert]}}).to_string();
    let tap = Tap::start(always(200, &body)).await;
    let facts = connector(&tap.url()).find_alert("a.1", &block("203.0.113.7"), now()).await;
    assert_not_found(&facts, "there is no such alert");
}

#[tokio::test]
async fn search_asks_only_for_the_given_id() {
    let tap = Tap::start(always(200, r#"{"hits": {"hits": []}}"#)).await;
    connector(&tap.url()).find_alert("a\"}.1", &block("203.0.113.7"), now()).await;
    let heard = tap.heard("POST");
    assert_eq!(heard[0].line, "POST /wazuh-alerts-*/_search");
    let asked: Value = serde_json::from_str(&heard[0].body).unwrap();
    let either = json!([{"term": {"id": "a\"}.1"}}, {"ids": {"values": ["a\"}.1"]}}]);
    let query = json!({"bool": {"minimum_should_match": 1, "should": either}});
    assert_eq!(asked, json!({"size": 2, "query": query}));
    assert!(heard[0].headers.contains("authorization: basic ywrtaw46ywrtaw4="));
}

#[tokio::test]
async fn without_indexer_no_alert_is_found() {
    let mut settings = settings("http://127.0.0.1:1");
    settings.indexer = None;
    let connector = Connector::wazuh(settings).unwrap();
    let facts = connector.find_alert("a.1", &block("203.0.113.7"), now()).await;
    assert_not_found(&facts, "no indexer is configured");
}

#[tokio::test]
async fn refused_indexer_login_finds_nothing() {
    let lab = Lab::captured().await;
    lab.sim.add_alert(brute_force());
    let mut settings = settings(lab.connector.url());
    settings.indexer.as_mut().unwrap().password = Secret::new("wrong");
    let connector = Connector::wazuh(settings).unwrap();
    let facts = connector.find_alert("1763800000.10001", &block("203.0.113.7"), now()).await;
    assert_not_found(&facts, "the indexer at http://127.0.0.1:");
    assert!(facts.summary.contains("refuses the user name or the password"));
}

#[tokio::test]
async fn silent_indexer_finds_nothing() {
    let connector = connector("http://127.0.0.1:1");
    let facts = connector.find_alert("a.1", &block("203.0.113.7"), now()).await;
    assert_not_found(&facts, "does not answer");
}

#[tokio::test]
async fn malformed_indexer_answer_finds_nothing() {
    let lab = Lab::captured().await;
    lab.sim.add_alert(brute_force());
    lab.sim.misbehave_on(Calls::Search, Fault::NoJson(Work::Done), Times::Once);
    assert_not_found(&find(&lab, "1763800000.10001").await, "not what it should be");
    for body in ["{}", "[]", r#"{"hits": {"hits": [{"_id": 1}]}}"#] {
        let tap = Tap::start(always(200, body)).await;
        let facts = connector(&tap.url()).find_alert("a.1", &block("203.0.113.7"), now()).await;
        assert_not_found(&facts, "not what it should be");
    }
}
