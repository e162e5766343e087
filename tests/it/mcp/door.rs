//! What is no message, and what stands beside the door: JSON says what to do.

use crate::harness::kind;
use countersign::domain::actor::Actor;
use reqwest::{Method, RequestBuilder, header};
use serde_json::{Value, json};

use super::fixtures::{Scene, http_client};

fn raw(scene: &Scene, body: impl Into<Vec<u8>>) -> RequestBuilder {
    http_client()
        .post(format!("{}/mcp", scene.url()))
        .bearer_auth(&scene.token)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
}

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

async fn error(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let said: Value = response.json().await.unwrap();
    assert_eq!(said["jsonrpc"], "2.0", "{said}");
    assert!(said["error"]["message"].as_str().is_some_and(|text| text.len() > 9), "{said}");
    (status, said)
}

#[tokio::test]
async fn malformed_message_is_400_with_its_code() {
    let scene = Scene::start().await;
    for (body, code) in [
        (&b"{\"jsonrpc\""[..], -32_700),
        (b"", -32_700),
        (b"\xff\xfe{}", -32_700),
        (b"{} {}", -32_700),
        (b"{\"id\":1e999}", -32_700),
        (b"[]", -32_600),
        (b"7", -32_600),
        (b"{\"id\":1}", -32_600),
        (br#"{"jsonrpc":"2.0","id":1,"method":"a","method":"tools/list"}"#, -32_600),
    ] {
        let (status, said) = error(raw(&scene, body)).await;
        assert_eq!((status, &said["error"]["code"]), (400, &json!(code)), "{said}");
    }
}

#[tokio::test]
async fn arguments_that_are_no_object_are_refused() {
    let scene = Scene::start().await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    for arguments in [json!("{}"), json!([]), json!(7), json!(true)] {
        let mut call = json!({
            "jsonrpc": "2.0", "id": 5, "method": "tools/call",
            "params": { "name": "list_requests", "arguments": arguments },
        });
        let old = raw(&scene, call.to_string());
        call["params"]["_meta"] = meta.clone();
        let new = raw(&scene, call.to_string())
            .header("MCP-Protocol-Version", "2026-07-28")
            .header("Mcp-Method", "tools/call")
            .header("Mcp-Name", "list_requests");
        for request in [old, new] {
            let (status, said) = error(request).await;
            assert_eq!((status, &said["id"]), (400, &json!(5)), "{said}");
            assert_eq!(said["error"]["code"], -32_602, "{said}");
            assert!(said["error"]["message"].as_str().unwrap().contains("`arguments`"), "{said}");
        }
    }
    for params in [json!([]), json!({}), json!("list_requests"), json!({ "name": 7 })] {
        let call = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params });
        let (status, said) = error(raw(&scene, call.to_string())).await;
        assert_eq!((status, &said["error"]["code"]), (400, &json!(-32_602)), "{said}");
    }
}

#[tokio::test]
async fn argument_that_comes_twice_is_refused() {
    let scene = Scene::start().await;
    for arguments in [r#"{"limit":1,"limit":2}"#, r#"{"limit":1,"\u006cimit":1}"#] {
        let params = format!(r#"{{"name":"list_requests","arguments":{arguments}}}"#);
        let call = format!(r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{params}}}"#);
        let (_, said) = error(raw(&scene, call)).await;
        assert_eq!(said["error"]["code"], -32_602, "{said}");
        assert!(said["error"]["message"].as_str().unwrap().contains("`limit` is there twice"));
    }
}

#[tokio::test]
async fn accept_of_todays_clients_is_taken() {
    let scene = Scene::start().await;
    assert_eq!(raw(&scene, LIST).send().await.unwrap().status(), 200);
    for accept in [
        "*/*",
        "application/json",
        "application/*",
        "Application/JSON; q=0.5, text/html",
        "text/event-stream, application/json",
    ] {
        let response = raw(&scene, LIST).header(header::ACCEPT, accept).send().await.unwrap();
        assert_eq!(response.status(), 200, "{accept}");
    }
    for accept in ["text/html", "application/json;q=0", "text/event-stream"] {
        let (status, _) = error(raw(&scene, LIST).header(header::ACCEPT, accept)).await;
        assert_eq!(status, 406, "{accept}");
    }
}

