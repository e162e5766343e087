//! Calls that the manager refuses, times out or cannot serve.

use std::time::Duration;

use serde_json::{Value, json};
use wazuh_simulator::{AgentError, Calls, Fault, Outage, Settings, Times, Work};

use super::{ALL, NONE, block, captured, check, drop_7, failed, items, problem, replay};
use crate::client::{Caller, answer};

#[tokio::test]
async fn bad_bodies_are_refused_as_recorded() {
    let caller = captured().await;
    let not_a_command =
        |name: &str| format!("'{name}' is not a 'active_response_command' - 'command'");
    let cases = [
        (
            44,
            r#"{"alert": {"data": {"srcip": "203.0.113.7"}}}"#,
            "'command' is a required property".to_owned(),
        ),
        (45, r#"{"command": ""}"#, not_a_command("")),
        (
            46,
            r#"{"command": "!firewall-drop", "timeout": 60}"#,
            "Invalid field found {'timeout'}".to_owned(),
        ),
        (47, r#"{"command": "!../../../tmp/x"}"#, not_a_command("!../../../tmp/x")),
        (48, r#"{"command": "!firewall-drop -x"}"#, not_a_command("!firewall-drop -x")),
        (
            49,
            r#"{"command": "!firewall-drop", "arguments": [1]}"#,
            "1 is not of type 'string' - 'arguments.0'".to_owned(),
        ),
        (
            50,
            r#"{"command": "!firewall-drop", "alert": "x"}"#,
            "'x' is not of type 'object' - 'alert'".to_owned(),
        ),
        (51, r#"{"command": "#, "Expecting value: line 1 column 13 (char 12)".to_owned()),
        (52, "", "Request body must not be empty".to_owned()),
    ];
    for (capture, body, detail) in cases {
        let request = caller.request("PUT", "/active-response?agents_list=001");
        let request = request.header("content-type", "application/json").body(body);
        let answer = answer(request).await.unwrap();
        check(capture, &answer, 400, &problem("Bad Request", &detail));
    }
    let request = caller.request("PUT", "/active-response?agents_list=001");
    let form =
        request.header("content-type", "application/x-www-form-urlencoded").body("command=x");
    let detail =
        "Invalid Content-type (application/x-www-form-urlencoded), expected ['application/json']";
    check(53, &answer(form).await.unwrap(), 415, &problem("Unsupported Media Type", detail));
    let bare =
        caller.request("PUT", "/active-response?agents_list=001").body(r#"{"command":"!x"}"#);
    let mut wanted =
        problem("Not Acceptable", "The body type is not the one specified in the content-type");
    wanted["error"] = json!(6002);
    check(54, &answer(bare).await.unwrap(), 406, &wanted);
    assert_eq!(caller.sim.received(), []);
}

#[tokio::test]
async fn bad_addresses_are_refused_as_recorded() {
    let caller = captured().await;
    let schema = "in schema['items']: {'description': 'Agent ID', 'format': 'numbers', 'minLength': 3, 'type': 'string'}. On instance[0]:";
    let cases = [
        (
            55,
            "?agents_list=1",
            format!("'1' is too short. Failed validating 'minLength' {schema} '1'"),
        ),
        (
            56,
            "?agents_list=all",
            format!("'all' is not a 'numbers'. Failed validating 'format' {schema} 'all'"),
        ),
        (
            57,
            "?agents_list=",
            format!("'' is too short. Failed validating 'minLength' {schema} ''"),
        ),
        (58, "?agent_list=001", "Extra query parameter(s) agent_list not in spec".to_owned()),
    ];
    for (capture, query, detail) in cases {
        let answer = caller.put(query, json!({"command": "!x"})).await;
        check(capture, &answer, 400, &problem("Bad Request", &detail));
    }
    let post = answer(caller.request("POST", "/active-response?agents_list=001")).await.unwrap();
    check(59, &post, 405, &problem("Method Not Allowed", "405: Method Not Allowed"));
}

#[tokio::test]
async fn slow_endpoint_times_out_as_recorded() {
    let api_timeout = Duration::from_millis(20);
    let caller = Caller::start(Settings { api_timeout, ..Settings::captured() }).await;
    caller.sim.hold("011");
    let body = block("!echo-args", "198.51.100.1");
    let answer = caller.put("?agents_list=001,011,002", body.clone()).await;
    check(86, &answer, 500, &internal(3021, "Timeout executing API request"));
    assert_eq!(caller.sim.received()[0].delivered, ["001", "002"], "capture 86");
    // In capture 87 the next call waits for the only worker; here it would wait forever.
    let next = caller.get("/agents?limit=1&select=id").await;
    check(87, &next, 500, &internal(3021, "Timeout executing API request"));
    caller.sim.release("011");
    caller.sim.settled().await;
    assert_eq!(caller.sim.received()[0].delivered, ["001", "002", "011"], "capture 87");

    caller.sim.hold("011");
    let waits = caller.put("?agents_list=001,011&wait_for_complete=true", body);
    let (answer, ()) = tokio::join!(waits, async {
        caller.sim.until_received(2).await;
        caller.sim.release("011");
    });
    check(88, &answer, 200, &items(ALL, json!(["001", "011"]), json!([])));
}

/// A problem of the framework with its own log line.
fn internal(code: u16, detail: &str) -> Value {
    json!({"title": "Wazuh Internal Error", "detail": detail, "dapi_errors": {"lab-node": {"error": detail, "logfile": "WAZUH_HOME/logs/api.log"}}, "error": code})
}

#[tokio::test]
async fn limits_are_enforced_as_recorded() {
    let caller = Caller::start(Settings { rate_limit_per_minute: 2, ..Settings::captured() }).await;
    assert_eq!(caller.get("/agents?limit=1").await.status, 200);
    let wanted = json!({"title": "Too Many Requests", "detail": "Maximum number of requests per minute reached", "remediation": "This limit can be changed in api.yaml file. More information here: https://documentation.wazuh.com/4.14/user-manual/api/configuration.html#configuration-file", "error": 6001});
    check(93, &caller.put("?agents_list=001", drop_7()).await, 429, &wanted);
    check(94, &caller.login("wazuh", "wazuh").await, 429, &wanted);
    assert_eq!(caller.sim.received(), []);

    let caller = captured().await;
    for _ in 0..50 {
        assert_eq!(caller.login("wazuh", "wrong").await.status, 401);
    }
    let wanted = json!({"title": "Permission Denied", "detail": "Limit of login attempts reached. The current IP has been blocked due to a high number of login attempts", "error": 6000});
    check(95, &caller.login("wazuh", "wazuh").await, 403, &wanted);
    assert_eq!(caller.get("/agents?limit=1").await.status, 200, "tokens go on");

    caller.sim.misbehave_on(Calls::Reads, Fault::Unauthorized, Times::Once);
    check(96, &caller.get("/agents").await, 401, &problem("Unauthorized", "Invalid token"));
}

#[tokio::test]
async fn outages_are_reported_as_recorded() {
    let caller = captured().await;
    let stopped =
        "Some Wazuh daemons are not ready yet in node \"lab-node\" (wazuh-remoted->stopped)";
    let restarting = "Some Wazuh daemons are not ready yet in node \"lab-node\" (wazuh-modulesd->restarting, wazuh-analysisd->restarting, wazuh-execd->restarting, wazuh-db->restarting, wazuh-remoted->restarting)";
    let mut database = internal(2005, "Could not connect to wdb socket");
    database["dapi_errors"]["lab-node"]["error"] =
        json!("Could not connect to wdb socket: [Errno 2] No such file or directory");
    let anything = json!({"title": "Wazuh Internal Error", "detail": "Wazuh Internal Error", "remediation": "Please, check `WAZUH_HOME/logs/ossec.log`, `WAZUH_HOME/logs/cluster.log` and `WAZUH_HOME/logs/api.log` to get more information about the error", "dapi_errors": {"lab-node": {"error": "Wazuh Internal Error. See log for more detail"}}, "error": 1000});
    let cases = [
        (97, Outage::DaemonStopped, internal(1017, stopped)),
        (99, Outage::Restarting, internal(1017, restarting)),
        (
            100,
            Outage::QueueGone,
            internal(1010, "Unable to connect to queue: /var/ossec/queue/alerts/ar"),
        ),
        (102, Outage::DatabaseGone, database),
        (103, Outage::Internal, anything),
    ];
    for (capture, outage, wanted) in cases {
        caller.sim.misbehave(Fault::Fail(outage, Work::NotDone), Times::Once);
        check(capture, &caller.put("?agents_list=001", drop_7()).await, 500, &wanted);
    }
    let fault = Fault::Fail(Outage::DaemonStopped, Work::NotDone);
    caller.sim.misbehave_on(Calls::Login, fault, Times::Once);
    check(98, &caller.login("wazuh", "wazuh").await, 500, &internal(1017, stopped));
    assert_eq!(caller.sim.received(), []);

    caller.sim.misbehave(Fault::EveryAgent(AgentError::SocketGone), Times::Once);
    let no_socket = vec![failed(1013, &["001"])];
    replay(&caller, (101, "?agents_list=001", drop_7(), NONE, &[], no_socket)).await;
}
