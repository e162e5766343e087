//! At the start: what an earlier run left is closed.

use crate::{
    broker::{Broker, BrokerError, requests::active_ends::update_ends},
    domain::{
        actor::Actor,
        audit::{AuditDetail, AuditEvent, detail::system::StartFacts},
        id::RequestId,
        lifecycle::Refusal,
    },
    store::requests,
};

impl Broker {
    /// At start-up: what waits for a manager that is no longer configured can never be sent.
    pub async fn withdraw_orphans(&self) -> Result<(), BrokerError> {
        let mut reader = self.store().reader().await?;
        let mut orphans = Vec::new();
        for id in requests::open(&mut reader).await? {
            let request = requests::load(&mut reader, id).await?;
            orphans.extend(request.filter(|request| self.manager(&request.manager).is_none()));
        }
        drop(reader);
        for orphan in orphans {
            let reason = format!("it was decided for the manager {}", orphan.manager);
            self.withdraw(orphan.id, &reason).await?;
        }
        Ok(())
    }

    /// At start-up: records what started.
    pub async fn started(&self, facts: StartFacts) -> Result<(), BrokerError> {
        let detail = AuditDetail::Started(facts);
        self.record(&AuditEvent::new(Actor::System, None, detail)).await?;
        Ok(())
    }

    /// Closes what a crash left half sent, at one manager or at all, and never what this process
    /// sends just now. Nothing is sent again. The store's lock makes sure that no other process is
    /// sending.
    pub async fn recover(&self, manager: Option<&str>) -> Result<Vec<RequestId>, BrokerError> {
        let mut left = requests::dispatching(&mut self.store().reader().await?, manager).await?;
        // What is not held any more has come to its end since it was read, or was left half done.
        left.retain(|id| !self.executing().holds(*id));
        let now = self.clock().now();
        for id in &left {
            self.store()
                .write(|tx| {
                    Box::pin(async move {
                        let request =
                            requests::load(tx, *id).await?.ok_or(BrokerError::NotFound)?;
                        let within = self.confirm_within(&request.manager);
                        let transition = match request.recover(within, now) {
                            Ok(transition) => transition,
                            Err(Refusal::WrongState { .. }) => return Ok(()),
                            Err(other) => return Err(other.into()),
                        };
                        let request = requests::advance(tx, transition, now).await?;
                        update_ends(tx, &request, within, now).await?;
                        Ok::<_, BrokerError>(())
                    })
                })
                .await?;
        }
        Ok(left)
    }
}
