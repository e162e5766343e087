//! How many changes the writer stores with so many callers at once. Each is an audit entry; those
//! that wait are committed together. TMPDIR names the disk.

use countersign::{
    domain::{
        Time,
        actor::Actor,
        audit::{AuditDetail, AuditEvent, detail::accounts::NoFacts},
    },
    store::{Store, StoreError, audit},
};
use criterion::{BenchmarkId, Criterion, Throughput};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinSet};

async fn append(store: Store) {
    let event = &AuditEvent::new(Actor::System, None, AuditDetail::Resumed(NoFacts {}));
    let at = Time::from_timestamp_micros(1_795_000_000_000_000).unwrap();
    let stored = store
        .write_quietly(|tx| Box::pin(async move { audit::append(tx, event, at).await.map(drop) }));
    stored.await.unwrap();
}

/// Each caller waits for its answer.
async fn all_append(store: &Store, callers: usize) {
    let mut all = JoinSet::new();
    for _ in 0..callers {
        all.spawn(append(store.for_agents()));
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
}

pub(crate) fn callers(criterion: &mut Criterion) {
    let (runtime, folder) = (Runtime::new().unwrap(), TempDir::new().unwrap());
    let opened: Result<_, StoreError> =
        runtime.block_on(Store::open(&folder.path().join("countersign.db")));
    let store = opened.unwrap();
    let mut group = criterion.benchmark_group("writer");
    for callers in [1, 16, 64, 256] {
        group.throughput(Throughput::Elements(u64::try_from(callers).unwrap()));
        group.bench_function(BenchmarkId::from_parameter(callers), |bencher| {
            bencher.iter(|| runtime.block_on(all_append(&store, callers)));
        });
    }
}
