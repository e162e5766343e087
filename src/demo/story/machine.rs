//! The part of the story that plays on one machine with the companion scripts: a real one where this is
//! root, else a simulated one.

use std::sync::Arc;

use wazuh_simulator::{Endpoint, Os};

use super::{
    Demo, act, came_out, play_step,
    steps::{DemoStep, Then, isolation, verified},
};
use crate::{
    broker::BrokerError,
    demo::machine::{ENDPOINT, Machine, Reach},
    domain::{action::Catalogue, actor::Actor},
};

/// The group whose endpoints have the scripts.
pub(in crate::demo) const COMPANIONS: &str = "companions";

/// A block that is verified, then an isolation with its release.
pub(super) async fn play(
    demo: &Demo,
    tell: &mut impl FnMut(String),
) -> Result<Vec<bool>, BrokerError> {
    let machine = add_endpoint(demo, tell).await?;
    let mut came = Vec::new();
    for step in [verified(), isolation()] {
        tell(format!("   {}", step.title));
        came.extend(play_one(demo, &step, (machine.as_ref(), tell)).await?);
    }
    Ok(came)
}

async fn add_endpoint(
    demo: &Demo,
    tell: &mut impl FnMut(String),
) -> Result<Option<Arc<Machine>>, BrokerError> {
    let groups = ["default", "linux", COMPANIONS];
    let endpoint = Endpoint::new(ENDPOINT, "jump-01", Os::DEBIAN).groups(&groups);
    demo.manager.add(endpoint.companions("1"));
    let all = Catalogue::built_in().responses();
    demo.operator.set_scopes(&Actor::CommandLine, &demo.agent.name, all).await?;
    let machine = match tokio::task::spawn_blocking(Machine::start).await {
        Ok(Ok(machine)) => Arc::new(machine),
        Ok(Err(why)) => {
            tell(format!("   SKIPPED the real network, {ENDPOINT} is simulated: {why}"));
            return Ok(None);
        }
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    };
    tell(format!("   {ENDPOINT} is a machine of namespaces on this one"));
    let runs = Arc::clone(&machine);
    demo.manager.run_scripts_on(ENDPOINT, move |script, message| {
        runs.run(script, message).into_iter().collect()
    });
    Ok(Some(machine))
}

/// Plays a step, and has it taken back; whether each came out, and the network with it.
async fn play_one(
    demo: &Demo,
    step: &DemoStep,
    (machine, tell): (Option<&Arc<Machine>>, &mut impl FnMut(String)),
) -> Result<Vec<bool>, BrokerError> {
    let open = Reach { neighbour: true, manager: true };
    let mut came = vec![network(machine, open, tell).await];
    let request = play_step(demo, step, tell).await?;
    came.push(came_out(demo, request.id, step.expected, tell).await?);
    let cut = Reach { neighbour: false, manager: true };
    came.push(network(machine, cut, tell).await);
    act(demo, &request, Then::Undo, tell).await?;
    came.push(came_out(demo, request.id, "settled: 015 reverted", tell).await?);
    came.push(network(machine, open, tell).await);
    Ok(came)
}

/// Whether the network of the machine is as it must be; of a simulated one there is none.
async fn network(
    machine: Option<&Arc<Machine>>,
    expected: Reach,
    tell: &mut impl FnMut(String),
) -> bool {
    let Some(machine) = machine.cloned() else { return true };
    let tried = tokio::task::spawn_blocking(move || machine.reach()).await;
    let said = match tried {
        Ok(Ok(reach)) => reach,
        Ok(Err(error)) => {
            tell(format!("   the network cannot be tried: {error}"));
            return false;
        }
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    };
    let word = |reached| if reached { "answers" } else { "does not answer" };
    let right = if said == expected { "as expected" } else { "DIFFERENT" };
    tell(format!(
        "   tried: {ENDPOINT} {} its neighbour, the manager {} it   {right}",
        word(said.neighbour),
        word(said.manager),
    ));
    said == expected
}
