//! Who is at the other end.

use std::{fs, path::PathBuf, sync::Arc};

use countersign::{
    connector::{Connector, ConnectorError, IndexerSettings, Tls},
    domain::{digest::Digest, request::Outcome},
};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    version,
};
use tempfile::TempDir;

use super::{
    fake_server::{Tap, after_login, always, say},
    fixtures::{block, now, outcomes, send, settings},
};

const INFO: &str = r#"{"data": {"api_version": "4.14.7", "affected_items": ["001"]}}"#;

/// An authority, its certificate in a file, and a server's certificate from it.
pub(crate) struct Authority {
    folder: TempDir,
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    /// Issues a server certificate for this name.
    pub(crate) fn issue(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().unwrap();
        let folder = TempDir::new().unwrap();
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        fs::write(folder.path().join("ca.pem"), pem(ca_certificate.der())).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
        Self { folder, certificate, key }
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(crate) fn fingerprint(&self) -> Digest {
        Digest::of(self.certificate.der())
    }

    pub(crate) fn pin(&self) -> Tls {
        Tls::Pin { sha256: *self.fingerprint().bytes() }
    }

    fn ca(&self, server_name: Option<&str>) -> Tls {
        Tls::Ca { file: self.ca_file(), server_name: server_name.map(str::to_owned) }
    }

    /// A manager that shows this certificate and holds this key.
    async fn manager(&self, key: &KeyPair, versions: &[&'static SupportedProtocolVersion]) -> Tap {
        Tap::start_tls(self.shows(key, versions), always(200, INFO)).await
    }

    /// The server's side of TLS, with its own key.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        self.shows(&self.key, rustls::ALL_VERSIONS)
    }

    fn shows(
        &self,
        key: &KeyPair,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = ring::sign::any_supported_type(&key).unwrap();
        let shown = rustls::sign::CertifiedKey::new(vec![self.certificate.der().clone()], signing);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(shown)));
        Arc::new(config)
    }

    pub(crate) async fn honest_manager(&self) -> Tap {
        self.manager(&self.key, rustls::ALL_VERSIONS).await
    }
}

