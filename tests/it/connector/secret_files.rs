//! Passwords in files that change while the connector lives.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use countersign::connector::{Connector, ConnectorError, Secret, SecretForm};
use tempfile::TempDir;

use super::{
    fake_server::{Heard, Tap, say, token},
    fixtures::{block, later, now, settings},
};

/// A file for its owner alone.
struct SecretFile {
    _folder: TempDir,
    path: PathBuf,
}

impl SecretFile {
    fn new(text: &[u8]) -> Self {
        let folder = TempDir::new().unwrap();
        let file = Self { path: folder.path().join("a.password"), _folder: folder };
        file.write(text);
        file
    }

    fn write(&self, bytes: &[u8]) {
        fs::write(&self.path, bytes).unwrap();
        self.open_to(0o600);
    }

    fn open_to(&self, mode: u32) {
        fs::set_permissions(&self.path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn secret(&self) -> Secret {
        Secret::read("manager.lab.password_file", &self.path, SecretForm::Password).unwrap()
    }
}

/// `wazuh:new` in base64, as a header line has it in lower case.
const NEW: &str = "authorization: basic d2f6dwg6bmv3";

/// A manager and an indexer that know the password `new` alone.
async fn changed() -> Tap {
    Tap::start(|heard: &Heard| {
        let login = heard.line.ends_with("/security/user/authenticate");
        let search = heard.line.ends_with("/_search");
        match (login || search, heard.headers.contains(NEW)) {
            (true, false) => say(401, r#"{"detail": "Invalid credentials"}"#),
            (true, true) if login => token("any"),
            (true, true) => say(200, r#"{"hits": {"hits": []}}"#),
            (false, _) => say(200, r#"{"data": {"api_version": "4.14.7", "hostname": "vm"}}"#),
        }
    })
    .await
}

fn connector(tap: &Tap, password: &SecretFile) -> Connector {
    let mut settings = settings(&tap.url());
    settings.password = password.secret();
    let indexer = settings.indexer.as_mut().unwrap();
    (indexer.user, indexer.password) = ("wazuh".to_owned(), password.secret());
    Connector::wazuh(settings).unwrap()
}

#[tokio::test]
async fn refused_password_is_read_from_its_file_again() {
    let (tap, file) = (changed().await, SecretFile::new(b"old\n"));
    let connector = connector(&tap, &file);
    file.write(b"new\n");
    assert_eq!(connector.probe(now()).await.unwrap(), "API 4.14.7 on vm");
    assert_eq!(tap.heard("POST").len(), 2, "the old one, then the new one");
}

#[tokio::test]
async fn changed_password_file_ends_the_wait_after_refusal() {
    let (tap, file) = (changed().await, SecretFile::new(b"old"));
    let connector = connector(&tap, &file);
    for seconds in [0, 1, 2] {
        let error = connector.probe(later(seconds)).await.unwrap_err();
        assert!(matches!(error, ConnectorError::LoginRefused { .. }), "{error}");
    }
    assert_eq!(tap.heard("POST").len(), 1, "a file that did not change is no reason to ask");
    file.write(b"new");
    connector.probe(later(3)).await.unwrap();
    assert_eq!(tap.heard("POST").len(), 2);
}

#[tokio::test]
async fn changed_password_that_is_wrong_costs_one_login() {
    let (tap, file) = (changed().await, SecretFile::new(b"old"));
    let connector = connector(&tap, &file);
    file.write(b"also old");
    for seconds in 0..10 {
        connector.probe(later(seconds)).await.unwrap_err();
    }
    assert_eq!(tap.heard("POST").len(), 2);
}

#[tokio::test]
async fn refused_indexer_password_is_read_again() {
    let (tap, file) = (changed().await, SecretFile::new(b"old"));
    let connector = connector(&tap, &file);
    let find = async || connector.find_alert("a.1", &block("203.0.113.7"), now()).await.summary;
    let said = find().await;
    assert!(said.contains("rejects the user name or the password"), "{said}");
    assert_eq!(tap.heard("POST").len(), 1);
    file.write(b"new");
    let said = find().await;
    assert!(!said.contains("rejects"), "{said}");
    assert_eq!(tap.heard("POST").len(), 3);
}

#[tokio::test]
async fn changed_password_file_is_used_only_when_sound() {
    let (tap, file) = (changed().await, SecretFile::new(b"old"));
    let connector = connector(&tap, &file);
    let said = async |seconds| connector.probe(later(seconds)).await.unwrap_err().to_string();
    file.write(b"\xEF\xBB\xBFnew");
    let marked = said(0).await;
    for part in ["manager.lab.password_file", "a.password", "byte order mark (EF BB BF)"] {
        assert!(marked.contains(part), "{marked}");
    }
    file.write(b"new");
    file.open_to(0o644);
    let open = said(1).await;
    assert!(open.contains("a.password") && open.contains("chmod 600"), "{open}");
    assert_eq!(tap.heard("POST").len(), 1, "neither was tried");
    file.open_to(0o600);
    connector.probe(later(2)).await.unwrap();
}
