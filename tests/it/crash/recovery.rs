//! Two people take over a database that may lack what was sent.

use std::fs;

use reqwest::StatusCode;
use wazuh_simulator::{Calls, Fault, Times};

use super::{
    NEW_PASSWORD, Story,
    high_water_mark::{MARK, readiness, sent_after_copy},
    unknown,
};
use crate::harness::{ALERT, AgentClient, PASSWORD, PersonClient, program::Serving};

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
    assert!(!story.program.path("countersign.db-wal").exists());
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

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
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
