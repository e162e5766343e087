//! How long it takes to read a whole request, by how many endpoints it has.

use std::hint::black_box;

use chrono::TimeDelta;
use countersign::{
    domain::{
        Time,
        action::{Action, ActionKind, Term},
        decision::{Decision, Reason, Tally, Verdict},
        digest::Digest,
        endpoint::{Endpoint, EndpointId, Platform},
        facts::AlertFacts,
        id::{AgentId, PersonId, RequestId},
        proposal::Claim,
        request::{Request, State, Target},
    },
    store::{
        Read as _, Store, StoreError,
        requests::{self, AskKey},
        sqlite::query,
    },
};
use criterion::{BenchmarkId, Criterion, Throughput};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

fn now() -> Time {
    Time::from_timestamp_micros(1_795_000_000_000_000).unwrap()
}

fn target(number: usize) -> Target {
    let id = EndpointId::parse(&format!("{number:03}")).unwrap();
    let endpoint = Endpoint {
        name: format!("host-{id}"),
        id,
        date_added: "2026-01-01T00:00:00Z".to_owned(),
        platform: Platform::Linux,
        groups: vec!["default".to_owned(), "web".to_owned()],
        address: None,
    };
    Target::new(endpoint, 2, "firewall-drop600".to_owned())
}

/// A block on so many endpoints that waits for people.
fn request(endpoints: usize) -> Request {
    let decision = Decision {
        verdict: Verdict::Approval(Tally { people: 1, analyst: 1, senior: 0, lead: 0 }),
        reasons: vec![Reason { policy: "p".to_owned(), why: "people decide".to_owned() }],
        errors: Vec::new(),
        kept_out: Vec::new(),
        policy_hash: Digest::of(b"policies"),
        tally: Tally::NONE,
        break_glass: false,
        at: now(),
    };
    let mut request = Request {
        id: RequestId::from(Uuid::from_u128(u128::try_from(endpoints).unwrap())),
        version: 1,
        agent: AgentId::from(Uuid::from_u128(7)),
        agent_name: "triage".to_owned(),
        owner: PersonId::from(Uuid::from_u128(4)),
        issuer: None,
        undoes: None,
        plan: None,
        asked_by: None,
        action: Action::parse(ActionKind::parse("block_ip").unwrap(), "203.0.113.7").unwrap(),
        term: Term::Seconds(600),
        claim: Claim { reason: "brute force".to_owned(), alert_id: None, confidence: Some(80) },
        fleet_wide: endpoints > 1,
        manager: "main".to_owned(),
        targets: (1..=endpoints).map(target).collect(),
        skipped: Vec::new(),
        alert: AlertFacts::default(),
        digest: Digest::ZERO,
        asked_at: now(),
        deadline: now() + TimeDelta::hours(4),
        state: State::Pending,
        votes: Vec::new(),
        decision,
        attempts: Vec::new(),
        history: None,
        held_because: None,
        review: None,
        wait: None,
    };
    request.digest = request.computed_digest();
    request
}

async fn store(store: &Store, request: Request) {
    let asked = &request.submit(now() + TimeDelta::hours(4), now());
    let digest = asked.request().digest;
    let origin = AskKey { proposal: digest, ask: digest, idempotency_key: None };
    let owners = [
        (
            "INSERT OR IGNORE INTO person
                 (id, name, role, password_hash, must_change_password, created_at)
             VALUES ($1, 'olga', 'senior', '', 0, 0)",
            asked.request().owner.to_string(),
        ),
        (
            "INSERT OR IGNORE INTO agent (id, name, owner_id, token_hash, created_at)
             VALUES ($1, 'triage', (SELECT id FROM person), '', 0)",
            asked.request().agent.to_string(),
        ),
    ];
    let owners = &owners;
    let stored = store.write(|tx| {
        Box::pin(async move {
            for (sql, id) in owners {
                query(*sql).bind(id).execute(tx.connection()).await?;
            }
            requests::insert(tx, asked, origin, now()).await
        })
    });
    let stored: Result<(), StoreError> = stored.await;
    stored.unwrap();
}

pub(crate) fn endpoints(criterion: &mut Criterion) {
    let (runtime, folder) = (Runtime::new().unwrap(), TempDir::new().unwrap());
    let opened = runtime.block_on(Store::open(&folder.path().join("countersign.db"))).unwrap();
    let mut group = criterion.benchmark_group("loading");
    for endpoints in [1, 100, 10_000] {
        let request = request(endpoints);
        let id = request.id;
        runtime.block_on(store(&opened, request));
        group.throughput(Throughput::Elements(u64::try_from(endpoints).unwrap()));
        group.bench_function(BenchmarkId::from_parameter(endpoints), |bencher| {
            bencher.iter(|| {
                runtime.block_on(async {
                    let mut reader = opened.reader().await.unwrap();
                    let found = requests::load(&mut reader, black_box(id)).await.unwrap();
                    assert_eq!(found.unwrap().targets.len(), endpoints);
                });
            });
        });
    }
}
