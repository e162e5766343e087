//! What a claim and its calls rest on, and what a call is made of.

use crate::{
    connector::{Connector, CorrelationTag},
    domain::{
        Time,
        endpoint::{EndpointId, Inventory},
        facts::IndexerState,
        id::AttemptId,
        lifecycle::DispatchReport,
        permit::Order,
        request::{Outcome, Request},
    },
    store::{StoreError, Tx, requests},
};

/// What a claim and the calls after it rest on.
pub(super) struct DispatchContext<'a> {
    pub(super) connector: &'a Connector,
    /// The endpoints as the manager described them just before the claim.
    pub(super) inventory: Inventory,
    /// Whether the indexer keeps up, asked just before the claim of what runs without people; none
    /// where people stand for it, and then what was known when they saw it counts.
    pub(super) indexer: Option<IndexerState>,
}

impl DispatchContext<'_> {
    /// The next call of a request, down to its bytes, as if these endpoints were no part of it.
    pub(super) fn order(
        &self,
        request: &Request,
        left_out: &[EndpointId],
        attempt: AttemptId,
    ) -> Option<Order> {
        let silent = self.inventory.candidates.iter().filter(|candidate| candidate.silent);
        let silent = silent.map(|candidate| &candidate.endpoint.id).collect();
        let left_out = left_out.iter().collect();
        let most = self.connector.capabilities().batch_endpoints_max;
        let (command, endpoints) = request.next_batch(most, &silent, &left_out)?;
        let mark = CorrelationTag { request: request.id, attempt, digest: request.digest };
        let body = self.connector.body(&command, &request.action, &mark);
        Some(Order { attempt, endpoints, body })
    }
}

/// An undo that was sent takes back what it undoes, in the same transaction.
pub(super) async fn mark_reverted(
    tx: &mut Tx<'_>,
    undo: &Request,
    report: &DispatchReport,
    now: Time,
) -> Result<(), StoreError> {
    let Some(undone) = undo.undoes else { return Ok(()) };
    let sent: Vec<_> = report
        .outcomes
        .iter()
        .filter(|(_, outcome)| *outcome == Outcome::Sent)
        .map(|(id, _)| id.clone())
        .collect();
    let children = requests::children(tx, undone).await?;
    for id in [undone].into_iter().chain(children.iter().map(|child| child.id)) {
        let Some(undone) = requests::load(tx, id).await? else { continue };
        if let Some(transition) = undone.reverted(undo.id, &sent, report.confirm_within, now) {
            requests::advance(tx, transition, now).await?;
        }
    }
    Ok(())
}

/// Surely nothing was sent to these, and it is not tried again.
pub(super) fn not_sent(endpoints: &[EndpointId], why: &str) -> DispatchReport {
    let outcome = Outcome::NotSent { why: why.to_owned() };
    DispatchReport {
        outcomes: endpoints.iter().map(|id| (id.clone(), outcome.clone())).collect(),
        summary: why.to_owned(),
        confirm_within: None,
    }
}

pub(super) fn no_fault_of_the_manager(lack: &str) -> String {
    format!("this machine cannot call at the moment, which is no fault of the manager: {lack}")
}
