//! The rows of requests that hang together: steps of a plan, and a request with those that wait for its
//! endpoints.

use countersign::domain::{
    actor::Actor,
    audit::{AuditDetail, AuditEvent, detail::plan::PlanFacts},
    decision::Verdict,
    digest::Digest,
    id::{PlanId, RequestId},
    request::{FailureRule, PlanStep, Request},
};
use uuid::Uuid;

use super::{Rows, SPECIAL};
use crate::domain::lifecycle::fixtures::{
    TWO_PEOPLE, agent, asked, child, drafted_to_wait, endpoint_id, fresh, minute,
};

pub(super) fn planned(rows: &mut Rows) {
    let plan = PlanId::from(Uuid::from_u128(12));
    let step = Request { plan: Some(PlanStep { plan, number: 2 }), ..asked(Verdict::Run) };
    for on_failure in FailureRule::ALL {
        let facts = PlanFacts {
            plan,
            heading: SPECIAL.to_owned(),
            reason: "brute force".to_owned(),
            on_failure,
            steps: vec![RequestId::from(Uuid::from_u128(8)), step.id],
            digest: Digest::of(b"plan"),
        };
        let event = AuditEvent::new(Actor::from(&agent()), None, AuditDetail::PlanAsked(facts));
        rows.add(&format!("plan, {}", on_failure.name()), &event, minute(204));
    }
    rows.moved("next in its plan", step.begin_turn(minute(9)).unwrap());
}

pub(super) fn away(rows: &mut Rows) {
    let child = rows.moved("a child that waits", child());
    let back = child.clone().returned(fresh(Verdict::Run, 2)).unwrap();
    rows.moved("an endpoint that is back", back);
    let short = child.returned(fresh(TWO_PEOPLE, 2)).unwrap();
    rows.moved("an endpoint that is back, and approvals that no longer suffice", short);
    let parent = drafted_to_wait(Verdict::Run).submit(minute(75), minute(0)).into_request();
    let lost = [(endpoint_id("003"), "not active (disconnected)".to_owned())];
    let waiting = rows.moved("away", parent.end_disconnected(&lost, minute(1)).unwrap());
    rows.moved("the last child ended", waiting.end_wait(minute(3)).unwrap());
}
