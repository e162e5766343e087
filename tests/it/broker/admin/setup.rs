//! The first run: the first admin makes themself, and nobody has a password that everybody knows.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use serde_json::Value;

use super::people::parsed;
use crate::harness::{
    PASSWORD,
    page::PersonClient,
    program::{Program, Serving},
};

/// A folder without people, and its server.
fn empty() -> (Program, Serving) {
    let program = Program::new();
    program.done(&["init", "."]);
    program.write("manager.password", "manager-pw");
    program.write("countersign.toml", &program.configuration("http://127.0.0.1:9"));
    let serving = program.serve();
    (program, serving)
}

fn first(code: &str, name: &str) -> BTreeMap<String, String> {
    [("code", code), ("name", name), ("new", PASSWORD)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_code_creates_first_admin_once() {
    let (program, serving) = empty();
    let code = serving.said["code"].as_str().unwrap();
    assert_eq!(serving.said["set_up"], format!("{}/set-up", serving.url));
    assert!(code.len() >= 20, "{code}");
    let stranger = PersonClient::stranger(&serving.url);
    assert_eq!(stranger.get("/sign-in").await.location.as_deref(), Some("/set-up"));
    assert_eq!(stranger.get("/set-up").await.status, StatusCode::OK);
    for (field, value, status, said) in [
        ("code", "0000-0000-0000-0000-0000-0000", 401, "The code is wrong"),
        ("name", "Not A Name", 400, "1 to 32 of a-z"),
    ] {
        let mut wrong = first(code, "root");
        wrong.insert(field.to_owned(), value.to_owned());
        let page = stranger.post("/set-up", &wrong).await;
        assert_eq!(page.status.as_u16(), status, "{field}");
        assert!(page.html.contains(said), "{field}: {}", page.html);
        assert!(!page.html.contains(PASSWORD));
    }
    let mut weak = first(code, "root");
    weak.insert("new".to_owned(), "short".to_owned());
    assert_eq!(stranger.post("/set-up", &weak).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(program.done(&["--json", "person", "list"]).trim(), "[]");

    // Two at the same instant: one is the first.
    let (one, other) = (first(code, "root"), first(code, "toor"));
    let (one, other) =
        tokio::join!(stranger.post("/set-up", &one), stranger.post("/set-up", &other));
    let (won, lost) = if one.status == 303 { (one, other) } else { (other, one) };
    assert_eq!(won.location.as_deref(), Some("/sign-in?after=set-up"));
    assert_eq!(lost.status, StatusCode::NOT_FOUND);
    let people = parsed(&program.done(&["--json", "person", "list"]));
    assert_eq!(people.as_array().unwrap().len(), 1);
    let name = people[0]["person"].as_str().unwrap();
    assert_eq!(people[0]["role"], "admin");
    let admin = PersonClient::sign_in(&serving.url, name, PASSWORD).await;
    assert_eq!(admin.get("/people").await.status, StatusCode::OK);
    assert_eq!(stranger.get("/set-up").await.status, StatusCode::NOT_FOUND);
    let again = stranger.post("/set-up", &first(code, "third")).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    let audit = program.done(&["audit", "query", "--kind", "person.added"]);
    assert!(audit.contains(name) && !audit.contains(code), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_setup_codes_make_only_their_source_wait() {
    let (_program, serving) = empty();
    let code = serving.said["code"].as_str().unwrap().to_owned();
    let stranger = PersonClient::stranger(&serving.url);
    for _try in 0..5 {
        let page = stranger.post("/set-up", &first("wrong", "mallory")).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    }
    let page = stranger.post("/set-up", &first(&code, "root")).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    page.shows("Too many sign-ins failed; wait 1 minute. Nothing was changed.");
    // Another address of loopback.
    let admin = PersonClient::stranger_from(&serving.url, [127, 0, 0, 2].into());
    let page = admin.post("/set-up", &first(&code, "root")).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_installation_has_no_default_password() {
    let (_program, serving) = empty();
    for name in ["admin", "root", "countersign", "wazuh"] {
        for password in ["", "admin", "password", "countersign", "changeme", name, PASSWORD] {
            let mut stranger = PersonClient::stranger(&serving.url);
            let page = stranger.try_sign_in(name, password).await;
            assert!(page.status.is_client_error() && stranger.cookie.is_empty(), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_is_closed_when_people_exist() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let serving = program.serve();
    assert_eq!(serving.said["code"], Value::Null);
    let stranger = PersonClient::stranger(&serving.url);
    assert_eq!(stranger.get("/set-up").await.status, StatusCode::NOT_FOUND);
    let page = stranger.post("/set-up", &first("", "mallory")).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
}
