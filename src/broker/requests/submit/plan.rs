//! An agent proposes several asks in an order: all of them become requests, or none.

mod dry_run;

use serde_json::{Map, Value};

use super::Survey;
use crate::{
    broker::{Broker, BrokerError, requests::draft::Draft},
    connector::asked_by,
    domain::{
        actor::{Actor, Agent},
        audit::{AuditDetail, AuditEvent, detail::plan::PlanFacts},
        digest::Digest,
        id::PlanId,
        notice::Notice,
        plan::{
            Plan,
            proposal::{PlanProposal, ProposedStep, in_arguments, in_step, repeated},
        },
        proposal::{InvalidField, Proposal},
        request::{PlanStep, Request},
    },
    store::{
        Read, Tx, audit, notices,
        requests::{
            self,
            plans::{self, PlanKey},
        },
    },
};

/// A plan as an agent sent it, and each of its steps.
struct AskedPlan {
    proposal: PlanProposal,
    steps: Vec<Proposal>,
}

impl Broker {
    /// Takes the arguments of a plan and answers with the plan that is stored for them.
    pub async fn propose_plan(
        &self,
        agent: &Agent,
        arguments: &Map<String, Value>,
    ) -> Result<Plan, BrokerError> {
        match asked_by(agent.id, self.try_propose_plan(agent, arguments)).await {
            Ok(plan) => Ok(plan),
            Err(error) => Err(self.refuse_proposal(agent, None, error).await),
        }
    }

    async fn try_propose_plan(
        &self,
        agent: &Agent,
        arguments: &Map<String, Value>,
    ) -> Result<Plan, BrokerError> {
        let _place = self.acquire_slot(agent).await?;
        let asked = self.read_plan(agent, arguments).await?;
        if let Some(same) = self.known_plan(agent, &asked).await? {
            return Ok(same);
        }
        let (drafts, ask) = &self.drafts(agent, &asked, Survey::Asked).await?;
        let (proposal, ask) = (&asked.proposal, *ask);
        self.store()
            .for_agents()
            .write(|tx| {
                Box::pin(async move {
                    let same = find_repeated_plan(tx, agent, (proposal, ask)).await?;
                    if let Some(same) = same {
                        return Ok(plans::load_plan(tx, same).await?);
                    }
                    let (id, mut steps) = (self.clock().id(), Vec::with_capacity(drafts.len()));
                    for (place, draft) in (0..).zip(drafts) {
                        self.check_new(tx, agent, (place, draft)).await?;
                        let draft = of_plan(id, (place, draft));
                        steps.push(self.store_draft(tx, agent, &draft, None).await?);
                    }
                    let key = PlanKey { ask, idempotency_key: proposal.idempotency_key.as_deref() };
                    let plan = self.plan_of(agent, proposal, (id, steps));
                    self.store_plan(tx, agent, plan, key).await.map(Some)
                })
            })
            .await?
            .ok_or(BrokerError::NotFound)
    }

    /// A plan as it was sent.
    async fn read_plan(
        &self,
        agent: &Agent,
        arguments: &Map<String, Value>,
    ) -> Result<AskedPlan, BrokerError> {
        let open: Vec<_> = self.engine().catalogue().responses().to_vec();
        let open: Vec<_> = open.into_iter().filter(|kind| agent.scopes.contains(kind)).collect();
        let proposal = PlanProposal::parse(&open, arguments)?;
        let mut steps = Vec::with_capacity(proposal.steps.len());
        for (at, ProposedStep { kind, arguments }) in proposal.steps.iter().enumerate() {
            let step = self.read_proposal(*kind, arguments).await;
            steps.push(step.map_err(|error| of_arguments(at, error))?);
        }
        Ok(AskedPlan { proposal, steps })
    }

    /// The plan that was asked for before, as far as that is known before the manager is asked. Fails
    /// where there is no room for all steps: what is over a limit costs the manager nothing.
    async fn known_plan(
        &self,
        agent: &Agent,
        AskedPlan { proposal, steps }: &AskedPlan,
    ) -> Result<Option<Plan>, BrokerError> {
        let only = if let [only] = self.managers() { Some(only.name()) } else { None };
        let asks: Vec<_> =
            steps.iter().map(|step| step.ask_digest(step.manager.as_deref().or(only))).collect();
        let mut reader = self.store().reader().await?;
        let ask = proposal.ask_digest(&asks);
        if let Some(same) = find_repeated_plan(&mut reader, agent, (proposal, ask)).await? {
            return Ok(plans::load_plan(&mut reader, same).await?);
        }
        let (number, now) = (steps.len(), self.clock().now());
        self.check_open_limit(&mut reader, agent, (number, now)).await?;
        self.check_rate(&mut reader, agent, (number, now)).await?;
        Ok(None)
    }

