//! What an agent is shown of a plan: short, because `get_request` shows each step whole.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ToolAnswer, decision::DecisionAnswer, endpoints::Endpoints, json};
use crate::{
    domain::{
        decision::Verdict,
        id::PlanId,
        plan::{Plan, StepStanding},
        request::{Request, State, StateName},
    },
    text::plan::{plan_dry_run, plan_message},
};

#[derive(Serialize, JsonSchema)]
pub(in crate::mcp) struct PlanAnswer<'a> {
    /// The name of the plan in all further calls. Absent after a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_id: Option<String>,
    /// Whether nothing further will be sent for any step.
    terminal: bool,
    /// What happened and what you should do next. Follow it.
    message: String,
    /// The steps, in their order.
    steps: Vec<StepAnswer<'a>>,
    /// The page on which analysts decide about it. Give it to the user. Absent after a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_url: Option<String>,
    /// true after a dry run: states are what they would be, and nothing was asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

#[derive(Serialize, JsonSchema)]
struct StepAnswer<'a> {
    /// The request that the step is. Absent after a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// What it does, where and for how long, in one line.
    effect: String,
    /// Its state.
    #[schemars(extend("enum" = StateName::ALL.map(StateName::name)))]
    state: &'static str,
    /// Who has to approve it. Absent where nobody has to any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<String>,
    /// What it waits for, or why nothing or not all of it was done. May hold text from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What policy would answer; present after a dry run alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<DecisionAnswer<'a>>,
    /// Where it would act; present after a dry run alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints: Option<Endpoints<'a>>,
}

/// One plan.
pub(in crate::mcp) fn of_plan(plan: &Plan, public_url: &str, several_managers: bool) -> ToolAnswer {
    let shown = PlanAnswer {
        plan_id: Some(plan.id.to_string()),
        terminal: plan.is_over(),
        message: plan_message(plan),
        steps: plan.steps.iter().map(|step| StepAnswer::of(step, several_managers)).collect(),
        approval_url: Some(format!("{public_url}/plans/{}", plan.id)),
        dry_run: false,
    };
    let came_to_something = |step: &Request| step.standing() == StepStanding::Done;
    let is_error = plan.is_over() && !plan.steps.iter().any(came_to_something);
    ToolAnswer { structured: json(&shown), is_error }
}

/// What a plan would become, and the agent's open plan that an ask would give in its place.
pub(in crate::mcp) fn of_dry_run(
    plan: &Plan,
    repeats: Option<PlanId>,
    several_managers: bool,
) -> ToolAnswer {
    let shown = PlanAnswer {
        plan_id: None,
        terminal: plan.is_over(),
        message: plan_dry_run(plan, repeats),
        steps: plan.steps.iter().map(|step| StepAnswer::tried(step, several_managers)).collect(),
        approval_url: None,
        dry_run: true,
    };
    ToolAnswer { structured: json(&shown), is_error: false }
}

impl<'a> StepAnswer<'a> {
    fn tried(step: &'a Request, several_managers: bool) -> Self {
        Self {
            request_id: None,
            decision: Some(DecisionAnswer::of(&step.decision)),
            endpoints: Some(Endpoints::of(step, several_managers, &[])),
            ..Self::of(step, several_managers)
        }
    }

    fn of(step: &Request, several_managers: bool) -> Self {
        let needs = match (&step.state, step.decision.verdict) {
            (State::Pending, Verdict::Approval(least)) => Some(least.to_string()),
            _ => None,
        };
        Self {
            request_id: Some(step.id.to_string()),
            effect: step.effect_among(several_managers),
            state: step.state.name().name(),
            needs,
            why: why(step),
            decision: None,
            endpoints: None,
        }
    }
}

fn why(step: &Request) -> Option<String> {
    match (&step.state, step.standing()) {
        (State::Approved { .. }, _) => step.held_because.clone(),
        (State::Denied { .. }, _) => Some(step.decision.why()),
        (
            State::Rejected { reason, .. }
            | State::Cancelled { reason, .. }
            | State::Expired { reason, .. }
            | State::Withdrawn { reason, .. },
            _,
        ) => Some(reason.clone()).filter(|reason| !reason.is_empty()),
        (State::Settled { .. }, StepStanding::Failed(why)) => Some(format!("it {why}")),
        (
            State::Pending
            | State::Dispatching { .. }
            | State::Waiting { .. }
            | State::Settled { .. },
            _,
        ) => None,
    }
}