/// The text form of a certificate (RFC 7468).
fn pem(der: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let bits = (0..3)
                .fold(0, |bits, at| bits << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
            let signs = [18, 12, 6, 0].map(|shift| char::from(ALPHABET[bits >> shift & 63]));
            text.extend(&signs[..=three.len()]);
            text.extend(std::iter::repeat_n('=', 3 - three.len()));
        }
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

fn connector(tap: &Tap, tls: Tls) -> Connector {
    let mut settings = settings(&tap.tls_url());
    settings.tls = tls;
    settings.indexer = None;
    Connector::wazuh(settings).unwrap()
}

/// Asserts that a connector so configured talks to this manager, and its call arrives.
async fn assert_trusts(tap: &Tap, tls: Tls) {
    let connector = connector(tap, tls);
    connector.probe(now()).await.unwrap();
    assert_eq!(outcomes(&send(&connector, &["001"]).await), ["001 sent"]);
}

/// Asserts that it does not: neither a read, nor a login, nor a call arrives.
async fn assert_distrusts(tap: &Tap, tls: Tls) -> ConnectorError {
    let connector = connector(tap, tls);
    let error = connector.probe(now()).await.unwrap_err();
    let dispatched = send(&connector, &["001"]).await;
    assert_eq!(outcomes(&dispatched), [""; 0]);
    assert!(dispatched.retry_in.is_some());
    assert_eq!(tap.heard("").len(), 0);
    error
}

#[tokio::test]
async fn pinned_certificate_is_trusted_in_both_tls_versions() {
    for version in [&version::TLS12, &version::TLS13] {
        let authority = Authority::issue("wazuh.com", |_| {});
        let tap = authority.manager(&authority.key, &[version]).await;
        assert_trusts(&tap, authority.pin()).await;
    }
}

#[tokio::test]
async fn pinned_certificate_may_be_expired_and_have_any_name() {
    let authority = Authority::issue("elsewhere.example", |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    assert_trusts(&authority.honest_manager().await, authority.pin()).await;
}

#[tokio::test]
async fn unpinned_certificate_is_refused_with_its_fingerprint() {
    let authority = Authority::issue("127.0.0.1", |_| {});
    let tap = authority.honest_manager().await;
    let error = assert_distrusts(&tap, Tls::Pin { sha256: [7; 32] }).await;
    let ConnectorError::Certificate { presented, .. } = &error else { panic!("{error}") };
    assert_eq!(*presented, authority.fingerprint().to_string());
    let said = error.to_string();
    for part in [presented.as_str(), &tap.tls_url(), "set pin_sha256", "ca_file"] {
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test]
async fn pinned_certificate_without_its_key_is_refused() {
    for version in [&version::TLS12, &version::TLS13] {
        let authority = Authority::issue("wazuh.com", |_| {});
        let thief = authority.manager(&KeyPair::generate().unwrap(), &[version]).await;
        let error = assert_distrusts(&thief, authority.pin()).await;
        assert!(matches!(error, ConnectorError::Unreachable { .. }), "{error}");
    }
}

#[tokio::test]
async fn ca_certificate_is_trusted_for_host_in_url() {
    let authority = Authority::issue("127.0.0.1", |_| {});
    assert_trusts(&authority.honest_manager().await, authority.ca(None)).await;
}

#[tokio::test]
async fn ca_certificate_is_trusted_for_configured_server_name() {
    let authority = Authority::issue("wazuh.example", |_| {});
    let tap = authority.honest_manager().await;
    assert_trusts(&tap, authority.ca(Some("wazuh.example"))).await;
}

#[tokio::test]
async fn certificate_for_another_name_is_refused() {
    let authority = Authority::issue("wazuh.example", |_| {});
    let tap = authority.honest_manager().await;
    for name in [None, Some("indexer.example")] {
        let error = assert_distrusts(&tap, authority.ca(name)).await;
        assert!(matches!(error, ConnectorError::Certificate { .. }), "{error}");
        assert!(error.to_string().contains("not valid for name"), "{error}");
    }
}

#[tokio::test]
async fn certificate_from_another_authority_is_refused() {
    let (authority, other) =
        (Authority::issue("127.0.0.1", |_| {}), Authority::issue("127.0.0.1", |_| {}));
    let tap = authority.honest_manager().await;
    let error = assert_distrusts(&tap, other.ca(None)).await;
    assert!(matches!(error, ConnectorError::Certificate { .. }), "{error}");
}

#[tokio::test]
async fn expired_ca_certificate_is_refused() {
    let authority = Authority::issue("127.0.0.1", |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    let tap = authority.honest_manager().await;
    let error = assert_distrusts(&tap, authority.ca(None)).await;
    assert!(error.to_string().contains("expired"), "{error}");
}

#[tokio::test]
async fn manager_without_tls_receives_nothing() {
    let tap = Tap::start(always(200, INFO)).await;
    let error = assert_distrusts(&tap, Tls::Pin { sha256: [0; 32] }).await;
    assert!(matches!(error, ConnectorError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn indexer_certificate_is_checked_like_managers() {
    let authority = Authority::issue("indexer.example", |_| {});
    let tap = authority.honest_manager().await;
    let find = async |tls: Tls| {
        let mut settings = settings("http://127.0.0.1:1");
        let indexer = settings.indexer.take().unwrap();
        settings.indexer = Some(IndexerSettings { url: tap.tls_url(), tls, ..indexer });
        let connector = Connector::wazuh(settings).unwrap();
        assert_eq!(connector.hosts(), ["127.0.0.1", "127.0.0.1"]);
        connector.find_alert("a.1", &block("203.0.113.7"), now()).await.summary
    };
    let said = find(authority.ca(None)).await;
    assert!(said.starts_with("the certificate of the indexer at https://"), "{said}");
    assert_eq!(tap.heard("").len(), 0);
    let said = find(authority.ca(Some("indexer.example"))).await;
    assert!(said.contains("the answer is not what it should be"), "{said}");
    find(authority.pin()).await;
    assert_eq!(tap.heard("POST").len(), 2);
}

/// Why the outcome of a call is unknown that a TLS server answers so, byte for byte.
async fn why_unknown(answer: &str) -> String {
    let authority = Authority::issue("wazuh.com", |_| {});
    let tap = Tap::start_tls(authority.server(), after_login(answer.to_owned())).await;
    let sent = send(&connector(&tap, authority.pin()), &["001"]).await;
    let [(_, Outcome::Unknown { why })] = &sent.report.outcomes[..] else { panic!("{sent:?}") };
    why.replace(&tap.tls_url(), "URL")
}

#[tokio::test]
async fn unknown_outcome_says_why_in_our_words() {
    let cut = "the connection ended before its answer was complete";
    for (answer, said) in [
        (String::new(), cut),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned(), cut),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned(), "what it answers is not HTTP"),
        (say(200, "<html>"), "it is not JSON"),
        (say(200, "{\"data\": {"), "its JSON breaks off"),
    ] {
        let why = why_unknown(&answer).await;
        assert!(why.contains(said), "{answer:?}: {why}");
        for foreign in ["docs.rs", "close_notify", "hyper", "line 1"] {
            assert!(!why.contains(foreign), "{answer:?}: {why}");
        }
    }
}
