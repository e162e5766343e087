//! Reading the audit, which is itself written down.

use serde_json::json;

use super::view::PAGE_ROWS;
use crate::{
    broker::{Broker, BrokerError, SignedIn, unchecked::Unchecked},
    domain::{
        actor::Actor,
        audit::{AuditEntry, AuditEvent, EventKind},
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
        self.unchecked().audit(&who.actor(), filter, before, PAGE_ROWS).await
    }
}

impl Unchecked {
    pub(in crate::broker) async fn audit(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, BrokerError> {
        let page = audit::page(&mut self.store().reader().await?, filter, before, limit).await?;
        let parts = [
            ("kind", &filter.kind),
            ("actor", &filter.actor),
            ("endpoint", &filter.endpoint),
            ("target", &filter.target),
            ("request", &filter.request),
            ("policy", &filter.policy),
        ];
        let asked: serde_json::Map<_, _> = parts
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))))
            .collect();
        let detail = json!({ "filter": asked, "rows": page.len() });
        let event = &AuditEvent::new(EventKind::AuditRead, actor.clone(), None, detail);
        let now = self.clock().now();
        self.store()
            .write(|tx| Box::pin(async move { audit::append(tx, event, now).await.map(drop) }))
            .await?;
        Ok(page)
    }
}
