//! Time passes: what is late expires.

use crate::{
    broker::{Broker, BrokerError},
    domain::{id::RequestId, lifecycle::Refusal, request::Request},
    store::requests,
};

impl Broker {
    /// Expires what is late, and asks managers that were given up whether they are back. How many
    /// requests expired.
    pub async fn expire_overdue(&self) -> Result<usize, BrokerError> {
        let now = self.clock().now();
        let mut reader = self.store().reader().await?;
        let late = requests::overdue(&mut reader, now).await?;
        if !late.is_empty() {
            // Before the first ends: the reason of a queue is that of its first request.
            let mut holds = self.holds(&mut reader).await?;
            drop(reader);
            for id in &late {
                self.expire(*id, holds.remove(id)).await?;
            }
        }
        for manager in self.managers() {
            manager.probe_if_due(now).await;
        }
        Ok(late.len())
    }

    async fn expire(&self, id: RequestId, held_because: Option<String>) -> Result<(), BrokerError> {
        let (now, held_because) = (self.clock().now(), &held_because);
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let request = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
                    let request = Request { held_because: held_because.clone(), ..request };
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
