//! An old copy of the database, or none, beside the mark of a newer one: nothing is sent again, and
//! it is said where people and programs look.

use std::fs;

use reqwest::StatusCode;

use super::{NEW_PASSWORD, Story, sent, unknown};
use crate::harness::{AgentClient, PASSWORD, PersonClient, program::Serving};

pub(super) const MARK: &str = "countersign.db.mark";

/// A database that was copied while a request was approved and the kill switch on; the request was
/// sent after that. The request's id; no server runs.
pub(super) async fn sent_after_copy(story: &Story) -> String {
    let server = story.program.serve();
    let id = story.approved_and_stopped(&server.url).await;
    server.kill();
    story.program.copy_database("copy");
    let server = story.program.serve();
    story.unfreeze(&server.url).await;
    assert_eq!(story.end(&server.url, &id).await.1, sent());
    server.kill();
    assert_eq!(story.manager.received().len(), 2);
    id
}

pub(super) async fn readiness(server: &Serving) -> (StatusCode, String) {
    let answer = reqwest::get(format!("{}/readyz", server.url)).await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_copy_sends_nothing_and_says_why() {
    let story = Story::begin().await;
    let id = sent_after_copy(&story).await;
    story.program.restore_database("copy");
    let mut server = story.program.serve();
    story.unfreeze(&server.url).await;
    let line = server.logged("approved requests wait").await;
    let why = "the database is older than its high-water mark: it ends with entry ";
    assert!(line.contains(why), "{line}");
    let agent = AgentClient::connect(&server.url, &story.token).await;
    let told = agent.get(&id).await;
    assert_eq!(told.state(), "approved");
    assert!(told.json["held_because"].as_str().unwrap().contains(why), "{}", told.json);
    assert!(told.json["message"].as_str().unwrap().contains("may be an old copy"));
    let admin = PersonClient::sign_in(&server.url, "admin", PASSWORD).await;
    for page in ["/", "/system"] {
        let page = admin.get(page).await;
        page.shows("Nothing is sent: the database is older");
        page.shows("run `countersign recover`");
    }
    assert!(!admin.get("/system").await.has("Approved requests are sent"));
    let (status, text) = readiness(&server).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text, "not ready: the database must be recovered\n");
    let doctor = story.program.run(&["doctor"]).stdout;
    let doctor = String::from_utf8(doctor).unwrap();
    assert!(doctor.contains(why), "{doctor}");
    assert!(doctor.contains("it is not ready: the database must be recovered"), "{doctor}");
    let started = story.program.done(&["--json", "audit", "query", "--kind", "broker.started"]);
    let started: serde_json::Value = serde_json::from_str(&started).unwrap();
    assert!(started[0]["detail"]["gap"].as_str().unwrap().contains(why), "{started}");
    assert_eq!(story.manager.received().len(), 2);
    // What it wrote itself does not close the gap.
    server.kill();
    let server = story.program.serve();
    assert_eq!(readiness(&server).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_copy_serves_as_before() {
    let story = Story::begin().await;
    let id = sent_after_copy(&story).await;
    story.program.copy_database("newest");
    story.program.restore_database("copy");
    let server = story.program.serve();
    assert_eq!(readiness(&server).await.0, StatusCode::SERVICE_UNAVAILABLE);
    server.kill();
    story.program.restore_database("newest");
    let server = story.program.serve();
    assert_eq!(readiness(&server).await.0, StatusCode::OK);
    assert_eq!(story.end(&server.url, &id).await.1, sent());
    story.never_twice();
}

#[tokio::test(flavor = "multi_thread")]
async fn rolled_back_snapshot_finds_what_was_sent() {
    let story = Story::begin().await;
    story.configure_indexer();
    let server = story.program.serve();
    let id = story.approved_and_stopped(&server.url).await;
    server.kill();
    story.program.copy_database("copy");
    let mark = fs::read(story.program.path(MARK)).unwrap();
    let server = story.program.serve();
    story.unfreeze(&server.url).await;
    assert_eq!(story.end(&server.url, &id).await.0, "settled");
    server.kill();
    // The machine goes back, and the mark with it.
    story.program.restore_database("copy");
    fs::write(story.program.path(MARK), mark).unwrap();
    let server = story.program.serve();
    assert_eq!(readiness(&server).await.0, StatusCode::OK);
    story.unfreeze(&server.url).await;
    let (state, outcomes) = story.end(&server.url, &id).await;
    assert_eq!((state.as_str(), outcomes), ("settled", unknown()));
    let agent = AgentClient::connect(&server.url, &story.token).await;
    let told = agent.get(&id).await.json.to_string();
    assert!(told.contains("its alert shows a call that this database does not know"), "{told}");
    assert_eq!(story.manager.received().len(), 2);
    story.never_twice();
}

#[tokio::test(flavor = "multi_thread")]
async fn database_without_its_mark_sends_nothing() {
    let (story, other) = (Story::begin().await, Story::begin().await);
    other.program.serve().kill();
    let foreign = fs::read(other.program.path(MARK)).unwrap();
    let id = sent_after_copy(&story).await;
    let mark = fs::read(story.program.path(MARK)).unwrap();
    let damaged = [&mark[..100], &[0; 412]].concat();
    for (held, why) in [
        (None, "the database was used before, and its high-water mark is missing"),
        (Some(&damaged), "the high-water mark cannot be read: "),
        (Some(&foreign), "the high-water mark is that of another installation"),
    ] {
        story.program.restore_database("copy");
        match held {
            None => fs::remove_file(story.program.path(MARK)).unwrap(),
            Some(bytes) => fs::write(story.program.path(MARK), bytes).unwrap(),
        }
        let mut server = story.program.serve();
        story.unfreeze(&server.url).await;
        let line = server.logged("approved requests wait").await;
        assert!(line.contains(why), "{line}");
        let agent = AgentClient::connect(&server.url, &story.token).await;
        assert_eq!(agent.get(&id).await.state(), "approved");
        // It is left as it was found.
        assert_eq!(fs::read(story.program.path(MARK)).ok(), held.cloned());
    }
    assert_eq!(story.manager.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_database_beside_mark_is_not_ready() {
    let story = Story::begin().await;
    sent_after_copy(&story).await;
    story.program.restore_database("none");
    let mut server = story.program.serve();
    assert_eq!(readiness(&server).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let line = server.logged("nothing is sent until the database is recovered").await;
    assert!(line.contains("the database is empty, and its high-water mark is at entry"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mark_that_cannot_be_kept_stops_approvals() {
    let story = Story::begin().await;
    story.configure_server("high_water_mark = \"elsewhere/mark\"");
    let mut server = story.program.serve();
    let id = story.ask(&server.url).await;
    let line = server.logged("approved requests wait").await;
    assert!(line.contains("elsewhere/mark cannot be kept (No such file or directory"), "{line}");
    let mut bob = PersonClient::stranger(&server.url);
    bob.try_sign_in("bob", PASSWORD).await;
    bob.choose_password(PASSWORD, NEW_PASSWORD).await;
    let bob = PersonClient::sign_in(&server.url, "bob", NEW_PASSWORD).await;
    // The page offers no approval; the fields of another form are the same.
    let fields = bob.form(&id, "reject").await;
    let refused = bob.post(&format!("/requests/{id}/approve"), &fields).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.shows("elsewhere/mark cannot be kept");
    fs::create_dir(story.program.path("elsewhere")).unwrap();
    while readiness(&server).await.0 != StatusCode::OK {}
    Story::approve_again(&server.url, &id).await;
    assert_eq!(story.end(&server.url, &id).await, ("settled".to_owned(), sent()));
    let doctor = story.program.run(&["--json", "doctor"]).stdout;
    let doctor: serde_json::Value = serde_json::from_slice(&doctor).unwrap();
    let found = doctor.as_array().unwrap().iter().find(|one| one["check"] == "high-water mark");
    assert!(found.unwrap()["found"].as_str().unwrap().contains("the database has it"), "{doctor}");
    assert!(!story.program.path(MARK).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn server_keeps_its_log_beside_command_line() {
    let story = Story::begin().await;
    let server = story.program.serve();
    // The last one that closes a database removes its write-ahead log.
    story.program.done(&["person", "list"]);
    assert!(story.program.path("countersign.db-wal").exists());
    story.ask(&server.url).await;
    story.never_twice();
}

#[tokio::test(flavor = "multi_thread")]
async fn mark_that_was_replaced_is_written_again() {
    let story = Story::begin().await;
    story.program.serve().kill();
    let old = fs::read(story.program.path(MARK)).unwrap();
    for replaced in [true, false] {
        let mut server = story.program.serve();
        story.ask(&server.url).await;
        if replaced {
            fs::write(story.program.path("old.mark"), &old).unwrap();
            fs::rename(story.program.path("old.mark"), story.program.path(MARK)).unwrap();
        } else {
            fs::remove_file(story.program.path(MARK)).unwrap();
        }
        server.logged("the high-water mark was moved or replaced; it is written again").await;
        assert_ne!(fs::read(story.program.path(MARK)).unwrap(), old);
    }
}
