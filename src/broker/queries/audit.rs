//! Reading the audit, which is itself recorded.

use super::view::PAGE_ROWS;
use crate::{
    broker::{Authority, Broker, BrokerError, SignedIn, unchecked::Unchecked},
    domain::{
        audit::{
            AuditDetail, AuditEntry, AuditEvent,
            detail::system::{AuditReadFacts, AuditReadFilter},
        },
        facts::Verb,
    },
    store::audit::{self, AuditFilter},
};

impl Broker {
    /// The newest audit entries that match, older than the place `before`.
    pub async fn audit(
        &self,
        who: &SignedIn,
        filter: &AuditFilter,
        before: Option<u64>,
    ) -> Result<Vec<AuditEntry>, BrokerError> {
        self.authorize_read(who, Verb::ViewAudit)?;
        self.unchecked().audit(Authority::Session(who), filter, before, PAGE_ROWS).await
    }

    /// The audit entry at this place; none where there is none.
    pub async fn audit_entry(
        &self,
        who: &SignedIn,
        seq: u64,
    ) -> Result<Option<AuditEntry>, BrokerError> {
        self.authorize_read(who, Verb::ViewAudit)?;
        let (all, after) = (AuditFilter::default(), Some(seq.saturating_add(1)));
        let found = self.unchecked().audit(Authority::Session(who), &all, after, 1).await?;
        Ok(found.into_iter().find(|entry| entry.seq == seq))
    }
}

impl Unchecked {
    pub(in crate::broker) async fn audit(
        &self,
        by: Authority<'_>,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, BrokerError> {
        let page = audit::page(&mut self.store().reader().await?, filter, before, limit).await?;
        let AuditFilter { since: _, until: _, kind, actor, endpoint, target, request, policy } =
            filter.clone();
        let filter = AuditReadFilter { kind, actor, endpoint, target, request, policy };
        let facts = AuditReadFacts { filter, rows: u64::try_from(page.len()).unwrap_or(u64::MAX) };
        let detail = &AuditDetail::AuditRead(facts);
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let event = AuditEvent::new(by.actor(tx, now).await?, None, detail.clone());
                    audit::append(tx, &event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        Ok(page)
    }
}
