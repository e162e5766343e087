//! A database of the first version, with a row for everything that it could hold, is brought up to
//! date: nothing is lost, and the broker knows every request.

mod sites;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use countersign::{
    broker::admin::operator::Operator,
    clock::Clock,
    domain::{
        Time,
        request::{Outcome, Request, StateName},
    },
    store::{Store, requests},
};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Row as _, SqliteConnection,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;

use crate::harness::World;

const FIRST: &str = include_str!("../../../migrations/20261122000000_create_everything.sql");
/// Microseconds.
const THEN: i64 = 1_795_000_000_000_000;
/// The outcomes of the first version.
const OUTCOMES: [&str; 4] = ["sent", "refused", "not_sent", "unknown"];

#[tokio::test]
async fn every_row_of_first_version_is_kept() {
    let (_folder, path) = first_version().await;
    let mut tables = tables(&path).await;
    // The one row had a number; now each extent has its name.
    tables.get_mut("kill_switch").unwrap().retain(|column| column != "id");
    let before = rows(&path, &tables).await;
    assert!(before.values().all(|rows| !rows.is_empty()), "a table without a row: {before:?}");
    drop(Store::open(&path).await.unwrap());
    for (table, after) in rows(&path, &tables).await {
        assert_eq!(after.len(), before[&table].len(), "{table}");
        for (after, before) in after.iter().zip(&before[&table]) {
            assert_eq!(after, before, "{table}");
        }
    }
}

#[tokio::test]
async fn every_file_of_migrations_is_applied() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().into_string().unwrap()
    };
    let version = |name: String| name.split_once('_').unwrap().0.parse::<i64>().unwrap();
    let files: BTreeSet<_> = std::fs::read_dir(folder).unwrap().map(name).map(version).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countersign.db");
    drop(Store::open(&path).await.unwrap());
    let mut database = connect(&path).await;
    let rows = sqlx::query("SELECT version FROM _sqlx_migrations").fetch_all(&mut database).await;
    let applied: BTreeSet<i64> = rows.unwrap().iter().map(|row| row.get("version")).collect();
    assert_eq!(applied, files);
}

