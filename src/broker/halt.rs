//! The one place that knows why nothing at all is sent, the kill switch aside. Pages, agents'
//! answers, `/readyz` and the worker ask here.

use crate::{
    broker::{Broker, BrokerError},
    domain::{
        digest::Digest,
        halt::{Halt, HaltCause},
    },
    store::{StoreError, system},
};

impl Broker {
    /// Why nothing is sent now; none while approved requests are sent.
    pub fn halted(&self) -> Option<Halt> {
        self.store().halted().or_else(|| self.clock_in_doubt())
    }

    /// Whether the broker can do its work: nothing is halted, and the database answers.
    pub async fn readiness(&self) -> Result<(), Halt> {
        if let Some(halt) = self.halted() {
            return Err(halt);
        }
        let read = async { system::frozen(&mut self.store().reader().await?).await };
        let unreadable =
            |error: StoreError| Halt { cause: HaltCause::Unreadable, why: error.to_string() };
        read.await.map(drop).map_err(unreadable)
    }

    /// Answers a challenge as only those can check who can read the database: see
    /// [`installation`](crate::domain::audit::installation). None where it cannot be read now.
    pub async fn database_proof(&self, challenge: Digest) -> Option<Digest> {
        self.store().proof(challenge).await.ok()?
    }

    /// Fails while there is no room for anything new.
    pub(in crate::broker) fn ensure_room(&self) -> Result<(), BrokerError> {
        let halt = self.store().lacks_room();
        halt.map_or(Ok(()), |halt| Err(BrokerError::Halted(halt)))
    }

    /// Goes on after a full disk, when there is room again, and keeps the reserve. Call it about once
    /// a second.
    pub async fn keep_disk(&self) -> Result<(), BrokerError> {
        Ok(self.store().keep_disk(self.clock().now()).await?)
    }

    /// Leaves the database as one whole file, with its high-water mark synced. Nothing can be read or
    /// changed any more.
    pub async fn close(&self) -> Result<(), BrokerError> {
        let marked = self.store().keep_mark().await;
        self.store().close().await?;
        Ok(marked?)
    }

    /// Fails while nothing is sent.
    pub(in crate::broker) fn ensure_not_halted(&self) -> Result<(), BrokerError> {
        self.halted().map_or(Ok(()), |halt| Err(BrokerError::Halted(halt)))
    }
}
