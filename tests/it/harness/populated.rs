//! The database of a new world, made once: hashing five passwords takes longer than most tests.

use std::path::Path;

use chrono::TimeDelta;
use countersign::{
    broker::admin::{operator::Operator, people::NewPerson},
    clock::Clock,
    domain::{
        action::Catalogue,
        actor::{Actor, Role},
    },
    store::Store,
};
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::PASSWORD;

/// More than the people and the agent draw. A manual clock draws the same values every time, and a
/// world must not draw those again that its database holds already.
const DRAWN: usize = 100;

struct Populated {
    database: Vec<u8>,
    token: String,
}

/// Writes a database with the people and the agent; gives the agent's token.
pub(super) async fn copy_to(path: &Path, clock: &Clock) -> String {
    static MADE: OnceCell<Populated> = OnceCell::const_new();
    let made = MADE.get_or_init(|| make(clock)).await;
    std::fs::write(path, &made.database).unwrap();
    for _ in 0..DRAWN {
        let _drawn: [u8; 1] = clock.random();
    }
    made.token.clone()
}

async fn make(clock: &Clock) -> Populated {
    let folder = TempDir::new().unwrap();
    let (lived, copy) = (folder.path().join("lived.db"), folder.path().join("copy.db"));
    // Before the clock of any world of this process begins.
    let clock = Clock::manual(clock.now() - TimeDelta::minutes(1));
    let token = populate(&lived, &clock).await;
    // One file, whatever the journal still holds.
    let mut connection = SqliteConnectOptions::new().filename(&lived).connect().await.unwrap();
    let into = sqlx::query("VACUUM INTO $1").bind(copy.to_str().unwrap());
    into.execute(&mut connection).await.unwrap();
    Populated { database: std::fs::read(copy).unwrap(), token }
}

/// Adds the people and the agent; gives the agent's token.
pub(super) async fn populate(database: &Path, clock: &Clock) -> String {
    let operator = Operator::new(Store::open(database).await.unwrap(), clock.clone());
    for (name, role) in [
        ("alice", Role::Analyst),
        ("bob", Role::Senior),
        ("carol", Role::Lead),
        ("dora", Role::Admin),
        ("otto", Role::Auditor),
    ] {
        let new = NewPerson {
            name,
            role,
            password: PASSWORD,
            must_change: false,
            mail: None,
            teams: &[],
        };
        operator.add_person(&Actor::CommandLine, new).await.unwrap();
    }
    let new = operator
        .add_agent(&Actor::CommandLine, "triage-bot", "alice", &Catalogue::built_in().usual())
        .await
        .unwrap();
    new.token
}
