//! The log of the built program: what an operator reads, and what must never stand in it.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use wazuh_simulator::{Calls, Fault, Outage, Times, Work};

use crate::harness::{
    AgentClient, PASSWORD, PersonClient,
    installation::Installation,
    page::http_client,
    program::{Program, Serving},
};

struct Scene {
    server: Serving,
    installed: Installation,
}

/// A server on a simulated manager.
async fn serve(environment: &[(&str, &str)]) -> Scene {
    let installed = Installation::new().await;
    Scene { server: installed.program.serve_with(environment), installed }
}

const JSON: [(&str, &str); 2] = [("COUNTERSIGN_LOG", "info"), ("COUNTERSIGN_LOG_FORMAT", "json")];

fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The spans of a line as one object.
fn spans(line: &Value) -> Value {
    let mut all = json!({});
    for span in line["spans"].as_array().into_iter().flatten() {
        all.as_object_mut().unwrap().extend(span.as_object().unwrap().clone());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn log_in_json_names_request_agent_person_and_manager() {
    let scene = serve(&JSON).await;
    let agent = AgentClient::connect(&scene.server.url, &scene.installed.token).await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    PersonClient::stranger(&scene.server.url).try_sign_in("bob", PASSWORD).await;
    let log = scene.server.log();
    let lines = lines(&log);
    let find = |message: &str, check: &dyn Fn(&Value) -> bool| {
        lines.iter().any(|line| line["message"] == message && check(line))
    };
    assert!(find("listening", &|line| line["version"].is_string()), "{log}");
    assert!(find("the worker runs", &|line| line["managers"] == 1), "{log}");
    let asked = |line: &Value| {
        line["kind"] == "request.asked" && line["request.id"] == *id && line["audit.seq"].is_u64()
    };
    assert!(find("recorded", &asked), "{log}");
    let called = |line: &Value| {
        let spans = spans(line);
        spans["agent"] == "triage-bot" && spans["tool"] == "block_ip"
    };
    assert!(find("tool answered", &called), "{log}");
    let mcp = |line: &Value| {
        let spans = spans(line);
        spans["path"] == "/mcp" && spans["agent"] == "triage-bot" && line["status"] == 200
    };
    assert!(find("answered", &mcp), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_left_out_are_counted_in_log() {
    let scene = serve(&JSON).await;
    let agent = AgentClient::connect(&scene.server.url, &scene.installed.token).await;
    let added = json!({ "toolCallId": "call_1", "sessionId": "s", "limit": 1 });
    assert!(!agent.call("list_requests", added).await.error);
    assert!(!agent.call("list_requests", json!({})).await.error);
    let log = scene.server.log();
    let answered = |line: &Value| line["message"] == "tool answered";
    let counts: Vec<_> =
        lines(&log).iter().filter(|l| answered(l)).map(|l| l["left_out"].clone()).collect();
    assert_eq!(counts, [2, 0], "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_http_request_gives_one_line() {
    let scene = serve(&JSON).await;
    let client = PersonClient::stranger(&scene.server.url);
    for path in ["/sign-in", "/nowhere?secret=in-the-query", "/healthz"] {
        client.get(path).await;
    }
    let log = scene.server.log();
    let answered: Vec<_> = lines(&log)
        .into_iter()
        .filter(|line| line["message"] == "answered")
        .map(|line| format!("{} {}", spans(&line)["path"].as_str().unwrap(), line["status"]))
        .collect();
    assert_eq!(answered, ["/sign-in 200", "/nowhere 404"]);
    assert!(!log.contains("in-the-query"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_holds_no_secret_and_no_foreign_line() {
    let environment = [("COUNTERSIGN_LOG", "info")];
    let scene = serve(&environment).await;
    let agent = AgentClient::connect(&scene.server.url, &scene.installed.token).await;
    agent.block("203.0.113.9", json!({ "agent_ids": ["001"], "reason": "why\nERROR fake" })).await;
    let mut bob = PersonClient::stranger(&scene.server.url);
    bob.try_sign_in("mallory\nERROR forged \u{1b}[31m", "a wrong password").await;
    bob.try_sign_in("bob", PASSWORD).await;
    let log = scene.server.log();
    assert!(log.contains("session.refused"), "{log}");
    for secret in
        [PASSWORD, "a wrong password", &scene.installed.token, "manager-pw", "Bearer", "cookie"]
    {
        assert!(!log.contains(secret), "`{secret}` stands in the log: {log}");
    }
    for forged in ["\nERROR", "\u{1b}", "fake"] {
        assert!(!log.contains(forged), "{log}");
    }
}

/// What an agent, or anybody, writes to look like a line of its own.
const HOSTILE: &str = "1\n2026-11-28T10:00:00.000000Z  INFO recorded audit.seq=9 kind=\"vote.approved\" \
                       actor=\"bob\"\r\u{1b}[31m\u{202e}\u{2028}\u{85}\u{9b}";

/// Sends the hostile text in each place of a message that the protocol knows, in headers, and in
/// the path.
async fn attack(scene: &Scene) {
    let long = HOSTILE.repeat(1000);
    let initialize = json!({ "protocolVersion": HOSTILE, "capabilities": {},
                             "clientInfo": { "name": HOSTILE, "version": HOSTILE } });
    let meta = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": HOSTILE } });
    for message in [
        json!({ "id": HOSTILE, "method": "no/such" }),
        json!({ "id": long, "method": "no/such" }),
        json!({ "id": 1, "method": HOSTILE }),
        json!({ "id": 1, "method": long }),
        json!({ "id": HOSTILE, "method": "tools/call", "params": { "name": HOSTILE } }),
        json!({ "id": 1, "method": "tools/call", "params": { "name": long } }),
        json!({ "id": 1, "method": "tools/call", "params": { "name": 7 } }),
        json!({ "id": 1, "method": "initialize", "params": initialize }),
        json!({ "id": 1, "method": "tools/list", "params": meta }),
    ] {
        post(scene, message, HeaderMap::new()).await;
    }
    let hostile = "http://evil\t\u{202e}\u{9b} kind=\"x\"".as_bytes();
    for header in ["Origin", "MCP-Protocol-Version", "Mcp-Session-Id", "Last-Event-ID"] {
        let header = HeaderName::from_bytes(header.as_bytes()).unwrap();
        let headers = [(header, HeaderValue::from_bytes(hostile).unwrap())];
        post(scene, json!({ "id": 1, "method": "tools/list" }), headers.into_iter().collect())
            .await;
    }
    raw(scene, "GET", &format!("/\u{202e}\u{2028}\u{85}\u{9b}\"}}:recorded{}", "a".repeat(5000)));
}

async fn post(scene: &Scene, mut message: Value, headers: HeaderMap) {
    message["jsonrpc"] = "2.0".into();
    let call = http_client().post(format!("{}/mcp", scene.server.url));
    let call = call.timeout(Duration::from_mins(1)).bearer_auth(&scene.installed.token);
    let call = call.header("Accept", "application/json, text/event-stream").headers(headers);
    call.header("Content-Type", "application/json").body(message.to_string()).send().await.unwrap();
}

/// A request as no library would send it.
fn raw(scene: &Scene, method: &str, path: &str) {
    let host = scene.server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let end = "Connection: close\r\n\r\n";
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{end}").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_stays_inside_its_log_line() {
    for format in ["text", "json"] {
        let environment = [("COUNTERSIGN_LOG", "info"), ("COUNTERSIGN_LOG_FORMAT", format)];
        let scene = serve(&environment).await;
        attack(&scene).await;
        let log = scene.server.log();
        assert_eq!(log.matches("a message was refused").count(), 7, "{log}");
        assert!(log.contains("/‹U+202E›‹U+2028›‹U+0085›‹U+009B›"), "{log}");
        for line in log.split_terminator('\n') {
            let start = if format == "text" { "2" } else { "{\"timestamp\":\"2" };
            assert!(line.starts_with(start), "{line}");
            let hidden = |c: char| c.is_control() || "\u{202e}\u{2028}\u{2029}".contains(c);
            assert!(!line.contains(hidden), "{line:?}");
            assert!(line.chars().count() < 2500, "{} bytes: {line}", line.len());
            assert!(!line.contains("evil"), "a header stands in the log: {line}");
            // What forges a field stands in quotes.
            let unescaped = line.replace("\\\\", "").replace("\\\"", "");
            let outside: String = unescaped.split('"').step_by(2).collect();
            assert!(!outside.contains("audit.seq=9 "), "{line}");
            let parsed = format == "text" || serde_json::from_str::<Value>(line).is_ok();
            assert!(parsed, "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_method_is_logged_as_other() {
    let scene = serve(&JSON).await;
    for method in ["GET", "OPTIONS", "FORGED", &"M".repeat(3000)] {
        raw(&scene, method, "/sign-in");
    }
    let log = scene.server.log();
    let lines = lines(&log);
    let answered = lines.iter().filter(|line| line["message"] == "answered");
    let methods: Vec<_> = answered.map(|line| spans(line)["method"].clone()).collect();
    assert_eq!(methods, ["GET", "OPTIONS", "other", "other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_logs_at_info_by_default() {
    // Set and empty is as if it were not set.
    let log = serve(&[("COUNTERSIGN_LOG", "")]).await.server.log();
    assert!(log.contains("listening") && log.contains("INFO"), "{log}");
}

#[test]
fn unknown_log_level_is_refused() {
    let program = Program::new();
    let output = program.command().env("COUNTERSIGN_LOG", "bogus").arg("serve").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let expected = "COUNTERSIGN_LOG is `bogus`; allowed: error, warn, info, debug, trace";
    assert!(said.contains(expected), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_switch_that_holds_requests_is_logged() {
    let Scene { mut server, installed } = serve(&JSON).await;
    let agent = AgentClient::connect(&server.url, &installed.token).await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let down = Fault::Fail(Outage::Restarting, Work::NotDone);
    installed.manager.misbehave_on(Calls::Reads, down, Times::UntilCleared);
    let mut bob = PersonClient::stranger(&server.url);
    bob.try_sign_in("bob", PASSWORD).await;
    bob.choose_password(PASSWORD, "another good passphrase").await;
    PersonClient::sign_in(&server.url, "bob", "another good passphrase").await.approve(&id).await;
    installed.program.done(&["freeze", "--reason", "a test"]);
    let line = server.logged("the kill switch is on").await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["level"], &line["why"]), (&json!("WARN"), &json!("the kill switch is on")));
}
