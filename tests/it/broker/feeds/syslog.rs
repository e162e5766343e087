//! Messages of RFC 5424, over each of the three transports.

use std::time::Duration;

use countersign::{
    connector::{DATAGRAM_BYTES_MAX, FeedReceiver, SyslogSettings, SyslogTransport},
    domain::Time,
};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use super::{
    audit, failed, fed, feed, happen,
    syslog_server::{Manners, SyslogServer},
    world_with,
};
use crate::connector::tls::Authority;

fn syslog(port: u16, transport: SyslogTransport) -> FeedReceiver {
    FeedReceiver::Syslog(Box::new(SyslogSettings {
        section: "feeds.siem".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        transport,
        origin: "countersign.example".to_owned(),
        deadline: Duration::from_secs(1),
    }))
}

/// The JSON of a message, whose header is held against the grammar of RFC 5424.
fn read(message: &str) -> Value {
    let mut parts = message.splitn(8, ' ');
    let mut next = || parts.next().unwrap_or_else(|| panic!("{message}"));
    assert_eq!(next(), "<109>1");
    let time: Time = next().parse().unwrap();
    assert_eq!([next(), next()], ["countersign.example", "countersign"]);
    assert_eq!(next(), std::process::id().to_string());
    let (kind, data, text) = (next().to_owned(), next().to_owned(), next());
    let json: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((json["kind"].as_str().unwrap(), data.as_str()), (kind.as_str(), "-"));
    assert_eq!(json["time"].as_str().unwrap().parse::<Time>().unwrap(), time);
    let hidden = |c: char| c.is_control() || ['\u{202E}', '\u{2028}'].contains(&c);
    assert_eq!(message.find(hidden), None, "{message:?}");
    json
}

/// What a socket has received by now.
fn datagrams(socket: &UdpSocket) -> Vec<String> {
    let mut all = Vec::new();
    let mut bytes = vec![0; 65_536];
    while let Ok(length) = socket.try_recv(&mut bytes) {
        all.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
    }
    all
}

async fn datagram_server() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    // Before this the socket does not know that something can be read.
    (socket, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entry_is_one_datagram() {
    let (socket, port) = datagram_server().await;
    let world = world_with(vec![feed("siem", syslog(port, SyslogTransport::Udp))]).await;
    happen(&world).await;
    world.unfreeze().await;
    world.freeze("one\r\n<13>1 \u{0}\u{202E}\u{2028}").await;
    fed(&world, "siem").await;
    socket.readable().await.unwrap();
    let read: Vec<_> = datagrams(&socket).iter().map(|message| read(message)).collect();
    assert_eq!(read, audit(&world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_too_large_for_datagram_says_so() {
    let (socket, port) = datagram_server().await;
    let world = world_with(vec![feed("siem", syslog(port, SyslogTransport::Udp))]).await;
    fed(&world, "siem").await;
    socket.readable().await.unwrap();
    let before = datagrams(&socket).len();
    world.freeze("drill ").await;
    world.execute("DROP TRIGGER audit_is_not_changed").await;
    world
        .execute(
            "UPDATE audit SET detail = json_object('reason', hex(zeroblob(9000)))
             WHERE seq = (SELECT max(seq) FROM audit)",
        )
        .await;
    fed(&world, "siem").await;
    socket.readable().await.unwrap();
    let messages = datagrams(&socket);
    assert_eq!(messages.len(), 1);
    assert!(messages[0].len() < DATAGRAM_BYTES_MAX);
    let (short, whole) = (read(&messages[0]), audit(&world).await[before].clone());
    for key in ["place", "time", "kind", "previous", "hash"] {
        assert_eq!(short[key], whole[key], "{key}");
    }
    assert!(short["left_out"].as_str().unwrap().contains("bytes"), "{short}");
    assert!(short.get("detail").is_none());
    let html = world.person("dora").await.get("/system").await.html;
    assert!(html.contains("Shortened</dt><dd>1 since the start"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_datagram_comes_again() {
    let (socket, port) = datagram_server().await;
    drop(socket);
    let world = world_with(vec![feed("siem", syslog(port, SyslogTransport::Udp))]).await;
    let why = failed(&world, "siem").await;
    assert!(why.contains("the connection was refused"), "{why}");
    let socket = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
    world.pass(Duration::from_secs(1));
    fed(&world, "siem").await;
    socket.readable().await.unwrap();
    assert_eq!(datagrams(&socket).len(), audit(&world).await.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_counts_octets_of_each_message() {
    let server = SyslogServer::start(Manners::Close, None).await;
    let world = world_with(vec![feed("siem", syslog(server.port, SyslogTransport::Tcp))]).await;
    happen(&world).await;
    world.unfreeze().await;
    world.freeze("Grüße, 封鎖した\r\n12 <13>1 \u{0}\u{202E}\u{2028}").await;
    fed(&world, "siem").await;
    let read: Vec<_> = server.messages().iter().map(|message| read(message)).collect();
    assert_eq!(read, audit(&world).await);
    assert_eq!(server.connections(), 1, "one for a batch");
}

#[tokio::test(flavor = "multi_thread")]
async fn syslog_server_that_is_gone_gets_all_later() {
    let server = SyslogServer::start(Manners::HangUp, None).await;
    let world = world_with(vec![feed("siem", syslog(server.port, SyslogTransport::Tcp))]).await;
    happen(&world).await;
    let (mut why, mut often) = (failed(&world, "siem").await, 1);
    assert!(why.contains("the syslog server 127.0.0.1"), "{why}");
    server.behave(Manners::Stay);
    while often < 3 {
        world.pass(Duration::from_mins(5));
        why = failed(&world, "siem").await;
        often += 1;
    }
    assert!(why.contains("does not close the connection"), "{why}");
    server.behave(Manners::Close);
    world.pass(Duration::from_mins(5));
    fed(&world, "siem").await;
    let (heard, all) = (server.messages(), audit(&world).await);
    let read: Vec<_> = heard.iter().map(|message| read(message)).collect();
    // It was asked three times, and read it each time.
    assert_eq!(read, [all.clone(), all.clone(), all].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn syslog_over_tls_goes_to_pinned_server_only() {
    let (right, wrong) =
        (Authority::issue("localhost", |_| ()), Authority::issue("localhost", |_| ()));
    let server = SyslogServer::start(Manners::Close, Some(right.server())).await;
    let feeds = vec![
        feed("wrong", syslog(server.port, SyslogTransport::Tls(wrong.pin()))),
        feed("right", syslog(server.port, SyslogTransport::Tls(right.pin()))),
    ];
    let world = world_with(feeds.clone()).await;
    let why = failed(&world, "wrong").await;
    assert!(why.contains("is not trusted"), "{why}");
    assert!(server.messages().is_empty());
    fed(&world, "right").await;
    let read: Vec<_> = server.messages().iter().map(|message| read(message)).collect();
    assert_eq!(read, audit(&world).await);
    assert!(feeds[0].examine().await.is_err());
    assert!(feeds[1].examine().await.unwrap().ends_with("is there"));
    assert_eq!(json!(server.messages().len()), json!(read.len()), "looking sends nothing");
}
