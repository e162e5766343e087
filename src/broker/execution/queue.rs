//! The queue of approved requests: the next one, and the ways to leave it unsent.

mod returning;

use std::collections::BTreeMap;

use super::progress::Progress;
use crate::{
    broker::{Broker, BrokerError, in_memory::ExecutionGuard},
    domain::{
        endpoint::EndpointId,
        id::RequestId,
        kill_switch::{Extent, Freeze},
        lifecycle::{Refusal, Transition},
        request::{Request, StateName},
    },
    store::{
        Read, StoreError,
        requests::{self, Queued},
        system,
    },
};

/// What a manager's queue of approved requests begins with.
pub(super) enum QueueHead {
    /// The oldest one that the kill switch does not stop and that nobody sends yet.
    Next(Box<Request>, ExecutionGuard),
    /// The kill switch stops all of them.
    Stopped,
    /// There is none.
    Empty,
}

impl Broker {
    pub(super) async fn next_approved(&self, manager: &str) -> Result<QueueHead, BrokerError> {
        let mut reader = self.store().reader().await?;
        let freezes = system::frozen(&mut reader).await?;
        let queue = requests::queue(&mut reader).await?;
        let queue: Vec<_> = queue.into_iter().filter(|one| one.waits_for_step.is_none()).collect();
        let free = |one: &&Queued| one.manager == manager && stop(&freezes, one).is_none();
        for next in queue.iter().filter(free) {
            let Some(guard) = self.executing().begin(manager, next.id) else { continue };
            let request = requests::load(&mut reader, next.id).await?;
            let request = request.ok_or(BrokerError::NotFound)?;
            // Whoever had it until now may have sent it.
            if request.state.name() == StateName::Approved {
                return Ok(QueueHead::Next(Box::new(request), guard));
            }
        }
        let stopped = queue.iter().any(|one| one.manager == manager && !free(&one));
        Ok(if stopped { QueueHead::Stopped } else { QueueHead::Empty })
    }

    /// Why approved requests are not being sent: each with the reason that holds now. The worker
    /// records what keeps it from claiming the first of a queue; that keeps all behind it waiting
    /// too, and is read from there, not recorded for each.
    pub(in crate::broker) async fn holds(
        &self,
        read: &mut impl Read,
    ) -> Result<BTreeMap<RequestId, String>, StoreError> {
        let halted = self.halted().map(|halt| halt.to_string());
        let freezes = system::frozen(read).await?;
        let busy = requests::busy_managers(read).await?;
        let queue = requests::queue(read).await?;
        let why = |one: &Queued| {
            if let Some(halted) = &halted {
                return Some(halted.clone());
            }
            if let Some(extent) = stop(&freezes, one) {
                return Some(format!("the kill switch stops {extent}"));
            }
            if let Some(step) = one.waits_for_step {
                return Some(format!("it waits for step {step} of its plan"));
            }
            if busy.contains(&one.manager) {
                let manager = &one.manager;
                return Some(format!(
                    "others are being sent to the manager {manager}; it follows by itself"
                ));
            }
            let head = |other: &&Queued| {
                other.manager == one.manager
                    && other.waits_for_step.is_none()
                    && stop(&freezes, other).is_none()
            };
            queue.iter().find(head)?.held_because.clone()
        };
        Ok(queue.iter().filter_map(|one| Some((one.id, why(one)?))).collect())
    }

    /// A request with the reason why it is not being sent, as it is now.
    pub async fn with_hold(&self, request: Request) -> Result<Request, BrokerError> {
        let state = request.state.name();
        let held_because = if state == StateName::Approved {
            self.holds(&mut self.store().reader().await?).await?.remove(&request.id)
        } else if state == StateName::Dispatching {
            request.waits_because().map(str::to_owned)
        } else {
            None
        };
        Ok(Request { held_because, ..request })
    }

    /// Whether the kill switch stops a request, read just now.
    pub(super) async fn stopped(&self, id: RequestId) -> Result<bool, BrokerError> {
        let mut reader = self.store().reader().await?;
        let request = requests::in_queue(&mut reader, id).await?.ok_or(BrokerError::NotFound)?;
        Ok(stop(&system::frozen(&mut reader).await?, &request).is_some())
    }

    /// Records why a request cannot be claimed, where that is not known yet: every write wakes
    /// all who wait for news.
    pub(super) async fn hold(
        &self,
        request: Request,
        why: String,
    ) -> Result<Progress, BrokerError> {
        let id = request.id;
        if request.hold(why.clone()).is_some() {
            self.advance(id, |request| Ok(request.hold(why.clone()))).await?;
        }
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

/// What the kill switch stops, where that is this request.
fn stop<'a>(freezes: &'a [Freeze], one: &Queued) -> Option<&'a Extent> {
    let covers = |extent: &&Extent| extent.covers(&one.manager, one.action, one.agent.as_deref());
    freezes.iter().map(|freeze| &freeze.extent).find(covers)
}
