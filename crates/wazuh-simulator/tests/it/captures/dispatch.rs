//! `PUT /active-response`: which endpoints receive what.

use serde_json::json;
use wazuh_simulator::{Endpoint, Message, Os, Rights, Settings, User};

use super::{ALL, DENIED, NONE, Put, SOME, block, captured, check, drop_7, failed, items, replay};
use crate::client::Caller;

#[tokio::test]
async fn responses_are_dispatched_as_recorded() {
    let caller = captured().await;
    let tagged = json!({"command": "firewall-drop600", "arguments": ["req=7f3c"], "alert": {"data": {"srcip": "203.0.113.7", "broker_request_id": "7f3c"}}});
    let mixed = vec![
        failed(1117, &["010"]),
        failed(1701, &["099"]),
        failed(1707, &["006", "007", "008"]),
        failed(1750, &["009"]),
    ];
    let twice = block("!echo-args", "203.0.113.7");
    let inactive = vec![failed(1707, &["006", "007"])];
    let cases: Vec<Put<'_>> = vec![
        (24, "?agents_list=001", drop_7(), ALL, &["001"], vec![]),
        (25, "?agents_list=001,002", tagged, ALL, &["001", "002"], vec![]),
        (26, "?agents_list=001,006,007,008,009,010,099,000", drop_7(), SOME, &["001"], mixed),
        (27, "?agents_list=006,007", drop_7(), NONE, &[], inactive),
        (28, "?agents_list=099", drop_7(), NONE, &[], vec![failed(1701, &["099"])]),
        (29, "?agents_list=000", drop_7(), NONE, &[], vec![]),
        (34, "?agents_list=001,001,002", twice, ALL, &["001", "002"], vec![]),
    ];
    for case in cases {
        replay(&caller, case).await;
    }
}

#[tokio::test]
async fn unconfigured_names_fail_as_recorded() {
    let caller = captured().await;
    let unknown = block("no-such-thing", "203.0.113.7");
    let bare = block("firewall-drop", "203.0.113.7");
    let both = vec![failed(1652, &["001", "002"])];
    let partly = vec![failed(1652, &["001"]), failed(1707, &["006"])];
    let cases: Vec<Put<'_>> = vec![
        (30, "?agents_list=001,002", unknown.clone(), NONE, &[], both),
        (31, "?agents_list=001", bare, NONE, &[], vec![failed(1652, &["001"])]),
        (32, "?agents_list=001,006", unknown, NONE, &[], partly),
    ];
    for case in cases {
        replay(&caller, case).await;
    }
}

#[tokio::test]
async fn missing_list_means_all_endpoints_as_recorded() {
    let caller = captured().await;
    let body = block("firewall-drop600", "203.0.113.7");
    let failures =
        vec![failed(1117, &["010"]), failed(1707, &["006", "007", "008"]), failed(1750, &["009"])];
    let served = ["001", "002", "003", "004", "005", "011"];
    replay(&caller, (35, "?wait_for_complete=true", body, SOME, &served, failures)).await;
}

#[tokio::test]
async fn old_agents_get_a_command_line_as_recorded() {
    let caller = captured().await;
    let body = json!({"command": "!firewall-drop.sh", "arguments": ["-", "203.0.113.7; id"], "alert": {"data": {"srcip": "203.0.113.7"}}});
    replay(&caller, (33, "?agents_list=005", body, ALL, &["005"], vec![])).await;
    let body = block("firewall-drop600", "203.0.113.7");
    replay(&caller, (35, "?agents_list=005", body, ALL, &["005"], vec![])).await;
    let lines = [r"!firewall-drop.sh - 203.0.113.7\; id", "firewall-drop600 - -"];
    let lines = lines.map(|line| Message::Legacy(line.to_owned()));
    assert_eq!(caller.sim.delivered_to("005"), lines);
}

