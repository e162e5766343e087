//! Connections that strangers hold, and how many of them there may be. Time passes by hand.

use std::{net::SocketAddr, time::Duration};

use axum::{body::Bytes, http};
use reqwest::{Method, StatusCode, header};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::harness::{World, WorldBuilder, page::PersonClient};

const HALF_HEADER: &str = "GET /sign-in HTTP/1.1\r\nHost: ";
const TOKEN: &str = "a-token-for-metrics";
const LATE: Duration = Duration::from_secs(10);

fn small(connections: usize, per_address: usize) -> WorldBuilder {
    World::builder().with_metrics_token(TOKEN).with_connections(|limits| {
        (limits.connections_max, limits.per_address_max) = (connections, per_address);
    })
}

/// A connection of a stranger who has sent so much and waits.
async fn stranger(world: &World, from: [u8; 4], text: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let mut stream = socket.connect(world.running.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

fn half_body(world: &World) -> String {
    let host = world.running.address;
    format!(
        "POST /sign-in HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Length: 64\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\nname=ann"
    )
}

/// Reads until the server ends the connection; an answer may come before.
async fn ended(stream: &mut TcpStream) {
    let mut rest = [0; 1024];
    while let Ok(1..) = stream.read(&mut rest).await {}
}

/// Lets so much time pass again and again until the server has ended the connection: it may not
/// have come in when the time passes first.
async fn ends_within(world: &World, stream: &mut TcpStream, time: Duration) {
    passes_until(world, time, ended(stream)).await;
}

/// Lets so much time pass again and again until a connection is at its end.
async fn passes_until<T>(world: &World, time: Duration, end: impl Future<Output = T>) {
    let passing = async {
        loop {
            world.pass(time);
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
    };
    let end = async {
        tokio::select! {
            _ended = end => {}
            () = passing => {}
        }
    };
    timeout(Duration::from_mins(1), end).await.expect("the connection stays");
}

/// Sends a whole request on a connection; the first line of the answer.
async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64 * 1024];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).lines().next().unwrap_or_default().to_owned()
}

