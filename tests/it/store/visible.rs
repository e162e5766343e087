//! The connections of people who see a part: what stands there in the place of each table.

use std::collections::BTreeSet;

use countersign::{
    domain::site::Site,
    store::{Read as _, Reader, sqlite::query},
};
use serde_json::json;

use crate::web::fixtures::Room;

/// Tables that say nothing of a request, and that whoever sees a part reads as they are.
const FOR_EVERYBODY: [&str; 20] = [
    "_sqlx_migrations",
    "action_entry",
    "active_policy_file",
    "agent",
    "api_token",
    "audit_hour",
    "browser_key",
    "feed",
    "identity",
    "kill_switch",
    "manager_identity",
    "passkey",
    "person",
    "policy_set",
    "recovery_code",
    "rule_responses_read",
    "saved_view",
    "second_factor",
    "session",
    "sqlite_sequence",
];

async fn texts(reader: &mut Reader, sql: String) -> Vec<String> {
    let rows = query(sql).fetch_all(reader.connection()).await.unwrap();
    rows.iter().map(|row| row.get("text").unwrap()).collect()
}

/// Everything that a request leaves in the database.
async fn filled() -> Room {
    let room = Room::start().await;
    let carol = room.person("carol").await;
    let asked = room.asked_with(json!({ "agent_ids": ["008"] })).await;
    carol.approve(&asked.id.to_string()).await;
    room.work().await;
    room.asked_step().await;
    room.broker().notify().await.unwrap();
    room
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_of_requests_is_behind_a_view() {
    let room = filled().await;
    let (store, bob) = (room.store.clone().unwrap(), room.operator().person("bob").await.unwrap());
    let mut reader = store.reader_of(&bob, &BTreeSet::new()).await.unwrap();
    let tables = "SELECT name AS text FROM main.sqlite_schema WHERE type = 'table'".to_owned();
    let views = "SELECT name AS text FROM temp.sqlite_schema WHERE type = 'view'".to_owned();
    let views: BTreeSet<_> = texts(&mut reader, views).await.into_iter().collect();
    for table in texts(&mut reader, tables).await {
        let open = FOR_EVERYBODY.contains(&table.as_str());
        assert!(
            open != views.contains(&table),
            "{table}: put it behind a view in src/store/files/visible.rs, or say here that it tells \
             nothing of a request"
        );
        if table == "audit" || open {
            continue;
        }
        let rows = texts(&mut reader, format!("SELECT 'a row' AS text FROM {table}")).await;
        assert!(rows.is_empty(), "{table} shows {} rows to who sees no site", rows.len());
    }
    let of_requests = "SELECT kind AS text FROM audit WHERE request_id IS NOT NULL".to_owned();
    assert!(texts(&mut reader, of_requests).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_shows_the_sites_of_its_present_person() {
    let room = filled().await;
    let (store, bob) = (room.store.clone().unwrap(), room.operator().person("bob").await.unwrap());
    let site = |groups: &[&str]| {
        let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
        BTreeSet::from([Site::new("test", &groups)])
    };
    for (sites, number) in [
        (site(&["default", "office"]), 1),
        (BTreeSet::new(), 0),
        (site(&["default", "linux", "web"]), 2),
        (site(&["web", "linux", "default"]), 2),
        (site(&["default"]), 0),
    ] {
        let mut reader = store.reader_of(&bob, &sites).await.unwrap();
        let rows = texts(&mut reader, "SELECT id AS text FROM request".to_owned()).await;
        assert_eq!(rows.len(), number, "{sites:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_that_shows_a_part_cannot_write() {
    let room = filled().await;
    let (store, bob) = (room.store.clone().unwrap(), room.operator().person("bob").await.unwrap());
    let mut reader = store.reader_of(&bob, &BTreeSet::new()).await.unwrap();
    for sql in ["DELETE FROM main.vote", "UPDATE main.person SET role = 'admin'"] {
        assert!(query(sql).execute(reader.connection()).await.is_err(), "{sql}");
    }
}
