//! Looking again before the claim: what changed since people decided, and what follows from it.

use super::progress::Progress;
use crate::{
    broker::{Broker, BrokerError},
    domain::{
        endpoint::{Candidate, EndpointId, Inventory, SkipReason},
        id::RequestId,
        lifecycle::{Refusal, Transition},
        request::Request,
    },
    store::{requests, system},
};

/// What changed on the endpoints since they were frozen.
pub(super) enum Recheck {
    /// These are no longer connected.
    Disconnected(Vec<(EndpointId, String)>),
    /// Something is no longer what was approved.
    Identity(String),
}

impl Broker {
    /// The oldest approved request of a manager that the kill switch does not stop.
    pub(super) async fn next_approved(
        &self,
        manager: &str,
    ) -> Result<Option<Request>, BrokerError> {
        let mut reader = self.store().reader().await?;
        for id in requests::approved(&mut reader, manager).await? {
            let request = requests::load(&mut reader, id).await?.ok_or(BrokerError::NotFound)?;
            if !system::stopped(&mut reader, &request).await? {
                return Ok(Some(request));
            }
        }
        Ok(None)
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

/// Compares what the manager says now with what was approved.
pub(super) fn recheck(request: &Request, inventory: &Inventory) -> Recheck {
    let mut lost = Vec::new();
    for target in &request.targets {
        let id = &target.endpoint.id;
        let now = inventory.candidates.iter().find(|c| c.endpoint.id == *id);
        let Some(Candidate { endpoint, command, .. }) = now else {
            return Recheck::Identity(format!("endpoint {id} no longer exists"));
        };
        if !endpoint.same_machine(&target.endpoint) {
            return Recheck::Identity(format!("endpoint {id} is another machine now"));
        }
        match command {
            Ok(command) if *command == target.command => {}
            Err(reason @ (SkipReason::NotActive(_) | SkipReason::SwitchedOff(_))) => {
                lost.push((id.clone(), reason.to_string()));
            }
            Ok(other) => {
                return Recheck::Identity(format!(
                    "endpoint {id} would now be sent {other} instead of {}",
                    target.command
                ));
            }
            Err(reason) => return Recheck::Identity(format!("endpoint {id}: {reason}")),
        }
    }
    Recheck::Disconnected(lost)
}
