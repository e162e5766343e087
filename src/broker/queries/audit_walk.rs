//! The walk along the audit that System and `/metrics` show.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::timeout;

use crate::{
    broker::{Broker, BrokerError},
    store::audit::{self, Verified},
};

pub use crate::broker::in_memory::Walked;

/// After this the walk sets out from the first row again: a row that was verified may be changed later.
const WHOLE_EVERY: TimeDelta = TimeDelta::days(1);
/// How long System waits for a walk that it began: a short one is over by then.
const SHORT: Duration = Duration::from_secs(2);

impl Broker {
    /// Goes on from the last verified place, in the background and one walk at a time. What was found
    /// until now.
    pub(super) async fn walked(&self) -> Walked {
        if let Some(walking) = self.audit_walk().set_out() {
            let broker = self.clone();
            let walk = tokio::spawn(async move {
                if let Err(error) = broker.walk_audit().await {
                    tracing::warn!(%error, "the audit could not be verified");
                }
                drop(walking);
            });
            let _still_walking = timeout(SHORT, walk).await;
        }
        self.audit_walk().found()
    }

    /// Goes on from the last verified place, unless somebody walks already. The first bad row, and what is
    /// wrong with it.
    pub async fn walk_on(&self) -> Result<Option<(i64, String)>, BrokerError> {
        if let Some(_walking) = self.audit_walk().set_out() {
            self.walk_audit().await?;
        }
        Ok(self.audit_walk().found().verified.broken)
    }

    async fn walk_audit(&self) -> Result<(), BrokerError> {
        let mut reader = self.store().for_walk().reader().await?;
        let (now, mut walked) = (self.clock().now(), self.audit_walk().found());
        let goes_on = walked.verified.broken.is_none()
            && walked.began.is_some_and(|began| now - began < WHOLE_EVERY)
            && audit::is_at(&mut reader, &walked.verified).await?;
        if !goes_on {
            walked.verified = Verified::default();
            walked.began = Some(now);
        }
        walked.ended = None;
        while audit::verify_block(&mut reader, &mut walked.verified).await? {
            self.audit_walk().note(&walked);
        }
        walked.ended = Some(self.clock().now());
        self.audit_walk().note(&walked);
        Ok(())
    }
}