#[tokio::test]
async fn first_version_is_verified_without_migration() {
    let (_folder, path) = first_version().await;
    let before = std::fs::read(&path).unwrap();
    let operator = Operator::new(Store::read(&path).await.unwrap(), Clock::system());
    let verified = operator.verify_audit().await.unwrap();
    assert!(verified.rows > 0 || verified.broken.is_some(), "{verified:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn database_of_other_program_version_is_refused() {
    for (change, why) in [
        (
            "INSERT INTO _sqlx_migrations VALUES (20990101000000, 'later', 0, TRUE, x'00', 0)",
            "it has the migration 20990101000000, which this version does not know",
        ),
        (
            "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 20261122120000",
            "its migration 20261122120000 is another one than that of this program",
        ),
    ] {
        let (_folder, path) = first_version().await;
        drop(Store::open(&path).await.unwrap());
        execute(&mut connect(&path).await, change.to_owned()).await;
        let refused = Store::open(&path).await.unwrap_err().to_string();
        assert!(refused.starts_with("cannot bring the database up to date: "), "{refused}");
        assert!(refused.contains(why), "{refused}");
    }
}

#[tokio::test]
async fn possibly_sent_outcomes_get_their_time() {
    let (_folder, path) = first_version().await;
    let store = Store::open(&path).await.unwrap();
    let (mut states, mut outcomes) = (BTreeSet::new(), BTreeSet::new());
    for request in load_all(&store).await {
        states.insert(request.state.name().name());
        for target in &request.targets {
            let Some(outcome) = &target.outcome else {
                assert_eq!(target.since, None);
                continue;
            };
            outcomes.insert(outcome.name());
            let may = matches!(outcome, Outcome::Sent | Outcome::Unknown { .. });
            assert_eq!(target.since, target.outcome_at.filter(|_| may), "{outcome:?}");
        }
        assert_eq!(request.skipped.len(), 1);
    }
    assert_eq!(states, first_states().map(StateName::name).collect());
    assert_eq!(outcomes, OUTCOMES.into());
}

#[tokio::test]
async fn earlier_refusals_count_unless_limit_or_broker_denied() {
    for (policy, counted) in
        [("a-policy", 2), ("broker.nothing_left", 1), ("ask.too-many-refusals", 1)]
    {
        let (_folder, path) = first_version().await;
        let denied = id_of(StateName::Denied);
        let sql = format!(
            "UPDATE decision_policy SET policy_id = '{policy}' WHERE request_id = '{denied}'"
        );
        execute(&mut connect(&path).await, sql).await;
        let store = Store::open(&path).await.unwrap();
        let (agent, then) = (hex("agt", 1).parse().unwrap(), Time::from_timestamp_micros(THEN));
        let mut reader = store.reader().await.unwrap();
        let found = requests::refusals(&mut reader, agent, (then.unwrap(), None)).await.unwrap();
        assert_eq!(found.len(), counted, "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broker_shows_migrated_requests_and_settles_interrupted_ones() {
    let (_folder, path) = first_version().await;
    let world = World::builder().with_database(path).start().await;
    let carol = world.person("carol").await;
    for request in load_all(world.store.as_ref().unwrap()).await {
        let page = carol.get(&format!("/requests/{}", request.id)).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        if request.id.to_string() == id_of(StateName::Dispatching) {
            assert_eq!(request.state.name(), StateName::Settled);
            let outcomes = request.targets.iter().map(|t| t.outcome.as_ref().unwrap().name());
            assert_eq!(outcomes.collect::<Vec<_>>(), ["sent", "unknown", "not_sent"]);
        }
    }
}

#[tokio::test]
async fn old_passkey_gets_its_server_from_the_audit() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("countersign.db");
    let mut database = connect(&path).await;
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let all = Migrator::new(files).await.unwrap();
    let earlier = all.iter().filter(|one| one.version < 20_261_130_083_000).cloned();
    Migrator::with_migrations(earlier.collect()).run(&mut database).await.unwrap();
    let (person, keys) = (hex("per", 1), [hex("key", 1), hex("key", 2)]);
    let person_row = format!(
        "INSERT INTO person (id, name, role, password_hash, must_change_password, created_at)
         VALUES ('{person}', 'ann', 'lead', 'no hash', 0, {THEN});"
    );
    execute(&mut database, person_row).await;
    for (number, key) in keys.iter().enumerate() {
        let row = format!(
            "INSERT INTO passkey (id, person_id, name, credential, public_key, counter, model,
                 may_be_copied, added_at)
             VALUES ('{key}', '{person}', 'a key', 'Y{number}', '', 0, 'AAAAAAAAAAAAAAAAAAAAAA', 0,
                 {THEN});"
        );
        execute(&mut database, row).await;
    }
    for (seq, detail) in [
        (1, "not JSON".to_owned()),
        (2, json!({ "id": keys[1], "relying_party": "soc.example.net" }).to_string()),
    ] {
        let row = format!(
            "INSERT INTO audit (seq, at, kind, actor_kind, actor_name, detail, previous, hash)
             VALUES ({seq}, {THEN}, 'passkey.added', 'person', 'ann', '{detail}', '', '{seq}');"
        );
        execute(&mut database, row).await;
    }
    drop(Store::open(&path).await.unwrap());
    let rows = sqlx::query("SELECT relying_party FROM passkey ORDER BY id");
    let rows = rows.fetch_all(&mut database).await.unwrap();
    let servers: Vec<String> = rows.iter().map(|row| row.get("relying_party")).collect();
    assert_eq!(servers, ["", "soc.example.net"]);
}

async fn load_all(store: &Store) -> Vec<Request> {
    let mut reader = store.reader().await.unwrap();
    let mut all = Vec::new();
    for state in first_states() {
        let loaded = requests::load(&mut reader, id_of(state).parse().unwrap()).await;
        all.push(loaded.unwrap().expect("it was kept"));
    }
    all
}

/// A file as the first version left it, in a folder of its own.
pub(crate) async fn first_version() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("countersign.db");
    let mut database = connect(&path).await;
    let sql = sqlx::SqlStr::from_static(FIRST);
    let (version, name) = (20_261_122_000_000, "create everything".into());
    let first = Migration::new(version, name, MigrationType::Simple, sql, false);
    Migrator::with_migrations(vec![first]).run(&mut database).await.unwrap();
    execute(&mut database, others()).await;
    for state in first_states() {
        execute(&mut database, request(state)).await;
        for (at, outcome) in endpoints(state).into_iter().enumerate() {
            execute(&mut database, endpoint(state, at + 1, outcome)).await;
        }
    }
    (folder, path)
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.foreign_keys(true).connect().await.unwrap()
}

