//! Whether an alert that an agent names is there, and what it says.

use chrono::TimeDelta;
use countersign::{
    connector::{Connector, Secret},
    domain::{
        endpoint::EndpointId,
        facts::{AlertEndpoint, AlertFacts, AlertShown, NamedIn},
    },
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
        "decoder": {"parent": "sshd", "name": "sshd"},
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
    let rule = json!({
        "id": "5763", "level": 10, "description": "sshd: brute force",
        "groups": ["syslog", "sshd"], "mitre": {"id": ["T1110"], "tactic": ["Credential Access"]},
    });
    let found =
        found_with(json!({"rule": rule, "full_log": "sshd: from 203.0.113.7 port 1"})).await;
    let shown = *found.shown.clone().unwrap();
    let expected = AlertFacts {
        found: true,
        names_target: true,
        level: 10,
        age_seconds: Some(119),
        summary: "sshd: brute force (rule 5763, level 10, endpoint 001)".to_owned(),
        shown: found.shown.clone(),
        from_peer: true,
        endpoint: Some(Box::new(AlertEndpoint {
            id: EndpointId::parse("001").unwrap(),
            name: "web-01".to_owned(),
            groups: Vec::new(),
        })),
        ..AlertFacts::default()
    };
    assert_eq!(found, expected);
    let srcip =
        NamedIn { field: "data.srcip".to_owned(), value: "203.0.113.7".to_owned(), goes_on: None };
    let seen = AlertShown {
        named_in: Some(srcip),
        log: Some("sshd: from 203.0.113.7 port 1".to_owned()),
        log_cut: false,
        rule: Some("5763".to_owned()),
        groups: vec!["syslog".to_owned(), "sshd".to_owned()],
        mitre: vec!["T1110".to_owned()],
        at: Some(now() - TimeDelta::milliseconds(119_877)),
        id: "1763800000.10001".to_owned(),
        index: "wazuh-alerts-4.x-2026.09.21".to_owned(),
        document: shown.document.clone(),
    };
    assert_eq!(shown, seen);
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
async fn alert_indexed_again_is_one_alert() {
    let lab = Lab::captured().await;
    let document = lab.sim.add_alert(brute_force());
    lab.sim.index_again(&document).unwrap();
    let found = find(&lab, "1763800000.10001").await;
    assert!(found.found && found.names_target, "{found:?}");
    for _ in 0..18 {
        lab.sim.index_again(&document).unwrap();
    }
    // One of those that were not read might be another alert.
    assert_not_found(&find(&lab, "1763800000.10001").await, "20 or more documents");
}

#[tokio::test]
async fn duplicate_alert_id_is_not_found() {
    let lab = Lab::captured().await;
    let mut other = brute_force();
    other["rule"]["id"] = json!("5710");
    lab.sim.add_alert(brute_force());
    lab.sim.add_alert(other);
    let found = find(&lab, "1763800000.10001").await;
    assert_not_found(&found, "more than one alert in the indexer has this id, and they differ");
    for part in ["rule 5763 on endpoint 001", "rule 5710 on endpoint 001", "wazuh-alerts-4.x-"] {
        assert!(found.summary.contains(part), "{part}: {}", found.summary);
    }
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
        ("2026-09-21T13:46:42.000+0000", Some(0)),
        ("2026-09-21T13:46:43.000+0000", None),
        ("2026-09-21T13:51:39.000+0000", None),
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
async fn level_as_text_is_a_number() {
    for level in [json!(10), json!("10"), json!(" 10 ")] {
        let facts = found_with(json!({ "rule": {"id": "5763", "level": level} })).await;
        assert_eq!(facts.level, 10, "{level}");
        assert!(facts.summary.contains("level 10,"), "{}", facts.summary);
    }
}

#[tokio::test]
async fn missing_alert_facts_count_as_lowest() {
    for rule in [
        json!({}),
        json!({"level": "high"}),
        json!({"level": "1e1"}),
        json!({"level": 17}),
        json!({"level": "17"}),
        json!({"level": -1}),
        json!({"level": null}),
        json!({"level": [10]}),
        json!(null),
        json!("5763"),
    ] {
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
    assert_eq!(asked, json!({"size": 20, "query": query}));
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
    assert!(facts.summary.contains("rejects the user name or the password"));
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
    for body in [
        "{}",
        "[]",
        r#"{"hits": {"hits": {}}}"#,
        r#"{"hits": {"hits": [{"_id": 1, "_source": {}}]}}"#,
        r#"{"hits": {"hits": [{"_id": "a.1", "_source": null}]}}"#,
    ] {
        let tap = Tap::start(always(200, body)).await;
        let facts = connector(&tap.url()).find_alert("a.1", &block("203.0.113.7"), now()).await;
        assert_not_found(&facts, "not what it should be");
    }
}

#[tokio::test]
async fn odd_documents_beside_alert_do_no_harm() {
    let alert = json!({"_index": "i", "_id": "b.2", "_source": {"id": "a.1", "data": {"srcip": "203.0.113.7"}}});
    let odd = [
        json!(null),
        json!(7),
        json!({}),
        json!({"_id": null, "_source": {}}),
        json!({"_id": "a.1"}),
        json!({"_id": "a.1", "_source": null}),
        json!({"_id": "a.1", "_source": [1, 2]}),
        json!({"_id": "c.3", "_source": {"id": ["a.1"], "rule": 7, "agent": null, "timestamp": 1}}),
    ];
    for odd in odd {
        let body = json!({"hits": {"hits": [odd, alert]}}).to_string();
        let tap = Tap::start(always(200, &body)).await;
        let facts = connector(&tap.url()).find_alert("a.1", &block("203.0.113.7"), now()).await;
        assert!(facts.found && facts.names_target, "{odd}: {facts:?}");
    }
}

#[tokio::test]
async fn alert_of_odd_fields_is_still_found() {
    let changes = json!({
        "rule": {"id": 5763, "level": {}, "description": 7, "groups": "sshd", "mitre": {"id": [1, null]}},
        "agent": [], "timestamp": null, "data": {"srcip": ["203.0.113.7"], "src_ip": null},
        "full_log": {"message": "x"},
    });
    let facts = found_with(changes).await;
    let shown = facts.shown.as_ref().unwrap();
    assert!(facts.found && facts.names_target, "{facts:?}");
    assert_eq!((facts.level, facts.age_seconds, &shown.log), (0, None, &None));
    assert_eq!((shown.rule.as_deref(), shown.groups.len()), (Some("5763"), 1));
    assert_eq!(shown.mitre, ["1"]);
}

#[tokio::test]
async fn huge_log_line_is_cut() {
    let facts = found_with(json!({ "full_log": "é".repeat(60_000) })).await;
    let shown = facts.shown.unwrap();
    assert_eq!((shown.log.unwrap().chars().count(), shown.log_cut), (2048, true));
}

#[tokio::test]
async fn partial_answer_finds_nothing() {
    let lab = Lab::captured().await;
    lab.sim.add_alert(brute_force());
    let broken = Fault::ShardsFail("wazuh-alerts-4.x-2026.01.01".to_owned());
    for (fault, why) in [
        (broken, "1 of 3 shards failed ([parent] Data too large"),
        (Fault::SearchTimesOut, "out of time"),
    ] {
        lab.sim.misbehave_on(Calls::Search, fault, Times::Once);
        let found = find(&lab, "1763800000.10001").await;
        assert_not_found(&found, "the indexer could search a part of its alerts only");
        assert!(found.summary.contains(why), "{}", found.summary);
    }
    assert!(find(&lab, "1763800000.10001").await.found);
}

#[tokio::test]
async fn opensearch_reason_is_shown_and_cut() {
    let nested = json!({
        "error": {
            "root_cause": [{"type": "x", "reason": "no mapping"}, {"type": "x", "reason": "no mapping"}],
            "type": "search_phase_execution_exception", "reason": "all shards failed",
            "failed_shards": [{"reason": {"type": "x", "reason": "no mapping"}}],
        },
        "status": 400,
    });
    let long = json!({"error": {"reason": format!("a{}", "\u{1B}[31m".repeat(500))}});
    for (status, body, said) in [
        (400, nested.to_string(), "answered 400: all shards failed: no mapping"),
        (400, json!({"error": "just words"}).to_string(), "answered 400: just words"),
        (404, json!({"error": {"reason": "no such index [x]"}}).to_string(), "no such index [x]"),
        (429, json!({"error": {"reason": "rejected execution"}}).to_string(), "rejected execution"),
        (503, "OpenSearch Security not initialized.".to_owned(), "Security not initialized"),
        (502, "<html>bad gateway</html>".to_owned(), "answered 502: without a reason"),
        (500, long.to_string(), "answered 500: a [31m"),
    ] {
        let tap = Tap::start(always(status, &body)).await;
        let facts = connector(&tap.url()).find_alert("a.1", &block("203.0.113.7"), now()).await;
        assert_not_found(&facts, said);
        assert!(facts.summary.chars().count() < 450, "{}", facts.summary);
        assert!(!facts.summary.contains('\u{1B}'));
    }
}