#[tokio::test]
async fn bearer_scheme_counts_in_any_case() {
    let scene = Scene::start().await;
    for scheme in ["bearer", "BEARER", "Bearer "] {
        let request = scene.post(&serde_json::from_str(LIST).unwrap());
        let request = request.header(header::AUTHORIZATION, format!("{scheme} {}", scene.token));
        assert_eq!(request.send().await.unwrap().status(), 200, "{scheme}");
    }
}

#[tokio::test]
async fn paths_beside_the_door_answer_json() {
    let scene = Scene::start().await;
    for path in ["mcp/", "mcp/x/y", "register", "authorize", "token", "sse", "messages"]
        .into_iter()
        .chain([".well-known/oauth-protected-resource/mcp", ".well-known/x"])
    {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let request = http_client().request(method, format!("{}/{path}", scene.url()));
            assert_eq!(error(request).await.0, 404, "{path}");
        }
    }
    for (method, status) in [(Method::GET, 405), (Method::DELETE, 405), (Method::PUT, 405)] {
        let request = http_client().request(method, format!("{}/mcp", scene.url()));
        assert_eq!(error(request.bearer_auth(&scene.token)).await.0, status);
    }
    let foreign = raw(&scene, LIST).header(header::HOST, "evil.example");
    assert_eq!(error(foreign).await.0, 403);
    let text = http_client().post(format!("{}/mcp", scene.url())).bearer_auth(&scene.token);
    assert_eq!(error(text.header(header::CONTENT_TYPE, "text/plain").body(LIST)).await.0, 415);
}

#[tokio::test]
async fn tool_outside_of_scopes_is_not_listed() {
    let scene = Scene::start().await;
    // Each time a new client: one keeps the list for some minutes.
    let listed = async || {
        let tools = scene.agent().await.0.list_all_tools().await.unwrap();
        tools.into_iter().map(|tool| tool.name.into_owned()).collect::<Vec<_>>()
    };
    let all = listed().await;
    let scopes = [kind("block_ip")];
    scene.operator().set_scopes(&Actor::CommandLine, "triage-bot", &scopes).await.unwrap();
    let without: Vec<_> = all.iter().filter(|name| *name != "disable_account").cloned().collect();
    assert_eq!((listed().await, without.len()), (without, all.len() - 1));
    let arguments =
        json!({ "dstuser": "alice", "agent_ids": ["002"], "permanent": true, "reason": "a test" });
    let told = scene.agent().await.call("disable_account", arguments).await;
    assert!(told.error, "{told:?}");
    assert_eq!(told.state(), "denied", "{told:?}");
    assert!(scene.manager.received().is_empty());
}

#[tokio::test]
async fn second_host_header_is_refused() {
    let scene = Scene::start().await;
    for other in ["evil.example", "countersign.example"] {
        let request = raw(&scene, LIST).header(header::HOST, "countersign.example");
        let (status, said) = error(request.header(header::HOST, other)).await;
        assert_eq!(status, 400, "{said}");
        assert!(said["error"]["message"].as_str().unwrap().contains("`Host`"), "{said}");
    }
}

#[tokio::test]
async fn method_that_is_not_declared_is_not_found() {
    let scene = Scene::start().await;
    for method in [
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "completion/complete",
        "logging/setLevel",
        "tasks/get",
        "no/such",
    ] {
        let params = json!({
            "name": "x", "uri": "x:y", "level": "info", "taskId": "x",
            "ref": { "type": "ref/prompt", "name": "x" }, "argument": { "name": "a", "value": "" },
        });
        let message = json!({ "jsonrpc": "2.0", "id": 5, "method": method, "params": params });
        let response = raw(&scene, message.to_string()).send().await.unwrap();
        let said: Value = response.json().await.unwrap();
        assert_eq!(said["error"]["code"], -32_601, "{method}: {said}");
    }
}

#[tokio::test]
async fn client_of_every_revision_is_taken() {
    let scene = Scene::start().await;
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let client = json!({ "name": "test", "version": "1" });
        let params =
            json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
        let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        let said = raw(&scene, hello.to_string()).send().await.unwrap();
        let said: Value = said.json().await.unwrap();
        assert_eq!(said["result"]["protocolVersion"], version, "{said}");
        let call = json!({
            "jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": { "name": "list_requests", "arguments": null },
        });
        let request = raw(&scene, call.to_string()).header("MCP-Protocol-Version", version);
        let said: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(said["result"]["content"][0]["text"], r#"{"requests":[]}"#, "{said}");
    }
}
