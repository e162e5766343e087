//! An old copy of the database, or none, beside the mark of a newer one: nothing is sent again, and
//! it is said where people and programs look.

use std::fs;

use reqwest::StatusCode;
use wazuh_simulator::{Calls, Fault, Times};

use super::{NEW_PASSWORD, Story, sent};
use crate::harness::{ALERT, AgentClient, PASSWORD, PersonClient, program::Serving};

const MARK: &str = "countersign.db.mark";

/// A database that was copied while a request was approved and the kill switch on; the request was
/// sent after that. The request's id; no server runs.
async fn sent_after_copy(story: &Story) -> String {
    let server = story.program.serve();
    story.program.done(&["freeze", "--reason", "a test"]);
    let id = story.ask(&server.url).await;
    story.approve(&server.url, &id).await;
    server.kill();
    story.program.copy_database("copy");
    let server = story.program.serve();
    story.unfreeze(&server.url).await;
    assert_eq!(story.end(&server.url, &id).await.1, sent());
    server.kill();
    assert_eq!(story.manager.received().len(), 2);
    id
}

async fn readiness(server: &Serving) -> (StatusCode, String) {
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
    story.program.done(&["freeze", "--reason", "a test"]);
    let id = story.ask(&server.url).await;
    story.approve(&server.url, &id).await;
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
    let refused = bob.vote(&id, "approve", &[("comment", "")]).await;
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

/// The arguments of a recovery by dora and admin.
const RECOVER: [&str; 11] = [
    "recover",
    "--person",
    "dora",
    "--person",
    "admin",
    "--password-file",
    "password",
    "--password-file",
    "password",
    "--reason",
    "restored from Monday",
];

/// A database that was put back after its request was sent; dora may recover it with admin. The
/// request's id.
async fn restored(story: &Story) -> String {
    let id = sent_after_copy(story).await;
    restore(story).await;
    id
}

/// Puts the copy back; dora may recover it with admin.
async fn restore(story: &Story) {
    story.program.restore_database("copy");
    for (name, role) in [("dora", "lead"), ("olga", "analyst")] {
        let add = ["person", "add", name, "--role", role, "--password-file", "password"];
        story.program.done(&add);
    }
    // dora chooses her own password; the server of this copy sends nothing.
    let server = story.program.serve();
    let mut dora = PersonClient::stranger(&server.url);
    dora.try_sign_in("dora", PASSWORD).await;
    dora.choose_password(PASSWORD, NEW_PASSWORD).await;
    server.kill();
    story.program.write("password.dora", NEW_PASSWORD);
}

/// [`RECOVER`] with some arguments replaced, and dora's own password.
fn recover(changes: &[(usize, &'static str)]) -> Vec<&'static str> {
    let mut arguments = RECOVER.to_vec();
    arguments[6] = "password.dora";
    for (at, argument) in changes {
        arguments[*at] = argument;
    }
    arguments
}

#[tokio::test(flavor = "multi_thread")]
async fn recovered_copy_withdraws_records_and_sends_again() {
    let story = Story::begin().await;
    story.configure_indexer();
    let id = restored(&story).await;
    let told = story.program.done(&recover(&[]));
    assert!(told.contains(&format!("{id} was sent to 001 at main, ")), "{told}");
    assert!(told.contains(&format!("{id} was sent to 005 at main, ")), "{told}");
    let found = story.program.done(&["audit", "query", "--kind", "dispatch.found"]);
    assert_eq!(found.matches(&id).count(), 2, "{found}");
    let event = story.program.done(&["audit", "query", "--kind", "database.recovered"]);
    let words = "admin: found 2 calls that it did not know and withdrew 0 open requests";
    assert!(event.contains("dora recovered the database together with"), "{event}");
    assert!(event.contains(words) && event.contains("restored from Monday"), "{event}");
    let server = story.program.serve();
    assert_eq!(readiness(&server).await.0, StatusCode::OK);
    story.unfreeze(&server.url).await;
    assert_eq!(story.end(&server.url, &id).await, ("settled".to_owned(), unknown()));
    assert_eq!(story.manager.received().len(), 2);
    let agent = AgentClient::connect(&server.url, &story.token).await;
    let next = agent.block("203.0.113.77", serde_json::json!({ "agent_ids": ["002"] })).await.id();
    Story::approve_again(&server.url, &next).await;
    assert_eq!(story.end(&server.url, &next).await.0, "settled");
    assert_eq!(story.manager.received().len(), 3);
    server.kill();
    let again = story.program.done(&recover(&[]));
    assert!(again.contains("There is nothing to recover"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_alone_after_recovery() {
    let story = Story::begin().await;
    story.configure_indexer();
    story.program.serve().kill();
    story.program.copy_database("copy");
    let ask = async |server: &Serving| {
        let agent = AgentClient::connect(&server.url, &story.token).await;
        let why = serde_json::json!({ "agent_ids": ["001"], "alert_id": ALERT });
        agent.block("203.0.113.7", why).await
    };
    let server = story.program.serve();
    let asked = ask(&server).await;
    assert_eq!(asked.json["decision"]["outcome"], "auto", "{asked:?}");
    assert_eq!(story.end(&server.url, &asked.id()).await.0, "settled");
    server.kill();
    restore(&story).await;
    let told = story.program.done(&recover(&[]));
    assert!(told.contains("It is recovered, and the kill switch is on."), "{told}");
    let server = story.program.serve();
    let admin = PersonClient::sign_in(&server.url, "admin", PASSWORD).await;
    admin.get("/system").await.shows("the database was recovered: look at people");
    story.unfreeze(&server.url).await;
    let again = ask(&server).await;
    assert_eq!(again.state(), "pending", "{again:?}");
    assert!(again.text.contains("run.ended-lately"), "{}", again.text);
    assert_eq!(story.manager.received().len(), 1);
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

#[tokio::test(flavor = "multi_thread")]
async fn recovery_without_indexer_withdraws_and_says_nobody_looked() {
    let story = Story::begin().await;
    let id = restored(&story).await;
    let told = story.program.done(&recover(&[]));
    assert!(told.contains("Nobody looked for calls at main"), "{told}");
    assert!(told.contains("no indexer is configured"), "{told}");
    assert!(told.contains(&format!("{id} was open and is withdrawn")), "{told}");
    let server = story.program.serve();
    story.unfreeze(&server.url).await;
    let agent = AgentClient::connect(&server.url, &story.token).await;
    assert_eq!(agent.get(&id).await.state(), "withdrawn");
    assert_eq!(readiness(&server).await.0, StatusCode::OK);
    assert_eq!(story.manager.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_needs_two_people_and_no_server() {
    let story = Story::begin().await;
    restored(&story).await;
    let mark = fs::read(story.program.path(MARK)).unwrap();
    for (changes, code, why) in [
        (&[(4, "dora"), (8, "password.dora")][..], 1, "a second person"),
        (&[(4, "olga")], 1, "only leads and admins recover; olga is analyst"),
        (&[(8, "password.dora")], 1, "name or password is wrong"),
        (&[(4, "nobody")], 1, "name or password is wrong"),
        (&[(10, " ")], 2, "reason"),
    ] {
        let refused = story.program.refused(&recover(changes));
        assert!(refused.0 == code && refused.1.contains(why), "{changes:?}: {refused:?}");
    }
    let (code, why) = story.program.refused(&recover(&[])[..3]);
    assert!(code == 2 && why.contains("--reason"), "{why}");
    let one = ["recover", "--person", "dora", "--reason", "x"];
    let (code, why) = story.program.refused(&one);
    assert!(code == 2 && why.contains("--person: 1 given. Allowed: two"), "{why}");
    let server = story.program.serve();
    let (code, why) = story.program.refused(&recover(&[]));
    assert!(code == 1 && why.contains("another countersign process is serving"), "{why}");
    assert_eq!(readiness(&server).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(fs::read(story.program.path(MARK)).unwrap(), mark);
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_stops_where_indexer_cannot_be_searched() {
    let story = Story::begin().await;
    story.configure_indexer();
    restored(&story).await;
    story.manager.misbehave_on(
        Calls::Search,
        Fault::Answer { status: 503, body: "down".to_owned() },
        Times::UntilCleared,
    );
    let (code, why) = story.program.refused(&recover(&[]));
    assert!(code == 1 && why.contains("503"), "{why}");
    assert!(why.contains("--without-look"), "{why}");
    let kinds = ["audit", "query", "--kind", "database.recovered"];
    assert_eq!(story.program.done(&kinds).lines().count(), 1);
    let mut arguments = recover(&[]);
    arguments.push("--without-look");
    let told = story.program.done(&arguments);
    assert!(told.contains("main, or not everywhere: it was told not to look"), "{told}");
    assert_eq!(story.program.done(&kinds).lines().count(), 2);
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn crash_in_recovery_is_recovered_from_once_more() {
    let story = Story::begin().await;
    story.configure_indexer();
    let id = restored(&story).await;
    story.program.run_until("before the new mark", &recover(&[])).await;
    let server = story.program.serve();
    assert_eq!(readiness(&server).await.0, StatusCode::SERVICE_UNAVAILABLE);
    server.kill();
    story.program.done(&recover(&[]));
    let found = story.program.done(&["audit", "query", "--kind", "dispatch.found"]);
    assert_eq!(found.matches(&id).count(), 2, "{found}");
    let server = story.program.serve();
    assert_eq!(readiness(&server).await.0, StatusCode::OK);
    assert_eq!(story.manager.received().len(), 2);
    story.never_twice();
}

fn unknown() -> Vec<String> {
    vec!["001: unknown".to_owned(), "005: unknown".to_owned()]
}
