//! The rows that transitions of a request write.

use chrono::TimeDelta;
use countersign::domain::{
    action::Term,
    actor::Actor,
    audit::{
        AuditDetail, AuditEvent,
        detail::{
            accounts::NoFacts,
            dispatch::{FoundCallFacts, FoundCallsFacts},
            system::{ClockJumpFacts, LookFacts, ManagerFacts, RecoveryFacts},
        },
        high_water_mark::{ChainHead, Gap},
    },
    clock_jump::ClockJump,
    decision::{Decision, Reason, Tally, Verdict},
    digest::Digest,
    endpoint::{EndpointId, SkipReason},
    evidence::{Evidence, FoundCall, Sighting, Sign},
    id::RequestId,
    lifecycle::{DispatchReport, Finding, Next, Reevaluation, Transition},
    request::{Outcome, Request, Requester, Skipped, State},
};
use expect_test::expect_file;
use uuid::Uuid;

use super::Rows;
use crate::domain::lifecycle::fixtures::{
    TWO_PEOPLE, Who, agent, all_sent, answer, asked, attempt_id, ballot, claimed, decision,
    drafted, endpoint_id, fresh, minute, order,
};

mod linked;

const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// A reviewer is late after this many minutes.
const LATE: i64 = 3 * 24 * 60;
const SPECIAL: &str = "\"quoted\" \\ line\nbreak, tab\t, é, \u{202E}, \u{1}";

impl Rows {
    fn moved(&mut self, name: &str, transition: Transition) -> Request {
        self.add(name, transition.event(), minute(i64::try_from(self.0.len()).unwrap()));
        transition.into_request()
    }
}

pub(super) fn rows() -> Rows {
    let mut rows = Rows::default();
    submitted(&mut rows);
    voted(&mut rows);
    ended(&mut rows);
    dispatched(&mut rows);
    waited(&mut rows);
    observed(&mut rows);
    reverted(&mut rows);
    resolved(&mut rows);
    end_moved(&mut rows);
    undo_failed(&mut rows);
    found(&mut rows);
    manager_identified(&mut rows);
    clock_jumped(&mut rows);
    database_resumed(&mut rows);
    linked::planned(&mut rows);
    linked::away(&mut rows);
    rows
}

fn found(rows: &mut Rows) {
    let request = asked(Verdict::Run);
    let calls = [FoundCall {
        request: request.id,
        attempt: attempt_id(1000),
        action: None,
        endpoints: ["001", "002"].map(endpoint_id).into(),
        at: minute(1),
    }];
    let (manager, facts) = ("main".to_owned(), calls.iter().map(FoundCallFacts::from).collect());
    let unknown = FoundCallsFacts { manager, calls: facts, outcomes: Vec::new(), state: None };
    let event = AuditEvent::new(Actor::System, None, AuditDetail::CallsFound(unknown));
    rows.moved("sent by a newer copy", request.calls_found(&calls, minute(3)).unwrap());
    rows.add("sent by a newer copy, which had asked for it", &event, minute(200));
    let head = |seq, at| ChainHead { seq, hash: Digest::of(b"head"), at };
    let nothing = RecoveryFacts {
        reason: SPECIAL.to_owned(),
        with: "carol".to_owned(),
        gap: Gap::NoMark.to_string(),
        mark: None,
        since: None,
        withdrawn: 0,
        found: 0,
        not_looked: Vec::new(),
    };
    let everything = RecoveryFacts {
        mark: Some(head(9, minute(9) + TimeDelta::microseconds(123_456))),
        since: Some(head(7, minute(7))),
        withdrawn: 2,
        found: 1,
        not_looked: vec![LookFacts { manager: "main".to_owned(), why: "no indexer".to_owned() }],
        ..nothing.clone()
    };
    for (name, facts) in [("recovered", nothing), ("recovered, with all", everything)] {
        let actor = Actor::from(&Who::Lead.person());
        let event = AuditEvent::new(actor, None, AuditDetail::Recovered(facts));
        rows.add(name, &event, minute(201));
    }
}

fn manager_identified(rows: &mut Rows) {
    for before in [None, Some("uuid-1".to_owned())] {
        let name = if before.is_some() { "manager replaced" } else { "manager identified" };
        let facts = ManagerFacts { name: "main".to_owned(), identity: "uuid-2".to_owned(), before };
        let event = AuditEvent::new(Actor::System, None, AuditDetail::ManagerIdentified(facts));
        rows.add(name, &event, minute(202));
    }
}

