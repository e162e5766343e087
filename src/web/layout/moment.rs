//! When a page is made: from there it says how long ago something was.
//!
//! The server speaks of UTC. The script gives what it says the reader's own zone.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

use crate::{domain::Time, web::AppState};

tokio::task_local! {
    /// When the page that is being made was asked for. Every template says times, so it is not handed
    /// from one to the next.
    static NOW: Time;
}

/// Remembers when a page was asked for, while it is made.
pub(in crate::web) async fn remember(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    NOW.scope(app.broker.clock().now(), next.run(request)).await
}

/// "4 min ago", "in 12 min"; none where an hour or more lies between.
pub(super) fn near(time: Time) -> Option<String> {
    let now = NOW.try_with(|now| *now).ok()?;
    match (now - time).num_minutes() {
        0 => Some("just now".to_owned()),
        past @ 1..60 => Some(format!("{past} min ago")),
        to_come @ -59..0 => Some(format!("in {} min", -to_come)),
        _ => None,
    }
}

/// To the second, in UTC; the day only where it is not today.
pub(super) fn exact(time: Time) -> String {
    let is_today = NOW.try_with(|now| now.date_naive() == time.date_naive()).unwrap_or(false);
    time.format(if is_today { "%H:%M:%S UTC" } else { "%Y-%m-%d %H:%M:%S UTC" }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn said(now: &str, time: &str) -> (Option<String>, String) {
        NOW.sync_scope(at(now), || (near(at(time)), exact(at(time))))
    }

    #[test]
    fn time_is_near_within_an_hour() {
        let near = |time| said("2026-11-29T12:00:00Z", time).0;
        assert_eq!(near("2026-11-29T11:59:30Z").as_deref(), Some("just now"));
        assert_eq!(near("2026-11-29T11:56:00Z").as_deref(), Some("4 min ago"));
        assert_eq!(near("2026-11-29T11:00:01Z").as_deref(), Some("59 min ago"));
        assert_eq!(near("2026-11-29T12:12:00Z").as_deref(), Some("in 12 min"));
        assert_eq!(near("2026-11-29T11:00:00Z"), None);
        assert_eq!(near("2026-11-29T13:00:00Z"), None);
    }

    #[test]
    fn day_is_said_unless_it_is_today() {
        let exact = |time| said("2026-11-29T00:05:00Z", time).1;
        assert_eq!(exact("2026-11-29T23:59:59Z"), "23:59:59 UTC");
        assert_eq!(exact("2026-11-28T23:59:59Z"), "2026-11-28 23:59:59 UTC");
        assert_eq!(super::exact(at("2026-11-29T00:00:00Z")), "2026-11-29 00:00:00 UTC");
    }
}
