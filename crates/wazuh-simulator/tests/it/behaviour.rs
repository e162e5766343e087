//! What the simulated manager does beyond the recordings: faults, limits, alerts.

mod answers;
mod cluster;
mod doubts;
mod effects;
mod search;
mod time;

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::{
    Calls, Contact, Endpoint, Fault, Os, Outage, Received, Rights, Settings, Status, Times, User,
    Work,
};

use crate::client::{Caller, answer};

const AGENTS: &str = "/agents?select=id,dateAdd&agents_list=001";

fn block() -> Value {
    json!({"command": "!firewall-drop", "arguments": ["id=1"], "alert": {"data": {"srcip": "203.0.113.7"}}})
}

fn timed(name: &str, argument: &str) -> Value {
    json!({"command": name, "arguments": [argument], "alert": {"data": {"srcip": "203.0.113.7"}}})
}

/// How many messages endpoint 001 received.
fn reached(caller: &Caller) -> usize {
    caller.sim.delivered_to("001").len()
}

#[tokio::test]
async fn received_calls_are_remembered() {
    let caller = Caller::start(Settings::captured()).await;
    caller.put("?agents_list=002,006,001", block()).await;
    let told = Received {
        command: "!firewall-drop".to_owned(),
        arguments: vec!["id=1".to_owned()],
        alert: json!({"data": {"srcip": "203.0.113.7"}}),
        asked: ["002", "006", "001"].map(str::to_owned).to_vec(),
        delivered: ["001", "002"].map(str::to_owned).to_vec(),
    };
    assert_eq!(caller.sim.received(), [told]);
}

#[tokio::test]
async fn connection_dropped_before_work_does_nothing() {
    let caller = Caller::start(Settings::default()).await;
    caller.sim.misbehave(Fault::Drop(Work::NotDone), Times::Once);
    let error = caller.try_put("?agents_list=001", block()).await.unwrap_err();
    assert_eq!(error.status(), None);
    assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
    assert_eq!(reached(&caller), 0);
    assert_eq!(caller.put("?agents_list=001", block()).await.status, 200, "only once");
}

#[tokio::test]
async fn connection_dropped_after_work_shows_no_status() {
    let caller = Caller::start(Settings::default()).await;
    caller.sim.misbehave(Fault::Drop(Work::Done), Times::Once);
    let error = caller.try_put("?agents_list=001", block()).await.unwrap_err();
    assert_eq!(error.status(), None);
    assert_eq!(reached(&caller), 1);
}

#[tokio::test]
async fn failure_may_hide_finished_work() {
    let caller = Caller::start(Settings::default()).await;
    for (work, times) in [(Work::NotDone, 0), (Work::Done, 1)] {
        caller.sim.misbehave(Fault::Fail(Outage::Timeout, work), Times::Once);
        let answer = caller.put("?agents_list=001", block()).await;
        assert_eq!((answer.status, answer.json()["error"].as_u64()), (500, Some(3021)));
        assert_eq!(reached(&caller), times);
    }
}

#[tokio::test]
async fn faults_strike_in_order_and_as_often_as_ordered() {
    let caller = Caller::start(Settings::default()).await;
    caller.sim.misbehave(Fault::TooManyRequests, Times::N(2));
    caller.sim.misbehave(Fault::Forbidden, Times::UntilCleared);
    for status in [429, 429, 403, 403] {
        assert_eq!(caller.put("?agents_list=001", block()).await.status, status);
    }
    assert_eq!(caller.get(AGENTS).await.status, 200, "only the kind of call that was named");
    caller.sim.behave();
    assert_eq!(caller.put("?agents_list=001", block()).await.status, 200);
    caller.sim.misbehave_on(Calls::Every, Fault::Unauthorized, Times::Once);
    assert_eq!(caller.login("wazuh", "wazuh").await.status, 401);
}

#[tokio::test]
async fn answer_may_lack_json_or_endpoints() {
    let caller = Caller::start(Settings::default()).await;
    caller.sim.misbehave(Fault::NoJson(Work::Done), Times::Once);
    let answer = caller.put("?agents_list=001", block()).await;
    assert!(answer.status == 200 && serde_json::from_str::<Value>(&answer.text).is_err());
    assert_eq!(reached(&caller), 1);
    for (work, times) in [(Work::NotDone, 1), (Work::Done, 2)] {
        caller.sim.misbehave(Fault::LeaveOut(vec!["001".to_owned()], work), Times::Once);
        let answer = caller.put("?agents_list=001,002", block()).await.json();
        assert_eq!(answer["data"]["affected_items"], json!(["002"]));
        assert_eq!((&answer["error"], reached(&caller)), (&json!(0), times));
    }
}

