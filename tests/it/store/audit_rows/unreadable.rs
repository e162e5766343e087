//! Rows that this program did not write: every door names the row and what is wrong with it, and the
//! chain is verified all the same.

use std::path::Path;

use countersign::domain::{audit::AuditEntry, digest::Digest};
use serde_json::{Value, json};
use sqlx::{
    ConnectOptions as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use crate::harness::{World, program::Program};

/// A day in 2027.
const THEN: i64 = 1_800_000_000_000_000;

/// Kind, detail, time, and what is said of the row.
const BAD: [(&str, &str, i64, &str); 5] = [
    ("no.such_kind", "{}", THEN, "`no.such_kind` is not a kind of event"),
    (
        "vote.approved",
        r#"{"comment":"fine"}"#,
        THEN,
        "the detail is not that of `vote.approved`: missing field `role`",
    ),
    (
        "evidence.seen",
        r#"{"outcomes":[{"endpoint":"001","outcome":"cured","detail":""}],"state":"settled"}"#,
        THEN,
        "`cured` is not an outcome with these facts",
    ),
    ("session.signed_out", "no JSON", THEN, "the detail is not that of `session.signed_out`"),
    ("session.signed_out", "{}", i64::MAX, "is not a possible time"),
];

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

/// Adds all of [`BAD`] to the chain, with the hashes that they ought to have. The place of the
/// first.
async fn add_bad_rows(path: &Path, request: Option<&str>) -> u64 {
    let mut database = connect(path).await;
    let last: SqliteRow = sqlx::query("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_one(&mut database)
        .await
        .unwrap();
    let first = u64::try_from(last.get::<i64, _>("seq")).unwrap() + 1;
    let mut previous = Digest::parse(last.get("hash")).unwrap();
    for (seq, (kind, detail, at_us, _)) in (first..).zip(BAD) {
        let row = AuditEntry {
            seq,
            at_us,
            kind: kind.to_owned(),
            actor_kind: "system".to_owned(),
            actor_id: None,
            actor_name: "countersign".to_owned(),
            request: request.map(str::to_owned),
            action: None,
            target: None,
            detail: detail.to_owned(),
            previous,
            damage: None,
        };
        sqlx::query(
            "INSERT INTO audit (seq, at, kind, actor_kind, actor_name, request_id, detail,
                                previous, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(i64::try_from(seq).unwrap())
        .bind(at_us)
        .bind(&row.kind)
        .bind(&row.actor_kind)
        .bind(&row.actor_name)
        .bind(&row.request)
        .bind(&row.detail)
        .bind(previous.to_string())
        .bind(row.hash().to_string())
        .execute(&mut database)
        .await
        .unwrap();
        previous = row.hash();
    }
    first
}

/// What is said of each bad row, the place of the first given.
fn problems(first: u64) -> impl Iterator<Item = (String, &'static str)> {
    (first..).zip(BAD).map(|(seq, (.., problem))| (format!("audit row {seq}: "), problem))
}

fn assert_named(text: &str, first: u64) {
    for (row, problem) in problems(first) {
        let said = text.lines().find(|line| line.contains(&row));
        let said = said.unwrap_or_else(|| panic!("{row} is missing: {text}"));
        assert!(said.contains(problem), "{problem}: {said}");
    }
    assert!(!text.contains("1970-01-01"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_names_rows_that_cannot_be_read() {
    let world = World::start().await;
    let asked = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
    let id = asked.id();
    let otto = world.person("otto").await;
    let database = world.folder.path().join("countersign.db");
    let first = add_bad_rows(&database, Some(&id)).await;
    let request = otto.get(&format!("/requests/{id}")).await.html;
    assert_named(&request, first);
    // Once in the timeline of the request and once in that of its endpoint.
    for (row, _) in problems(first) {
        assert_eq!(request.matches(&row).count(), 2, "{row}: {request}");
    }
    let audit = otto.get("/audit").await.html;
    assert_named(&audit, first);
    // What is stored is shown as it is, and the rows before can be read.
    assert!(audit.contains("no JSON") && audit.contains("signed in"), "{audit}");
}

/// What is written into a column, and what is said of its row.
const DAMAGED: [(&str, &str); 6] = [
    ("hash = 'zz'", "`hash`: `zz` is no hash"),
    ("previous = 'zz'", "`previous`: `zz` is no hash"),
    ("kind = CAST(x'61fffe' AS TEXT)", "`kind`: it is not UTF-8"),
    ("actor_name = CAST(x'61fffe' AS TEXT)", "`actor_name`: it is not UTF-8"),
    ("detail = CAST(x'61fffe' AS TEXT)", "`detail`: it is not UTF-8"),
    ("seq = -7", "`seq`: -7 is no place"),
];

/// Writes past the triggers, as somebody with another tool would.
async fn damage(path: &Path, column: &str, row: &str) {
    let mut database = connect(path).await;
    sqlx::query("DROP TRIGGER IF EXISTS audit_is_not_changed")
        .execute(&mut database)
        .await
        .unwrap();
    let sql = sqlx::AssertSqlSafe(format!("UPDATE audit SET {column} WHERE {row}"));
    sqlx::query(sql).execute(&mut database).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_row_hides_no_other_row() {
    for (column, problem) in DAMAGED {
        let world = World::start().await;
        let asked = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["001"] })).await;
        let id = asked.id();
        let otto = world.person("otto").await;
        let database = world.folder.path().join("countersign.db");
        damage(&database, column, "kind = 'request.asked'").await;
        let audit = otto.get("/audit").await.html;
        assert!(audit.contains(problem), "{column}: {audit}");
        assert!(audit.contains("signed in"), "{column}: {audit}");
        let request = otto.get(&format!("/requests/{id}")).await.html;
        assert!(
            request.contains(problem) && request.contains("203.0.113.9"),
            "{column}: {request}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_a_damaged_row() {
    for (column, problem) in DAMAGED {
        let program = Program::new();
        program.set_up("http://127.0.0.1:9");
        damage(&program.path("countersign.db"), column, "seq = 2").await;
        let shown = program.done(&["audit", "query"]);
        assert!(shown.contains(problem) && shown.lines().count() > 4, "{column}: {shown}");
        let verified = program.run(&["audit", "verify"]);
        let said = String::from_utf8(verified.stdout).unwrap();
        assert!(!verified.status.success() && said.contains(problem), "{column}: {said}");
    }
}

/// Puts a row into the text of the row before, as the walk reads both, and deletes it.
const HIDDEN: [&str; 5] = [
    "DROP TRIGGER audit_is_not_changed",
    "DROP TRIGGER audit_is_not_deleted",
    "CREATE TEMP TABLE hidden AS SELECT * FROM audit ORDER BY seq DESC LIMIT 1 OFFSET 1",
    "DELETE FROM audit WHERE seq = (SELECT seq FROM hidden)",
    "UPDATE audit SET previous = hidden.previous, hash = hidden.hash,
         detail = concat(audit.detail, x'1f', audit.previous, x'1f', audit.hash, x'1f', 15, x'1f',
             hidden.seq, x'1f', hidden.at, x'1f', hidden.kind, x'1f', hidden.actor_kind, x'1f', x'1f',
             hidden.actor_name, x'1f', x'1f', x'1f', x'1f', hidden.detail)
     FROM hidden WHERE audit.seq = hidden.seq - 1",
];

#[tokio::test(flavor = "multi_thread")]
async fn row_hidden_in_a_text_is_missing() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let first = add_bad_rows(&program.path("countersign.db"), None).await;
    program.done(&["audit", "verify"]);
    let mut database = connect(&program.path("countersign.db")).await;
    for sql in HIDDEN {
        sqlx::query(sql).execute(&mut database).await.unwrap();
    }
    let verified = program.run(&["audit", "verify"]);
    let said = String::from_utf8(verified.stdout).unwrap();
    let bad = format!("entry {} is bad", first + 2);
    assert!(!verified.status.success() && said.contains(&bad), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_audit_beside_people_is_bad() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let mut database = connect(&program.path("countersign.db")).await;
    for sql in ["DROP TRIGGER audit_is_not_deleted", "DELETE FROM audit"] {
        sqlx::query(sql).execute(&mut database).await.unwrap();
    }
    let verified = program.run(&["audit", "verify"]);
    let said = String::from_utf8(verified.stdout).unwrap();
    assert!(!verified.status.success() && said.contains("row 1 is missing"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_names_rows_that_cannot_be_read() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let first = add_bad_rows(&program.path("countersign.db"), None).await;
    assert_named(&program.done(&["audit", "query"]), first);
    let rows = program.done(&["--json", "audit", "query", "--kind", "session"]);
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let of = |place: u64| rows.iter().find(|row| row["place"] == place).unwrap();
    assert_eq!(of(first + 3)["detail"], "no JSON");
    assert!(of(first + 3)["problem"].as_str().unwrap().starts_with("audit row"), "{rows:?}");
    assert_eq!((&of(first + 4)["time"], &of(first + 4)["detail"]), (&Value::Null, &json!({})));
    // The hashes are right: the chain is sound, whatever the rows say.
    let verified = program.done(&["audit", "verify"]);
    assert!(verified.contains("entries are sound"), "{verified}");
}