fn clock_jumped(rows: &mut Rows) {
    for (name, to) in [("clock went ahead", 500), ("clock went back", 80)] {
        let jump = ClockJump { from: minute(203), to: minute(to) };
        let detail = AuditDetail::ClockJumped(ClockJumpFacts::from(jump));
        rows.add(name, &AuditEvent::new(Actor::System, None, detail), jump.to);
    }
}

fn database_resumed(rows: &mut Rows) {
    let event = AuditEvent::new(Actor::System, None, AuditDetail::Resumed(NoFacts {}));
    rows.add("resumed", &event, minute(203));
}

fn submit(rows: &mut Rows, name: &str, draft: Request) {
    rows.moved(name, draft.submit(minute(75), minute(0)));
}

fn submitted(rows: &mut Rows) {
    submit(rows, "submitted, policy lets it run", drafted(Verdict::Run));
    submit(rows, "submitted, people are needed", drafted(TWO_PEOPLE));
    let mut denied = drafted(Verdict::Deny);
    denied.decision.errors = vec!["`x` does not exist".to_owned()];
    denied.decision.reasons.clear();
    submit(rows, "submitted, denied with an error", denied);
    let mut skipping =
        drafted(Verdict::Approval(Tally { people: 3, analyst: 3, senior: 2, lead: 1 }));
    let endpoint = skipping.targets.pop().unwrap().endpoint;
    skipping.skipped = vec![Skipped { endpoint, reason: SkipReason::NotActive("gone".to_owned()) }];
    skipping.claim.reason = SPECIAL.to_owned();
    skipping.claim.alert_id = Some("1763800000.10001".to_owned());
    skipping.claim.confidence = None;
    skipping.alert.found = true;
    skipping.term = Term::Permanent;
    skipping.decision = everything(skipping.decision.verdict);
    submit(rows, "submitted, with all that can be said", skipping);
    let mut undo = drafted(Verdict::Run);
    undo.undoes = Some(other());
    let sam = Who::Senior.person();
    undo.asked_by = Some(Requester { person: sam.id, name: sam.name, role: sam.role });
    submit(rows, "submitted, an undo that a person asked for", undo);
}

/// Policy's answer with everything that it can hold.
fn everything(verdict: Verdict) -> Decision {
    let reason =
        |policy: &str, why: &str| Reason { policy: policy.to_owned(), why: why.to_owned() };
    Decision {
        reasons: vec![reason("a.b", SPECIAL), reason("c", "because of c")],
        kept_out: vec![(endpoint_id("003"), vec![reason("d", "because of d")])],
        tally: Tally { people: 2, analyst: 2, senior: 1, lead: 1 },
        break_glass: true,
        ..decision(verdict)
    }
}

fn other() -> RequestId {
    RequestId::from(Uuid::from_u128(77))
}

fn voted(rows: &mut Rows) {
    let request = asked(TWO_PEOPLE);
    let vote = ballot(Who::Analyst, &request, SPECIAL);
    let one = request.approve(vote, &answer(true), fresh(TWO_PEOPLE, 1)).unwrap();
    let one = rows.moved("approved, more are needed", one);
    let back = one.clone().retract(&Who::Analyst.person(), &answer(true), fresh(TWO_PEOPLE, 2));
    rows.moved("retracted", back.unwrap());
    let vote = ballot(Who::Senior, &one, "");
    let two = one.approve(vote, &answer(true), fresh(Verdict::Run, 2)).unwrap();
    rows.moved("approved, it may run", two);

    let request = asked(TWO_PEOPLE);
    let mut lead = ballot(Who::Lead, &request, "nobody can be reached");
    lead.person.on_call = true;
    let prefix = request.digest.prefix();
    let run = Reevaluation { run: everything(Verdict::Run), ..fresh(Verdict::Run, 1) };
    let broken = request.break_glass(lead, &prefix, &answer(true), run).unwrap();
    let broken = rows.moved("broke the glass", broken);
    let over = Request { state: State::Settled { at: minute(5) }, ..broken };
    for (name, now) in [("reviewed", 9), ("reviewed too late", LATE)] {
        let sam = Who::Senior.person();
        let done = over.clone().review(&sam, "it was needed", &answer(true), minute(now));
        rows.moved(name, done.unwrap());
    }
}