async fn execute(database: &mut SqliteConnection, sql: String) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(database).await;
    done.unwrap_or_else(|error| panic!("{error}: {sql}"));
}

/// One row of everything that is no part of a request.
fn others() -> String {
    let (person, agent, digest) = (hex("per", 1), hex("agt", 1), "7".repeat(64));
    format!(
        "INSERT INTO person VALUES ('{person}', 'ann', 'lead', 'no hash', 0, NULL, {THEN});
         INSERT INTO session VALUES ('token', '{person}', {THEN}, {THEN}, {THEN});
         INSERT INTO sign_in_failure VALUES ('ann', {THEN});
         INSERT INTO agent VALUES ('{agent}', 'old-bot', '{person}', '{person}', 'hash', NULL, {THEN});
         INSERT INTO policy_set VALUES ('{digest}', 'permit(principal, action, resource);', {THEN});
         INSERT INTO kill_switch VALUES (1, {THEN}, 'ann', 'something is wrong');
         INSERT INTO audit VALUES (1, {THEN}, 'broker.started', 'system', NULL, 'system', NULL, NULL,
             NULL, '{{}}', '{}', '{digest}');",
        "0".repeat(64)
    )
}

/// A request in this state with its vote, its policy, and the calls of its endpoints.
fn request(state: StateName) -> String {
    let (id, name) = (id_of(state), state.name());
    let (person, agent, digest) = (hex("per", 1), hex("agt", 1), "7".repeat(64));
    let use_by = matches!(state, StateName::Approved | StateName::Dispatching).then_some(THEN);
    let ended_at = state.terminal().then_some(THEN);
    let decision = json!({
        "verdict": "approval", "least": [1, 0, 1, 0], "reasons": [["a-policy", "so it is"]],
        "errors": [], "kept_out": [], "policy_hash": digest, "tally": [1, 0, 1, 0], "at": THEN,
    });
    let alert = json!({
        "found": false, "names_target": false, "level": 0, "age_seconds": null, "summary": "none",
    });
    let (use_by, ended_at) = (number(use_by), number(ended_at));
    let words = if state.terminal() { "'ann', 'because'" } else { "NULL, NULL" };
    let calls = endpoints(state).into_iter().enumerate().filter_map(|(at, outcome)| {
        let (number, attempt) = (at + 1, attempt(state, at + 1));
        let answer = match outcome? {
            "under way" => "NULL, NULL".to_owned(),
            _ => format!("{THEN}, 'it answered'"),
        };
        Some(format!(
            "INSERT INTO attempt VALUES ('{attempt}', '{id}', {number}, '{digest}', {THEN}, {answer});"
        ))
    });
    format!(
        "INSERT INTO request VALUES ('{id}', 3, '{agent}', 'old-bot', '{person}', '{person}',
             'block_ip', '203.0.113.9', 600, 'a reason', '1763800000.10001', 90, 0, 'test', '{alert}',
             '{digest}', '{digest}', 'key {name}', {THEN}, {THEN}, '{name}', {use_by}, {ended_at},
             {words}, '{decision}', NULL);
         INSERT INTO vote VALUES ('{id}', '{person}', '{digest}', 'lead', 'fine', {THEN}, NULL);
         INSERT INTO decision_policy VALUES ('{id}', 'a-policy');
         INSERT INTO request_endpoint VALUES ('{id}', '009', 'web-9', 'long ago', 'linux', '[]', NULL,
             NULL, NULL, 'not_active', 'disconnected', NULL, NULL, NULL, NULL, NULL);
         {}",
        calls.collect::<String>()
    )
}

