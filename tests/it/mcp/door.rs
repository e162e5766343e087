//! What is no message, and what stands beside the door: JSON says what to do.

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
    for arguments in ["\"{}\"", "[]", "7", "true"] {
        let params = format!(r#"{{"name":"list_requests","arguments":{arguments}}}"#);
        let call = format!(r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{params}}}"#);
        let (_, said) = error(raw(&scene, call)).await;
        assert_eq!((&said["id"], &said["error"]["code"]), (&json!(5), &json!(-32_602)), "{said}");
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
    use countersign::{domain::action::ActionKind, mcp::tools::ToolName};
    let open = |scopes: &[ActionKind]| {
        ToolName::all().filter(|tool| tool.is_open_to(scopes)).map(ToolName::name).count()
    };
    assert_eq!(open(&ActionKind::RESPONSES), 7);
    assert_eq!(open(&[ActionKind::BlockIp]), 6);
    assert_eq!(open(&[]), 4);
}
