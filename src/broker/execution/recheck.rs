//! Looking again before the claim: are these still the endpoints, and does policy still allow it?

use crate::{
    broker::{
        Broker, BrokerError, execution::order::DispatchContext, requests::evaluate::criticality,
    },
    domain::{
        Time,
        active_response::AlreadyActive,
        endpoint::{Candidate, EndpointId, Inventory, SkipReason},
        lifecycle::{Reevaluation, Transition},
        request::{Request, StateName},
    },
    store::{Tx, accounts},
};

/// What changed on the endpoints since they were frozen.
pub(super) enum Recheck {
    /// These cannot be reached now, or what the manager says of them cannot be read.
    Disconnected(Vec<(EndpointId, String)>),
    /// Something is no longer what was approved.
    Identity(String),
}

impl Broker {
    /// Policy's answer about a request just now, in the transaction that uses it: about the endpoints
    /// and the indexer as they were just before the claim.
    pub(super) async fn recheck_policy(
        &self,
        tx: &mut Tx<'_>,
        request: &Request,
        ground: &DispatchContext<'_>,
    ) -> Result<Reevaluation, BrokerError> {
        let agent = accounts::agent_by_id(tx, request.agent).await?.ok_or(BrokerError::NotFound)?;
        let mut by_now = request.clone();
        if let Some(indexer) = &ground.indexer {
            by_now.alert.indexer = indexer.clone();
        }
        let candidates = ground.inventory.by_id();
        for target in &mut by_now.targets {
            let known = candidates.get(&target.endpoint.id);
            // Where the manager's row cannot be read, what is stored counts; nothing is sent there.
            let known = known.filter(|c| !matches!(c.command, Err(SkipReason::Unreadable(_))));
            if let Some(candidate) = known {
                target.criticality = criticality(self.settings(), &candidate.endpoint.groups);
                target.endpoint.groups.clone_from(&candidate.endpoint.groups);
            }
        }
        Ok(self.decide(tx, &by_now, &agent, self.clock().now()).await?)
    }

    /// Lets approvals lapse that were given before something began which the request would now cut
    /// short: nobody saw that. None where all still stand.
    pub(super) async fn lapse_votes(
        &self,
        tx: &mut Tx<'_>,
        request: &Request,
        now: Time,
    ) -> Result<Option<Transition>, BrokerError> {
        if request.votes.is_empty() || request.state.name() != StateName::Approved {
            return Ok(None);
        }
        let met = self.already_active(tx, request, now).await?;
        let Some(began) = met.iter().filter_map(AlreadyActive::shortens_since).max() else {
            return Ok(None);
        };
        let left = request.clone().without_votes_before(began);
        if left.votes.len() == request.votes.len() {
            return Ok(None);
        }
        let agent = accounts::agent_by_id(tx, request.agent).await?.ok_or(BrokerError::NotFound)?;
        let fresh = self.decide(tx, &left, &agent, now).await?;
        Ok(Some(request.clone().lapse_votes(began, fresh)?))
    }
}

/// Compares what the manager says now with what was approved.
pub(super) fn recheck(request: &Request, inventory: &Inventory) -> Recheck {
    let (mut lost, candidates) = (Vec::new(), inventory.by_id());
    for target in &request.targets {
        let id = &target.endpoint.id;
        let Some(Candidate { endpoint, command, .. }) = candidates.get(id) else {
            return Recheck::Identity(format!("endpoint {id} no longer exists"));
        };
        if let Err(reason @ SkipReason::Unreadable(_)) = command {
            lost.push((id.clone(), reason.to_string()));
            continue;
        }
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
