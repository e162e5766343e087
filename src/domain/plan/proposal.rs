//! What an agent sent as a plan: the plan's own fields, and for each step the arguments of an action.

use serde_json::{Map, Value};

use super::{HEADING_CHARS_MAX, STEPS_MAX, STEPS_MIN};
use crate::domain::{
    action::ActionKind,
    digest::{Canonical, Digest},
    proposal::{InvalidField, check_text, key, present, reason},
    request::FailureRule,
};

/// What the plan has once, so that no step has it.
const OF_THE_PLAN: [&str; 3] = ["wait_seconds", "dry_run", "idempotency_key"];

/// A plan before its steps are read as proposals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanProposal {
    /// What it is about: 1 to [`HEADING_CHARS_MAX`] characters.
    pub heading: String,
    /// Why, in the agent's words; each step that gives no reason of its own has this one.
    pub reason: String,
    /// What happens after a step that failed.
    pub on_failure: FailureRule,
    /// [`STEPS_MIN`] to [`STEPS_MAX`] of them, in their order.
    pub steps: Vec<ProposedStep>,
    /// The agent's own name for this plan, unique among its plans.
    pub idempotency_key: Option<String>,
}

/// One ask of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedStep {
    /// The response.
    pub kind: ActionKind,
    /// The arguments of its tool.
    pub arguments: Map<String, Value>,
}

impl PlanProposal {
    /// Reads the arguments of a plan whose steps may be these actions.
    pub fn parse(
        open: &[ActionKind],
        arguments: &Map<String, Value>,
    ) -> Result<Self, InvalidField> {
        let heading = heading(arguments)?;
        let reason = reason(arguments)?;
        let on_failure = on_failure(arguments)?;
        let steps = steps(open, &reason, arguments)?;
        Ok(Self { heading, reason, on_failure, steps, idempotency_key: key(arguments)? })
    }

    /// Equal for plans that ask for the same in the same order under the same rule, in whatever words.
    pub fn ask_digest(&self, steps: &[Digest]) -> Digest {
        Canonical::new(1, "ask for a plan")
            .text(self.on_failure.name())
            .list(steps.iter(), |canonical, step| canonical.bytes(step.bytes()))
            .digest()
    }
}

/// Says in which step something is wrong: by its place in the list, and by its number.
pub fn in_step(at: usize, wrong: InvalidField) -> InvalidField {
    let inner = if wrong.field.is_empty() { String::new() } else { format!(".{}", wrong.field) };
    InvalidField { field: format!("steps[{at}]{inner} (step {})", at + 1), ..wrong }
}

/// [`in_step`] of what an action's arguments must be.
pub fn in_arguments(at: usize, wrong: InvalidField) -> InvalidField {
    let field = format!("arguments.{}", wrong.field);
    in_step(at, InvalidField { field, ..wrong })
}

/// What is wrong where a step asks for what a step before it asks for.
pub fn repeated(asks: &[Digest]) -> Option<InvalidField> {
    let twice = |at: &usize| asks.iter().take(*at).any(|earlier| asks.get(*at) == Some(earlier));
    let at = (0..asks.len()).find(twice)?;
    let problem = "a step before it asks for the same";
    Some(in_step(at, InvalidField::new("", problem, "each ask once")))
}

fn heading(arguments: &Map<String, Value>) -> Result<String, InvalidField> {
    let allowed = format!("1 to {HEADING_CHARS_MAX} characters that say what the plan is about");
    let value = present(arguments, "heading")
        .ok_or_else(|| InvalidField::new("heading", "it is missing", &allowed))?;
    let fits = |text: &&str| text.chars().count() <= HEADING_CHARS_MAX;
    let text = value.as_str().filter(fits);
    let text = text.ok_or_else(|| InvalidField::value("heading", value, &allowed))?;
    check_text("heading", text, &allowed)?;
    Ok(text.to_owned())
}

fn on_failure(arguments: &Map<String, Value>) -> Result<FailureRule, InvalidField> {
    let allowed = "stop (what follows a step that failed is withdrawn) or continue (it goes on)";
    let value = present(arguments, "on_failure")
        .ok_or_else(|| InvalidField::new("on_failure", "it is missing", allowed))?;
    let rule = value.as_str().and_then(|name| name.parse().ok());
    rule.ok_or_else(|| InvalidField::value("on_failure", value, allowed))
}

fn steps(
    open: &[ActionKind],
    reason: &str,
    arguments: &Map<String, Value>,
) -> Result<Vec<ProposedStep>, InvalidField> {
    let allowed = format!(
        "a list of {STEPS_MIN} to {STEPS_MAX} steps, each {{\"action\": the name of a tool that asks \
         for a response, \"arguments\": {{what that tool takes}}}}"
    );
    let value = present(arguments, "steps")
        .ok_or_else(|| InvalidField::new("steps", "it is missing", &allowed))?;
    let list = value.as_array().ok_or_else(|| InvalidField::value("steps", value, &allowed))?;
    if !(STEPS_MIN..=STEPS_MAX).contains(&list.len()) {
        let problem = format!("it holds {} steps", list.len());
        return Err(InvalidField::new("steps", problem, allowed));
    }
    let step = |(at, item)| step(open, reason, (at, item));
    list.iter().enumerate().map(step).collect()
}

fn step(
    open: &[ActionKind],
    reason: &str,
    (at, item): (usize, &Value),
) -> Result<ProposedStep, InvalidField> {
    const FIELDS: &str = "action and arguments";
    let wrong = |wrong| in_step(at, wrong);
    let object = item.as_object();
    let object = object.ok_or_else(|| wrong(InvalidField::value("", item, FIELDS)))?;
    if let Some(field) = object.keys().find(|field| !["action", "arguments"].contains(&&***field)) {
        let field: String = field.chars().take(80).collect();
        return Err(wrong(InvalidField::new(&field, "there is no such field", FIELDS)));
    }
    let missing = |field, allowed| wrong(InvalidField::new(field, "it is missing", allowed));
    let names: Vec<_> = open.iter().map(|kind| kind.name()).collect();
    let names = names.join(", ");
    let action = present(object, "action").ok_or_else(|| missing("action", names.clone()))?;
    let kind = open.iter().find(|kind| action.as_str() == Some(kind.name()));
    let kind = *kind.ok_or_else(|| wrong(InvalidField::value("action", action, names)))?;
    let fields = format!("an object with what {} takes", kind.name());
    let given = present(object, "arguments").ok_or_else(|| missing("arguments", fields.clone()))?;
    let arguments = given.as_object();
    let mut arguments =
        arguments.ok_or_else(|| wrong(InvalidField::value("arguments", given, fields)))?.clone();
    if let Some(field) = OF_THE_PLAN.iter().find(|field| present(&arguments, field).is_some()) {
        let problem = "a step has none of its own";
        let allowed = "the same field of the plan, where it has one";
        return Err(in_arguments(at, InvalidField::new(field, problem, allowed)));
    }
    if present(&arguments, "reason").is_none() {
        arguments.insert("reason".to_owned(), reason.into());
    }
    Ok(ProposedStep { kind, arguments })
}
