//! Time passes: what is late expires.

use crate::{
    broker::{Broker, BrokerError},
    domain::{id::RequestId, lifecycle::Refusal},
    store::requests,
};

impl Broker {
    /// Expires what is late, and asks managers that were given up whether they are back. How many
    /// requests expired.
    pub async fn expire_overdue(&self) -> Result<usize, BrokerError> {
        let now = self.clock().now();
        let late = requests::overdue(&mut self.store().reader().await?, now).await?;
        for id in &late {
            self.expire(*id).await?;
        }
        for manager in self.managers() {
            manager.probe_if_due(now).await;
        }
        Ok(late.len())
    }

    async fn expire(&self, id: RequestId) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let request = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
                    match request.expire(now) {
                        Ok(transition) => requests::advance(tx, transition, now).await.map(drop)?,
                        // Somebody decided in this very moment: then it is not late.
                        Err(Refusal::WrongState { .. } | Refusal::TooEarly) => {}
                        Err(other) => return Err(other.into()),
                    }
                    Ok(())
                })
            })
            .await
    }
}
