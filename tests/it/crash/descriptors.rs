//! The machine of the broker lacks files while approved requests are due: that is no answer of the
//! manager. They wait, say why, and are sent when there are files again.

use std::time::Duration;

use serde_json::json;
use sqlx::{ConnectOptions as _, Row as _, sqlite::SqliteConnectOptions};

use super::{Story, sent};
use crate::harness::AgentClient;

const LACK: &str = "Too many open files";

/// Reads the database of a server that takes no connection until a row of this query holds the
/// text; the row.
async fn until(story: &Story, query: &'static str, text: &str) -> String {
    let database = story.program.path("countersign.db");
    let options = SqliteConnectOptions::new().filename(database).read_only(true);
    let mut database = options.connect().await.unwrap();
    let found = async {
        loop {
            let rows = sqlx::query(query).fetch_all(&mut database).await.unwrap();
            let mut rows = rows.iter().map(|row| row.get::<String, _>(0));
            if let Some(found) = rows.find(|row| row.contains(text)) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), found).await.expect("no row holds it")
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_waits_while_files_are_missing() {
    let story = Story::begin().await;
    let server = story.program.serve();
    let id = story.ask(&server.url).await;
    story.manager.hold("001");
    story.approve(&server.url, &id).await;
    story.manager.until_received(1).await;
    server.limit_files(Some(1));
    story.manager.release("001");
    let answer = "SELECT coalesce(answer, '') FROM attempt ORDER BY number DESC";
    let said = until(&story, answer, LACK).await;
    assert!(said.contains("no fault of"), "{said}");
    server.limit_files(None);
    let (state, outcomes) = story.end(&server.url, &id).await;
    assert_eq!((state.as_str(), outcomes), ("settled", sent()));
    story.never_twice();
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_request_is_held_while_files_are_missing() {
    let story = Story::begin().await;
    let server = story.program.serve();
    let first = story.ask(&server.url).await;
    let agent = AgentClient::connect(&server.url, &story.token).await;
    let id = agent.block("203.0.113.10", json!({ "agent_ids": ["002"] })).await.id();
    drop(agent);
    story.manager.hold("001");
    story.approve(&server.url, &first).await;
    story.manager.until_received(1).await;
    Story::approve_again(&server.url, &id).await;
    // Both calls of the first request are made before the files are gone.
    story.manager.hold("005");
    story.manager.release("001");
    story.manager.until_received(2).await;
    server.limit_files(Some(1));
    story.manager.release("005");
    let why = "SELECT coalesce(held_because, '') FROM request WHERE state = 'approved'";
    let said = until(&story, why, LACK).await;
    assert!(said.contains("no fault of"), "{said}");
    assert_eq!(story.manager.received().len(), 2);
    server.limit_files(None);
    for (id, outcomes) in [(first, sent()), (id, vec!["002: sent".to_owned()])] {
        assert_eq!(story.end(&server.url, &id).await, ("settled".to_owned(), outcomes));
    }
}
