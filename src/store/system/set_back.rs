//! The clock was ahead, and was set right: what waits for a moment must not wait longer for that.

use chrono::TimeDelta;

use crate::store::{Read as _, StoreError, Subject, Tx, sqlite::query};

/// Each table with the columns that go back, and the rows that are still to come.
const WAITING: [(&str, &[&str], &str); 10] = [
    (
        "request",
        &["asked_at", "deadline", "use_by", "decided_at"],
        "state IN ('pending', 'approved', 'dispatching', 'waiting')",
    ),
    ("request", &["review_due_at"], "review_due_at IS NOT NULL AND reviewed_at IS NULL"),
    (
        "vote",
        &["at"],
        "request_id IN (SELECT id FROM request
                        WHERE state IN ('pending', 'approved', 'dispatching', 'waiting'))",
    ),
    // Ends are counted by the endpoint, which did not jump.
    ("request_endpoint", &["since", "ends_at", "watch_until"], "since IS NOT NULL"),
    ("rule_response", &["since", "began", "ended_at"], "true"),
    ("rule_responses_read", &["until"], "true"),
    ("session", &["created_at", "seen_at", "authenticated_at", "proved_at"], "true"),
    ("api_token", &["created_at", "expires_at", "used_at"], "true"),
    ("kill_switch", &["release_at"], "release_at IS NOT NULL"),
    ("delivery", &["next_try_at"], "delivered_at IS NULL AND given_up_at IS NULL"),
];

/// Sets back what waits. Nothing of it is what people approved, and the audit keeps its times.
pub async fn set_back(tx: &mut Tx<'_>, by: TimeDelta) -> Result<(), StoreError> {
    let micros = by.num_microseconds().unwrap_or(i64::MAX);
    for (table, columns, rows) in WAITING {
        let set: Vec<_> = columns.iter().map(|one| format!("{one} = {one} - $1")).collect();
        let sql = format!("UPDATE {table} SET {} WHERE {rows}", set.join(", "));
        query(sql).bind(micros).execute(tx.connection()).await?;
    }
    tx.effects.touched.push(Subject::System);
    Ok(())
}
