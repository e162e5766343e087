//! How the database came to its present form.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use sha2::{Digest as _, Sha384};

use crate::store::{
    StoreError,
    sqlite::{self, pool::Pool},
};

/// Version, name and text.
type Migration = (i64, &'static str, &'static str);

/// All of them, in order.
const FILES: &[Migration] = &[
    (
        20_261_122_000_000,
        "create everything",
        include_str!("../../../migrations/20261122000000_create_everything.sql"),
    ),
    (
        20_261_122_120_000,
        "follow outcomes",
        include_str!("../../../migrations/20261122120000_follow_outcomes.sql"),
    ),
    (
        20_261_122_180_000,
        "approve with care",
        include_str!("../../../migrations/20261122180000_approve_with_care.sql"),
    ),
    (
        20_261_122_210_000,
        "tell people",
        include_str!("../../../migrations/20261122210000_tell_people.sql"),
    ),
    (
        20_261_128_110_000,
        "active responses",
        include_str!("../../../migrations/20261128110000_active_responses.sql"),
    ),
    (
        20_261_128_160_000,
        "rule responses",
        include_str!("../../../migrations/20261128160000_rule_responses.sql"),
    ),
    (20_261_128_200_000, "started", include_str!("../../../migrations/20261128200000_started.sql")),
    (
        20_261_128_203_000,
        "rule response began",
        include_str!("../../../migrations/20261128203000_rule_response_began.sql"),
    ),
    (
        20_261_128_210_000,
        "manager identity",
        include_str!("../../../migrations/20261128210000_manager_identity.sql"),
    ),
    (
        20_261_128_220_000,
        "agent history",
        include_str!("../../../migrations/20261128220000_agent_history.sql"),
    ),
    (
        20_261_128_230_000,
        "last look",
        include_str!("../../../migrations/20261128230000_last_look.sql"),
    ),
    (20_261_129_080_000, "reach", include_str!("../../../migrations/20261129080000_reach.sql")),
    (
        20_261_129_090_000,
        "known addresses",
        include_str!("../../../migrations/20261129090000_known_addresses.sql"),
    ),
    (
        20_261_129_095_000,
        "open requests",
        include_str!("../../../migrations/20261129095000_open_requests.sql"),
    ),
    (
        20_261_129_100_010,
        "steady moments",
        include_str!("../../../migrations/20261129100010_steady_moments.sql"),
    ),
    (
        20_261_129_100_030,
        "forget sign in failures",
        include_str!("../../../migrations/20261129100030_forget_sign_in_failures.sql"),
    ),
    (
        20_261_129_100_031,
        "browser key",
        include_str!("../../../migrations/20261129100031_browser_key.sql"),
    ),
    (
        20_261_129_100_040,
        "active policy files",
        include_str!("../../../migrations/20261129100040_active_policy_files.sql"),
    ),
    (
        20_261_129_100_041,
        "counters",
        include_str!("../../../migrations/20261129100041_counters.sql"),
    ),
    (
        20_261_129_100_050,
        "audit indexes",
        include_str!("../../../migrations/20261129100050_audit_indexes.sql"),
    ),
    (20_261_129_120_000, "sent", include_str!("../../../migrations/20261129120000_sent.sql")),
    (
        20_261_129_130_000,
        "action entries",
        include_str!("../../../migrations/20261129130000_action_entries.sql"),
    ),
    (
        20_261_129_140_000,
        "count verified",
        include_str!("../../../migrations/20261129140000_count_verified.sql"),
    ),
    (20_261_129_150_000, "waiting", include_str!("../../../migrations/20261129150000_waiting.sql")),
    (20_261_129_160_000, "plans", include_str!("../../../migrations/20261129160000_plans.sql")),
    (
        20_261_129_170_000,
        "find active",
        include_str!("../../../migrations/20261129170000_find_active.sql"),
    ),
    (
        20_261_129_180_000,
        "profiles",
        include_str!("../../../migrations/20261129180000_profiles.sql"),
    ),
    (
        20_261_129_181_000,
        "escalate",
        include_str!("../../../migrations/20261129181000_escalate.sql"),
    ),
    (20_261_129_182_000, "lists", include_str!("../../../migrations/20261129182000_lists.sql")),
    (
        20_261_130_060_000,
        "passkeys",
        include_str!("../../../migrations/20261130060000_passkeys.sql"),
    ),
    (
        20_261_130_070_000,
        "proved_at",
        include_str!("../../../migrations/20261130070000_proved_at.sql"),
    ),
    (
        20_261_130_083_000,
        "relying party",
        include_str!("../../../migrations/20261130083000_relying_party.sql"),
    ),
    (
        20_261_130_084_000,
        "second factor",
        include_str!("../../../migrations/20261130084000_second_factor.sql"),
    ),
    (
        20_261_130_130_000,
        "identity",
        include_str!("../../../migrations/20261130130000_identity.sql"),
    ),
    (
        20_261_130_140_000,
        "suspended",
        include_str!("../../../migrations/20261130140000_suspended.sql"),
    ),
    (
        20_261_130_150_000,
        "own account",
        include_str!("../../../migrations/20261130150000_own_account.sql"),
    ),
    (
        20_261_130_155_000,
        "api tokens",
        include_str!("../../../migrations/20261130155000_api_tokens.sql"),
    ),
    (20_261_130_160_000, "feeds", include_str!("../../../migrations/20261130160000_feeds.sql")),
    (20_261_130_200_000, "teams", include_str!("../../../migrations/20261130200000_teams.sql")),
];

