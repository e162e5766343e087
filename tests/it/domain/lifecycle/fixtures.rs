//! One request for three endpoints, five people, four moments.

use crate::harness::kind;
use chrono::{DateTime, TimeDelta};
use countersign::domain::{
    Time,
    action::{Action, Catalogue, Term},
    actor::{Agent, Person, Role},
    audit::AuditEvent,
    decision::{Authorization, Decision, Reason, Tally, Verdict},
    digest::Digest,
    endpoint::{Endpoint, EndpointId, Platform},
    facts::AlertFacts,
    id::{AgentId, AttemptId, PersonId, RequestId},
    lifecycle::{Ballot, DispatchReport, Displayed, Reevaluation, Transition},
    permit::{ExecutionPermit, Order},
    proposal::Claim,
    request::{Outcome, Request, State, Target, Wait},
};
use serde_json::Value;
use uuid::Uuid;

/// Until when people may decide.
pub(crate) const DEADLINE: i64 = 60;
/// Until when an approval may be used. Later than the deadline, so that each limit is met alone.
pub(crate) const USE_BY: i64 = 75;

/// Before everything, and exactly at each limit.
pub(crate) const MOMENTS: [i64; 3] = [1, DEADLINE, USE_BY];

/// The policy's answers.
pub(crate) const VERDICTS: [Verdict; 3] = [Verdict::Run, TWO_PEOPLE, Verdict::Deny];

/// Two people are needed.
pub(crate) const TWO_PEOPLE: Verdict =
    Verdict::Approval(Tally { people: 2, analyst: 2, senior: 0, lead: 0 });

/// So many minutes after the request was asked.
pub(crate) fn minute(minutes: i64) -> Time {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

/// The people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Analyst,
    Senior,
    Lead,
    Owner,
    Admin,
}

impl Who {
    pub(crate) const ALL: [Self; 5] =
        [Self::Analyst, Self::Senior, Self::Lead, Self::Owner, Self::Admin];

    pub(crate) fn id(self) -> PersonId {
        let number = match self {
            Self::Analyst => 1,
            Self::Senior => 2,
            Self::Lead => 3,
            Self::Owner => 4,
            Self::Admin => 5,
        };
        PersonId::from(Uuid::from_u128(number))
    }

    pub(crate) fn person(self) -> Person {
        let (name, role) = match self {
            Self::Analyst => ("ann", Role::Analyst),
            Self::Senior => ("sam", Role::Senior),
            Self::Lead => ("lea", Role::Lead),
            Self::Owner => ("olga", Role::Senior),
            Self::Admin => ("ada", Role::Admin),
        };
        Person::new(self.id(), name.to_owned(), role)
    }
}

/// The agent that asks; its owner is [`Who::Owner`].
pub(crate) fn agent() -> Agent {
    Agent {
        id: AgentId::from(Uuid::from_u128(7)),
        name: "triage".to_owned(),
        owner: Who::Owner.id(),
        issuer: None,
        revoked: false,
        scopes: Catalogue::built_in().responses().to_vec(),
        issued_at: Time::UNIX_EPOCH,
    }
}

pub(crate) fn endpoint_id(text: &str) -> EndpointId {
    EndpointId::parse(text).unwrap()
}

pub(crate) fn attempt_id(number: usize) -> AttemptId {
    AttemptId::from(Uuid::from_u128(1000 + u128::try_from(number).unwrap()))
}

/// Policy's answer about the request.
pub(crate) fn decision(verdict: Verdict) -> Decision {
    Decision {
        verdict,
        reasons: vec![Reason { policy: "p".to_owned(), why: "because of p".to_owned() }],
        errors: Vec::new(),
        kept_out: Vec::new(),
        policy_hash: Digest::of(b"policies"),
        tally: Tally::NONE,
        break_glass: false,
        at: minute(0),
    }
}

/// The same answer, by other policies of another set.
pub(crate) fn by_others(decision: Decision) -> Decision {
    let reasons = vec![Reason { policy: "q".to_owned(), why: "because of q".to_owned() }];
    Decision { reasons, policy_hash: Digest::of(b"other policies"), ..decision }
}

/// Policy's answer, asked at this minute.
pub(crate) fn fresh(verdict: Verdict, now: i64) -> Reevaluation {
    Reevaluation {
        run: decision(verdict),
        use_by: minute(USE_BY),
        stopped: false,
        now: minute(now),
    }
}

