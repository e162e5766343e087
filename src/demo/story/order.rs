//! Responses that belong together, and one that waits for its endpoint.

use serde_json::json;
use wazuh_simulator::Status;

use super::{
    Demo, approve, came_out, play_step,
    steps::{DemoStep, DemoVote},
};
use crate::{
    broker::BrokerError,
    demo::machine::ENDPOINT,
    domain::{action::Catalogue, actor::Agent},
};

/// A plan of three steps, which run in their order.
pub(super) async fn play_plan(
    demo: &Demo,
    tell: &mut impl FnMut(String),
) -> Result<Vec<bool>, BrokerError> {
    let asked = json!({
        "heading": "deploy's password is known outside",
        "reason": "deploy signed in on mail-01 from an address that attacks web-01",
        "on_failure": "stop",
        "steps": [
            { "action": "block_ip", "arguments": {
                "srcip": "203.0.113.50", "agent_ids": ["001", "002"], "duration_seconds": 600 } },
            { "action": "disable_account", "arguments": {
                "dstuser": "deploy", "agent_ids": ["006"], "duration_seconds": 600 } },
            { "action": "isolate_host", "arguments": {
                "agent_ids": [ENDPOINT], "permanent": true } },
        ],
    });
    let scopes = Catalogue::built_in().responses().to_vec();
    let agent = Agent { scopes, ..demo.agent.clone() };
    let before = demo.manager.received().len();
    let arguments = asked.as_object().cloned().unwrap_or_default();
    let plan = demo.running.broker.propose_plan(&agent, &arguments).await?;
    tell(format!("   the agent asks for a plan: {}", plan.heading));
    // The last first: no step runs before the one before it.
    for step in plan.steps.iter().rev() {
        tell(format!("   {}: {}", step.effect(), step.state.name()));
        approve(demo, step.clone(), &["bob", "carol"], tell).await?;
    }
    let mut came = Vec::new();
    let expected =
        ["settled: 001, 002 confirmed", "settled: 006 confirmed", "settled: 015 verified"];
    for (step, expected) in plan.steps.iter().zip(expected) {
        came.push(came_out(demo, step.id, expected, tell).await?);
    }
    let received = demo.manager.received();
    let order: Vec<_> = received.iter().skip(before).map(|call| call.asked.join(", ")).collect();
    let right = order == ["001, 002", "006", "015"];
    tell(format!(
        "   the manager was called for {}   {}",
        order.join("; then "),
        if right { "as expected" } else { "DIFFERENT" }
    ));
    came.push(right);
    Ok(came)
}

/// A block for an endpoint that is away, which gets it when it is back.
pub(super) async fn play_return(
    demo: &Demo,
    tell: &mut impl FnMut(String),
) -> Result<Vec<bool>, BrokerError> {
    let step = DemoStep {
        arguments: json!({
            "srcip": "203.0.113.99", "agent_ids": ["002", "011"], "duration_seconds": 600,
            "when_back": true,
            "reason": "the address controls what was found on laptop-cleo",
        }),
        people: &[("bob", DemoVote::Approve)],
        ..DemoStep::default()
    };
    let request = play_step(demo, &step, tell).await?;
    let mut came = vec![came_out(demo, request.id, "waiting", tell).await?];
    demo.manager.set_status("011", Status::Active);
    tell("   laptop-cleo (011) connects again".to_owned());
    for child in demo.running.broker.children_of(&request).await {
        came.push(came_out(demo, child.id, "settled: 011 confirmed", tell).await?);
    }
    came.push(came.len() == 2);
    let whole = "settled: 002 confirmed; 011 not_sent";
    came.push(came_out(demo, request.id, whole, tell).await?);
    Ok(came)
}
