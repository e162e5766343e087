//! The server's own certificate, renewed while it runs.

use std::{net::Ipv4Addr, sync::Arc};

use axum::{
    body::Bytes,
    http::{Method, Request, StatusCode, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use reqwest::{Client, redirect::Policy};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::{PASSWORD, PersonClient, program::Program, program::Serving};

const BAD: &str = "the new certificate cannot be used; the old one stays in use";

/// A certificate for this machine, and its key.
struct Issued {
    der: Vec<u8>,
    key: Vec<u8>,
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn issue(years: (i32, i32)) -> Issued {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    Issued { der: certificate.der().to_vec(), key: key.serialize_der() }
}

/// One that is valid.
fn valid() -> Issued {
    issue((2020, 2100))
}

impl Issued {
    fn write(&self, program: &Program) {
        program.write("chain.pem", &pem("CERTIFICATE", &self.der));
        program.write("key.pem", &pem("PRIVATE KEY", &self.key));
    }

    /// A client that trusts this certificate and no other.
    fn client(&self) -> Client {
        let _already_there = rustls::crypto::ring::default_provider().install_default().is_err();
        let trusted = reqwest::Certificate::from_der(&self.der).unwrap();
        let client = Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0);
        client.no_proxy().tls_certs_only([trusted]).build().unwrap()
    }

    /// Whether the server shows it.
    async fn is_shown(&self, program: &Program) -> bool {
        self.client().get(format!("{}/healthz", url(program))).send().await.is_ok()
    }
}

fn url(program: &Program) -> String {
    format!("https://localhost:{}", program.port)
}

/// A server that speaks TLS, and logs what it renews.
fn serving(first: &Issued) -> (Program, Serving) {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    first.write(&program);
    let old = format!("public_url = \"http://127.0.0.1:{}\"", program.port);
    let tls = "tls_certificate_file = \"chain.pem\"\ntls_key_file = \"key.pem\"";
    let new = format!("public_url = \"{}\"\n{tls}", url(&program));
    let configuration = program.configuration("http://127.0.0.1:9").replace(&old, &new);
    program.write("countersign.toml", &configuration);
    let server = program.serve_with(&[("COUNTERSIGN_LOG", "info")]);
    (program, server)
}

fn doctor(program: &Program) -> String {
    String::from_utf8(program.run(&["doctor"]).stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_certificate_is_shown_without_restart() {
    let (old, new) = (valid(), valid());
    let (program, mut server) = serving(&old);
    assert!(old.is_shown(&program).await);
    new.write(&program);
    server.hang_up();
    server.logged("the certificate was renewed").await;
    assert!(new.is_shown(&program).await);
    assert!(!old.is_shown(&program).await);
}

/// Connects as a client that speaks these protocols; which one was agreed on.
async fn connect(
    program: &Program,
    trusted: &Issued,
    protocols: &[&[u8]],
) -> (TlsStream<TcpStream>, Option<Vec<u8>>) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.der.clone().into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, program.port)).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    (stream, agreed)
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_negotiates_http_2_over_tls() {
    let certificate = valid();
    let (program, _server) = serving(&certificate);
    let (stream, agreed) = connect(&program, &certificate, &[b"h2", b"http/1.1"]).await;
    assert_eq!(agreed.unwrap(), b"h2");
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let request = |method: Method| {
        let request = Request::builder().method(method).uri(format!("{}/sign-in", url(&program)));
        let request = request.header(header::ORIGIN, url(&program));
        let form = "application/x-www-form-urlencoded";
        request.header(header::CONTENT_TYPE, form).body(()).unwrap()
    };
    let (page, _) = client.send_request(request(Method::GET), true).unwrap();
    assert_eq!(page.await.unwrap().status(), StatusCode::OK);
    let (signed_in, mut body) = client.send_request(request(Method::POST), false).unwrap();
    let fields = format!("name=admin&password={}", PASSWORD.replace(' ', "+"));
    body.send_data(Bytes::from(fields), true).unwrap();
    assert_eq!(signed_in.await.unwrap().status(), StatusCode::SEE_OTHER);
    let (_, agreed) = connect(&program, &certificate, &[b"http/1.1"]).await;
    assert_eq!(agreed.unwrap(), b"http/1.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_certificate_on_disk_is_picked_up() {
    let (old, new) = (valid(), valid());
    let (program, mut server) = serving(&old);
    new.write(&program);
    server.logged("the certificate was renewed").await;
    assert!(new.is_shown(&program).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_certificate_leaves_old_one_in_use() {
    let over = issue((2020, 2021));
    let mismatched = Issued { der: valid().der, key: valid().key };
    let garbage = Issued { der: b"no certificate".to_vec(), key: valid().key };
    let huge = Issued { der: vec![0; 1 << 20], key: valid().key };
    for (bad, why) in [
        (over, "not now"),
        (mismatched, "chain.pem"),
        (garbage, "chain.pem"),
        (huge, "larger than 1 MiB"),
    ] {
        let old = valid();
        let (program, mut server) = serving(&old);
        bad.write(&program);
        server.hang_up();
        let line = server.logged(BAD).await;
        assert!(line.contains(why), "{line}");
        assert!(old.is_shown(&program).await, "{why}");
        let mut admin = PersonClient::stranger_by(&url(&program), old.client());
        admin.try_sign_in("admin", PASSWORD).await;
        let page = admin.get("/system").await;
        page.shows("not used");
        page.shows(why);
        let found = doctor(&program);
        let line = found.lines().find(|line| line.contains("  certificate  ")).unwrap_or_default();
        assert!(line.starts_with("LOOK"), "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipe_as_certificate_holds_up_neither_use_nor_stop() {
    for name in ["chain.pem", "key.pem"] {
        let old = valid();
        let (program, mut server) = serving(&old);
        program.pipe(name);
        server.hang_up();
        let line = server.logged(BAD).await;
        assert!(line.contains(name) && line.contains("no regular file"), "{line}");
        assert!(old.is_shown(&program).await, "{name}");
        let found = doctor(&program);
        let line = found.lines().find(|line| line.contains("  certificate  ")).unwrap_or_default();
        assert!(line.starts_with("LOOK") && line.contains("no regular file"), "{found}");
        server.hang_up();
        server.terminate();
    }
}

#[test]
fn doctor_says_when_certificate_ends() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let tls = "tls_certificate_file = \"chain.pem\"\ntls_key_file = \"key.pem\"\n[manager.main]";
    let configuration = program.configuration("http://127.0.0.1:9");
    program.write("countersign.toml", &configuration.replace("[manager.main]", tls));
    for (years, said) in [
        ((2020, 2100), "it is valid until 2100-01-01"),
        ((2020, 2021), "it ended on 2021-01-01"),
        ((2098, 2099), "it is not valid before 2098-01-01"),
    ] {
        issue(years).write(&program);
        let found = doctor(&program);
        assert!(found.contains(said), "{found}");
    }
}
