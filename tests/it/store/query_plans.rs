//! No statement of the store reads more as the history grows: each uses an index, or is bounded.

use crate::harness::kind;
use std::path::Path;

use countersign::{
    domain::{
        Time,
        action::Action,
        audit::EventGroup,
        endpoint::EndpointId,
        id::{AgentId, PersonId},
        request::StateName,
    },
    store::{
        Store,
        audit::{AuditFilter, Lead},
        record::RecordOf,
        requests::{
            ActiveFilter, ActiveKey, ActiveSearch, ActiveSort, RequestFilter, RequestSearch,
            WantedEndpoint, WantedTarget, targets_statement,
        },
    },
};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions,
};
use syn::visit::{Visit, visit_lit_str};
use tempfile::TempDir;

/// The tables that grow with every request.
const GROWING: [&str; 7] =
    ["request", "request_endpoint", "attempt", "audit", "notice", "vote", "decision_policy"];

/// Indexes that hold only what is open, active or looked for: to read them whole is bounded.
const BOUNDED_INDEXES: [&str; 11] = [
    "notice_to_spread",
    "request_open",
    "request_pending",
    "request_open_by_agent",
    "request_waiting",
    "request_that_waits",
    "request_asked_that_waits",
    "request_endpoint_active",
    "request_endpoint_active_there",
    "request_endpoint_reverted_there",
    "request_endpoint_watched",
];

/// Statements that may walk a table, by how they begin, and why.
const EXCEPTIONS: [(&str, &str); 5] = [
    ("SELECT seq, at, hash FROM audit ORDER BY seq DESC LIMIT 1", "one row, from the end"),
    ("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", "one row, from the end"),
    ("SELECT steady_at FROM audit WHERE actor_kind <> $1", "from the end"),
    ("SELECT EXISTS(SELECT 1 FROM person) OR EXISTS(SELECT 1 FROM request)", "one row"),
    (
        "SELECT count(*) AS number FROM ( SELECT 1 FROM request_endpoint WHERE endpoint_id",
        "at most as many as its limit",
    ),
];

/// Tables that only a connection has which shows a part: a row for each site that its person sees.
const OF_CONNECTIONS: [&str; 2] = [" visible_site", " viewer"];

/// The statements in the store's source: every text that begins as one does.
#[derive(Default)]
struct Statements(Vec<String>);

impl<'ast> Visit<'ast> for Statements {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        let sql = text.value().split_whitespace().collect::<Vec<_>>().join(" ");
        let begins = |start: &&str| sql.starts_with(*start);
        if ["SELECT ", "WITH ", "UPDATE ", "DELETE "].iter().any(begins)
            && !OF_CONNECTIONS.iter().any(|table| sql.ends_with(table))
        {
            self.0.push(sql);
        }
        visit_lit_str(self, text);
    }
}

fn collect(folder: &Path, found: &mut Statements) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            let source = std::fs::read_to_string(&path).unwrap();
            found.visit_file(&syn::parse_file(&source).unwrap());
        }
    }
}

fn statements() -> Vec<String> {
    let mut found = Statements::default();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store"), &mut found);
    found.0
}

/// Searches that find all that an agent, or an endpoint, ever had.
const ALL_OF_ONE: [&str; 2] = ["(agent_id=?)", "(endpoint_id=?)"];

async fn plan(database: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let plan = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let plan = sqlx::query(plan).fetch_all(database).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    plan.iter().map(|row| row.get("detail")).collect()
}

/// What a statement reads whole of what grows.
async fn scans(database: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let details = plan(database, sql).await.into_iter();
    let whole = |detail: &String| {
        let mut words = detail.split(' ');
        let (verb, table) = (words.next(), words.next());
        let (index, last) = (detail.split(' ').nth(4), words.next_back());
        let bounded = [index, last].iter().flatten().any(|name| BOUNDED_INDEXES.contains(name));
        let unbounded = verb == Some("SCAN") || last.is_some_and(|by| ALL_OF_ONE.contains(&by));
        table.is_some_and(|table| GROWING.contains(&table)) && unbounded && !bounded
    };
    details.filter(whole).collect()
}

async fn empty() -> (TempDir, SqliteConnection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countersign.db");
    drop(Store::open(&path).await.unwrap());
    let database = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    (folder, database)
}

