//! All that is stored, table by table, to compare: what changed nothing left it as it was.

use std::{collections::BTreeMap, path::Path};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions,
};

/// The rows of each table, as text.
pub(crate) type Stored = BTreeMap<String, Vec<String>>;

/// What moves without a change: places in the chain, and when a session or a token was used last.
const MOVING: [(&str, &str); 6] = [
    ("audit", "seq"),
    ("audit", "previous"),
    ("audit", "hash"),
    ("session", "seen_at"),
    ("api_token", "used_at"),
    ("api_token", "used_from"),
];

/// Everything in a database, audit entries of these kinds apart. A kind may be the part before
/// the dot.
pub(crate) async fn stored(database: &Path, but: &[&str]) -> Stored {
    let options = SqliteConnectOptions::new().filename(database).read_only(true);
    let mut database = options.connect().await.unwrap();
    // `audit_hour` is an index of the audit by time.
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
                     AND name <> 'audit_hour'";
    let mut stored = Stored::new();
    for table in column(&mut database, names).await {
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns: Vec<_> = column(&mut database, &columns)
            .await
            .into_iter()
            .filter(|column| !MOVING.contains(&(table.as_str(), column.as_str())))
            .map(|column| format!("quote(\"{column}\")"))
            .collect();
        let kinds: Vec<_> = but.iter().map(|kind| format!("kind LIKE '{kind}%'")).collect();
        let left_out = match (table.as_str(), kinds.as_slice()) {
            ("audit", [_, ..]) => format!(" WHERE NOT ({})", kinds.join(" OR ")),
            _ => String::new(),
        };
        let rows = format!(
            "SELECT {} FROM \"{table}\"{left_out} ORDER BY 1",
            columns.join(" || ', ' || ")
        );
        stored.insert(table, column(&mut database, &rows).await);
    }
    stored
}

/// Runs a statement.
pub(crate) async fn execute(database: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(database);
    let mut database = options.connect().await.unwrap();
    sqlx::query(sql).execute(&mut database).await.unwrap();
}

async fn column(database: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(database).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

/// Fails with the first table that differs, and with the rows that do.
#[track_caller]
pub(crate) fn assert_same(before: &Stored, after: &Stored, what: &str) {
    for (table, rows) in before {
        let now = after.get(table).map(Vec::as_slice).unwrap_or_default();
        let gone: Vec<_> = rows.iter().filter(|row| !now.contains(row)).collect();
        let new: Vec<_> = now.iter().filter(|row| !rows.contains(row)).collect();
        assert!(rows == now, "{what} changed the table {table}: gone {gone:?}, new {new:?}");
    }
}
