//! A small HTTP server in the place of a broker.

use std::{net::Ipv4Addr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
};

/// A server that answers by the method: see [`answer`].
pub(super) struct Server {
    pub(super) url: String,
    pub(super) seen: mpsc::UnboundedReceiver<(HeaderMap, Value)>,
    pub(super) release: Arc<Notify>,
}

#[derive(Clone)]
struct Doings {
    seen: mpsc::UnboundedSender<(HeaderMap, Value)>,
    release: Arc<Notify>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, seen) = mpsc::unbounded_channel();
        let release = Arc::new(Notify::new());
        let doings = Doings { seen: sender, release: Arc::clone(&release) };
        let router = Router::new().route("/mcp", post(answer)).with_state(doings);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen, release }
    }

    pub(super) async fn saw(&mut self) -> (HeaderMap, Value) {
        self.seen.recv().await.unwrap()
    }
}

async fn answer(State(doings): State<Doings>, headers: HeaderMap, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    doings.seen.send((headers, message.clone())).unwrap();
    let id = message["id"].clone();
    let result =
        json!({ "jsonrpc": "2.0", "id": id, "result": { "protocolVersion": "2025-11-25" } });
    let json = |status: StatusCode, body: &Value| {
        let body = format!("{body:#}\n");
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let error = |id: Value, code: i32| {
        let error = json!({ "code": code, "message": "no" });
        json!({ "jsonrpc": "2.0", "id": id, "error": error })
    };
    match message["method"].as_str().unwrap_or_default() {
        "slow" => {
            doings.release.notified().await;
            json(StatusCode::OK, &result)
        }
        "stream" => {
            let note = json!({ "jsonrpc": "2.0", "method": "notifications/progress" });
            let events = format!(
                "id: 0\nretry: 3000\ndata:\n\ndata: {note}\r\n\r\nevent: message\ndata: {result}\n\n"
            );
            ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], events).into_response()
        }
        "missing" => json(StatusCode::NOT_FOUND, &error(id, -32_601)),
        "mismatch" => json(StatusCode::BAD_REQUEST, &error(Value::Null, -32_020)),
        "stranger" => StatusCode::UNAUTHORIZED.into_response(),
        "moved" => {
            (StatusCode::FOUND, [(header::LOCATION, "https://evil.example/")]).into_response()
        }
        "text" => "hello".into_response(),
        name if name.starts_with("notifications/") => StatusCode::ACCEPTED.into_response(),
        _ => json(StatusCode::OK, &result),
    }
}
