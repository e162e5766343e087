//! The bridge: lines on one side, a small HTTP server or the real door on the other.

use std::{net::Ipv4Addr, time::Duration};

use axum::http::header;
use countersign::mcp::bridge::{AnswerBody, BrokerAnswer, PostMessage, run};
use reqwest::Client;
use rmcp::{ClientLifecycleMode, model::ProtocolVersion};
use serde_json::{Value, json};
use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf,
        WriteHalf,
    },
    net::TcpListener,
};

use super::fixtures::{Agent, Scene, block, http_client};

mod server;

use server::Server;

const TOKEN: &str = "cs_secret";

struct OverHttp {
    http: Client,
    url: String,
    token: String,
}

struct Body(reqwest::Response);

impl AnswerBody for Body {
    async fn piece(&mut self) -> Result<Option<Vec<u8>>, String> {
        let piece = self.0.chunk().await.map_err(|error| error.to_string())?;
        Ok(piece.map(Into::into))
    }
}

impl PostMessage for OverHttp {
    type Body = Body;

    async fn post(
        &self,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<BrokerAnswer<Body>, String> {
        let request = self
            .http
            .post(format!("{}/mcp", self.url))
            .bearer_auth(&self.token)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream");
        let request = headers.iter().fold(request, |all, (name, value)| all.header(*name, value));
        let unreachable = |_| format!("there is no answer from {}", self.url);
        let response = request.body(body).send().await.map_err(unreachable)?;
        let kind = response.headers().get(header::CONTENT_TYPE);
        let content_type = kind.map(|kind| kind.to_str().unwrap().to_owned());
        Ok(BrokerAnswer { status: response.status().as_u16(), content_type, body: Body(response) })
    }
}

/// A client's side of the bridge.
struct Terminal {
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    input: WriteHalf<DuplexStream>,
}

fn bridged(url: &str, token: &str) -> DuplexStream {
    let (client, bridge) = tokio::io::duplex(1 << 20);
    let post = OverHttp { http: http_client(), url: url.to_owned(), token: token.to_owned() };
    let (input, output) = tokio::io::split(bridge);
    tokio::spawn(run(input, output, post));
    client
}

impl Terminal {
    fn open(url: &str) -> Self {
        Self::open_with(url, TOKEN)
    }

    fn open_with(url: &str, token: &str) -> Self {
        let (output, input) = tokio::io::split(bridged(url, token));
        Self { output: BufReader::new(output).lines(), input }
    }

    async fn say(&mut self, message: &Value) {
        self.say_line(&message.to_string()).await;
    }

    async fn say_line(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.output.next_line().await.unwrap().unwrap()).unwrap()
    }

    /// The lines that still come once the client has said everything.
    async fn rest(mut self) -> Vec<String> {
        self.input.shutdown().await.unwrap();
        let mut lines = Vec::new();
        while let Some(line) = self.output.next_line().await.unwrap() {
            lines.push(line);
        }
        lines
    }
}

fn ask(id: impl Into<Value>, method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method })
}

#[tokio::test]
async fn slow_request_does_not_delay_others() {
    let server = Server::start().await;
    let mut terminal = Terminal::open(&server.url);
    terminal.say(&ask(1, "slow")).await;
    terminal.say(&ask("two", "quick")).await;
    assert_eq!(terminal.hear().await["id"], "two");
    server.release.notify_one();
    assert_eq!(terminal.hear().await["id"], 1);
}

#[tokio::test]
async fn bridge_answers_every_message_before_ending() {
    let server = Server::start().await;
    let mut terminal = Terminal::open(&server.url);
    terminal.say(&ask(1, "quick")).await;
    terminal.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    let lines = terminal.rest().await;
    assert_eq!(lines.len(), 1, "a notification has no answer: {lines:?}");
}

#[tokio::test]
async fn broker_errors_pass_through_and_others_become_sentences() {
    let server = Server::start().await;
    let mut terminal = Terminal::open(&server.url);
    for (method, code, words) in [
        ("missing", -32_601, "no"),
        ("mismatch", -32_020, "no"),
        ("stranger", -32_000, "the broker does not accept the token in COUNTERSIGN_TOKEN"),
        ("moved", -32_000, "redirect"),
        ("text", -32_000, "holds no message"),
    ] {
        terminal.say(&ask(method, method)).await;
        let heard = terminal.hear().await;
        assert_eq!((&heard["id"], &heard["error"]["code"]), (&json!(method), &json!(code)));
        let message = heard["error"]["message"].as_str().unwrap();
        assert!(message.contains(words) && !message.contains(TOKEN), "{message}");
    }
}

#[tokio::test]
async fn unreachable_broker_is_named() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let mut terminal = Terminal::open(&url);
    terminal.say(&ask(1, "tools/list")).await;
    let message = terminal.hear().await["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&url) && !message.contains(TOKEN), "{message}");
}

#[tokio::test]
async fn cancelled_request_gets_no_answer() {
    let mut server = Server::start().await;
    let mut terminal = Terminal::open(&server.url);
    terminal.say(&ask(1, "slow")).await;
    server.saw().await;
    let params = json!({ "requestId": 1 });
    terminal
        .say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }))
        .await;
    terminal.say(&ask(2, "quick")).await;
    assert_eq!(terminal.hear().await["id"], 2);
    server.saw().await;
    assert_eq!(terminal.rest().await, Vec::<String>::new());
    assert!(server.seen.try_recv().is_err(), "the cancellation itself is not posted");
}