#[tokio::test]
async fn invalid_targets_are_accepted_as_recorded() {
    let caller = captured().await;
    let root = json!({"command": "!disable-account", "alert": {"data": {"dstuser": "root"}}});
    let foreign = json!({"command": "!firewall-drop", "alert": {"rule": {"id": "5712", "level": 10}, "data": {"srcip": "203.0.113.7"}, "agent": {"id": "001"}}});
    let bodies = [
        (36, block("!firewall-drop", "not-an-ip")),
        (37, block("!firewall-drop", "127.0.0.1")),
        (38, json!({"command": "!firewall-drop"})),
        (39, root),
        (40, foreign),
        (41, json!({"command": "!sub/dir/script.sh"})),
        (42, block("!firewall-drop\n", "203.0.113.7")),
    ];
    for (capture, body) in bodies {
        replay(&caller, (capture, "?agents_list=002", body, ALL, &["002"], vec![])).await;
    }
    replay(&caller, (43, "?agents_list=003", drop_7(), ALL, &["003"], vec![])).await;
}

#[tokio::test]
async fn rights_are_applied_as_recorded() {
    let rights = Rights::none()
        .allow("active-response:command", &["agent:id:001", "agent:group:windows"])
        .allow("agent:read", &["agent:id:*"]);
    let settings = Settings::captured().only_user(User::new("broker", "Br0ker-Pass!", rights));
    let caller = Caller::start(settings).await;
    let policies = json!({"data": {"active-response:command": {"agent:id:001": "allow", "agent:group:windows": "allow"}, "agent:read": {"agent:id:*": "allow"}, "rbac_mode": "white"}, "message": "Current user processed policies information was returned", "error": 0});
    check(66, &caller.get("/security/users/me/policies").await, 200, &policies);
    let echo = || json!({"command": "!echo-args"});
    let denied = |kind: &str| {
        let detail = format!("Permission denied: Resource type: {kind}");
        json!({"title": "Permission Denied", "detail": detail, "remediation": DENIED, "dapi_errors": {"unknown-node": {"error": detail}}, "error": 4000})
    };
    replay(&caller, (67, "?agents_list=001,003", echo(), ALL, &["001", "003"], vec![])).await;
    check(68, &caller.put("?agents_list=002", echo()).await, 403, &denied("agent:id"));
    let partly = vec![failed(4000, &["002", "099"])];
    replay(&caller, (69, "?agents_list=001,002,099", echo(), SOME, &["001"], partly)).await;
    replay(&caller, (70, "", echo(), ALL, &["001", "003"], vec![])).await;
    check(71, &caller.get("/manager/info").await, 403, &denied("*:*"));

    let settings =
        Settings::captured().only_user(User::new("norole", "Br0ker-Pass!", Rights::none()));
    let caller = Caller::start(settings).await;
    replay(&caller, (73, "", echo(), NONE, &[], vec![])).await;
    check(74, &caller.put("?agents_list=001", echo()).await, 403, &denied("agent:id"));
}

#[tokio::test]
async fn endpoints_beyond_500_are_dropped_silently_as_recorded() {
    let fleet = (1..=1200).map(|id| Endpoint::new(&format!("{id:03}"), "host", Os::DEBIAN));
    let caller = Caller::start(Settings { agents: fleet.collect(), ..Settings::default() }).await;
    let ids = |from: u32, to: u32| (from..=to).map(|id| format!("{id:03}")).collect::<Vec<_>>();
    let list =
        |from, to| format!("?wait_for_complete=true&agents_list={}", ids(from, to).join(","));
    let cases = [
        (90, "?wait_for_complete=true".to_owned(), ids(1, 500)),
        (91, list(501, 700), ids(501, 700)),
        (92, list(1, 700), ids(1, 500)),
    ];
    for (capture, query, served) in cases {
        let answer = caller.put(&query, drop_7()).await;
        check(capture, &answer, 200, &items(ALL, json!(served), json!([])));
        assert_eq!(caller.sim.received().pop().unwrap().delivered, served, "capture {capture}");
    }
}
