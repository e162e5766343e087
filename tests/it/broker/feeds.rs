//! Programs get the audit: all of it, in its order, at least once, each at its own pace.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use countersign::{
    broker::notifications::feeds::FeedStep,
    connector::{Feed, FeedFileSettings, FeedReceiver, FeedSettings},
    domain::audit::EventKind,
};
use serde_json::{Value, json};

use crate::harness::{World, program::Program};

mod configuration;
mod crash;
mod delivery;
mod file;
mod syslog;
mod syslog_server;
mod webhook;

/// A feed of all events, from the first on.
fn feed(name: &str, receiver: FeedReceiver) -> Feed {
    feed_of(name, &EventKind::ALL, receiver)
}

/// A feed of these events, from the first on.
fn feed_of(name: &str, kinds: &[EventKind], receiver: FeedReceiver) -> Feed {
    let kinds: HashSet<_> = kinds.iter().copied().collect();
    Feed::new(FeedSettings { name: name.to_owned(), kinds, from_start: true, receiver }).unwrap()
}

fn file(path: &Path) -> FeedReceiver {
    FeedReceiver::File(FeedFileSettings { path: path.to_owned(), mode: 0o600 })
}

async fn world_with(feeds: Vec<Feed>) -> World {
    World::builder().with_feeds(feeds).start().await
}

/// Steps a feed until there is nothing to do, or its receiver fails.
async fn step(world: &World, feed: &str) -> FeedStep {
    loop {
        match world.broker().feed_next(feed).await.unwrap() {
            FeedStep::Moved => {}
            end @ (FeedStep::Idle | FeedStep::Failed(_)) => return end,
        }
    }
}

/// Steps a feed that must get through.
async fn fed(world: &World, feed: &str) {
    assert_eq!(step(world, feed).await, FeedStep::Idle);
}

/// Why a feed does not get through.
async fn failed(world: &World, feed: &str) -> String {
    let FeedStep::Failed(why) = step(world, feed).await else { panic!("it gets through") };
    why
}

/// A folder of a file, which nobody else may write.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// The entries in a file, line by line.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn places(entries: &[Value]) -> Vec<u64> {
    entries.iter().map(|entry| entry["place"].as_u64().unwrap()).collect()
}

/// The audit as `audit query` shows it, oldest first: what a feed has to send.
async fn audit(world: &World) -> Vec<Value> {
    let entries = world.operator().audit_after(0).await.unwrap();
    entries.iter().map(countersign::domain::audit::AuditEntry::to_json).collect()
}

/// What `audit verify --feed` says of a file, without a database.
fn verified(path: &Path) -> Value {
    let program = Program::new();
    let verify = ["--json", "audit", "verify", "--feed", path.to_str().unwrap()];
    serde_json::from_slice(&program.run(&verify).stdout).unwrap()
}

/// A few entries: somebody asks for something, and somebody stops everything.
async fn happen(world: &World) {
    world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    world.freeze("a drill").await;
    world.unfreeze().await;
}
