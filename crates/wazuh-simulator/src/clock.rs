//! The simulator's own time. The simulator stands for another machine, so it has its own clock.
//! Tests move it by hand where a real manager would make them wait.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};

/// The time of this machine.
#[expect(clippy::disallowed_methods, reason = "the simulator stands for another machine")]
pub(crate) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// Waits in real time: an endpoint or a connection that is slow.
#[expect(clippy::disallowed_methods, reason = "the simulator stands for another machine")]
pub(crate) async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// The format of the manager API: `2026-11-22T07:38:56+00:00`.
pub(crate) fn api_form(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// The format of alerts: `2026-11-22T07:38:56.123+0000`.
pub(crate) fn alert_form(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3f%z").to_string()
}

/// The format of dates in the indexer's own answers: `2026-11-22T07:00:00.000Z`.
pub(crate) fn indexer_form(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Parses every format that alerts and queries use.
pub(crate) fn read(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|time| time.to_utc())
        .ok()
        .or_else(|| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .ok()
                .map(|time| time.and_utc())
        })
}
