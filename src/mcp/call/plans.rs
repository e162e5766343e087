//! Plans: asked for, followed, taken back.

use std::time::Duration;

use super::Call;
use crate::{
    broker::BrokerError,
    domain::{id::PlanId, plan::Plan},
    mcp::{
        answer::{
            ToolAnswer,
            plan::{of_dry_run, of_plan},
        },
        arguments::ToolArguments,
        tools::{CANCEL_REASON_CHARS_MAX, ToolName, WAIT_SECONDS_MAX},
    },
};

impl Call<'_> {
    pub(super) async fn propose_plan(
        &self,
        arguments: ToolArguments,
    ) -> Result<ToolAnswer, BrokerError> {
        let dry_run = arguments.check_fields(ToolName::ProposePlan);
        let plan = match dry_run.and_then(|()| arguments.flag("dry_run")) {
            Ok(true) => {
                let tried = self.broker.dry_run_plan(self.agent, arguments.fields()).await?;
                return Ok(of_dry_run(&tried.0, tried.1, self.broker.several_managers()));
            }
            Ok(false) => self.broker.propose_plan(self.agent, arguments.fields()).await?,
            Err(wrong) => {
                return Err(self.broker.refuse_proposal(self.agent, None, wrong.into()).await);
            }
        };
        self.shown(plan).await
    }

    pub(super) async fn get_plan(
        &self,
        arguments: &ToolArguments,
    ) -> Result<ToolAnswer, BrokerError> {
        arguments.check_fields(ToolName::GetPlan)?;
        let seconds = arguments.number("timeout_seconds", 0..=WAIT_SECONDS_MAX, 0)?;
        let plan = self.wait_for_plan(arguments.plan_id()?, seconds).await?;
        self.shown(plan).await
    }

    pub(super) async fn cancel_plan(
        &self,
        arguments: &ToolArguments,
    ) -> Result<ToolAnswer, BrokerError> {
        arguments.check_fields(ToolName::CancelPlan)?;
        let reason = arguments.text("reason", CANCEL_REASON_CHARS_MAX)?;
        let id = arguments.plan_id()?;
        let plan = self.broker.cancel_plan_as_agent(self.agent, id, reason).await?;
        self.shown(plan).await
    }

    async fn shown(&self, plan: Plan) -> Result<ToolAnswer, BrokerError> {
        let plan = self.broker.plan_with_holds(plan).await?;
        Ok(of_plan(&plan, self.public_url, self.broker.several_managers()))
    }

    async fn wait_for_plan(&self, id: PlanId, seconds: u32) -> Result<Plan, BrokerError> {
        let now = || self.broker.plan_of_agent(self.agent, id);
        let time = Duration::from_secs(seconds.into());
        tokio::select! {
            waited = self.broker.wait_for_plan(self.agent, id, time) => waited,
            never = self.tell_progress(seconds) => match never {},
            () = self.stop.cancelled() => now().await,
            () = self.gone.cancelled() => now().await,
            () = self.revoked() => Err(BrokerError::NotFound),
        }
    }
}