#[tokio::test]
async fn nothing_affected_may_look_like_success() {
    let caller = Caller::start(Settings::default()).await;
    caller.sim.misbehave(Fault::NothingAffected, Times::Once);
    let answer = caller.put("?agents_list=001", block()).await.json();
    assert_eq!(answer["error"], 0);
    assert_eq!(answer["data"]["total_affected_items"], 0);
    assert_eq!(reached(&caller), 0);
}

#[tokio::test]
async fn delayed_call_continues_when_client_leaves() {
    let caller = Caller::start(Settings::default()).await;
    caller.sim.misbehave(Fault::Delay(Duration::from_millis(1)), Times::Once);
    assert_eq!(caller.put("?agents_list=001", block()).await.status, 200);
    caller.sim.hold("001");
    let request = caller.request("PUT", "/active-response?agents_list=001&wait_for_complete=true");
    let request = request.header("content-type", "application/json").body(block().to_string());
    tokio::select! {
        answer = answer(request) => panic!("answered: {answer:?}"),
        () = caller.sim.until_received(2) => {}
    }
    caller.sim.release("001");
    caller.sim.settled().await;
    assert_eq!(reached(&caller), 2);
}

#[tokio::test]
async fn stopped_server_drops_running_calls_and_refuses_new_ones() {
    let caller = Caller::start(Settings::default()).await;
    caller.sim.hold("001");
    let request = caller.request("PUT", "/active-response?agents_list=001");
    let request = request.header("content-type", "application/json").body(block().to_string());
    let later = caller.request("GET", AGENTS);
    let (sim, server) = (caller.sim, caller.server);
    let (running, ()) = tokio::join!(answer(request), async {
        sim.until_received(1).await;
        server.stop().await.unwrap();
    });
    let error = running.unwrap_err();
    assert!(!error.is_connect(), "{error:?}");
    assert!(answer(later).await.unwrap_err().is_connect());
}

#[tokio::test]
async fn tokens_end_by_age_revocation_or_new_rights() {
    let mut caller = Caller::start(Settings::default()).await;
    assert_eq!(caller.get(AGENTS).await.status, 200);
    caller.sim.advance(Duration::from_mins(16));
    assert_eq!(caller.get(AGENTS).await.status, 401, "older than 900 s");
    caller.log_in("wazuh", "wazuh").await;
    assert_eq!(caller.get(AGENTS).await.status, 200);
    // By a clock that stands still, all of this is one second.
    let now = chrono::DateTime::from_timestamp(1_789_998_400, 0).unwrap();
    caller.sim.follow(move || now);
    let second = Duration::from_secs(1);
    caller.log_in("wazuh", "wazuh").await;
    caller.sim.revoke_tokens();
    assert_eq!(caller.get(AGENTS).await.status, 401);
    caller.log_in("wazuh", "wazuh").await;
    assert_eq!(caller.get(AGENTS).await.status, 401, "issued in the second of the change");
    caller.sim.advance(second);
    caller.log_in("wazuh", "wazuh").await;
    assert_eq!(caller.get(AGENTS).await.status, 200);
    caller.sim.set_rights("wazuh", Rights::broker());
    assert_eq!(caller.get(AGENTS).await.status, 401);
    caller.sim.advance(second);
    caller.log_in("wazuh", "wazuh").await;
    let logout = answer(caller.request("DELETE", "/security/user/authenticate")).await.unwrap();
    assert_eq!(logout.json()["message"], "User wazuh was successfully logged out");
    assert_eq!(caller.get(AGENTS).await.status, 401);
}

#[tokio::test]
async fn rate_limit_counts_every_call_of_a_minute() {
    let caller = Caller::start(Settings { rate_limit_per_minute: 3, ..Settings::default() }).await;
    assert_eq!(caller.put("?agents_list=1", block()).await.status, 400);
    assert_eq!(caller.get(AGENTS).await.status, 200);
    assert_eq!(caller.get(AGENTS).await.status, 429);
    assert_eq!(caller.search("wazuh-alerts-4.x-*", json!({})).await.status, 200, "another system");
    caller.sim.advance(Duration::from_secs(61));
    assert_eq!(caller.get(AGENTS).await.status, 200);
    caller.sim.set_rate_limit(0);
    for _ in 0..5 {
        assert_eq!(caller.get(AGENTS).await.status, 200);
    }
}

