//! What an agent did before it asked. It is read once, when the agent asks, and kept with the
//! request: what the agent does later must not turn against what people approved.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::domain::{Time, len_u64, seconds_of};

/// How long a refusal counts against an agent.
pub const REFUSAL_COUNTS: TimeDelta = TimeDelta::hours(24);
/// How long a response that was sent counts.
pub const RUN_COUNTS: TimeDelta = TimeDelta::hours(1);
/// How long an ask counts.
pub const ASK_COUNTS: TimeDelta = TimeDelta::minutes(1);

/// What an agent did before it asked.
///
/// The store keeps it as JSON: another name or order of the fields is another text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AgentHistory {
    /// How many of its other requests were sent in the last hour, or were approved and about to be.
    pub ran_last_hour: u64,
    /// How many of its other requests were refused in the last 24 hours:
    /// [`crate::domain::request::Request::refused_at`].
    pub refused_last_day: u64,
    /// How many of its other requests waited for people, for the worker or for an answer.
    pub open_requests: u64,
    /// How often it asked within the last minute, this time not counted.
    pub asks_last_minute: u64,
    /// How long ago a person rejected the same action on the same target, whoever had asked, in
    /// seconds; none where nobody did.
    pub rejected_seconds_ago: Option<u64>,
    /// What it did made policy's answer stricter; none where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// Policy answers an agent more strictly because of what it did before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// From when on policy would answer as if it had done nothing, if it does nothing more; none
    /// where no time ends it.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub ends: Option<Time>,
}

/// When an agent did what counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentEvents {
    /// When its other requests were last sent; for one that is approved, when this was read.
    pub runs: Vec<Time>,
    /// When its other requests were refused.
    pub refusals: Vec<Time>,
    /// When it asked.
    pub asks: Vec<Time>,
    /// How many of its other requests are open.
    pub open_requests: u64,
    /// When a person last rejected the same action on the same target.
    pub rejected_at: Option<Time>,
}

impl AgentEvents {
    /// What counts at a moment, if nothing is added until then.
    pub fn at(&self, now: Time) -> AgentHistory {
        let within = |times: &[Time], span: TimeDelta| {
            len_u64(times.iter().filter(|at| now - **at < span).count())
        };
        AgentHistory {
            ran_last_hour: within(&self.runs, RUN_COUNTS),
            refused_last_day: within(&self.refusals, REFUSAL_COUNTS),
            open_requests: self.open_requests,
            asks_last_minute: within(&self.asks, ASK_COUNTS),
            rejected_seconds_ago: self.rejected_at.map(|at| seconds_of(now - at)),
            limit: None,
        }
    }
}
