//! Which installation a manager's name stands for: a name is only a label of the configuration.

use std::sync::PoisonError;

use crate::{
    broker::{Broker, BrokerError},
    connector::Connector,
    domain::{
        actor::Actor,
        audit::{AuditDetail, AuditEvent, detail::system::ManagerFacts},
    },
    store::{Read, StoreError, audit, managers},
};

impl Broker {
    /// Learns which installation a manager is, once in the life of this process. One that does not
    /// say, or does not answer, is asked again the next time.
    pub(super) async fn identify(&self, connector: &Connector) -> Result<(), BrokerError> {
        let name = connector.name();
        if self.identity_now(name).is_some() {
            return Ok(());
        }
        let now = self.clock().now();
        let Ok(Some(identity)) = connector.identity(now).await else { return Ok(()) };
        let before = managers::identity(&mut self.store().reader().await?, name).await?;
        if before.as_ref() != Some(&identity) {
            if before.is_some() {
                tracing::warn!(manager = name, "a manager is another installation than before");
            }
            let facts = ManagerFacts { name: name.to_owned(), identity: identity.clone(), before };
            let event = AuditEvent::new(Actor::System, None, AuditDetail::ManagerIdentified(facts));
            let identity = identity.as_str();
            let write = self.store().write(|tx| {
                let event = event.clone();
                Box::pin(async move {
                    managers::store_identity(tx, name, identity, now).await?;
                    audit::append(tx, &event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            });
            write.await?;
        }
        let mut known = self.identified().lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned(), identity);
        Ok(())
    }

    /// Whether a manager has said in this process which installation it is.
    pub(super) fn is_identified(&self, connector: &Connector) -> bool {
        self.identity_now(connector.name()).is_some()
    }

    fn identity_now(&self, name: &str) -> Option<String> {
        let known = self.identified().lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned()
    }

    /// The manager through which endpoints of a name are reached now: the one of that name, or,
    /// where it is no longer configured, the one that is the same installation.
    pub(in crate::broker) async fn manager_now(
        &self,
        read: &mut impl Read,
        name: &str,
    ) -> Result<Option<&Connector>, StoreError> {
        if let Some(manager) = self.manager(name) {
            return Ok(Some(manager));
        }
        let Some(identity) = managers::identity(read, name).await? else { return Ok(None) };
        let same = |one: &&Connector| self.identity_now(one.name()).as_ref() == Some(&identity);
        Ok(self.managers().iter().find(same))
    }

    /// The names of managers that are gone or stand for another installation, while something that
    /// was sent under them may be active or is unknown: for whoever starts the broker.
    pub async fn changed_managers(&self) -> Result<Vec<String>, BrokerError> {
        let mut reader = self.store().reader().await?;
        Ok(self.unsettled(&mut reader).await?)
    }

    /// The same, for whoever reads already.
    pub(in crate::broker) async fn unsettled(
        &self,
        read: &mut impl Read,
    ) -> Result<Vec<String>, StoreError> {
        let configured: Vec<_> = self.managers().iter().map(|manager| manager.name()).collect();
        managers::unsettled(read, &configured, self.clock().now()).await
    }
}
