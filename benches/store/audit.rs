//! How fast the chain of the audit is verified, and a page of it found among a million entries.
//! The files are made anew, in memory where the system has a place for that.

use std::{cell::LazyCell, hint::black_box, path::Path};

use countersign::{
    domain::{Time, audit::AuditEntry, digest::Digest},
    store::{
        Store,
        audit::{self, AuditFilter},
    },
};
use criterion::{BenchmarkId, Criterion, Throughput};
use serde_json::{Value, json};
use sqlx::{
    ConnectOptions as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The moment of the first entry, and how far apart they are, in microseconds.
const FIRST: i64 = 1_760_000_000_000_000;
const APART: i64 = 30_000_000;
/// How many entries are inserted by one statement.
const BLOCK: u64 = 1000;

const INSERT: &str = "INSERT INTO audit (seq, at, kind, actor_kind, actor_id, actor_name,
                                         request_id, action, target, detail, previous, hash,
                                         steady_at)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
            value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11,
            value ->> 1
     FROM json_each($1)";

/// The entry at a place: of eight kinds, by forty agents and people.
fn entry(seq: u64, previous: Digest) -> AuditEntry {
    const KINDS: [&str; 8] = [
        "request.asked",
        "request.approved",
        "dispatch.claimed",
        "dispatch.finished",
        "request.settled",
        "request.rejected",
        "proposal.refused",
        "session.began",
    ];
    let kind = *KINDS.get(usize::try_from(seq % 8).unwrap()).unwrap();
    let (by, reason) =
        (seq / 8 % 40, "a scan of many ports from one address, seen by rule 5712; ".repeat(6));
    AuditEntry {
        seq,
        at_us: FIRST + APART * i64::try_from(seq).unwrap(),
        kind: kind.to_owned(),
        actor_kind: if seq.is_multiple_of(3) { "person" } else { "agent" }.to_owned(),
        actor_id: Some(format!("00000000-0000-4000-8000-{by:012}")),
        actor_name: format!("name-{by}"),
        request: Some(format!("req_{:026}", seq / 8)),
        action: Some("block_ip".to_owned()),
        target: Some(format!("203.0.{}.{}", seq / 256 % 256, seq % 256)),
        detail: json!({ "reason": reason, "endpoints": ["001", "002"] }).to_string(),
        previous,
        damage: None,
    }
}

fn columns(entry: &AuditEntry) -> Value {
    json!([
        entry.seq,
        entry.at_us,
        entry.kind,
        entry.actor_kind,
        entry.actor_id,
        entry.actor_name,
        entry.request,
        entry.action,
        entry.target,
        entry.detail,
        entry.previous.to_string(),
        entry.hash().to_string(),
    ])
}

async fn fill(database: &mut SqliteConnection, entries: u64) {
    sqlx::query("BEGIN").execute(&mut *database).await.unwrap();
    let (mut seq, mut previous) = (0, Digest::ZERO);
    while seq < entries {
        let mut block = Vec::new();
        for _ in 0..BLOCK {
            seq += 1;
            let entry = entry(seq, previous);
            previous = entry.hash();
            block.push(columns(&entry));
        }
        let block = Value::from(block).to_string();
        sqlx::query(INSERT).bind(block).execute(&mut *database).await.unwrap();
    }
    sqlx::query("COMMIT").execute(database).await.unwrap();
}

/// A database with so many entries.
async fn database(entries: u64) -> (TempDir, Store) {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
    let path = folder.path().join("countersign.db");
    drop(Store::open(&path).await.unwrap());
    let options = SqliteConnectOptions::new().filename(&path);
    let mut filling = options.synchronous(SqliteSynchronous::Off).connect().await.unwrap();
    fill(&mut filling, entries).await;
    drop(filling);
    (folder, Store::open(&path).await.unwrap())
}

pub(crate) fn verify(criterion: &mut Criterion) {
    const ENTRIES: u64 = 100_000;
    let runtime = Runtime::new().unwrap();
    // Made only if it is asked for.
    let made = LazyCell::new(|| runtime.block_on(database(ENTRIES)));
    let mut group = criterion.benchmark_group("verify");
    group.throughput(Throughput::Elements(ENTRIES));
    group.bench_function(BenchmarkId::from_parameter(ENTRIES), |bencher| {
        let (_folder, store) = &*made;
        bencher.iter(|| {
            runtime.block_on(async {
                let mut reader = store.reader().await.unwrap();
                let verified = audit::verify(&mut reader).await.unwrap();
                assert_eq!((verified.rows, verified.broken), (ENTRIES, None));
            });
        });
    });
}

/// The first page of each filter.
pub(crate) fn page(criterion: &mut Criterion) {
    const ENTRIES: u64 = 1_000_000;
    let runtime = Runtime::new().unwrap();
    // Made only if it is asked for.
    let made = LazyCell::new(|| runtime.block_on(database(ENTRIES)));
    let text = |text: &str| Some(text.to_owned());
    let hour = |hour: i64| Time::from_timestamp_micros(FIRST + hour * 3_600_000_000);
    let all = AuditFilter::default;
    let filters = [
        ("no filter", all(), 50),
        ("a kind", AuditFilter { kind: text("request.rejected"), ..all() }, 50),
        ("a kind that is not there", AuditFilter { kind: text("no.such"), ..all() }, 0),
        ("one of forty actors", AuditFilter { actor: text("name-7"), ..all() }, 50),
        (
            "a kind by one of forty actors",
            AuditFilter { kind: text("session.began"), actor: text("name-7"), ..all() },
            50,
        ),
        (
            "an hour in the middle",
            AuditFilter { since: hour(4000), until: hour(4001), ..all() },
            50,
        ),
        ("a target", AuditFilter { target: text("203.0.7.7"), ..all() }, 15),
        ("a request", AuditFilter { request: text("req_00000000000000000000000007"), ..all() }, 8),
    ];
    let mut group = criterion.benchmark_group("audit page");
    for (name, filter, least) in &filters {
        group.bench_function(*name, |bencher| {
            let (_folder, store) = &*made;
            bencher.iter(|| {
                runtime.block_on(async {
                    let mut reader = store.reader().await.unwrap();
                    let page = audit::page(&mut reader, black_box(filter), None, 50).await.unwrap();
                    assert!(page.len() >= *least, "{name}: {}", page.len());
                });
            });
        });
    }
}