/// What was applied. The table is the one of `sqlx`, which earlier versions of this program used.
const APPLIED: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
)";

/// Why a database could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// It is of a newer version of this program.
    #[error("it has the migration {0}, which this version does not know; use the newer one")]
    Newer(i64),
    /// It was made by a program that is none of ours.
    #[error("its migration {0} is another one than that of this program")]
    Other(i64),
    /// `SQLite` says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl From<MigrationError> for StoreError {
    fn from(error: MigrationError) -> Self {
        match error {
            MigrationError::Sqlite(error) => sqlite::Error::Sqlite(error).into(),
            MigrationError::Newer(_) | MigrationError::Other(_) => Self::Migrate(error),
        }
    }
}

/// Brings a database up to date: all of it, or nothing.
pub(in crate::store) async fn migrate(writer: &Pool) -> Result<(), StoreError> {
    let mut connection = writer.acquire().await?;
    Ok(connection.run_blocking(|raw| Ok(apply(raw))).await??)
}

fn apply(raw: &mut Connection) -> Result<(), MigrationError> {
    if pending(raw)?.is_empty() {
        return Ok(());
    }
    let tx = raw.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(APPLIED)?;
    // Another process may have been faster.
    for (version, name, sql) in pending(&tx)? {
        tx.execute_batch(sql)?;
        tx.execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (?1, ?2, TRUE, ?3, 0)",
            params![version, name, checksum(sql)],
        )?;
    }
    Ok(tx.commit()?)
}

/// What is still to be applied.
fn pending(raw: &Connection) -> Result<Vec<Migration>, MigrationError> {
    let mut applied = applied(raw)?;
    let mut pending = Vec::new();
    for &(version, name, sql) in FILES {
        match applied.remove(&version) {
            None => pending.push((version, name, sql)),
            Some(stored) if stored == checksum(sql) => {}
            Some(_) => return Err(MigrationError::Other(version)),
        }
    }
    applied.into_keys().next().map_or(Ok(pending), |version| Err(MigrationError::Newer(version)))
}

/// Version and checksum of what was applied.
fn applied(raw: &Connection) -> rusqlite::Result<BTreeMap<i64, Vec<u8>>> {
    let table = "SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    if raw.query_row(table, [], |_| Ok(())).optional()?.is_none() {
        return Ok(BTreeMap::new());
    }
    let mut statement = raw.prepare("SELECT version, checksum FROM _sqlx_migrations")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn checksum(sql: &str) -> Vec<u8> {
    Sha384::digest(sql.as_bytes()).to_vec()
}
