//! The queue of approved requests: the next one, and the ways to leave it unsent.

use super::progress::Progress;
use crate::{
    broker::{Broker, BrokerError},
    domain::{
        endpoint::EndpointId,
        id::RequestId,
        lifecycle::{Refusal, Transition},
        request::Request,
    },
    store::{requests, system},
};

/// What a manager's queue of approved requests begins with.
pub(super) enum QueueHead {
    /// The oldest one that the kill switch does not stop.
    Next(Box<Request>),
    /// The kill switch stops all of them.
    Stopped,
    /// There is none.
    Empty,
}

impl Broker {
    pub(super) async fn next_approved(&self, manager: &str) -> Result<QueueHead, BrokerError> {
        let mut reader = self.store().reader().await?;
        let mut head = QueueHead::Empty;
        for id in requests::approved(&mut reader, manager).await? {
            let request = requests::load(&mut reader, id).await?.ok_or(BrokerError::NotFound)?;
            if !system::stopped(&mut reader, &request).await? {
                return Ok(QueueHead::Next(Box::new(request)));
            }
            head = QueueHead::Stopped;
        }
        Ok(head)
    }

    /// Whether the kill switch stops a request, read just now.
    pub(super) async fn stopped(&self, id: RequestId) -> Result<bool, BrokerError> {
        let mut reader = self.store().reader().await?;
        let request = requests::load(&mut reader, id).await?.ok_or(BrokerError::NotFound)?;
        Ok(system::stopped(&mut reader, &request).await?)
    }

    pub(super) async fn hold(&self, id: RequestId, why: String) -> Result<Progress, BrokerError> {
        self.advance(id, |request| Ok(request.hold(why.clone()))).await?;
        Ok(Progress::Held(why))
    }

    pub(in crate::broker) async fn withdraw(
        &self,
        id: RequestId,
        reason: &str,
    ) -> Result<Progress, BrokerError> {
        let now = self.clock().now();
        self.advance(id, |request| request.withdraw(reason.to_owned(), now).map(Some)).await?;
        Ok(Progress::Moved(id))
    }

    pub(super) async fn end_disconnected(
        &self,
        id: RequestId,
        lost: &[(EndpointId, String)],
    ) -> Result<Progress, BrokerError> {
        let now = self.clock().now();
        self.advance(id, |request| request.end_disconnected(lost, now).map(Some)).await?;
        Ok(Progress::Moved(id))
    }

    /// Moves a request that somebody else may have moved in the meantime; then nothing happens.
    async fn advance(
        &self,
        id: RequestId,
        step: impl Fn(Request) -> Result<Option<Transition>, Refusal> + Send + Sync,
    ) -> Result<(), BrokerError> {
        let (step, now) = (&step, self.clock().now());
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let request = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
                    match step(request) {
                        Ok(Some(transition)) => {
                            requests::advance(tx, transition, now).await.map(drop)?;
                        }
                        Ok(None) | Err(Refusal::WrongState { .. }) => {}
                        Err(other) => return Err(other.into()),
                    }
                    Ok(())
                })
            })
            .await
    }
}
