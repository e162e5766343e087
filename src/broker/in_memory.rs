//! What the broker knows until it stops.

mod alert_counts;
mod audit_walk;
mod executing;
mod feeds;
mod looks;
mod lookups;
mod measures;
mod passkey_questions;
mod password_hasher;
mod provider;
mod setup_code;
mod sign_in_attempts;

pub use alert_counts::AlertCount;
pub(super) use alert_counts::{AlertCounts, CountKey};
pub(super) use audit_walk::AuditWalk;
pub use audit_walk::Walked;
pub(super) use executing::{Claimed, Claims, Executing, ExecutionGuard};
pub(super) use feeds::FeedActivities;
pub use feeds::FeedActivity;
pub(super) use looks::{LookProblems, REQUESTS_MAX, crowd};
pub(super) use lookups::Lookups;
pub use measures::ConnectionCounts;
pub(super) use measures::{CountsByName, Measures};
pub(super) use passkey_questions::PasskeyQuestions;
pub(super) use password_hasher::{HashQueue, PasswordHasher, UNMATCHABLE};
pub(super) use provider::{ProviderSessions, Reread};
pub(super) use setup_code::SetupCode;
pub(super) use sign_in_attempts::{FailureKey, RefusedTokens, SignInAttempts};
