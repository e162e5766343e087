//! How the feeds are doing, as far as nobody has to remember it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::domain::Time;

/// How each feed is doing, by name.
#[derive(Debug, Default)]
pub(in crate::broker) struct FeedActivities(Mutex<BTreeMap<String, FeedActivity>>);

/// How a feed is doing since this run began.
#[derive(Debug, Clone, Default)]
pub struct FeedActivity {
    /// The place of the last entry that is behind it; none before its first step.
    pub position: Option<u64>,
    /// The place that is stored.
    pub stored: u64,
    /// When its receiver last took something.
    pub delivered_at: Option<Time>,
    /// How many entries its receiver took.
    pub delivered: u64,
    /// How many of them went without their detail.
    pub shortened: u64,
    /// How many tries failed.
    pub failures: u64,
    /// How many of them in a row.
    pub failures_in_a_row: u32,
    /// When the next try is, after one that failed.
    pub next_try_at: Option<Time>,
    /// Why the last try failed; none where it did not.
    pub problem: Option<String>,
}

impl FeedActivities {
    pub(in crate::broker) fn of(&self, feed: &str) -> FeedActivity {
        let activities = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        activities.get(feed).cloned().unwrap_or_default()
    }

    pub(in crate::broker) fn note(&self, feed: &str, activity: FeedActivity) {
        let mut activities = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        activities.insert(feed.to_owned(), activity);
    }
}
