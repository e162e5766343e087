//! One plan, with all its steps.

use std::time::Duration;

use super::is_waited_for;
use crate::{
    broker::{Broker, BrokerError, SignedIn, queries::view::Permission},
    domain::{
        active_response::AlreadyActive,
        actor::Agent,
        decision::Tier,
        facts::{Principal, Resource, Verb},
        id::PlanId,
        plan::Plan,
        request::{Request, StateName},
    },
    store::{Read, accounts, requests::plans},
};

/// A plan as a person sees it.
#[derive(Debug, Clone)]
pub struct PlanView {
    /// The plan.
    pub plan: Plan,
    /// What the person may do with each step, in their order.
    pub steps: Vec<StepView>,
}

/// What a person may do with a step of a plan.
#[derive(Debug, Clone)]
pub struct StepView {
    /// The step.
    pub request: Request,
    /// The agent as it is now.
    pub agent: Agent,
    /// Whether the person may approve it, earlier votes aside.
    pub approve: Permission,
    /// Whether the person may cancel it, its state aside.
    pub cancel: Permission,
    /// Whether the person has approved it.
    pub voted: bool,
    /// What is active already on its endpoints.
    pub active: Vec<AlreadyActive>,
}

impl PlanView {
    /// The steps that a cancellation of the plan ends; none where the person may not end one of them.
    pub fn cancellable(&self) -> Vec<&StepView> {
        let open: Vec<_> = self.steps.iter().filter(|step| step.request.is_open()).collect();
        let may = |step: &&StepView| step.cancel.why_not().is_none();
        if open.iter().all(may) { open } else { Vec::new() }
    }
}

impl StepView {
    /// 1 for the first.
    pub fn number(&self) -> u8 {
        self.request.plan.map_or(0, |step| step.number)
    }

    /// Whether the person may approve it together with others of its plan.
    pub fn is_approvable_together(&self) -> bool {
        self.request.state.name() == StateName::Pending
            && self.request.tier() == Tier::Low
            && !self.voted
            && self.approve.with_others()
    }
}

impl Broker {
    /// One of the agent's own plans; another agent's is not found.
    pub async fn plan_of_agent(&self, agent: &Agent, id: PlanId) -> Result<Plan, BrokerError> {
        let mut reader = self.store().reader().await?;
        let (plan, of) = load_with_agent(&mut reader, id).await?;
        let who = Principal::Agent(agent.clone());
        for step in &plan.steps {
            self.authorize(&who, Verb::View, &Resource::Request(step.facts(&of)))
                .map_err(|_hidden| BrokerError::NotFound)?;
        }
        Ok(plan)
    }

    /// [`Broker::plan_of_agent`], but waits until nothing further will be sent, or only once endpoints
    /// are back, at most so long.
    pub async fn wait_for_plan(
        &self,
        agent: &Agent,
        id: PlanId,
        time: Duration,
    ) -> Result<Plan, BrokerError> {
        let until = self.clock().now() + time;
        loop {
            let plan = self.plan_of_agent(agent, id).await?;
            let left = (until - self.clock().now()).to_std().unwrap_or_default();
            let open = plan.steps.iter().find(|step| !step.state.name().terminal());
            // While a step waits for endpoints, so do those after it.
            let open = open.filter(|step| is_waited_for(step) && !left.is_zero());
            let Some(open) = open else { return Ok(plan) };
            self.wait_for(agent, open.id, left).await?;
        }
    }

    /// A plan with the reasons why its approved steps are not being sent, as they are now.
    pub async fn plan_with_holds(&self, mut plan: Plan) -> Result<Plan, BrokerError> {
        let mut holds = self.holds(&mut self.store().reader().await?).await?;
        for step in &mut plan.steps {
            step.held_because = holds.remove(&step.id);
        }
        Ok(plan)
    }

    /// One plan, for a person.
    pub async fn plan_of_person(
        &self,
        who: &SignedIn,
        id: PlanId,
    ) -> Result<PlanView, BrokerError> {
        let now = self.clock().now();
        let mut reader = self.store().reader().await?;
        let (plan, agent) = load_with_agent(&mut reader, id).await?;
        let mut steps = Vec::with_capacity(plan.steps.len());
        for request in &plan.steps {
            let resource = Resource::Request(request.facts(&agent));
            self.authorize(&who.principal(now), Verb::View, &resource)?;
            let waits = matches!(request.state.name(), StateName::Pending | StateName::Approved);
            let active = if waits {
                self.already_active(&mut reader, request, now).await?
            } else {
                Vec::new()
            };
            steps.push(StepView {
                request: request.clone(),
                agent: agent.clone(),
                approve: self.permission(who, Verb::Approve, &resource),
                cancel: self.permission(who, Verb::Cancel, &resource),
                voted: request.votes.iter().any(|vote| vote.person.id == who.id()),
                active,
            });
        }
        drop(reader);
        Ok(PlanView { plan: self.plan_with_holds(plan).await?, steps })
    }
}

async fn load_with_agent(read: &mut impl Read, id: PlanId) -> Result<(Plan, Agent), BrokerError> {
    let plan = plans::load_plan(read, id).await?.ok_or(BrokerError::NotFound)?;
    let agent = accounts::agent_by_id(read, plan.agent).await?.ok_or(BrokerError::NotFound)?;
    Ok((plan, agent))
}