/// Policy's answer to somebody who wants to do something.
pub(crate) fn answer(allowed: bool) -> Authorization {
    let reasons = vec![Reason { policy: "who".to_owned(), why: "because of who".to_owned() }];
    Authorization { allowed, reasons, errors: Vec::new() }
}

/// A request with its digest, of which policy has said this, and which was not asked yet.
pub(crate) fn drafted(verdict: Verdict) -> Request {
    let mut request = Request {
        id: RequestId::from(Uuid::from_u128(9)),
        version: 1,
        agent: agent().id,
        agent_name: agent().name,
        owner: Who::Owner.id(),
        issuer: None,
        undoes: None,
        plan: None,
        asked_by: None,
        action: Action::parse(kind("block_ip"), "203.0.113.7").unwrap(),
        term: Term::Seconds(600),
        claim: Claim { reason: "brute force".to_owned(), alert_id: None, confidence: Some(80) },
        fleet_wide: false,
        manager: "main".to_owned(),
        targets: ["001", "002", "003"].map(target).to_vec(),
        skipped: Vec::new(),
        alert: AlertFacts::default(),
        digest: Digest::ZERO,
        asked_at: minute(0),
        deadline: minute(DEADLINE),
        state: State::Pending,
        votes: Vec::new(),
        decision: decision(verdict),
        attempts: Vec::new(),
        history: None,
        held_because: None,
        review: None,
        wait: None,
    };
    request.digest = request.computed_digest();
    request
}

fn target(id: &str) -> Target {
    let endpoint = Endpoint {
        id: endpoint_id(id),
        name: format!("host-{id}"),
        date_added: "2026-01-01T00:00:00Z".to_owned(),
        platform: Platform::Linux,
        groups: vec!["default".to_owned()],
        address: None,
    };
    Target::new(endpoint, 2, "firewall-drop600".to_owned())
}

/// The same, of which endpoints that are away are waited for.
pub(crate) fn drafted_to_wait(verdict: Verdict) -> Request {
    let seconds = u32::try_from(USE_BY * 60).unwrap();
    let mut request = drafted(verdict);
    request.wait = Some(Wait { seconds, parent: None });
    request.digest = request.computed_digest();
    request
}

/// A child for 003 that has just begun to wait.
pub(crate) fn child() -> Transition {
    let parent = drafted_to_wait(Verdict::Run).submit(minute(USE_BY), minute(0)).into_request();
    let lost = ["001", "002", "003"].map(|id| (endpoint_id(id), "not active (gone)".to_owned()));
    let waiting = parent.end_disconnected(&lost, minute(1)).unwrap().into_request();
    waiting.begin_children(minute(1)).pop().unwrap()
}

/// A request just asked, of which policy has said this.
pub(crate) fn asked(verdict: Verdict) -> Request {
    drafted(verdict).submit(minute(USE_BY), minute(0)).into_request()
}

/// What this person decides, with the right page on the screen.
pub(crate) fn ballot(who: Who, request: &Request, comment: &str) -> Ballot {
    let shown = Displayed { version: request.version, digest: request.digest };
    Ballot { person: who.person(), shown, comment: comment.to_owned(), proof: None, token: None }
}

/// The next call of this request, to these endpoints.
pub(crate) fn order(request: &Request, endpoints: &[&str]) -> Order {
    Order {
        attempt: attempt_id(request.attempts.len()),
        endpoints: endpoints.iter().map(|id| endpoint_id(id)).collect(),
        body: format!("{{\"arguments\":[\"{}\"]}}", endpoints.join(",")).into_bytes(),
    }
}

/// The worker claims it for the first two endpoints, at the first minute.
pub(crate) fn claimed() -> (Transition, ExecutionPermit) {
    let request = asked(Verdict::Run);
    let order = order(&request, &["001", "002"]);
    request.claim(order, &[], fresh(Verdict::Run, 1), false).unwrap()
}

/// What an event says, as it is stored.
pub(crate) fn stored(event: &AuditEvent) -> Value {
    serde_json::from_str(&event.detail.to_stored().unwrap()).unwrap()
}

/// The manager took the command for these endpoints.
pub(crate) fn all_sent(endpoints: &[&str]) -> DispatchReport {
    let outcomes = endpoints.iter().map(|id| (endpoint_id(id), Outcome::Sent)).collect();
    DispatchReport { outcomes, summary: "200".to_owned(), confirm_within: None }
}
