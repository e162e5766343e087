//! Whether the clock of this machine jumped, by what the broker wrote.

use chrono::TimeDelta;

use crate::{
    clock::Clock,
    connector::Diagnosis,
    domain::{
        action::with_count,
        audit::{AuditDetail, EventKind, detail::system::ClockJumpFacts},
        clock_jump::{ClockJump, span},
        len_u64,
    },
    store::{
        Store, StoreError,
        audit::{self, AuditFilter},
    },
};

const CHECK: &str = "clock";
/// The jumps that are counted.
const JUMPS_MAX: u32 = 100;

/// None where there is no database, or where it cannot be read, which is a finding of its own.
pub(super) async fn clock(store: Option<&Store>, clock: &Clock) -> Option<Diagnosis> {
    jumps(store?, clock).await.ok()
}

async fn jumps(store: &Store, clock: &Clock) -> Result<Diagnosis, StoreError> {
    const JUMPED: &str = "look at what sets this clock, and at what makes this machine stand still; \
                          a broker that runs sends again when its clock agrees with a manager's";
    const BEHIND: &str = "set it by NTP: a broker that starts sends nothing before it agrees with a \
                          manager's";
    let now = clock.now();
    let mut reader = store.reader().await?;
    let filter = AuditFilter {
        kind: Some(EventKind::ClockJumped.name().to_owned()),
        since: Some(now - TimeDelta::days(1)),
        ..AuditFilter::default()
    };
    let jumps = audit::page(&mut reader, &filter, None, JUMPS_MAX).await?;
    if let Some(last) = jumps.first() {
        let count = with_count(len_u64(jumps.len()), "time");
        let mut found = format!("this machine's jumped {count} within a day");
        if let Ok(AuditDetail::ClockJumped(ClockJumpFacts { from, to, .. })) = last.typed_detail() {
            found = format!("{found}, the last time {}", ClockJump { from, to });
        }
        return Ok(Diagnosis::bad(CHECK, found, JUMPED));
    }
    let last = audit::last_moment(&mut reader).await?;
    Ok(match last.map(|last| last - now).filter(|by| *by > ClockJump::LEAST) {
        None => Diagnosis::good(CHECK, "this machine's did not jump within a day"),
        Some(behind) => {
            let found = format!("the broker's newest audit entry is {} ahead of it", span(behind));
            Diagnosis::bad(CHECK, found, BEHIND)
        }
    })
}
