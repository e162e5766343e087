//! The kill matrix: at each failpoint between the claim and the end the program is killed and
//! started again, and what it says is held against what the manager was told.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use serde_json::json;
use sqlx::{ConnectOptions as _, Row as _, sqlite::SqliteConnectOptions};
use tokio::task::JoinSet;
use wazuh_simulator::{Fault, Times, Work};

use super::Story;
use crate::{
    docs::imports::files,
    harness::{AgentClient, program::Serving},
};

/// One test for each row: where it is killed, what the manager does to the first call => what
/// becomes of 001 and of 005, which are two calls, and how many calls reach the manager.
macro_rules! matrix {
    ($($name:ident: $failpoint:literal, $fault:expr => $first:literal, $second:literal, $calls:literal;)*) => {
        const FAILPOINTS: &[&str] = &[$($failpoint),*];

        $(
            #[tokio::test(flavor = "multi_thread")]
            #[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
            async fn $name() {
                killed($failpoint, $fault).await.came_to([$first, $second], $calls);
            }
        )*
    };
}

matrix! {
    crash_before_claim_sends_after_restart:
        "before the claim", None => "sent", "sent", 2;
    crash_in_claim_stores_nothing_and_sends_after_restart:
        "in the claim", None => "sent", "sent", 2;
    crash_before_mark_leaves_unknown:
        "before the mark", None => "unknown", "not_sent", 0;
    crash_after_claim_leaves_unknown:
        "after the claim", None => "unknown", "not_sent", 0;
    crash_before_call_leaves_unknown:
        "before the call", None => "unknown", "not_sent", 0;
    crash_after_answer_leaves_unknown:
        "after the answer", None => "unknown", "not_sent", 1;
    crash_while_storing_answer_leaves_unknown:
        "in the answer", None => "unknown", "not_sent", 1;
    crash_between_calls_keeps_first_and_leaves_second_unknown:
        "between two calls", None => "sent", "unknown", 1;
    crash_after_end_changes_nothing:
        "after the end", None => "sent", "sent", 2;
    crash_in_wait_after_doubt_leaves_rest_unsent:
        "in a wait", Some(Fault::Drop(Work::NotDone)) => "unknown", "not_sent", 0;
    crash_in_wait_after_rate_limit_sends_nothing:
        "in a wait", Some(Fault::TooManyRequests) => "not_sent", "not_sent", 0;
    crash_after_wait_leaves_rest_unsent:
        "after the wait", Some(Fault::Drop(Work::Done)) => "unknown", "not_sent", 1;
    crash_in_resume_stores_nothing:
        "in the resume", Some(Fault::Drop(Work::NotDone)) => "unknown", "not_sent", 0;
    crash_after_resume_leaves_rest_unknown:
        "after the resume", Some(Fault::Drop(Work::Done)) => "unknown", "unknown", 1;
}