    /// What would be stored for the steps but for policy's answers, and what the whole asks for.
    async fn drafts(
        &self,
        agent: &Agent,
        AskedPlan { proposal, steps }: &AskedPlan,
        survey: Survey,
    ) -> Result<(Vec<Draft>, Digest), BrokerError> {
        let mut drafts = Vec::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            let draft = self.frozen_draft(agent, step, survey).await;
            drafts.push(draft.map_err(|error| of_arguments(at, error))?);
        }
        let asks: Vec<_> = drafts.iter().map(|draft| draft.ask).collect();
        if let Some(twice) = repeated(&asks) {
            return Err(twice.into());
        }
        Ok((drafts, proposal.ask_digest(&asks)))
    }

    /// The plan over steps that were stored one after the other, so that each was decided and counted
    /// as if those before it had been asked for alone.
    fn plan_of(
        &self,
        agent: &Agent,
        proposal: &PlanProposal,
        (id, steps): (PlanId, Vec<Request>),
    ) -> Plan {
        let mut plan = Plan {
            id,
            agent: agent.id,
            agent_name: agent.name.clone(),
            heading: proposal.heading.clone(),
            reason: proposal.reason.clone(),
            on_failure: proposal.on_failure,
            digest: Digest::ZERO,
            asked_at: self.clock().now(),
            use_within: self.settings().use_approval_within,
            steps,
        };
        plan.digest = plan.computed_digest();
        plan
    }

    /// Stores a plan whose steps are stored, and what follows from those that are over already.
    async fn store_plan(
        &self,
        tx: &mut Tx<'_>,
        agent: &Agent,
        plan: Plan,
        key: PlanKey<'_>,
    ) -> Result<Plan, BrokerError> {
        let now = plan.asked_at;
        plans::insert(tx, &plan, key).await?;
        audit::append(tx, &asked(&plan, agent), now).await?;
        for step in plan.steps.iter().filter(|step| step.state.name().terminal()) {
            requests::follow(tx, step, (true, now)).await?;
        }
        let stored = plans::load_plan(tx, plan.id).await?.ok_or(BrokerError::NotFound)?;
        if let Some(notice) = Notice::of_plan(&stored, now) {
            notices::insert(tx, &notice).await?;
        }
        Ok(stored)
    }

    /// Refuses a step that would be no new request: the answer of a plan has one for each step.
    async fn check_new(
        &self,
        tx: &mut Tx<'_>,
        agent: &Agent,
        (at, draft): (usize, &Draft),
    ) -> Result<(), BrokerError> {
        let same = requests::same_open_ask(tx, agent.id, draft.ask).await?;
        let problem = if let Some(id) = same {
            Some(format!("you have asked for it: {id} is open"))
        } else {
            let standing = self.standing(tx, &draft.request, self.clock().now()).await?;
            standing.map(|one| format!("it is active already and rests on {}", one.id))
        };
        let Some(problem) = problem else { return Ok(()) };
        let (field, allowed) = (String::new(), "a plan without this step".to_owned());
        Err(in_step(at, InvalidField { field, problem, allowed }).into())
    }
}

/// A draft as the step of a plan: the first has the place 0.
fn of_plan(plan: PlanId, (place, draft): (usize, &Draft)) -> Draft {
    let number = u8::try_from(place + 1).unwrap_or(u8::MAX);
    let request = Request { plan: Some(PlanStep { plan, number }), ..draft.request.clone() };
    Draft { request, ..draft.clone() }
}

/// The agent's plan of the same key, or its open plan that asks for the same.
async fn find_repeated_plan(
    read: &mut impl Read,
    agent: &Agent,
    (proposal, ask): (&PlanProposal, Digest),
) -> Result<Option<PlanId>, BrokerError> {
    if let Some(key) = &proposal.idempotency_key
        && let Some((id, of_key)) = plans::plan_of_key(read, agent.id, key).await?
    {
        if of_key == ask {
            return Ok(Some(id));
        }
        return Err(InvalidField {
            field: "idempotency_key".to_owned(),
            problem: format!("`{key}` is the key of {id}, which asks for something else"),
            allowed: "a new key for a new plan".to_owned(),
        }
        .into());
    }
    Ok(plans::same_open_plan(read, agent.id, ask).await?)
}

fn asked(plan: &Plan, agent: &Agent) -> AuditEvent {
    let detail = AuditDetail::PlanAsked(PlanFacts {
        plan: plan.id,
        heading: plan.heading.clone(),
        reason: plan.reason.clone(),
        on_failure: plan.on_failure,
        steps: plan.steps.iter().map(|step| step.id).collect(),
        digest: plan.digest,
    });
    AuditEvent::new(Actor::from(agent), None, detail)
}

/// Says of which step an error is.
fn of_arguments(at: usize, error: BrokerError) -> BrokerError {
    if let BrokerError::Invalid(wrong) = error { in_arguments(at, wrong).into() } else { error }
}
