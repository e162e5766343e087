//! How long policy takes to decide: sets of several sizes, one endpoint or a whole fleet.
//!
//! `cargo bench --bench decision`; docs/performance.md says what to compare.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop where its input is wrong")]

use std::{collections::BTreeMap, fmt::Write as _, hint::black_box, time::Duration};

use countersign::{
    domain::{
        action::{Action, ActionKind, Catalogue, Term},
        actor::Agent,
        decision::Tally,
        endpoint::{EndpointId, Platform},
        facts::history::AgentHistory,
        facts::{
            AlertEndpoint, AlertFacts, EndpointFacts, IndexerState, PolicyQuestion, TargetFacts,
        },
        id::{AgentId, PersonId},
        proposal::Claim,
    },
    policy::{Engine, PolicyFiles, STARTER},
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// How many groups the generated policies and the fleet have.
const GROUPS: usize = 100;

/// The least set that answers, and policies for single endpoints, for single groups, and with a
/// condition, in turn; `sites` says which constraint they have.
fn engine(policies: usize, start: &[(&str, &str)], sites: bool) -> Engine {
    let mut texts: BTreeMap<String, String> =
        start.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let loaded = Engine::new(PolicyFiles::kept(texts.clone())).unwrap().policies().len();
    let mut generated = String::new();
    for number in loaded..policies {
        let group = number % GROUPS;
        let (resource, condition) = match number % 3 {
            _ if !sites => ("is Countersign::Endpoint".to_owned(), "resource.criticality >= 6"),
            0 => (format!("== Countersign::Endpoint::\"{number:03}\""), "true"),
            1 => (format!("in Countersign::Group::\"group-{group}\""), "context.facts.permanent"),
            _ => (
                format!("is Countersign::Endpoint in Countersign::Group::\"group-{group}\""),
                "context.facts.reach > 50",
            ),
        };
        writeln!(
            generated,
            "@id(\"site-{number}\") @why(\"generated\") forbid (principal is Countersign::Agent, \
             action in Countersign::Action::\"run\", resource {resource}) \
             when {{ {condition} && context.facts.scope < {number} }} \
             unless {{ context.votes.people >= 2 }};"
        )
        .unwrap();
    }
    texts.insert("60_sites.cedar".to_owned(), generated);
    Engine::new(PolicyFiles::kept(texts)).unwrap()
}

const LEAST: &str = r#"
@id("ask") @why("all may ask")
permit (principal is Countersign::Agent, action in Countersign::Action::"ask", resource);
@id("run") @why("an analyst approves")
permit (principal is Countersign::Agent, action in Countersign::Action::"run", resource)
when { context.votes.analyst >= 1 };"#;

fn small(policies: usize) -> Engine {
    engine(policies, &[("schema.cedarschema", schema()), ("10_least.cedar", LEAST)], true)
}

fn schema() -> &'static str {
    STARTER.iter().find(|(name, _)| *name == "schema.cedarschema").unwrap().1
}

fn fleet(endpoints: usize) -> Vec<EndpointFacts> {
    let endpoint = |number: usize| EndpointFacts {
        id: EndpointId::parse(&format!("{number:03}")).unwrap(),
        platform: Platform::Linux,
        groups: vec!["default".to_owned(), format!("group-{}", number % GROUPS)],
        criticality: 1,
        unknown_outcome: false,
    };
    (1..=endpoints).map(endpoint).collect()
}

/// A block that the shipped set lets run at once.
fn question(endpoints: Vec<EndpointFacts>) -> PolicyQuestion {
    let scope = u64::try_from(endpoints.len()).unwrap();
    PolicyQuestion {
        agent: Agent {
            id: AgentId::from(uuid::Uuid::from_u128(1)),
            name: "responder".to_owned(),
            owner: PersonId::from(uuid::Uuid::from_u128(100)),
            issuer: None,
            revoked: false,
            scopes: Catalogue::built_in().responses().to_vec(),
            issued_at: "2026-02-16T12:00:00Z".parse().unwrap(),
        },
        asked_by: None,
        action: Action::parse(ActionKind::parse("block_ip").unwrap(), "203.0.113.7").unwrap(),
        term: Term::Seconds(600),
        claim: Claim { reason: "brute force".to_owned(), alert_id: None, confidence: None },
        target: TargetFacts::default(),
        alert: AlertFacts {
            found: true,
            names_target: true,
            level: 10,
            age_seconds: Some(60),
            indexer: IndexerState::Current,
            from_peer: true,
            endpoint: Some(Box::new(AlertEndpoint {
                id: EndpointId::parse("001").unwrap(),
                name: "web-01".to_owned(),
                groups: vec!["default".to_owned()],
            })),
            ..AlertFacts::default()
        },
        scope,
        when_back: false,
        fleet_wide: endpoints.len() > 1,
        endpoints,
        history: AgentHistory::default(),
        lifted_seconds_ago: None,
        reach: scope,
        automatic_last_day: 0,
        already_active: false,
        would_shorten: false,
        manager_changed: false,
        now: "2026-02-16T12:00:00Z".parse().unwrap(),
        business_hours: true,
        tally: Tally::NONE,
    }
}

/// The shipped set, alone and among others: what runs at once, what waits, what is denied.
fn shipped_set(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shipped");
    let runs = question(fleet(1));
    let waits = PolicyQuestion { term: Term::Permanent, ..runs.clone() };
    let private = Action::parse(ActionKind::parse("block_ip").unwrap(), "10.0.0.1").unwrap();
    let denied = PolicyQuestion { action: private, ..runs.clone() };
    let loaded = Engine::new(PolicyFiles::kept(
        STARTER.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
    ));
    let all = loaded.unwrap().policies().len();
    let sets = [
        (format!("{all}"), engine(all, STARTER, true)),
        ("1000".to_owned(), engine(1000, STARTER, true)),
        ("1000 without sites".to_owned(), engine(1000, STARTER, false)),
    ];
    for (name, engine) in &sets {
        for (answer, question) in [("runs", &runs), ("waits", &waits), ("denied", &denied)] {
            group.bench_function(BenchmarkId::new(answer, name), |bencher| {
                bencher.iter(|| engine.decide(black_box(question)));
            });
        }
    }
}

/// Sets by size, and how many endpoints one request asks for.
fn sizes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policies x endpoints");
    for policies in [10, 100, 1000] {
        let engine = small(policies);
        for endpoints in [1, 10, 1000, 100_000] {
            let question = question(fleet(endpoints));
            let name = BenchmarkId::new(policies.to_string(), endpoints);
            group.bench_function(name, |bencher| {
                bencher.iter(|| engine.decide(black_box(&question)));
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = shipped_set, sizes
}
criterion_main!(benches);
