//! The log of the built program: what an operator reads, and what must never stand in it.

use serde_json::{Value, json};

use crate::harness::{
    AgentClient, PASSWORD, PersonClient,
    installation::Installation,
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
    installed.program.done(&["freeze", "--reason", "a test"]);
    let agent = AgentClient::connect(&server.url, &installed.token).await;
    let id = agent.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    let mut bob = PersonClient::stranger(&server.url);
    bob.try_sign_in("bob", PASSWORD).await;
    bob.choose_password(PASSWORD, "another good passphrase").await;
    PersonClient::sign_in(&server.url, "bob", "another good passphrase").await.approve(&id).await;
    let line = server.logged("approved requests wait").await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["level"], &line["why"]), (&json!("WARN"), &json!("the kill switch is on")));
}