#[tokio::test]
async fn event_stream_becomes_one_line_per_message() {
    let server = Server::start().await;
    let mut terminal = Terminal::open(&server.url);
    terminal.say(&ask(1, "stream")).await;
    assert_eq!(terminal.hear().await["method"], "notifications/progress");
    assert_eq!(terminal.hear().await["id"], 1);
    assert_eq!(terminal.rest().await, Vec::<String>::new());
}

#[tokio::test]
async fn progress_reaches_client_while_its_call_waits() {
    let scene = Scene::start().await;
    let mut terminal = Terminal::open_with(&scene.url(), &scene.token);
    let mut call = ask(1, "tools/call");
    let arguments = block(json!({ "wait_seconds": 50 }));
    call["params"] = json!({
        "name": "block_ip", "arguments": arguments, "_meta": { "progressToken": "p1" },
    });
    terminal.say(&call).await;
    let passing = async {
        loop {
            // Few steps of time for many turns of the others: what waits must not run out.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            scene.clock.advance(Duration::from_secs(1));
        }
    };
    let heard = tokio::select! {
        heard = terminal.hear() => heard,
        () = passing => unreachable!(),
    };
    assert_eq!(heard["params"]["progressToken"], "p1", "{heard}");
    let agent = scene.agent().await;
    let list = agent.call("list_requests", json!({})).await;
    scene.reject("bob", list.json["requests"][0]["request_id"].as_str().unwrap(), "no need").await;
    loop {
        let heard = terminal.hear().await;
        if heard["id"] == 1 {
            assert_eq!(heard["result"]["structuredContent"]["state"], "rejected", "{heard}");
            break;
        }
    }
}

#[tokio::test]
async fn messages_above_limit_wait_for_their_turn() {
    let mut server = Server::start().await;
    let mut terminal = Terminal::open(&server.url);
    for id in 0..100 {
        terminal.say(&ask(id, "slow")).await;
    }
    for _ in 0..64 {
        server.saw().await;
    }
    let mut answered = Vec::new();
    for _ in 0..100 {
        server.release.notify_one();
        answered.push(terminal.hear().await["id"].as_u64().unwrap());
        assert!(answered.len() + 64 >= 100 || server.saw().await.1["method"] == "slow");
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn message_cancelled_while_it_waits_is_never_posted() {
    let mut server = Server::start().await;
    let mut terminal = Terminal::open(&server.url);
    for id in 0..64 {
        terminal.say(&ask(id, "slow")).await;
    }
    terminal.say(&ask("late", "quick")).await;
    let params = json!({ "requestId": "late" });
    terminal
        .say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }))
        .await;
    // Once this is answered, the cancellation was read.
    terminal.say_line("{").await;
    assert_eq!(terminal.hear().await["error"]["code"], -32_700);
    for _ in 0..64 {
        assert_eq!(server.saw().await.1["method"], "slow");
        server.release.notify_one();
        terminal.hear().await;
    }
    assert_eq!(terminal.rest().await, Vec::<String>::new());
    assert!(server.seen.try_recv().is_err());
}

#[tokio::test]
async fn headers_follow_clients_protocol_revision() {
    let mut server = Server::start().await;
    let mut terminal = Terminal::open(&server.url);
    terminal.say(&ask(1, "initialize")).await;
    terminal.hear().await;
    let (headers, _) = server.saw().await;
    assert!(headers.get("mcp-protocol-version").is_none());
    terminal.say(&ask(2, "tools/list")).await;
    terminal.hear().await;
    let (headers, _) = server.saw().await;
    assert_eq!(headers["mcp-protocol-version"], "2025-11-25");
    assert!(headers.get("mcp-method").is_none());
    let mut call = ask(3, "tools/call");
    call["params"] = json!({
        "name": "block_ip",
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" },
    });
    terminal.say(&call).await;
    terminal.hear().await;
    let (headers, body) = server.saw().await;
    assert_eq!(headers["mcp-protocol-version"], "2026-07-28");
    assert_eq!(headers["mcp-method"], "tools/call");
    assert_eq!(headers["mcp-name"], "block_ip");
    assert_eq!(body, call, "the message itself is not touched");
}

#[tokio::test]
async fn invalid_line_is_an_error_and_bridge_continues() {
    let server = Server::start().await;
    let mut terminal = Terminal::open(&server.url);
    let long = "x".repeat(1_200_000);
    for (line, code) in [("{", -32_700), ("[1]", -32_600), ("7", -32_600), (&long, -32_600)] {
        terminal.say_line(line).await;
        let heard = terminal.hear().await;
        assert_eq!((&heard["id"], &heard["error"]["code"]), (&Value::Null, &json!(code)));
    }
    terminal.say_line("").await;
    terminal.say(&ask(1, "quick")).await;
    assert_eq!(terminal.hear().await["id"], 1);
}

#[tokio::test]
async fn unmodified_old_and_new_clients_work_through_bridge() {
    let scene = Scene::start().await;
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    for mode in
        [ClientLifecycleMode::Initialize, ClientLifecycleMode::Discover { preferred_versions }]
    {
        // Longer than a rejection keeps the same from being asked again.
        scene.clock.advance(Duration::from_mins(31));
        let stream = bridged(&scene.url(), &scene.token);
        let agent = Agent::over(tokio::io::split(stream), mode).await;
        assert_eq!(agent.0.list_all_tools().await.unwrap().len(), 14);
        let id = agent.block(json!({})).await.id();
        let wait = json!({ "request_id": id, "timeout_seconds": 50 });
        let (waited, ()) = tokio::join!(
            agent.call("wait_for_decision", wait),
            scene.reject("bob", &id, "no need"),
        );
        assert_eq!(waited.state(), "rejected");
    }
}
