//! No statement of the store reads more as the history grows: each uses an index, or is bounded.

use std::path::Path;

use countersign::store::Store;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions,
};
use syn::visit::{Visit, visit_lit_str};

/// The tables that grow with every request.
const GROWING: [&str; 7] =
    ["request", "request_endpoint", "attempt", "audit", "notice", "vote", "decision_policy"];

/// Indexes that hold only what is open, active or looked for: to read them whole is bounded.
const BOUNDED_INDEXES: [&str; 6] = [
    "notice_to_spread",
    "request_open",
    "request_open_by_agent",
    "request_waiting",
    "request_endpoint_active",
    "request_endpoint_watched",
];

/// Statements that may walk a table, by how they begin, and why.
const EXCEPTIONS: [(&str, &str); 5] = [
    ("SELECT seq, at, hash FROM audit ORDER BY seq DESC LIMIT 1", "one row, from the end"),
    ("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", "one row, from the end"),
    ("SELECT steady_at FROM audit WHERE actor_kind <> 'command_line'", "from the end"),
    ("SELECT EXISTS(SELECT 1 FROM person) OR EXISTS(SELECT 1 FROM request)", "one row"),
    ("SELECT * FROM audit WHERE ($1 IS NULL OR seq < $1)", "audit filters: not mended yet"),
];

/// The statements in the store's source: every text that begins as one does.
#[derive(Default)]
struct Statements(Vec<String>);

impl<'ast> Visit<'ast> for Statements {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        let sql = text.value().split_whitespace().collect::<Vec<_>>().join(" ");
        if ["SELECT ", "WITH ", "UPDATE ", "DELETE "].iter().any(|start| sql.starts_with(start)) {
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

/// What a statement reads whole of what grows.
async fn scans(database: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let plan = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let plan = sqlx::query(plan).fetch_all(database).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    let details = plan.iter().map(|row| row.get::<String, _>("detail"));
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

#[tokio::test]
async fn no_statement_reads_a_growing_table_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countersign.db");
    drop(Store::open(&path).await.unwrap());
    let mut database = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
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
