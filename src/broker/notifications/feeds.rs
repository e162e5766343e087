//! Feeding the audit to programs: in its order, at least once, each feed for itself. A feed reads what
//! is committed, so nothing waits for it.

use std::time::Duration;

use crate::{
    broker::{Broker, BrokerError, in_memory::FeedActivity},
    connector::{Delivered, Feed},
    domain::{Time, audit::AuditEntry, len_u64},
    failpoint,
    store::{Read, StoreError, audit},
};

/// The most entries of one step. A crash repeats no more than these.
const BATCH_MAX: u32 = 100;
/// What failed is tried again after this long, and each time after twice as long, up to the second.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// What a step of a feed did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedStep {
    /// There is nothing to send, or the time for the next try has not come.
    Idle,
    /// It moved on, be it past entries that it does not send.
    Moved,
    /// Its receiver did not take everything: why. It is tried again later.
    Failed(String),
}

/// How a feed is doing.
#[derive(Debug, Clone)]
pub struct FeedState {
    /// What it is called.
    pub name: String,
    /// Its kind and where it goes.
    pub place: String,
    /// The place of the last entry that is behind it.
    pub position: u64,
    /// How many entries are ahead of it, those included that it does not send.
    pub behind: u64,
    /// What it did since this run began.
    pub doing: FeedActivity,
}

impl Broker {
    /// Gives each new feed its place in the audit: before its first entry, or behind the newest.
    pub async fn open_feeds(&self) -> Result<(), BrokerError> {
        let head = head(&mut self.store().reader().await?).await?;
        for feed in self.feeds() {
            let mut reader = self.store().reader().await?;
            if audit::feeds::position(&mut reader, feed.name()).await?.is_some() {
                continue;
            }
            drop(reader);
            let seq = if feed.from_start() { 0 } else { head };
            let begun = self
                .store()
                .write_quietly(|tx| Box::pin(audit::feeds::begin(tx, feed.name(), seq)));
            begun.await?;
        }
        Ok(())
    }

    /// Brings the next entries to the receiver of a feed. Its position is stored after that: a crash
    /// between the two repeats them.
    pub async fn feed_next(&self, feed: &str) -> Result<FeedStep, BrokerError> {
        let Some(feed) = self.feeds().iter().find(|one| one.name() == feed) else {
            return Ok(FeedStep::Idle);
        };
        let (now, mut doing) = (self.clock().now(), self.feed_activities().of(feed.name()));
        if doing.next_try_at.is_some_and(|at| now < at && at <= now + BACK_OFF.1) {
            return Ok(FeedStep::Idle);
        }
        let store = self.store().for_feeds();
        let mut reader = store.reader().await?;
        let position = if let Some(position) = doing.position {
            position
        } else {
            doing.stored = audit::feeds::position(&mut reader, feed.name()).await?.unwrap_or(0);
            doing.stored
        };
        let entries = audit::after(&mut reader, position, BATCH_MAX).await?.into_iter();
        let mut entries: Vec<AuditEntry> = entries.map(|(entry, _hash)| entry).collect();
        drop(reader);
        let Some(last) = entries.last().map(|entry| entry.seq) else {
            return Ok(FeedStep::Idle);
        };
        entries.retain(|entry| feed.takes(entry));
        let (delivered, reached) = self.fed(feed, &entries, (position, last), now).await;
        failpoint::reached("feed sent").await;
        doing.position = Some(reached);
        let result = self.count_fed(&mut doing, &delivered, now);
        // What is passed over is passed over again after a restart, up to a batch of it.
        let far = reached.saturating_sub(doing.stored) >= u64::from(BATCH_MAX);
        let store_it = delivered.entries > 0 || far;
        if store_it {
            doing.stored = reached;
        }
        self.feed_activities().note(feed.name(), doing);
        if store_it {
            let stored =
                store.write_quietly(|tx| Box::pin(audit::feeds::reached(tx, feed.name(), reached)));
            stored.await?;
        }
        Ok(result)
    }

    /// Delivers, and says how far the feed is then.
    async fn fed(
        &self,
        feed: &Feed,
        entries: &[AuditEntry],
        (position, last): (u64, u64),
        now: Time,
    ) -> (Delivered, u64) {
        if entries.is_empty() {
            return (Delivered::default(), last);
        }
        let delivered = feed.deliver(entries, now).await;
        if delivered.problem.is_none() {
            return (delivered, last);
        }
        let taken = delivered.entries.checked_sub(1).and_then(|taken| entries.get(taken));
        let reached = taken.map_or(position, |entry| entry.seq);
        (delivered, reached)
    }

    fn count_fed(&self, doing: &mut FeedActivity, delivered: &Delivered, now: Time) -> FeedStep {
        doing.delivered += len_u64(delivered.entries);
        doing.shortened += delivered.shortened;
        if delivered.entries > 0 {
            doing.delivered_at = Some(now);
        }
        doing.problem.clone_from(&delivered.problem);
        if let Some(why) = &delivered.problem {
            doing.failures += 1;
            doing.failures_in_a_row = doing.failures_in_a_row.saturating_add(1);
            let pause = self.spread_out(BACK_OFF, doing.failures_in_a_row);
            doing.next_try_at = Some(now + pause);
            return FeedStep::Failed(why.clone());
        }
        (doing.failures_in_a_row, doing.next_try_at) = (0, None);
        FeedStep::Moved
    }

    /// How each feed is doing.
    pub(in crate::broker) async fn feed_states(
        &self,
        read: &mut impl Read,
    ) -> Result<Vec<FeedState>, StoreError> {
        let (mut states, head) = (Vec::new(), head(read).await?);
        for feed in self.feeds() {
            let doing = self.feed_activities().of(feed.name());
            let position = match doing.position {
                Some(position) => position,
                None => audit::feeds::position(read, feed.name()).await?.unwrap_or(0),
            };
            states.push(FeedState {
                name: feed.name().to_owned(),
                place: feed.place(),
                position,
                behind: head.saturating_sub(position),
                doing,
            });
        }
        Ok(states)
    }
}

/// The place of the newest entry.
async fn head(read: &mut impl Read) -> Result<u64, StoreError> {
    Ok(audit::head(read).await?.map_or(0, |head| head.seq))
}
