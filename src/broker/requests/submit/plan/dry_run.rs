//! What would become of a plan: its steps are stored as if it were asked for, and the transaction is
//! undone. So each step is decided with those before it, by the code that decides about an ask.

use serde_json::{Map, Value};

use super::{find_repeated_plan, of_plan};
use crate::{
    broker::{
        Broker, BrokerError,
        requests::{draft::Draft, submit::Survey},
        signed_in::active_agent,
    },
    connector::asked_by,
    domain::{
        action::ActionKind,
        actor::{Actor, Agent},
        audit::{
            AuditDetail, AuditEvent,
            detail::request::{DecisionFacts, DryRunFacts},
        },
        digest::Digest,
        id::PlanId,
        plan::{Plan, proposal::PlanProposal},
        request::Request,
    },
    store::{StoreError, Tx, audit, requests::plans::PlanKey},
};

/// How a transaction ended that is undone in any case.
enum Rehearsal {
    /// What would be stored, and the agent's open plan that an ask would give in its place.
    Played(Box<Plan>, Option<PlanId>),
    /// It could not be played to its end.
    Failed(BrokerError),
}

impl From<StoreError> for Rehearsal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Broker {
    /// The plan that these arguments would become, with policy's answer for each step, and the agent's
    /// open plan that it would give in its place. Stores that each step was tried, and nothing else;
    /// each counts as an ask within the minute, and never as a refusal.
    pub async fn dry_run_plan(
        &self,
        agent: &Agent,
        arguments: &Map<String, Value>,
    ) -> Result<(Plan, Option<PlanId>), BrokerError> {
        match asked_by(agent.id, self.try_dry_run_plan(agent, arguments)).await {
            Ok(tried) => Ok(tried),
            Err(error) => Err(self.refuse_proposal(agent, None, error).await),
        }
    }

    async fn try_dry_run_plan(
        &self,
        agent: &Agent,
        arguments: &Map<String, Value>,
    ) -> Result<(Plan, Option<PlanId>), BrokerError> {
        let _place = self.acquire_slot(agent).await?;
        let asked = self.read_plan(agent, arguments).await?;
        let (drafts, ask) = &self.drafts(agent, &asked, Survey::Listed).await?;
        let wanted = (&asked.proposal, *ask);
        let store = self.store().for_agents();
        let played: Result<(), Rehearsal> = store
            .write_quietly(|tx| {
                Box::pin(async move { Err(self.play(tx, agent, wanted, drafts).await) })
            })
            .await;
        let (plan, repeats) = match played {
            Err(Rehearsal::Played(plan, repeats)) => (*plan, repeats),
            Err(Rehearsal::Failed(error)) => return Err(error),
            Ok(()) => return Err(BrokerError::NotFound),
        };
        let events = &plan.steps.iter().map(|step| tried(agent, step)).collect::<Vec<_>>();
        store
            .write(|tx| {
                Box::pin(async move {
                    let now = self.clock().now();
                    for event in events {
                        self.check_rate(tx, agent, (1, now)).await?;
                        audit::append(tx, event, now).await?;
                    }
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        Ok((plan, repeats))
    }

    async fn play(
        &self,
        tx: &mut Tx<'_>,
        agent: &Agent,
        (proposal, ask): (&PlanProposal, Digest),
        drafts: &[Draft],
    ) -> Rehearsal {
        match self.try_play(tx, agent, (proposal, ask), drafts).await {
            Ok((plan, repeats)) => Rehearsal::Played(Box::new(plan), repeats),
            Err(error) => Rehearsal::Failed(error),
        }
    }

    async fn try_play(
        &self,
        tx: &mut Tx<'_>,
        agent: &Agent,
        (proposal, ask): (&PlanProposal, Digest),
        drafts: &[Draft],
    ) -> Result<(Plan, Option<PlanId>), BrokerError> {
        let agent = &active_agent(tx, agent).await?;
        let repeats = find_repeated_plan(tx, agent, (proposal, ask)).await?;
        let (id, mut steps) = (self.clock().id(), Vec::with_capacity(drafts.len()));
        for (place, draft) in (0..).zip(drafts) {
            if repeats.is_none() {
                self.check_new(tx, agent, (place, draft)).await?;
            }
            let draft = of_plan(id, (place, draft));
            // As for every dry run: how much is open does not matter.
            let (request, now) = (&draft.request, draft.request.asked_at);
            let first = self.decide_first(tx, request, agent, now).await?;
            let decided = Some((first.decision, first.history));
            steps.push(self.store_draft(tx, agent, &draft, decided).await?);
        }
        let plan = self.plan_of(agent, proposal, (id, steps));
        // The key may be that of the plan that it repeats.
        let key = PlanKey { ask, idempotency_key: None };
        Ok((self.store_plan(tx, agent, plan, key).await?, repeats))
    }
}

/// A step of a plan was tried.
fn tried(agent: &Agent, step: &Request) -> AuditEvent {
    let detail = AuditDetail::ProposalDryRun(DryRunFacts {
        effect: step.effect(),
        manager: step.manager.clone(),
        decision: DecisionFacts::from(&step.decision),
        step: step.plan.map(|step| step.number),
    });
    let kind: ActionKind = step.action.kind();
    AuditEvent {
        action: Some(kind.name().to_owned()),
        ..AuditEvent::new(Actor::from(agent), None, detail)
    }
}
