//! The demo's requests, and the story that it plays by itself.

use std::time::Duration;

use serde_json::{Map, Value};
use wazuh_simulator::Times;

use super::Demo;
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        action::ActionKind,
        actor::sign_in::SignInOrigin,
        evidence::Evidence,
        id::RequestId,
        lifecycle::{Displayed, Finding},
        request::{Request, StateName},
    },
    text::active_response::already_text,
};

pub(super) mod machine;
mod order;
mod steps;

use steps::{
    DemoStep, DemoVote, Then, at_once, ends, fleet, lost, partial, private, privileged, rejected,
    taken_back, twin,
};

/// How long a step may take until its end is seen, on a machine that is busy.
const STEP: Duration = Duration::from_secs(30);
/// How often the story looks whether a step came out.
const GLANCE: Duration = Duration::from_millis(200);

/// What a script of the demo's own endpoints takes back.
pub(super) const UNLOCKED: &str = "disable_account";

/// The action that a step names.
pub(super) fn kind(name: &str) -> Result<ActionKind, BrokerError> {
    ActionKind::parse(name).ok_or(BrokerError::NotFound)
}

/// What the agent of the demo asks for at the start.
pub(crate) fn first_requests() -> Vec<(&'static str, Value)> {
    let steps = [at_once(), fleet(), privileged(), private()];
    steps.into_iter().map(|step| (step.action, step.arguments)).collect()
}

/// Plays the whole story. `tell` gets each line; the result is whether every step came out as
/// expected.
pub async fn play(demo: &Demo, mut tell: impl FnMut(String)) -> Result<bool, BrokerError> {
    let steps = [
        at_once(),
        fleet(),
        privileged(),
        rejected(),
        private(),
        partial(),
        lost(),
        taken_back(),
        ends(),
    ];
    let (mut all, mut good) = (0, 0);
    for (index, step) in steps.into_iter().enumerate() {
        tell(format!("{}. {}", index + 1, step.title));
        let request = play_step(demo, &step, &mut tell).await?;
        let mut came = vec![came_out(demo, request.id, step.expected, &mut tell).await?];
        if let Some((then, expected)) = step.then {
            act(demo, &request, then, &mut tell).await?;
            came.push(came_out(demo, request.id, expected, &mut tell).await?);
        }
        tell(String::new());
        all += came.len();
        good += came.into_iter().filter(|right| *right).count();
    }
    tell("10. a second block of the same address: one timer, one end, one undo".to_owned());
    let came = play_twins(demo, &mut tell).await?;
    tell(String::new());
    all += came.len();
    good += came.into_iter().filter(|right| *right).count();
    tell("11. the scripts of Countersign's say what they did".to_owned());
    let mut came = machine::play(demo, &mut tell).await?;
    tell(String::new());
    tell("12. a plan of three steps runs in its order".to_owned());
    came.extend(order::play_plan(demo, &mut tell).await?);
    tell(String::new());
    tell("13. an endpoint that was away gets it once it is back".to_owned());
    came.extend(order::play_return(demo, &mut tell).await?);
    tell(String::new());
    all += came.len();
    good += came.into_iter().filter(|right| *right).count();
    let calls = demo.manager.received().len();
    let verified = demo.operator.verify_audit().await?;
    tell(format!("The manager received {calls} calls."));
    tell(match &verified.broken {
        None => format!("The audit chain of {} entries is whole.", verified.rows),
        Some((seq, why)) => format!("The audit chain is broken at entry {seq}: {why}."),
    });
    tell(format!("{good} of {all} outcomes came out as expected."));
    Ok(good == all && verified.broken.is_none())
}

/// Two requests for one address on one endpoint: the second moves the end of the first, and taking
/// the first back lifts both.
async fn play_twins(demo: &Demo, tell: &mut impl FnMut(String)) -> Result<Vec<bool>, BrokerError> {
    let broker = &demo.running.broker;
    let first = play_step(demo, &twin(600), tell).await?;
    let mut came = vec![came_out(demo, first.id, "settled: 002 confirmed", tell).await?];
    let second = play_step(demo, &DemoStep { people: &[], ..twin(3600) }, tell).await?;
    for met in broker.active_before(&second).await? {
        tell(format!("   {}", already_text(second.action.kind(), &met)));
    }
    let bob = sign_in(demo, "bob").await?;
    vote(broker, &bob, &second, DemoVote::Approve).await?;
    tell("   bob approves the second, too".to_owned());
    came.push(came_out(demo, second.id, "settled: 002 confirmed", tell).await?);
    act(demo, &first, Then::Undo, tell).await?;
    for id in [first.id, second.id] {
        came.push(came_out(demo, id, "settled: 002 reverted", tell).await?);
    }
    Ok(came)
}

