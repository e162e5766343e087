//! Looking again before the claim: are these still the endpoints, and does policy still allow it?

use crate::{
    broker::{
        Broker, BrokerError,
        execution::order::DispatchContext,
        requests::evaluate::{ReadPoint, criticality},
    },
    domain::{
        Time,
        active_response::AlreadyActive,
        endpoint::{Candidate, EndpointId, Inventory, SkipReason},
        facts::PolicyQuestion,
        lifecycle::{Reevaluation, Transition},
        request::{Request, StateName, Target},
    },
    store::{Read, Tx, accounts, requests},
};

/// What changed on the endpoints since they were frozen.
pub(super) enum Recheck {
    /// These cannot be reached now, or what the manager says of them cannot be read.
    Disconnected(Vec<(EndpointId, String)>),
    /// Something is no longer what was approved.
    Identity(String),
}

/// Policy's answer about a request on a reader, ahead of the claim.
pub(super) struct RecheckAhead {
    since: ReadPoint,
    request: Request,
    question: PolicyQuestion,
    fresh: Reevaluation,
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
        let question = self.question_before_claim(tx, request, ground).await?;
        Ok(self.reevaluate(&question, request))
    }

    /// The same on a reader, ahead of the claim. None where approvals lapse.
    pub(super) async fn recheck_ahead(
        &self,
        known: &Request,
        ground: &DispatchContext<'_>,
        now: Time,
    ) -> Result<Option<RecheckAhead>, BrokerError> {
        let since = self.read_point();
        let mut reader = self.store().reader().await?;
        let request = reload(&mut reader, known).await?;
        if self.lapse_votes(&mut reader, &request, now).await?.is_some() {
            return Ok(None);
        }
        let question = self.question_before_claim(&mut reader, &request, ground).await?;
        let fresh = self.reevaluate(&question, &request);
        Ok(Some(RecheckAhead { since, request, question, fresh }))
    }

    /// A request as it is in the transaction of the claim, with policy's answer: what was found ahead,
    /// where nothing moved that it rests on. None where approvals lapse, which is written.
    pub(super) async fn recheck_in(
        &self,
        tx: &mut Tx<'_>,
        ahead: Option<&RecheckAhead>,
        (known, ground, now): (&Request, &DispatchContext<'_>, Time),
    ) -> Result<Option<(Request, Reevaluation)>, BrokerError> {
        if let Some(RecheckAhead { since, request, question, fresh }) = ahead
            && self.holds_still(tx, *since, request, (question, fresh.run.policy_hash))
            && self.moved_over_all(tx, *since, request, question).await?.is_none()
        {
            return Ok(Some((request.clone(), fresh.clone())));
        }
        let request = reload(tx, known).await?;
        if let Some(lapsed) = self.lapse_votes(tx, &request, now).await? {
            requests::advance(tx, lapsed, now).await?;
            return Ok(None);
        }
        let fresh = self.recheck_policy(tx, &request, ground).await?;
        Ok(Some((request, fresh)))
    }

    async fn question_before_claim(
        &self,
        read: &mut impl Read,
        request: &Request,
        ground: &DispatchContext<'_>,
    ) -> Result<PolicyQuestion, BrokerError> {
        let agent = accounts::agent_by_id(read, request.agent).await?;
        let agent = agent.ok_or(BrokerError::NotFound)?;
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
        Ok(self.question_now(read, &by_now, &agent, self.clock().now()).await?)
    }

    /// Lets approvals lapse that were given before something began which the request would now cut
    /// short: nobody saw that. None where all still stand.
    pub(super) async fn lapse_votes(
        &self,
        read: &mut impl Read,
        request: &Request,
        now: Time,
    ) -> Result<Option<Transition>, BrokerError> {
        if request.votes.is_empty() || request.state.name() != StateName::Approved {
            return Ok(None);
        }
        let met = self.already_active(read, request, now).await?;
        let Some(began) = met.iter().filter_map(AlreadyActive::shortens_since).max() else {
            return Ok(None);
        };
        let left = request.clone().without_votes_before(began);
        if left.votes.len() == request.votes.len() {
            return Ok(None);
        }
        let agent =
            accounts::agent_by_id(read, request.agent).await?.ok_or(BrokerError::NotFound)?;
        let fresh = self.decide(read, &left, &agent, now).await?;
        Ok(Some(request.clone().lapse_votes(began, fresh)?))
    }
}

/// The request as it is now, with whoever voted.
pub(super) async fn reload(read: &mut impl Read, known: &Request) -> Result<Request, BrokerError> {
    requests::reload(read, known).await?.ok_or(BrokerError::NotFound)
}

/// Compares what the manager says now with what was approved.
pub(super) fn recheck(request: &Request, inventory: &Inventory) -> Recheck {
    let (mut lost, candidates) = (Vec::new(), inventory.by_id());
    for target in &request.targets {
        let id = &target.endpoint.id;
        let Some(Candidate { endpoint, command, when_back, .. }) = candidates.get(id) else {
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
            Err(SkipReason::NotActive(_)) if is_other(when_back.as_ref(), target) => {
                return Recheck::Identity(format!(
                    "endpoint {id} would now be sent something else"
                ));
            }
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

/// Whether an endpoint that is away would be sent something else than was approved.
fn is_other(when_back: Option<&String>, target: &Target) -> bool {
    when_back.is_some_and(|command| *command != target.command)
}
