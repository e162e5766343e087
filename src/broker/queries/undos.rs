//! What is known of undos around a request: those of it, those of others that lift it too, and what
//! it lifted itself.

use crate::{
    broker::{Broker, BrokerError},
    domain::{
        Time,
        endpoint::EndpointId,
        id::RequestId,
        request::{Outcome, Request, StateName},
    },
    store::{
        Read,
        requests::{self, RequestOrigin},
    },
};

/// The undos around a request.
#[derive(Debug, Clone, Default)]
pub struct UndoView {
    /// The requests that take it back, oldest first.
    pub own: Vec<UndoSummary>,
    /// Open requests that take another back, and would lift this one with it.
    pub beside: Vec<UndoSummary>,
    /// Where an undo was sent and nobody knows whether it was done, and that undo.
    pub uncertain: Vec<(EndpointId, RequestId)>,
    /// Of an undo: the other requests that it lifted, and who asked for them.
    pub lifted: Vec<(RequestId, RequestOrigin)>,
}

/// An undo in short.
#[derive(Debug, Clone)]
pub struct UndoSummary {
    /// The request.
    pub id: RequestId,
    /// Its state.
    pub state: StateName,
    /// What is known of its endpoints.
    pub outcomes: Vec<Outcome>,
}

impl UndoSummary {
    fn of(undo: &Request) -> Self {
        let known = undo.targets.iter().filter_map(|target| target.outcome.clone());
        Self { id: undo.id, state: undo.state.name(), outcomes: known.collect() }
    }
}

impl Broker {
    /// The undos around a request.
    pub(super) async fn undos_around(
        &self,
        read: &mut impl Read,
        request: &Request,
        now: Time,
    ) -> Result<UndoView, BrokerError> {
        let mut view = UndoView::default();
        for id in requests::undos(read, request.id).await? {
            view.own.extend(requests::load(read, id).await?.as_ref().map(UndoSummary::of));
        }
        for target in &request.targets {
            let undone = target.outcome.as_ref().filter(|known| known.undone_unseen());
            let Some(by) = undone.and_then(Outcome::reverted_by) else { continue };
            let uncertain = requests::is_uncertain(read, by, &target.endpoint.id).await?;
            if uncertain {
                view.uncertain.push((target.endpoint.id.clone(), by));
            }
        }
        if request.active_targets().next().is_some() {
            for id in requests::open_undos_beside(read, request).await? {
                let Some(undo) = requests::load(read, id).await? else { continue };
                let met = self.already_active(read, &undo, now).await?;
                if met.iter().flat_map(|met| &met.rests_on).any(|one| one.request == request.id) {
                    view.beside.push(UndoSummary::of(&undo));
                }
            }
        }
        for id in requests::lifted_by(read, request.id).await? {
            if request.undoes != Some(id) {
                view.lifted.push((id, requests::origin(read, id).await?));
            }
        }
        Ok(view)
    }
}
