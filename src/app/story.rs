//! The demo's requests, and the story that it plays by itself.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::demo::Demo;
use crate::{
    broker::{Broker, BrokerError, sign_in::SignedIn},
    domain::{action::ActionKind, id::RequestId, lifecycle::Shown, request::Request},
};

/// How long a step may take until its end is seen.
const STEP: Duration = Duration::from_secs(20);

/// What the agent of the demo asks for at the start.
pub(super) fn first_requests() -> Vec<(ActionKind, Value)> {
    let steps = [at_once(), fleet(), privileged(), private()];
    steps.into_iter().map(|step| (step.kind, step.arguments)).collect()
}

/// One step: what is asked, who decides how, and what must come of it.
struct Step {
    title: &'static str,
    kind: ActionKind,
    arguments: Value,
    people: &'static [(&'static str, Ballot)],
    expected: &'static str,
}

#[derive(Clone, Copy)]
enum Ballot {
    Approve,
    Reject(&'static str),
}

fn at_once() -> Step {
    Step {
        title: "a small block with an alert that the broker finds runs at once",
        kind: ActionKind::BlockIp,
        arguments: json!({
            "srcip": "203.0.113.7", "agent_ids": ["001"], "duration_seconds": 600,
            "reason": "ssh brute force from this address on web-01",
            "alert_id": "1763800000.10001", "confidence": 95,
        }),
        people: &[],
        expected: "settled: 001 sent",
    }
}

fn fleet() -> Step {
    Step {
        title: "a block on all endpoints, inactive ones among them, waits for a person",
        kind: ActionKind::BlockIp,
        arguments: json!({
            "srcip": "198.51.100.23", "all_agents": true, "duration_seconds": 600,
            "reason": "the address scans the whole network and tries known exploits",
        }),
        people: &[("bob", Ballot::Approve)],
        expected: "settled: 001, 002, 003, 004, 005, 006, 007, 008, 009, 010 sent; 014 refused; \
                   011, 012, 013 skipped",
    }
}

fn privileged() -> Step {
    Step {
        title: "disabling a privileged account needs two people, one of them a lead",
        kind: ActionKind::DisableAccount,
        arguments: json!({
            "dstuser": "dbadmin", "agent_ids": ["003"], "duration_seconds": 600,
            "reason": "dbadmin signed in from two countries within five minutes",
        }),
        people: &[("bob", Ballot::Approve), ("carol", Ballot::Approve)],
        expected: "settled: 003 sent",
    }
}

fn rejected() -> Step {
    Step {
        title: "a person rejects what makes no sense",
        kind: ActionKind::BlockIp,
        arguments: json!({
            "srcip": "198.51.100.99", "agent_ids": ["002"], "duration_seconds": 3600,
            "reason": "many requests per second from this address",
        }),
        people: &[("bob", Ballot::Reject("that is our own load test"))],
        expected: "rejected",
    }
}

fn private() -> Step {
    Step {
        title: "a private address is refused by policy",
        kind: ActionKind::BlockIp,
        arguments: json!({
            "srcip": "10.0.0.5", "agent_ids": ["001"], "duration_seconds": 600,
            "reason": "lateral movement from this address",
        }),
        people: &[],
        expected: "denied",
    }
}

fn partial() -> Step {
    Step {
        title: "one endpoint of two has responses switched off: it is left out beforehand",
        kind: ActionKind::BlockIp,
        arguments: json!({
            "srcip": "198.51.100.77", "agent_ids": ["002", "014"], "duration_seconds": 600,
            "reason": "credential stuffing against the portal and the VPN",
        }),
        people: &[("bob", Ballot::Approve)],
        expected: "settled: 002 sent; 014 skipped",
    }
}

/// Plays the whole story. `tell` gets each line; the result is whether every step came out as
/// expected.
pub async fn play(demo: &Demo, mut tell: impl FnMut(String)) -> Result<bool, BrokerError> {
    let steps = [at_once(), fleet(), privileged(), rejected(), private(), partial()];
    let total = steps.len();
    let mut good = 0;
    for (index, step) in steps.into_iter().enumerate() {
        tell(format!("{}. {}", index + 1, step.title));
        let request = play_step(demo, &step, &mut tell).await?;
        let got = outcome(&request);
        let right = got == step.expected;
        tell(format!("   expected  {}", step.expected));
        tell(format!("   got       {got}   {}\n", if right { "as expected" } else { "DIFFERENT" }));
        good += usize::from(right);
    }
    let calls = demo.manager.received().len();
    let verified = demo.running.broker.keeper().verify_audit().await?;
    tell(format!("The manager received {calls} calls."));
    tell(match &verified.broken {
        None => format!("The audit chain of {} entries is whole.", verified.rows),
        Some((seq, why)) => format!("The audit chain is broken at entry {seq}: {why}."),
    });
    tell(format!("{good} of {total} steps came out as expected."));
    Ok(good == total && verified.broken.is_none())
}

async fn play_step(
    demo: &Demo,
    step: &Step,
    tell: &mut impl FnMut(String),
) -> Result<Request, BrokerError> {
    let broker = &demo.running.broker;
    let arguments: Map<_, _> = step.arguments.as_object().cloned().unwrap_or_default();
    let mut request = broker.submit(&demo.agent, step.kind, &arguments).await?;
    tell(format!("   the agent asks: {}", request.effect()));
    tell(format!("   policy: {}: {}", request.state.name(), request.decision.why()));
    for (name, ballot) in step.people {
        let who = sign_in(demo, name).await?;
        request = vote(broker, &who, &request, *ballot).await?;
        tell(match ballot {
            Ballot::Approve => format!("   {name} approves: {}", request.state.name()),
            Ballot::Reject(why) => format!("   {name} rejects: {why}"),
        });
    }
    broker.wait_for(&demo.agent, request.id, STEP).await
}

async fn vote(
    broker: &Broker,
    who: &SignedIn,
    request: &Request,
    ballot: Ballot,
) -> Result<Request, BrokerError> {
    let id: RequestId = request.id;
    let shown = Shown { version: request.version, digest: request.digest };
    match ballot {
        Ballot::Approve => broker.approve(who, id, shown, "").await,
        Ballot::Reject(why) => broker.reject(who, id, shown, why).await,
    }
}

async fn sign_in(demo: &Demo, name: &str) -> Result<SignedIn, BrokerError> {
    let person =
        demo.people.iter().find(|person| person.name == name).ok_or(BrokerError::NotFound)?;
    let token = demo.running.broker.sign_in(name, &person.password).await?;
    demo.running.broker.session(&token).await?.ok_or(BrokerError::SignInRefused)
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