/// What is known of the endpoints that take part: an outcome, a call without an answer, or nothing.
fn endpoints(state: StateName) -> Vec<Option<&'static str>> {
    match state {
        StateName::Settled => OUTCOMES.map(Some).into(),
        StateName::Dispatching => vec![Some("sent"), Some("under way"), None],
        StateName::Pending
        | StateName::Approved
        | StateName::Waiting
        | StateName::Denied
        | StateName::Rejected
        | StateName::Cancelled
        | StateName::Expired
        | StateName::Withdrawn => vec![None],
    }
}

fn endpoint(state: StateName, number: usize, known: Option<&str>) -> String {
    let called = known.map(|_| attempt(state, number));
    let called = called.map_or("NULL".to_owned(), |attempt| format!("'{attempt}'"));
    let outcome = match known.filter(|known| OUTCOMES.contains(known)) {
        Some("refused") => format!("'refused', 1652, 'no such command', {THEN}"),
        Some("sent") => format!("'sent', NULL, '', {THEN}"),
        Some(outcome) => format!("'{outcome}', NULL, 'for a reason', {THEN}"),
        None => "NULL, NULL, NULL, NULL".to_owned(),
    };
    let id = id_of(state);
    format!(
        "INSERT INTO request_endpoint VALUES ('{id}', '00{number}', 'web-{number}', 'long ago',
             'linux', '[\"web\"]', '192.0.2.1', 2, 'firewall-drop600', NULL, NULL, {called}, {outcome});"
    )
}

fn number(number: Option<i64>) -> String {
    number.map_or("NULL".to_owned(), |number| number.to_string())
}

/// The states that the first version had.
fn first_states() -> impl Iterator<Item = StateName> {
    StateName::ALL.into_iter().filter(|state| *state != StateName::Waiting)
}

fn id_of(state: StateName) -> String {
    hex("req", StateName::ALL.iter().position(|other| *other == state).unwrap() + 1)
}

fn attempt(state: StateName, number: usize) -> String {
    let place = StateName::ALL.iter().position(|other| *other == state).unwrap();
    hex("att", place * 10 + number)
}

fn hex(prefix: &str, number: usize) -> String {
    format!("{prefix}_{number:032x}")
}

/// Each table of the first version with its columns.
async fn tables(path: &Path) -> BTreeMap<String, Vec<String>> {
    let mut database = connect(path).await;
    let rows = sqlx::query(
        "SELECT t.name AS place, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c
         WHERE t.type = 'table' AND t.name NOT LIKE '\\_%' ESCAPE '\\' AND t.name NOT LIKE 'sqlite%'",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    let mut tables = BTreeMap::<_, Vec<String>>::new();
    for row in rows {
        tables.entry(row.get("place")).or_default().push(row.get("name"));
    }
    assert_eq!(tables.len(), 12);
    // Failed sign-ins are counted in memory now.
    tables.remove("sign_in_failure");
    tables
}

/// Every row of these columns, as SQL would write it.
async fn rows(
    path: &Path,
    tables: &BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, Vec<String>> {
    let mut database = connect(path).await;
    let mut found = BTreeMap::new();
    for (table, columns) in tables {
        let quoted: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
        let sql = format!("SELECT {} AS line FROM {table} ORDER BY 1", quoted.join(" || ', ' || "));
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut database).await.unwrap();
        found.insert(table.clone(), rows.iter().map(|row| row.get("line")).collect());
    }
    found
}
