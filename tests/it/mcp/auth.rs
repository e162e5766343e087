//! Who gets in, and from where.

use reqwest::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::fixtures::{Scene, http_client};

fn list_tools() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })
}

#[tokio::test]
async fn invalid_token_gets_401_and_nothing_else() {
    let scene = Scene::start().await;
    let token = &scene.token;
    let bad = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer\t{token}"),
        format!("Bearer {}", token.to_uppercase()),
        format!("Bearer {token}0"),
        format!("Bearer cs_{}", "0".repeat(64)),
        format!("Bearer {}", token.trim_start_matches("cs_")),
    ];
    let mut tries: Vec<_> =
        bad.iter().map(|value| scene.post(&list_tools()).header(AUTHORIZATION, value)).collect();
    tries.push(scene.post(&list_tools()));
    let good = format!("Bearer {token}");
    tries.push(scene.post(&list_tools()).header(AUTHORIZATION, &good).header(AUTHORIZATION, &good));
    for request in tries {
        let shown = format!("{request:?}");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401, "{shown}");
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        let said: Value = response.json().await.unwrap();
        assert_eq!(said["error"]["code"], -32_001);
        assert!(said["error"]["message"].as_str().unwrap().contains("an admin issues"), "{said}");
    }
    let response = scene.post(&list_tools()).header(AUTHORIZATION, good).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn revoked_token_looks_like_an_invalid_one() {
    let scene = Scene::start().await;
    scene.revoke().await;
    let response = scene.post(&list_tools()).bearer_auth(&scene.token).send().await.unwrap();
    assert_eq!(response.status(), 401);
    let revoked = response.text().await.unwrap();
    let wrong = format!("cs_{}", "0".repeat(64));
    let response = scene.post(&list_tools()).bearer_auth(wrong).send().await.unwrap();
    assert_eq!(revoked, response.text().await.unwrap());
}

#[tokio::test]
async fn only_known_hosts_and_own_origin_are_answered() {
    let scene = Scene::start().await;
    let post = || scene.post(&list_tools()).bearer_auth(&scene.token);
    for (header, value, status) in [
        (HOST, "evil.example", 403),
        (HOST, "countersign.example", 200),
        (ORIGIN, "https://evil.example", 403),
        (ORIGIN, "http://countersign.example", 403),
        (ORIGIN, "https://countersign.example:8443", 403),
        (ORIGIN, "null", 403),
        (ORIGIN, "https://countersign.example", 200),
    ] {
        let response = post().header(&header, value).send().await.unwrap();
        assert_eq!(response.status(), status, "{header}: {value}");
    }
}

#[tokio::test]
async fn message_size_is_limited_and_no_session_starts() {
    let scene = Scene::start().await;
    let long = json!({ "jsonrpc": "2.0", "id": 1, "method": "x".repeat(300_000) });
    let response = scene.post(&long).bearer_auth(&scene.token).send().await.unwrap();
    assert_eq!(response.status(), 413);
    let url = format!("{}/mcp", scene.url());
    let get = http_client().get(url).header("accept", "text/event-stream");
    assert_eq!(get.bearer_auth(&scene.token).send().await.unwrap().status(), 405);
    let initialize = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        },
    });
    let response = scene.post(&initialize).bearer_auth(&scene.token).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().get("mcp-session-id").is_none());
}

#[tokio::test]
async fn oauth_discovery_finds_nothing() {
    let scene = Scene::start().await;
    for path in ["oauth-protected-resource/mcp", "oauth-protected-resource", "openid-configuration"]
    {
        let url = format!("{}/.well-known/{path}", scene.url());
        assert_eq!(http_client().get(url).send().await.unwrap().status(), 404);
    }
}
