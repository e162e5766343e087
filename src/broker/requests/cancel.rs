//! The agent that asked, or its owner, takes a request, or a plan, back.

pub(super) mod children;

use crate::{
    broker::{Broker, BrokerError, Caller, SignedIn},
    domain::{
        Time,
        actor::Agent,
        facts::{Resource, Verb},
        id::{PlanId, RequestId},
        lifecycle::Refusal,
        plan::Plan,
        request::Request,
    },
    store::{
        Tx, accounts,
        requests::{self, plans},
    },
};

impl Broker {
    /// The agent that asked takes it back. For another agent there is no such request.
    pub async fn cancel_as_agent(
        &self,
        agent: &Agent,
        id: RequestId,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        self.cancel(Caller::Agent(agent), id, reason).await
    }

    /// The agent's owner takes it back.
    pub async fn cancel_as_person(
        &self,
        who: &SignedIn,
        id: RequestId,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        self.cancel(Caller::Person(who), id, reason).await
    }

    /// The agent that asked takes a plan back: every step that is not being sent yet. For another agent
    /// there is no such plan.
    pub async fn cancel_plan_as_agent(
        &self,
        agent: &Agent,
        id: PlanId,
        reason: &str,
    ) -> Result<Plan, BrokerError> {
        self.cancel_plan(Caller::Agent(agent), id, reason).await
    }

    /// The agent's owner takes a plan back, as the agent can.
    pub async fn cancel_plan_as_person(
        &self,
        who: &SignedIn,
        id: PlanId,
        reason: &str,
    ) -> Result<Plan, BrokerError> {
        self.cancel_plan(Caller::Person(who), id, reason).await
    }

    async fn cancel_plan(
        &self,
        caller: Caller<'_>,
        id: PlanId,
        reason: &str,
    ) -> Result<Plan, BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let plan = plans::load_plan(tx, id).await?.ok_or(BrokerError::NotFound)?;
                    let (mut cancelled, mut refused) = (0, None);
                    // The last first: a step that ends moves those after it.
                    for step in plan.steps.iter().rev() {
                        match self.cancel_in(tx, caller, (step.id, reason), now).await {
                            Ok(_) => cancelled += 1,
                            Err(error @ BrokerError::Refused(Refusal::WrongState { .. })) => {
                                refused.get_or_insert(error);
                            }
                            Err(other) => return Err(other),
                        }
                    }
                    match refused.filter(|_| cancelled == 0) {
                        Some(error) => Err(error),
                        None => Ok(plans::load_plan(tx, id).await?),
                    }
                })
            })
            .await?
            .ok_or(BrokerError::NotFound)
    }

    async fn cancel(
        &self,
        caller: Caller<'_>,
        id: RequestId,
        reason: &str,
    ) -> Result<Request, BrokerError> {
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move { self.cancel_in(tx, caller, (id, reason), now).await })
            })
            .await
    }

    async fn cancel_in(
        &self,
        tx: &mut Tx<'_>,
        caller: Caller<'_>,
        (id, reason): (RequestId, &str),
        now: Time,
    ) -> Result<Request, BrokerError> {
        let reason = &reason.chars().take(500).collect::<String>();
        let active = caller.active(tx, now).await?;
        let who = &active.principal(now);
        let request = requests::load(tx, id).await?.ok_or(BrokerError::NotFound)?;
        let agent = accounts::agent_by_id(tx, request.agent).await?.ok_or(BrokerError::NotFound)?;
        let resource = Resource::Request(request.facts(&agent));
        self.authorize(who, Verb::View, &resource).map_err(|_hidden| BrokerError::NotFound)?;
        let may = self.engine().may(who, Verb::Cancel, &resource);
        let transition = request.cancel(active.actor(), reason, &may, now)?;
        let cancelled = requests::advance(tx, transition, now).await?;
        let cancel = |child: Request| child.cancel(active.actor(), reason, &may, now);
        self.end_children(tx, cancelled, now, cancel).await
    }
}
