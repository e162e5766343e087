//! Plans: several asks in an order, stored together, decided one by one.

use serde_json::{Value, json};

use crate::harness::{AgentClient, World, agent::Answer};

mod asking;
mod dry_run;
mod order;
mod page;

/// One person must approve it.
pub(crate) const WEB: &str = "001";
/// Two people must.
pub(crate) const CORE: &str = "003";

/// Runs where the target is active on at most two endpoints; else people must approve.
pub(crate) const REACH_TWO: &str = r#"
@id("ask") @why("a") permit (principal, action in Countersign::Action::"ask", resource);
@id("see") @why("a") permit (principal, action == Countersign::Action::"view", resource);
@id("run") @why("a") permit (principal, action in Countersign::Action::"run", resource)
when { context.facts.reach <= 2 || context.votes.analyst >= 1 };
"#;

/// A block of ten minutes on one endpoint.
pub(crate) fn block(endpoint: &str) -> Value {
    let arguments = json!({
        "srcip": "203.0.113.9", "agent_ids": [endpoint], "duration_seconds": 600,
    });
    json!({ "action": "block_ip", "arguments": arguments })
}

/// The arguments of a plan.
pub(crate) fn plan(on_failure: &str, steps: &[Value]) -> Value {
    json!({
        "heading": "contain web-01", "reason": "it scans", "on_failure": on_failure,
        "steps": steps,
    })
}

pub(crate) async fn propose(agent: &AgentClient, on_failure: &str, steps: &[Value]) -> Answer {
    agent.call("propose_plan", plan(on_failure, steps)).await
}

/// What is stored of a plan.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) steps: Vec<String>,
}

impl Asked {
    #[track_caller]
    pub(crate) fn of(answer: &Answer) -> Self {
        let text =
            |value: &Value| value.as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        let steps = answer.json["steps"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
        let steps = steps.iter().map(|step| text(&step["request_id"])).collect();
        Self { id: text(&answer.json["plan_id"]), steps }
    }

    pub(crate) async fn now(&self, world: &World) -> Answer {
        world.agent().await.call("get_plan", json!({ "plan_id": self.id })).await
    }

    pub(crate) async fn states(&self, world: &World) -> Vec<String> {
        states(&self.now(world).await)
    }
}

/// The states of the steps, in their order.
pub(crate) fn states(answer: &Answer) -> Vec<String> {
    let steps = answer.json["steps"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    steps.iter().map(|step| step["state"].as_str().unwrap().to_owned()).collect()
}

/// What is said of one step, counted from 1.
pub(crate) fn why(answer: &Answer, number: usize) -> &str {
    answer.json["steps"][number - 1]["why"].as_str().unwrap_or("")
}

/// The endpoints that were called, in their order.
pub(crate) fn called(world: &World) -> Vec<String> {
    world.manager.received().iter().flat_map(|call| call.asked.clone()).collect()
}
