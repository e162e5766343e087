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
    pub fn refused_lately(&self, now: Time) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|(at, _)| at <= now && now < at + Duration::from_mins(1))
    }

    /// How many are open.
    pub(in crate::broker) fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// How many were ended or refused, by why.
    pub(in crate::broker) fn ended(&self) -> [(&'static str, u64); 3] {
        let Self { timed_out, made_room, refused, .. } = self;
        [("timeout", timed_out), ("made_room", made_room), ("refused", refused)]
            .map(|(why, number)| (why, number.load(Relaxed)))
    }
}
