//! What the model is told of a plan: where it stands, and what to do next.

use crate::domain::{
    action::with_count,
    id::PlanId,
    len_u64,
    plan::{Plan, StepStanding},
    request::{Request, StateName},
};

/// Where a plan stands, with ids, counts and our own words alone.
pub(crate) fn plan_message(plan: &Plan) -> String {
    let is_over = plan.is_over();
    let done = plan.steps.iter().filter(|step| step.standing() == StepStanding::Done).count();
    let all = with_count(len_u64(plan.steps.len()), "step");
    let sent = format!("{done} of {all} sent on every endpoint that takes part.");
    if is_over && done == plan.steps.len() {
        return format!("It is over: {sent}");
    }
    if is_over {
        return format!(
            "It is over: {sent} `why` says of each other step what became of it; get_request shows it \
             whole. Do not ask again; tell the user."
        );
    }
    let waiting = plan.steps.iter().filter(|step| step.state.name() == StateName::Pending);
    let waiting: Vec<_> = waiting.filter_map(number).collect();
    let wait = "Do not ask again; call get_plan with timeout_seconds.";
    match waiting.as_slice() {
        [] => format!("It is under way: {sent} {wait}"),
        [only] => {
            format!("Step {only} waits for people: give the user approval_url. {sent} {wait}")
        }
        several => {
            let several = several.join(", ");
            format!("Steps {several} wait for people: give the user approval_url. {sent} {wait}")
        }
    }
}

/// What the model is told of a plan that was not asked for: what it would become, and the agent's open
/// plan that an ask would give in its place.
pub(crate) fn plan_dry_run(plan: &Plan, repeats: Option<PlanId>) -> String {
    let of = |wanted: StateName| {
        let numbers = plan.steps.iter().filter(|step| step.state.name() == wanted);
        let numbers: Vec<_> = numbers.filter_map(number).collect();
        numbers.join(", ")
    };
    let parts = [
        (of(StateName::Approved), "would run without people, each in its turn"),
        (of(StateName::Pending), "would wait for people"),
        (of(StateName::Denied), "would be refused by policy"),
        (of(StateName::Withdrawn), "would be withdrawn after that"),
    ];
    let parts = parts.iter().filter(|(numbers, _)| !numbers.is_empty());
    let part = |(numbers, what): &(String, &str)| {
        let step = if numbers.contains(',') { "Steps" } else { "Step" };
        format!("{step} {numbers} {what}.")
    };
    let parts: Vec<_> = parts.map(part).collect();
    let next = match repeats {
        None => "To ask, call again without dry_run.".to_owned(),
        Some(open) => format!("You asked for this already: an ask would give you {open} again."),
    };
    format!(
        "Dry run: nothing was asked, stored or sent, and it does not count as a refusal. {} {next}",
        parts.join(" ")
    )
}

fn number(step: &Request) -> Option<String> {
    step.plan.map(|step| step.number.to_string())
}