/// The agent asks, and people decide.
async fn play_step(
    demo: &Demo,
    step: &DemoStep,
    tell: &mut impl FnMut(String),
) -> Result<Request, BrokerError> {
    let broker = &demo.running.broker;
    if let Some(fault) = &step.fault {
        demo.manager.misbehave(fault.clone(), Times::Once);
    }
    let arguments: Map<_, _> = step.arguments.as_object().cloned().unwrap_or_default();
    let mut request = broker.submit(&demo.agent, kind(step.action)?, &arguments).await?.request;
    tell(format!("   the agent asks: {}", request.effect()));
    tell(format!("   policy: {}: {}", request.state.name(), request.decision.why()));
    for (name, ballot) in step.people {
        let who = sign_in(demo, name).await?;
        request = vote(broker, &who, &request, *ballot).await?;
        tell(match ballot {
            DemoVote::Approve => format!("   {name} approves: {}", request.state.name()),
            DemoVote::Reject(why) => format!("   {name} rejects: {why}"),
        });
    }
    Ok(request)
}

/// What bob does with a request that came out.
async fn act(
    demo: &Demo,
    request: &Request,
    then: Then,
    tell: &mut impl FnMut(String),
) -> Result<(), BrokerError> {
    let broker = &demo.running.broker;
    let bob = sign_in(demo, "bob").await?;
    match then {
        Then::Undo => {
            let undo = broker.undo_as_person(&bob, request.id, "it is our own backup").await?;
            tell(format!("   bob takes it back: {}: {}", undo.effect(), undo.state.name()));
            approve(demo, undo, &["carol"], tell).await?;
        }
        Then::NotDone => {
            let reason = "the endpoint has no such rule";
            let endpoints: Vec<_> =
                request.targets.iter().map(|target| target.endpoint.id.clone()).collect();
            broker.resolve(&bob, request.id, &endpoints, (Finding::NotDone, reason)).await?;
            tell(format!("   bob looks and says that it was not done: {reason}"));
        }
    }
    Ok(())
}

/// These people approve, one after the other, while approvals are missing.
async fn approve(
    demo: &Demo,
    mut request: Request,
    people: &[&str],
    tell: &mut impl FnMut(String),
) -> Result<(), BrokerError> {
    for name in people {
        if request.state.name() != StateName::Pending {
            return Ok(());
        }
        let who = sign_in(demo, name).await?;
        request = vote(&demo.running.broker, &who, &request, DemoVote::Approve).await?;
        tell(format!("   {name} approves: {}", request.state.name()));
    }
    Ok(())
}

/// Waits until a request came out as expected, or the step's time is over.
async fn came_out(
    demo: &Demo,
    id: RequestId,
    expected: &str,
    tell: &mut impl FnMut(String),
) -> Result<bool, BrokerError> {
    let broker = &demo.running.broker;
    let until = broker.clock().now() + STEP;
    let request = loop {
        let request = broker.request_of_agent(&demo.agent, id).await?;
        if outcome(&request) == expected || broker.clock().now() >= until {
            break request;
        }
        broker.clock().pause(GLANCE).await;
    };
    let got = outcome(&request);
    let right = got == expected;
    if let Some(evidence) = request.targets.iter().find_map(|t| t.outcome.as_ref()?.evidence()) {
        let Evidence { index, alert, rule, .. } = evidence;
        tell(format!("   seen in the indexer: alert {alert} of rule {rule} in {index}"));
    }
    tell(format!("   expected  {expected}"));
    tell(format!("   got       {got}   {}", if right { "as expected" } else { "DIFFERENT" }));
    Ok(right)
}

async fn vote(
    broker: &Broker,
    who: &SignedIn,
    request: &Request,
    ballot: DemoVote,
) -> Result<Request, BrokerError> {
    let id: RequestId = request.id;
    let shown = Displayed { version: request.version, digest: request.digest };
    match ballot {
        DemoVote::Approve => broker.approve(who, id, shown, "").await,
        DemoVote::Reject(why) => broker.reject(who, id, shown, why).await,
    }
}

async fn sign_in(demo: &Demo, name: &str) -> Result<SignedIn, BrokerError> {
    let person =
        demo.people.iter().find(|person| person.name == name).ok_or(BrokerError::NotFound)?;
    let origin = SignInOrigin::program();
    let token = demo.running.broker.sign_in(name, &person.password, &origin).await?.token;
    let who = demo.running.broker.session(&token).await?.ok_or(BrokerError::SignInRefused)?;
    // What is of the high tier takes the password with it.
    demo.running.broker.authenticate_again(&who, &person.password).await
}

/// The state and every endpoint's fate: "settled: 001 sent; 014 refused; 011 skipped".
fn outcome(request: &Request) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    let fates = request
        .targets
        .iter()
        .filter_map(|t| Some((t.outcome.as_ref()?.name(), t.endpoint.id.as_str())))
        .chain(request.skipped.iter().map(|s| ("skipped", s.endpoint.id.as_str())));
    for (fate, id) in fates {
        match groups.iter_mut().find(|(known, _)| *known == fate) {
            Some((_, ids)) => ids.push(id),
            None => groups.push((fate, vec![id])),
        }
    }
    let state = request.state.name().name();
    if groups.is_empty() || state != "settled" {
        return state.to_owned();
    }
    let fates: Vec<_> =
        groups.iter().map(|(fate, ids)| format!("{} {fate}", ids.join(", "))).collect();
    format!("{state}: {}", fates.join("; "))
}