#[test]
fn matrix_contains_every_failpoint() {
    let mut found = BTreeSet::new();
    for (path, text) in files("src") {
        for rest in text.split("failpoint::reached(").skip(1) {
            let name = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
            let (name, _) = name.unwrap_or_else(|| panic!("{path}: a failpoint without a name"));
            assert!(found.insert(name.to_owned()), "{path}: `{name}` is there twice");
        }
    }
    // These have their tests elsewhere; nothing is sent to a manager around them.
    let others = [
        "notice due",
        "feed sent",
        "before the new mark",
        "between two changes",
        "in the claim at once",
        "after the claim at once",
        "in the claim of a step",
        "in the return",
    ];
    let matrix = FAILPOINTS.iter().copied().chain(others);
    let matrix: BTreeSet<_> = matrix.map(str::to_owned).collect();
    assert_eq!(found, matrix);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn crash_within_batch_loses_no_answered_ask() {
    let story = Story::begin().await;
    let mut server = story.program.serve_until("between two changes");
    let (answered, mut asks) = (Arc::new(Mutex::new(Vec::new())), JoinSet::new());
    for caller in 1..=4 {
        let agent = AgentClient::connect(&server.url, &story.token).await;
        let answered = Arc::clone(&answered);
        asks.spawn(async move {
            for number in 1..=4 {
                let address = format!("203.0.113.{caller}{number}");
                let asked = agent.block(&address, json!({ "agent_ids": ["001"] })).await;
                answered.lock().unwrap().push((address, asked.id()));
            }
        });
    }
    server.halted().await;
    server.kill();
    asks.abort_all();
    let server = story.program.serve();
    let agent = AgentClient::connect(&server.url, &story.token).await;
    let answered = answered.lock().unwrap().clone();
    assert!(answered.len() < 16, "{answered:?}");
    for (address, id) in &answered {
        let again = agent.block(address, json!({ "agent_ids": ["001"] })).await;
        assert_eq!(again.id(), *id);
    }
    // What was not answered is not there by half.
    let more = agent.block("203.0.113.50", json!({ "agent_ids": ["001"] })).await;
    assert_eq!(more.state(), "pending");
    story.never_twice();
}

/// Blocks that policy lets run at once, the last of them killed at a failpoint; those before it, which
/// come before the manager has said which installation it is, are done. How many are stored, and the
/// outcomes of the newest.
async fn killed_at_once(failpoint: &str) -> (Story, usize, Vec<String>) {
    let story = Story::begin().await;
    story.run_at_once();
    let mut server = story.program.serve_until(failpoint);
    let agent = AgentClient::connect(&server.url, &story.token).await;
    let asks = tokio::spawn(async move {
        for number in 1..=9 {
            let address = format!("203.0.113.{number}");
            let id = agent.block(&address, json!({ "agent_ids": ["001", "005"] })).await.id();
            let wait = json!({ "request_id": id, "timeout_seconds": 50 });
            agent.call("wait_for_decision", wait).await;
        }
    });
    server.halted().await;
    server.kill();
    asks.abort();
    story.manager.settled().await;
    let server = story.program.serve();
    let agent = AgentClient::connect(&server.url, &story.token).await;
    let listed = agent.call("list_requests", json!({})).await;
    let stored = listed.json["requests"].as_array().unwrap();
    let mut newest = Vec::new();
    if let Some(request) = stored.first() {
        newest = story.end(&server.url, request["request_id"].as_str().unwrap()).await.1;
    }
    (story, stored.len(), newest)
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn crash_in_claim_at_once_stores_nothing() {
    let (story, stored, newest) = killed_at_once("in the claim at once").await;
    assert_eq!(story.manager.received().len(), 2 * stored);
    assert!(newest.is_empty() || newest == super::sent(), "{newest:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn crash_after_claim_at_once_leaves_unknown() {
    let (story, stored, newest) = killed_at_once("after the claim at once").await;
    assert_eq!(newest, ["001: unknown", "005: not_sent"]);
    assert_eq!(story.manager.received().len(), 2 * (stored - 1));
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn crash_of_undo_before_stored_answer_reverts_nothing() {
    for failpoint in ["after the answer", "in the answer"] {
        let (block, undo) = undo_killed(failpoint).await;
        assert_eq!(undo.outcomes, ["001: unknown", "005: not_sent"], "{failpoint}");
        assert_eq!(block, ["001: sent", "005: sent"], "{failpoint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn crash_of_undo_between_calls_reverts_only_sent_ones() {
    let (block, undo) = undo_killed("between two calls").await;
    assert_eq!(undo.outcomes, ["001: sent", "005: unknown"]);
    assert_eq!(block, ["001: reverted", "005: sent"]);
}

/// A request whose execution was killed and that came to its end after the restart.
struct Killed {
    story: Story,
    server: Serving,
    id: String,
    outcomes: Vec<String>,
    /// The endpoints of the attempt that had no answer when the program was killed.
    unanswered: Vec<String>,
}

/// A block that is killed at a failpoint.
async fn killed(failpoint: &str, fault: Option<Fault>) -> Killed {
    let story = Story::begin().await;
    if let Some(fault) = fault {
        story.manager.misbehave(fault, Times::Once);
    }
    let mut server = story.program.serve_until(failpoint);
    let id = story.ask(&server.url).await;
    story.approve(&server.url, &id).await;
    server.halted().await;
    server.kill();
    Killed::restart(story, id).await
}

/// A block that is done, and its undo, which is killed at a failpoint: the block's outcomes after
/// the restart, and the undo.
async fn undo_killed(failpoint: &str) -> (Vec<String>, Killed) {
    let story = Story::begin().await;
    let server = story.program.serve();
    let block = story.ask(&server.url).await;
    story.approve(&server.url, &block).await;
    assert_eq!(story.end(&server.url, &block).await.1, super::sent());
    server.kill();
    let mut server = story.program.serve_until(failpoint);
    let agent = AgentClient::connect(&server.url, &story.token).await;
    let undo = json!({ "request_id": block, "reason": "a false alarm" });
    let undo = agent.call("undo_request", undo).await.id();
    Story::approve_again(&server.url, &undo).await;
    server.halted().await;
    server.kill();
    let killed = Killed::restart(story, undo).await;
    killed.holds_against_the_manager();
    let (_, outcomes) = killed.story.end(&killed.server.url, &block).await;
    (outcomes, killed)
}

impl Killed {
    async fn restart(story: Story, id: String) -> Self {
        story.manager.settled().await;
        let unanswered = unanswered(&story, &id).await;
        mark_covers_calls(&story).await;
        let server = story.program.serve();
        let (state, outcomes) = story.end(&server.url, &id).await;
        assert_eq!(state, "settled");
        story.manager.settled().await;
        Self { story, server, id, outcomes, unanswered }
    }

    fn came_to(&self, expected: [&str; 2], calls: usize) {
        let [first, second] = expected;
        assert_eq!(self.outcomes, [format!("001: {first}"), format!("005: {second}")]);
        assert_eq!(self.story.manager.received().len(), calls);
        self.holds_against_the_manager();
        self.story.never_twice();
    }

    /// What every kill must leave, wherever it struck.
    fn holds_against_the_manager(&self) {
        for line in &self.outcomes {
            let (endpoint, outcome) = line.split_once(": ").unwrap();
            let told = self.told(endpoint);
            assert!(told <= 1, "{line}, told {told} times");
            match outcome {
                "sent" | "confirmed" => assert_eq!(told, 1, "{line}"),
                "not_sent" => assert_eq!(told, 0, "{line}"),
                "unknown" => {}
                _ => panic!("a kill cannot leave {line}"),
            }
            if self.unanswered.iter().any(|open| open == endpoint) {
                assert_eq!(outcome, "unknown", "{line}: its call had no answer");
            }
        }
    }

    /// How often the manager was told to do this request on an endpoint, done or not.
    fn told(&self, endpoint: &str) -> usize {
        let mark = format!("countersign={}/", self.id);
        let calls = self.story.manager.received();
        let ours = calls.iter().filter(|call| call.arguments.iter().any(|a| a.starts_with(&mark)));
        ours.filter(|call| call.asked.iter().any(|asked| asked == endpoint)).count()
    }
}

/// What the killed program left: the high-water mark is not older than the attempt of any call.
async fn mark_covers_calls(story: &Story) {
    let mark = std::fs::read(story.program.path("countersign.db.mark")).unwrap();
    let mark: serde_json::Value = serde_json::from_slice(&mark).unwrap();
    let options = SqliteConnectOptions::new().filename(story.program.path("countersign.db"));
    let mut database = options.connect().await.unwrap();
    let rows = sqlx::query("SELECT seq, detail FROM audit WHERE kind LIKE 'dispatch.%'")
        .fetch_all(&mut database)
        .await
        .unwrap();
    for call in story.manager.received() {
        let tag = call.arguments.iter().find(|a| a.starts_with("countersign=")).unwrap();
        let attempt = tag.split('/').nth(1).unwrap();
        let recorded = rows.iter().find(|row| row.get::<&str, _>("detail").contains(attempt));
        let seq: i64 = recorded.expect("recorded before it is made").get("seq");
        assert!(seq <= mark["seq"].as_i64().unwrap(), "{tag} is entry {seq}: {mark}");
    }
}

/// What the killed program left: the endpoints of an attempt that was recorded and not answered.
async fn unanswered(story: &Story, id: &str) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(story.program.path("countersign.db"));
    let mut database = options.connect().await.unwrap();
    let rows = sqlx::query(
        "SELECT endpoint_id FROM request_endpoint JOIN attempt ON attempt.id = attempt_id
         WHERE attempt.request_id = $1 AND answered_at IS NULL",
    )
    .bind(id)
    .fetch_all(&mut database)
    .await
    .unwrap();
    rows.iter().map(|row| row.get("endpoint_id")).collect()
}
