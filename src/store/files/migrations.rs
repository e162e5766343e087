//! How the database came to its present form.

use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Version, name and text of each, in order.
const FILES: &[(i64, &str, &str)] = &[
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
];

/// The migrations. Built by hand: the macro that collects them doubles the build.
pub(in crate::store) fn migrator() -> Migrator {
    let migrations = FILES.iter().map(|(version, name, sql)| {
        Migration::new(
            *version,
            (*name).into(),
            MigrationType::Simple,
            sqlx::SqlStr::from_static(sql),
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}