fn ended(rows: &mut Rows) {
    let request = asked(TWO_PEOPLE);
    let vote = ballot(Who::Lead, &request, "a test of ours");
    rows.moved("rejected", request.reject(vote, &answer(true), minute(1)).unwrap());
    let by_agent = Actor::from(&agent());
    let cancelled = asked(TWO_PEOPLE).cancel(by_agent, "not needed", &answer(true), minute(1));
    rows.moved("cancelled", cancelled.unwrap());
    let by_owner = Actor::from(&Who::Owner.person());
    let cancelled = asked(TWO_PEOPLE).cancel(by_owner, "", &answer(true), minute(1));
    rows.moved("cancelled without a reason", cancelled.unwrap());
    rows.moved("expired while pending", asked(TWO_PEOPLE).expire(minute(60)).unwrap());
    let held = asked(Verdict::Run).hold("the manager is away".to_owned()).unwrap();
    let held = rows.moved("held", held);
    rows.moved("expired while held", held.expire(minute(75)).unwrap());
    let cause = "the policy set changed";
    for (name, verdict) in [
        ("decided again, it may run", Verdict::Run),
        ("decided again and withdrawn", Verdict::Deny),
    ] {
        let again = asked(TWO_PEOPLE).redecide(fresh(verdict, 1), cause).unwrap().unwrap();
        rows.moved(name, again);
    }
    let withdrawn = asked(Verdict::Run).withdraw("another machine".to_owned(), minute(1));
    rows.moved("withdrawn", withdrawn.unwrap());
}

fn lost(ids: &[&str]) -> Vec<(EndpointId, String)> {
    ids.iter().map(|id| (endpoint_id(id), "no longer connected".to_owned())).collect()
}

fn dispatched(rows: &mut Rows) {
    let request = asked(Verdict::Run);
    let order_one = order(&request, &["001"]);
    let (moved, _) =
        request.claim(order_one, &lost(&["002", "003"]), fresh(Verdict::Run, 1), false).unwrap();
    rows.moved("claimed, some are no longer connected", moved);
    let none_left =
        asked(Verdict::Run).end_disconnected(&lost(&["001", "002", "003"]), minute(1)).unwrap();
    rows.moved("ended, none is connected any more", none_left);
    let first = rows.moved("claimed", claimed().0);
    let refused = Outcome::Refused { code: Some(1750), message: "is off".to_owned() };
    let report = DispatchReport {
        outcomes: vec![(endpoint_id("001"), refused), (endpoint_id("002"), Outcome::Sent)],
        summary: SPECIAL.to_owned(),
        confirm_within: Some(WINDOW),
    };
    let next = |frozen| {
        let order = order(&first, &["003"]);
        Next::Order { order, run: decision(Verdict::Run), frozen }
    };
    for (name, next) in [
        ("answered, the next call follows", next(false)),
        ("answered, the next call is not allowed", next(true)),
        ("answered, the next call must wait", Next::Wait),
        ("answered, no call follows", Next::Stop { why: "enough".to_owned() }),
    ] {
        let (moved, _) = first.clone().answered(attempt_id(0), &report, next, minute(2)).unwrap();
        rows.moved(name, moved);
    }
    let nothing = DispatchReport { summary: "429: busy".to_owned(), ..all_sent(&[]) };
    let (moved, _) =
        first.clone().answered(attempt_id(0), &nothing, Next::Wait, minute(2)).unwrap();
    rows.moved("answered, surely nothing was sent", moved);
    let unknown = Outcome::Unknown { why: "time-out".to_owned() };
    let not_sent = Outcome::NotSent { why: "not in the answer".to_owned() };
    let report = DispatchReport {
        outcomes: vec![(endpoint_id("001"), unknown), (endpoint_id("002"), not_sent)],
        ..nothing
    };
    let (moved, _) = first.answered(attempt_id(0), &report, next_stop(), minute(2)).unwrap();
    rows.moved("answered, unknown and not sent", moved);
}

fn next_stop() -> Next {
    Next::Stop { why: "enough".to_owned() }
}

fn waited(rows: &mut Rows) {
    let first = claimed().0.into_request();
    let recovered = first.clone().recover(None, minute(3)).unwrap();
    rows.moved("recovered", recovered);
    let (waits, _) =
        first.answered(attempt_id(0), &all_sent(&["001", "002"]), Next::Wait, minute(2)).unwrap();
    let waits = waits.into_request();
    let order = order(&waits, &["003"]);
    let next = Next::Order { order, run: decision(Verdict::Run), frozen: false };
    rows.moved("resumed", waits.clone().resume(next, minute(3)).unwrap().0);
    rows.moved("resumed and stopped", waits.resume(next_stop(), minute(3)).unwrap().0);
}

