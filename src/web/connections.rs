//! How many connections there are and what became of others: for probes and metrics.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::domain::{Time, len_u64};

/// Counts of connections. They name nobody.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    open: AtomicU64,
    timed_out: AtomicU64,
    made_room: AtomicU64,
    refused: AtomicU64,
    /// When one was refused last, and when that was last said.
    last: Mutex<Option<(Time, Time)>>,
}

impl ConnectionCounts {
    /// So many are open now.
    pub fn set_open(&self, number: usize) {
        self.open.store(len_u64(number), Relaxed);
    }

    /// One was closed because nothing came in time.
    pub fn timed_out(&self) {
        self.timed_out.fetch_add(1, Relaxed);
    }

    /// One was closed because another one came.
    pub fn made_room(&self) {
        self.made_room.fetch_add(1, Relaxed);
    }

    /// One was refused. Whether to say so: the last time was this long ago.
    pub fn refused(&self, now: Time, said_every: Duration) -> bool {
        self.refused.fetch_add(1, Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let said =
            last.map(|(_, said)| said).filter(|said| *said <= now && now < *said + said_every);
        *last = Some((now, said.unwrap_or(now)));
        said.is_none()
    }

    /// Whether one was refused within the last minute.
    pub(super) fn refused_lately(&self, now: Time) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|(at, _)| at <= now && now < at + Duration::from_mins(1))
    }

    /// In the text format of Prometheus.
    pub(super) fn metrics_text(&self) -> String {
        let [open, timed_out, made_room, refused] =
            [&self.open, &self.timed_out, &self.made_room, &self.refused].map(|n| n.load(Relaxed));
        format!(
            "# HELP countersign_connections How many are open now.\n\
             # TYPE countersign_connections gauge\n\
             countersign_connections {open}\n\
             # HELP countersign_connections_ended_total How many the server ended or refused.\n\
             # TYPE countersign_connections_ended_total counter\n\
             countersign_connections_ended_total{{why=\"timeout\"}} {timed_out}\n\
             countersign_connections_ended_total{{why=\"made_room\"}} {made_room}\n\
             countersign_connections_ended_total{{why=\"refused\"}} {refused}\n"
        )
    }
}