#[tokio::test]
async fn no_statement_reads_a_growing_table_whole() {
    let (_folder, mut database) = empty().await;
    let planted = "SELECT id FROM request WHERE agent_name = 'x'";
    assert_eq!(scans(&mut database, planted).await, ["SCAN request"], "what is planted is found");
    let (all, mut exceptions, mut faults) = (statements(), 0, Vec::new());
    assert!(all.len() > 100, "only {} statements were found", all.len());
    for sql in &all {
        let found = scans(&mut database, sql).await;
        if EXCEPTIONS.iter().any(|(start, _)| sql.starts_with(start)) {
            exceptions += usize::from(!found.is_empty());
        } else if !found.is_empty() {
            faults.push((found, sql));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(exceptions >= EXCEPTIONS.len(), "an exception is none any more: {exceptions}");
}

/// Every set of so many filters: whether each is set.
fn sets(filters: u32) -> impl Iterator<Item = impl Fn(u32) -> bool> {
    (0..1_u32 << filters).map(|set| move |filter| set & (1_u32 << filter) != 0)
}

/// What the statement of each set of the audit's filters looks up first.
const fn index_of(lead: Lead) -> &'static str {
    match lead {
        Lead::Request | Lead::Endpoint | Lead::Policy => "INDEX audit_by_request (request_id=?",
        Lead::Target => "INDEX audit_by_target (target=?",
        Lead::Actor => "INDEX audit_by_actor_id (actor_id=?",
        Lead::Kind | Lead::KindGroup | Lead::Kinds => "INDEX audit_by_kind (kind=?",
        Lead::Place => "INTEGER PRIMARY KEY (rowid",
    }
}

#[tokio::test]
async fn each_set_of_audit_filters_has_its_index() {
    let (_folder, mut database) = empty().await;
    let (time, text) = (Some(Time::UNIX_EPOCH), || Some("x".to_owned()));
    for kind in ["x.y", "x"] {
        for set in sets(8) {
            let filter = AuditFilter {
                since: time.filter(|_| set(0)),
                until: time.filter(|_| set(1)),
                kind: set(2).then(|| kind.to_owned()),
                actor: text().filter(|_| set(3)),
                endpoint: text().filter(|_| set(4)),
                target: text().filter(|_| set(5)),
                request: text().filter(|_| set(6)),
                policy: text().filter(|_| set(7)),
                group: (set(2) && kind == "x").then_some(EventGroup::Sent),
                targets: (set(5) && kind == "x").then(Vec::new),
            };
            for lead in filter.leads() {
                let sql = filter.statement(lead);
                let plan = plan(&mut database, &sql).await;
                let growing = |step: &&String| {
                    step.starts_with("SCAN") && GROWING.iter().any(|table| step.contains(table))
                };
                // Where an hour begins is a row an hour.
                let scans = plan.iter().filter(growing).find(|step| *step != "SCAN audit_hour");
                assert_eq!(scans, None, "{lead:?}: {sql}: {plan:#?}");
                let found = plan.iter().any(|step| step.contains(index_of(lead)));
                assert!(found, "{lead:?}: {sql}: {plan:#?}");
                // What is sorted is one page, or the few of an endpoint or a policy.
                let sorts = plan.iter().filter(|step| step.contains("TEMP B-TREE")).count();
                assert!(
                    sorts <= usize::from(!lead_is_in_order(lead)),
                    "{lead:?}: {sql}: {plan:#?}"
                );
            }
        }
    }
}

const fn lead_is_in_order(lead: Lead) -> bool {
    !matches!(lead, Lead::Endpoint | Lead::Policy)
}

#[tokio::test]
async fn each_list_of_requests_has_its_index() {
    let (_folder, mut database) = empty().await;
    for set in sets(8) {
        let filter = RequestFilter {
            agent: set(0).then(|| AgentId::from(uuid::Uuid::nil())),
            state: set(1).then_some(StateName::Pending),
            action: set(2).then_some(kind("block_ip")),
            argument: set(3).then(|| "x".to_owned()),
            endpoint: set(4).then(|| "001".to_owned()),
            before: None,
            since: set(5).then_some(Time::UNIX_EPOCH),
            search: set(6).then(|| RequestSearch {
                targets: set(7).then(Vec::new),
                name: Some("x".to_owned()),
                permanent: set(5),
                alert: Some(true),
            }),
        };
        let sql = filter.statement();
        assert_eq!(scans(&mut database, &sql).await, [""; 0], "{sql}");
    }
}

#[tokio::test]
async fn list_of_active_responses_reads_active_alone() {
    let (_folder, mut database) = empty().await;
    for sort in [ActiveSort::Target, ActiveSort::Where, ActiveSort::Since, ActiveSort::Ends] {
        for descending in [false, true] {
            let filter = ActiveFilter { sort, descending, ..ActiveFilter::default() };
            let sql = filter.statement();
            assert_eq!(scans(&mut database, &sql).await, [""; 0], "{sql}");
        }
    }
    let sql = ActiveKey::statement();
    assert_eq!(scans(&mut database, &sql).await, [""; 0], "{sql}");
    let sql = targets_statement();
    assert_eq!(scans(&mut database, &sql).await, [""; 0], "{sql}");
}

#[tokio::test]
async fn search_for_active_responses_reads_what_it_names() {
    let (_folder, mut database) = empty().await;
    let action = Action::parse(kind("block_ip"), "203.0.113.9").unwrap();
    let target = WantedTarget::of(action.kind(), action.target().unwrap());
    let isolated = WantedTarget::any(kind("isolate_host"));
    let blocked = WantedTarget::any(kind("block_ip"));
    let there = WantedEndpoint { manager: None, id: EndpointId::parse("001").unwrap() };
    let (by_target, by_endpoint) = ("request_by_target (action=?", "active_there (endpoint_id=?");
    for (targets, endpoints, index) in [
        (vec![&target], vec![], by_target),
        (vec![&target], vec![&there], by_target),
        (vec![&isolated], vec![], by_target),
        (vec![&isolated], vec![&there], by_endpoint),
        (vec![&blocked], vec![&there], by_endpoint),
        (vec![], vec![&there], by_endpoint),
    ] {
        let targets = targets.into_iter().cloned().collect();
        let endpoints = endpoints.into_iter().cloned().collect();
        let sql = ActiveSearch { targets, endpoints }.statement();
        assert_eq!(scans(&mut database, &sql).await, [""; 0], "{sql}");
        let plan = plan(&mut database, &sql).await;
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
        let whole = plan.iter().find(|step| step.starts_with("SCAN rule_response"));
        assert_eq!(whole, None, "{plan:#?}");
    }
}

/// What each record reads first: a range of an index that begins with the first of its days.
const RECORD_RANGES: [&str; 7] = [
    "request_by_agent_and_id (agent_id=? AND id>?)",
    "request_endpoint_by_endpoint (endpoint_id=? AND request_id>?)",
    "request_by_argument (argument=? AND id>?)",
    "request_facts (id>?)",
    "vote_by_person (person_id=? AND at>?)",
    "request_by_rejecter (ended_by=? AND ended_at>?)",
    "request_by_asker (asker_id=? AND id>?)",
];

#[tokio::test]
async fn each_record_reads_its_days_from_indexes() {
    let (_folder, mut database) = empty().await;
    let nobody = uuid::Uuid::nil();
    for of in [
        RecordOf::Agent(AgentId::from(nobody)),
        RecordOf::Person(PersonId::from(nobody), "x".to_owned()),
        RecordOf::Endpoint("x".to_owned(), EndpointId::parse("001").unwrap()),
        RecordOf::Target("x".to_owned()),
        RecordOf::All,
    ] {
        for sql in [of.counts(), of.newest(), of.fates()] {
            let plan = plan(&mut database, &sql).await;
            for step in &plan {
                let index = step.split(" INDEX ").nth(1).unwrap_or_default();
                let bounded = RECORD_RANGES.contains(&index)
                    || index.starts_with("request_facts (id=?")
                    || index.starts_with("sqlite_autoindex")
                    || index.ends_with("(request_id=?)");
                let of_rows = ["record", "waits", "newest", "acted", "(subquery"];
                let own = step.strip_prefix("SCAN").is_some_and(|scanned| {
                    of_rows.iter().any(|rows| scanned.trim_start().starts_with(rows))
                });
                let reads = step.starts_with("SCAN") || step.starts_with("SEARCH");
                assert!(!reads || bounded || own, "{of:?}: {step}: {plan:#?}");
            }
            let ranges = plan.iter().any(|step| RECORD_RANGES.iter().any(|r| step.contains(r)));
            assert!(ranges, "{of:?}: {plan:#?}");
        }
    }
}