/// A stranger's connection whose answer cannot leave: it lets no byte of a body through.
async fn untaken(
    world: &World,
) -> (http::Response<h2::RecvStream>, JoinHandle<Result<(), h2::Error>>) {
    let stream = stranger(world, [127, 0, 0, 2], "").await;
    let mut builder = h2::client::Builder::new();
    let (client, connection) =
        builder.initial_window_size(0).handshake::<_, Bytes>(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let url = format!("http://{}/sign-in", world.running.address);
    let request = http::Request::get(url).body(()).unwrap();
    let (answer, _) = client.ready().await.unwrap().send_request(request, true).unwrap();
    (answer.await.unwrap(), connection)
}

/// A number of the metrics.
async fn metric(world: &World, line: &str) -> u64 {
    let asked = PersonClient::stranger(&world.url()).request(Method::GET, "/metrics");
    let page = asked.bearer_auth(TOKEN).send().await.unwrap().text().await.unwrap();
    let line = page.lines().find_map(|found| found.strip_prefix(line));
    line.unwrap_or_else(|| panic!("{page}")).trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_closed_in_time() {
    let world = World::builder().with_metrics_token(TOKEN).start().await;
    let body = half_body(&world);
    for text in ["", "GET", HALF_HEADER, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &body] {
        let mut stream = stranger(&world, [127, 0, 0, 1], text).await;
        ends_within(&world, &mut stream, LATE).await;
    }
    assert!(metric(&world, "countersign_connections_ended_total{why=\"timeout\"}").await >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_that_nobody_takes_is_closed_in_time() {
    let world = World::start().await;
    let (_answer, connection) = untaken(&world).await;
    passes_until(&world, Duration::from_mins(1), connection).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_keep_nobody_out() {
    let world = small(8, 8).start().await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(untaken(&world).await);
    }
    assert_eq!(PersonClient::stranger(&world.url()).get("/readyz").await.status, StatusCode::OK);
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_header_after_an_answer_is_closed_in_time() {
    let world = World::start().await;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", world.running.address);
    let mut stream = stranger(&world, [127, 0, 0, 1], "").await;
    assert_eq!(ask(&mut stream, &request).await, "HTTP/1.1 200 OK");
    // It may stay for a minute.
    world.pass(Duration::from_secs(59));
    assert_eq!(ask(&mut stream, &request).await, "HTTP/1.1 200 OK");
    stream.write_all(HALF_HEADER.as_bytes()).await.unwrap();
    ends_within(&world, &mut stream, LATE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_connections_keep_nobody_out() {
    let world = small(8, 8).start().await;
    let mut held = Vec::new();
    for n in 0..30 {
        let text = if n % 2 == 0 { "" } else { HALF_HEADER };
        held.push(stranger(&world, [127, 0, 0, 2], text).await);
    }
    let id = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await.id();
    world.person("bob").await.approve(&id).await;
    world.work().await;
    assert_eq!(world.agent().await.get(&id).await.state(), "settled");
    assert!(metric(&world, "countersign_connections ").await <= 8);
    assert!(metric(&world, "countersign_connections_ended_total{why=\"made_room\"}").await > 0);
    assert_eq!(PersonClient::stranger(&world.url()).get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn address_uses_up_its_own_places_alone() {
    let world = small(64, 4).start().await;
    let mut first = stranger(&world, [127, 0, 0, 3], HALF_HEADER).await;
    let mut held = Vec::new();
    for _ in 0..12 {
        held.push(stranger(&world, [127, 0, 0, 2], "").await);
    }
    // Of the other address only the newest stay.
    let oldest = held.first_mut().unwrap();
    timeout(Duration::from_mins(1), ended(oldest)).await.expect("more than four stay");
    let rest = format!("{}\r\n\r\n", world.running.address);
    assert_eq!(ask(&mut first, &rest).await, "HTTP/1.1 200 OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_requests_leave_places_for_pages() {
    let world = small(16, 16).start().await;
    let bob = world.person("bob").await;
    let mut waits = JoinSet::new();
    for _ in 0..14 {
        waits.spawn(bob.request(Method::GET, "/events").send());
    }
    let first = timeout(Duration::from_mins(1), waits.join_next()).await.expect("all wait");
    let first = first.unwrap().unwrap().unwrap();
    assert_eq!(first.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(first.headers()[header::RETRY_AFTER], "5");
    bob.get("/").await.shows("<h1>Inbox</h1>");
    let ready = bob.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    ready.shows("not ready: connections are refused");
    world.pass(Duration::from_mins(1));
    waits.shutdown().await;
    assert_eq!(bob.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_with_many_pages_waits_alone() {
    let world = World::start().await;
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    let mut waits = JoinSet::new();
    for _ in 0..17 {
        waits.spawn(bob.request(Method::GET, "/events").send());
    }
    let first = timeout(Duration::from_mins(1), waits.join_next()).await.expect("all wait");
    let first = first.unwrap().unwrap().unwrap();
    assert_eq!(first.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(first.headers()[header::RETRY_AFTER], "30");
    let other = carol.request(Method::GET, "/events?after=0").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_host_headers_are_refused() {
    let world = World::start().await;
    let host = world.running.address;
    for path in ["/sign-in", "/healthz", "/static/page.js", "/mcp"] {
        let mut stream = stranger(&world, [127, 0, 0, 1], "").await;
        let two = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n");
        let answer = ask(&mut stream, &two).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
        assert!(!answer.contains("401"), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_speaks_http_2() {
    let world = World::start().await;
    let host = world.running.address.to_string();
    let stream = TcpStream::connect(world.running.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    for (path, authority, status) in [
        ("/sign-in", host.as_str(), 200),
        ("/healthz", &host, 200),
        ("/mcp", &host, 401),
        ("/sign-in", "evil.example", 421),
        ("/mcp", "evil.example", 403),
    ] {
        let mut client = client.clone().ready().await.unwrap();
        let request = http::Request::get(format!("http://{authority}{path}")).body(()).unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        assert_eq!(answer.await.unwrap().status().as_u16(), status, "{path} of {authority}");
    }
}