#[tokio::test]
async fn blocked_address_may_log_in_after_five_minutes() {
    let settings = Settings { rate_limit_per_minute: 0, ..Settings::default() };
    let caller = Caller::stranger(settings).await;
    for _ in 0..50 {
        caller.login("wazuh", "wrong").await;
    }
    assert_eq!(caller.login("wazuh", "wazuh").await.status, 403);
    caller.sim.advance(Duration::from_mins(5));
    assert_eq!(caller.login("wazuh", "wazuh").await.status, 200);
}

#[tokio::test]
async fn re_enrolled_endpoint_keeps_id_and_changes_date() {
    let caller = Caller::start(Settings::default()).await;
    let date =
        async || caller.get(AGENTS).await.json()["data"]["affected_items"][0]["dateAdd"].clone();
    let first = date().await;
    caller.sim.re_enrol("001");
    assert_ne!(date().await, first);
}

#[tokio::test]
async fn endpoints_can_change_while_manager_runs() {
    let caller = Caller::start(Settings::default()).await;
    caller.sim.set_status("001", Status::Disconnected);
    caller.sim.set_contact("002", Contact::Unreachable);
    caller.sim.remove("003");
    caller.sim.add(Endpoint::new("004", "new", Os::MACOS).version("3.6.1"));
    let answer = caller.put("?agents_list=001,002,003,004", block()).await.json();
    let codes: Vec<&Value> = answer["data"]["failed_items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| &group["error"]["code"])
        .collect();
    assert_eq!(codes, [1117, 1701, 1707, 1735]);
    caller.sim.set_names(&["firewall-drop60"]);
    caller.sim.set_status("001", Status::Active);
    let answer = caller.put("?agents_list=001", timed("firewall-drop60", "x")).await.json();
    assert_eq!(answer["error"], 0);
}

#[tokio::test]
async fn body_over_upload_limit_is_refused() {
    let caller = Caller::start(Settings::default()).await;
    let long = "x".repeat(11_000_000);
    let body = json!({"command": "!x", "arguments": [long]});
    assert_eq!(caller.put("?agents_list=001", body).await.status, 413);
}

#[tokio::test]
async fn silent_endpoint_blocks_configuration_read() {
    let caller = Caller::start(Settings::captured()).await;
    let path = |id: &str| format!("/agents/{id}/config/com/active-response");
    let off = caller.get(&path("009")).await.json();
    assert_eq!(off["data"]["active-response"]["disabled"], "yes");
    assert_eq!(caller.get(&path("010")).await.json()["error"], 1117);
    assert_eq!(caller.get(&path("099")).await.status, 404);

    let api_timeout = Duration::from_millis(20);
    let caller = Caller::start(Settings { api_timeout, ..Settings::captured() }).await;
    caller.sim.hold("011");
    assert_eq!(caller.get(&path("011")).await.json()["error"], 3021);
    assert_eq!(caller.get(AGENTS).await.json()["error"], 3021, "one worker for all");
}

#[tokio::test]
async fn hidden_endpoints_are_not_listed() {
    let rights = Rights::none().allow("agent:read", &["agent:group:windows"]);
    let settings = Settings::default().only_user(User::new("some", "password", rights));
    let caller = Caller::start(settings).await;
    let answer = caller.get("/agents?select=id").await.json();
    assert_eq!(answer["data"]["affected_items"], json!([{"id": "003"}]));
    assert_eq!(caller.get("/agents?agents_list=001").await.status, 403);
}

#[tokio::test]
async fn search_finds_alerts_by_field() {
    let caller = Caller::start(Settings::demo("wazuh", "admin")).await;
    let id = caller.sim.add_alert(json!({
        "id": "2.2", "timestamp": "2026-01-02T03:04:05.000+0000",
        "rule": {"id": "651", "level": 3}, "data": {"parameters": {"extra_args": ["a", "b"]}},
    }));
    let found = async |query: Value| {
        let body = json!({"size": 5, "sort": [{"timestamp": "desc"}], "query": query});
        let answer = caller.search("wazuh-alerts-4.x-*", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let hits = answer.json()["hits"]["hits"].as_array().unwrap().clone();
        hits.iter().map(|hit| hit["_source"]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let brute = "1763800000.10001";
    let cases: Vec<(Value, Vec<&str>)> = vec![
        (json!({"match_all": {}}), vec![brute, "2.2"]),
        (json!({"term": {"id": brute}}), vec![brute]),
        (json!({"term": {"rule.level": {"value": 10}}}), vec![brute]),
        (json!({"terms": {"rule.id": ["651", "653"]}}), vec!["2.2"]),
        (json!({"term": {"data.parameters.extra_args": "b"}}), vec!["2.2"]),
        (json!({"ids": {"values": [id]}}), vec!["2.2"]),
        (
            json!({"range": {"timestamp": {"gte": "2026-01-02T04:04:05+01:00", "lt": "2026-01-02T03:04:06Z"}}}),
            vec!["2.2"],
        ),
        (
            json!({"bool": {"filter": [{"term": {"agent.id": "001"}}, {"range": {"rule.level": {"gte": 11}}}]}}),
            vec![],
        ),
        (
            json!({"bool": {"should": [{"term": {"id": "2.2"}}, {"ids": {"values": ["none"]}}], "minimum_should_match": 1}}),
            vec!["2.2"],
        ),
        (json!({"bool": {"must_not": [{"term": {"id": "2.2"}}]}}), vec![brute]),
    ];
    for (query, wanted) in cases {
        assert_eq!(found(query.clone()).await, wanted, "{query}");
    }
    assert_eq!(caller.search("other-*", json!({})).await.json()["hits"]["total"]["value"], 0);
    let strange = json!({"query": {"script": {"source": "true"}}});
    assert_eq!(caller.search("wazuh-alerts-4.x-*", strange).await.status, 400);
}

#[tokio::test]
async fn search_requires_indexer_login() {
    let caller = Caller::start(Settings::default()).await;
    let path = "/wazuh-alerts-4.x-*/_search";
    assert_eq!(answer(caller.bare("GET", path)).await.unwrap().status, 401);
    let wrong = caller.bare("GET", path).basic_auth("wazuh", Some("wazuh"));
    assert_eq!(answer(wrong).await.unwrap().status, 401);
    let right = caller.bare("GET", path).basic_auth("admin", Some("admin"));
    assert_eq!(answer(right).await.unwrap().status, 200);
}

/// The alerts about responses: rule, verb, endpoint, first argument.
async fn evidence(caller: &Caller) -> Vec<[String; 4]> {
    let body = json!({"size": 50, "sort": [{"timestamp": "asc"}], "query": {"terms": {"rule.id": ["651", "652", "657"]}}});
    let answer = caller.search("wazuh-alerts-4.x-*", body).await.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let row = |hit: &Value| {
        let (alert, data) = (&hit["_source"], &hit["_source"]["data"]);
        let argument = &data["parameters"]["extra_args"][0];
        [&alert["rule"]["id"], &data["command"], &alert["agent"]["id"], argument].map(text)
    };
    answer["hits"]["hits"].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test]
async fn delivered_command_leaves_alert_where_script_exists() {
    let caller = Caller::start(Settings::demo("wazuh", "admin")).await;
    caller.put("?agents_list=001,004", timed("!firewall-drop", "a")).await;
    caller.put("?agents_list=001,004", timed("netsh600", "b")).await;
    caller.put("?agents_list=013,014", timed("!firewall-drop", "c")).await;
    let wanted = [["651", "add", "001", "a"], ["657", "add", "004", "b"]];
    assert_eq!(evidence(&caller).await, wanted.map(|row| row.map(str::to_owned)));
    assert_eq!(caller.sim.alerts().len(), 3, "with the brute force of the start");
}

#[tokio::test]
async fn timed_block_ends_by_itself_or_by_expiry_command() {
    let caller = Caller::start(Settings::demo("wazuh", "admin")).await;
    caller.put("?agents_list=001,002", timed("firewall-drop600", "block")).await;
    caller.put("?agents_list=001", timed("firewall-drop1", "undo")).await;
    caller.sim.advance(Duration::from_secs(2));
    let mut wanted = vec![
        ["651", "add", "001", "block"],
        ["651", "add", "002", "block"],
        ["651", "add", "001", "undo"],
        ["652", "delete", "001", "block"],
    ];
    assert_eq!(evidence(&caller).await, wanted);
    caller.sim.advance(Duration::from_mins(10));
    wanted.push(["652", "delete", "002", "block"]);
    assert_eq!(evidence(&caller).await, wanted);
}