/// All three were sent.
fn sent(confirm_within: Option<TimeDelta>) -> Request {
    let request = asked(Verdict::Run);
    let order = order(&request, &["001", "002", "003"]);
    let request = request.claim(order, &[], fresh(Verdict::Run, 1), false).unwrap().0;
    let report = DispatchReport { confirm_within, ..all_sent(&["001", "002", "003"]) };
    let done = request.into_request().answered(attempt_id(0), &report, next_stop(), minute(2));
    done.unwrap().0.into_request()
}

fn sighting(request: &Request, endpoint: &str, seen: Sign, doubt: Option<&str>) -> Sighting {
    let evidence = Evidence {
        index: "wazuh-alerts-4.x-2027.01.15".to_owned(),
        alert: format!("alert-{endpoint}"),
        rule: "651".to_owned(),
        at: minute(3) + TimeDelta::microseconds(123_456),
        of_request: None,
        version: None,
    };
    Sighting {
        request: request.id,
        attempt: attempt_id(0),
        endpoint: endpoint_id(endpoint),
        seen,
        evidence,
        doubt: doubt.map(str::to_owned),
    }
}

fn observed(rows: &mut Rows) {
    let request = sent(Some(WINDOW));
    let seen = [
        sighting(&request, "001", Sign::Started, None),
        sighting(&request, "002", Sign::Started, Some("the firewall is off")),
        sighting(&request, "003", Sign::Ended, None),
    ];
    rows.moved("seen", request.observed(&seen, Some(WINDOW), minute(4)).unwrap());
    let missed = sent(Some(WINDOW)).evidence_missed(Some(WINDOW), None, minute(5)).unwrap();
    let missed = rows.moved("not seen", missed);
    let over = missed.evidence_missed(Some(WINDOW), None, minute(60)).unwrap();
    rows.moved("not seen, its time is over", over);
    rows.moved("nobody looked", sent(None).evidence_missed(None, None, minute(60)).unwrap());
}

fn undo_failed(rows: &mut Rows) {
    let ids = [endpoint_id("001")];
    let undone = sent(Some(WINDOW)).reverted(other(), &ids, Some(WINDOW), minute(6)).unwrap();
    let failed = undone.into_request().undo_failed(other(), &ids, Some(WINDOW), minute(7));
    rows.moved("undo failed", failed.unwrap());
    let request = sent(Some(WINDOW));
    let mut seen = sighting(&request, "001", Sign::Ended, None);
    seen.evidence.of_request = Some(other());
    rows.moved("seen by an alert of another", request.observed(&[seen], None, minute(7)).unwrap());
}

fn reverted(rows: &mut Rows) {
    let undone =
        sent(Some(WINDOW)).reverted(other(), &[endpoint_id("001")], Some(WINDOW), minute(6));
    let undone = rows.moved("reverted", undone.unwrap());
    let seen = [sighting(&undone, "001", Sign::Ended, None)];
    rows.moved("reverted and seen", undone.observed(&seen, Some(WINDOW), minute(7)).unwrap());
}

fn end_moved(rows: &mut Rows) {
    let ends = [(endpoint_id("001"), Some(minute(12))), (endpoint_id("003"), None)];
    let moved = sent(Some(WINDOW)).end_moved(other(), &ends, Some(WINDOW), minute(6));
    rows.moved("its end moved", moved.unwrap());
}

fn resolved(rows: &mut Rows) {
    let open =
        sent(Some(WINDOW)).evidence_missed(Some(WINDOW), None, minute(5)).unwrap().into_request();
    for (name, ruling) in
        [("resolved, it was done", Finding::Done), ("resolved, it was not done", Finding::NotDone)]
    {
        let at = [endpoint_id("001"), endpoint_id("003")];
        let found = (at.as_slice(), ruling, "iptables -L");
        let done = open.clone().resolve(&Who::Senior.person(), found, &answer(true), minute(9));
        rows.moved(name, done.unwrap());
    }
}

#[test]
fn rows_of_transitions_keep_their_bytes() {
    // The request's digest is part of the rows: it is fixed, too.
    assert_ne!(asked(Verdict::Run).digest, Digest::ZERO);
    expect_file!["../../../golden/audit_transitions.txt"].assert_eq(&rows().text());
}
