//! What the filters of the audit find, where the clock went back and where a filter finds much.

use std::time::Duration;

use countersign::{
    domain::Time,
    store::{
        Store,
        audit::{self, AuditFilter},
    },
};
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

const HOUR: i64 = 3_600_000_000;

/// A store with entries of these hours and kinds, each by somebody named after its place.
async fn store_of(entries: impl IntoIterator<Item = (i64, &str)>) -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("countersign.db");
    let store = Store::open(&path).await.unwrap();
    let mut database = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    sqlx::query("BEGIN").execute(&mut database).await.unwrap();
    for (seq, (hour, kind)) in (1_i64..).zip(entries) {
        sqlx::query(
            "INSERT INTO audit (seq, at, kind, actor_kind, actor_id, actor_name, detail, previous, hash)
             VALUES ($1, $2, $3, 'person', 'id' || ($1 % 2), 'name' || ($1 % 3), '{}', '0', $1)",
        )
        .bind(seq)
        .bind(hour * HOUR + seq)
        .bind(kind)
        .execute(&mut database)
        .await
        .unwrap();
    }
    sqlx::query("COMMIT").execute(&mut database).await.unwrap();
    (folder, store)
}

async fn places(store: &Store, filter: &AuditFilter, limit: u32) -> Vec<u64> {
    let mut reader = store.reader().await.unwrap();
    let page = audit::page(&mut reader, filter, None, limit).await.unwrap();
    page.iter().map(|entry| entry.seq).collect()
}

fn hour(hour: i64) -> Option<Time> {
    Time::from_timestamp_micros(hour * HOUR)
}

#[tokio::test]
async fn times_find_all_though_the_clock_went_back() {
    let hours = [5, 6, 90, 7, 7, 8, 6, 9];
    let (_folder, store) = store_of(hours.map(|hour| (hour, "a.b"))).await;
    for since in (0..=10).chain([90, 91]).map(hour).chain([None]) {
        for until in (0..=10).chain([90, 91]).map(hour).chain([None]) {
            let filter = AuditFilter { since, until, ..AuditFilter::default() };
            let within = |(_, at): &(u64, i64)| {
                let at = Time::from_timestamp_micros(at * HOUR + 1).unwrap();
                since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
            };
            let mut expected: Vec<_> =
                (1..).zip(hours).filter(within).map(|(seq, _)| seq).collect();
            expected.reverse();
            assert_eq!(places(&store, &filter, 50).await, expected, "{since:?} {until:?}");
        }
    }
}

#[tokio::test]
async fn page_of_one_hour_reads_no_other() {
    let (folder, _store) = store_of((0..60_000).map(|number| (number / 1000, "a.b"))).await;
    let filter = |since, until| AuditFilter {
        since: hour(since),
        until: hour(until),
        ..AuditFilter::default()
    };
    let kind = AuditFilter { kind: Some("a".to_owned()), ..filter(2, 3) };
    let cases: [(_, &[u64]); 4] = [
        (filter(2, 3), &[3000, 2999]),
        (filter(50, 51), &[51_000, 50_999]),
        (filter(70, 80), &[]),
        (kind, &[3000, 2999]),
    ];
    for (filter, expected) in cases {
        // No statement may do more than ten thousand steps. Those of a statement that is kept are
        // counted together, so each case has its own connections.
        let store = Store::open(&folder.path().join("countersign.db")).await.unwrap();
        let hurried = store.reading_at_most(Duration::ZERO);
        assert_eq!(places(&hurried, &filter, 2).await, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn group_finds_each_of_its_kinds_newest_first() {
    let kinds = ["a.b", "a.c", "ab.c", "a.b", "a", "a.zz", "b.a"];
    let (_folder, store) = store_of(kinds.map(|kind| (1, kind))).await;
    let of = |kind: &str| AuditFilter { kind: Some(kind.to_owned()), ..AuditFilter::default() };
    assert_eq!(places(&store, &of("a"), 50).await, [6, 4, 2, 1]);
    assert_eq!(places(&store, &of("a"), 2).await, [6, 4]);
    assert_eq!(places(&store, &of("a.b"), 50).await, [4, 1]);
}

#[tokio::test]
async fn actor_is_found_by_name_and_by_id() {
    let (_folder, store) = store_of([(1, "a.b"); 7]).await;
    let of = |actor: &str| AuditFilter { actor: Some(actor.to_owned()), ..AuditFilter::default() };
    assert_eq!(places(&store, &of("name2"), 50).await, [5, 2]);
    assert_eq!(places(&store, &of("id1"), 50).await, [7, 5, 3, 1]);
    assert_eq!(places(&store, &of("id1"), 3).await, [7, 5, 3]);
}

#[tokio::test]
async fn filters_that_find_much_find_the_same_together() {
    let kinds = (0..6000).map(|number| (number / 1000, if number == 3 { "a.b" } else { "a.c" }));
    let (_folder, store) = store_of(kinds).await;
    let of = |kind: &str| AuditFilter {
        kind: Some(kind.to_owned()),
        actor: Some("name1".to_owned()),
        until: hour(1),
        ..AuditFilter::default()
    };
    // Both find much; the last that both find in the first hour.
    assert_eq!(places(&store, &of("a.c"), 2).await, [1000, 997]);
    assert_eq!(places(&store, &of("a.b"), 2).await, [4]);
    assert_eq!(places(&store, &of("a"), 2).await, [1000, 997]);
}
