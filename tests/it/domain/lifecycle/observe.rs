//! What is learnt after a call: every outcome meets everything that can be learnt of it.

use std::collections::{BTreeSet, HashSet};

use chrono::TimeDelta;
use countersign::domain::{
    Time,
    action::Term,
    actor::Role,
    decision::Verdict,
    endpoint::EndpointId,
    evidence::{Evidence, Sighting, Sign},
    id::{AttemptId, RequestId},
    lifecycle::{Finding, Next, Refusal, Transition},
    request::{Outcome, Proof, Request, Target},
};
use uuid::Uuid;

use super::fixtures::{
    Who, all_sent, answer, asked, attempt_id, claimed, endpoint_id, minute, stored,
};

const WINDOW: TimeDelta = TimeDelta::minutes(2);
/// The minute in which the manager answered.
const SENT: i64 = 2;
/// The term of the request is ten minutes.
const ENDS: i64 = SENT + 10;

/// Settled: 001 and 002 were sent in minute [`SENT`], 003 was not.
fn settled(looked_for: bool) -> Request {
    let stop = Next::Stop { why: "nothing more to do".to_owned() };
    let mut report = all_sent(&["001", "002"]);
    report.confirm_within = looked_for.then_some(WINDOW);
    let request = claimed().0.into_request();
    let (moved, _) = request.answered(attempt_id(0), &report, stop, minute(SENT)).unwrap();
    moved.into_request()
}

fn of(request: &Request, id: &str) -> Target {
    request.targets.iter().find(|target| target.endpoint.id.as_str() == id).unwrap().clone()
}

fn outcome(request: &Request, id: &str) -> Outcome {
    of(request, id).outcome.unwrap()
}

fn evidence(at: Time) -> Evidence {
    Evidence {
        index: "wazuh-alerts-4.x-2027.01.15".to_owned(),
        alert: "abc".to_owned(),
        rule: "651".to_owned(),
        at,
        of_request: None,
        version: None,
    }
}

fn sighting(request: &Request, id: &str, seen: Sign, at: i64) -> Sighting {
    Sighting {
        request: request.id,
        attempt: attempt_id(0),
        endpoint: endpoint_id(id),
        seen,
        evidence: evidence(minute(at)),
        doubt: None,
    }
}

fn seen(request: Request, sightings: &[Sighting], at: i64) -> Option<Transition> {
    request.observed(sightings, Some(WINDOW), minute(at))
}

fn undo() -> RequestId {
    RequestId::from(Uuid::from_u128(77))
}

fn every_outcome() -> Vec<Outcome> {
    let alert = || Some(evidence(minute(3)));
    vec![
        Outcome::Sent,
        Outcome::Refused { code: Some(1707), message: "not active".to_owned() },
        Outcome::Refused { code: None, message: "bob: nothing there".to_owned() },
        Outcome::NotSent { why: "no connection".to_owned() },
        Outcome::Unknown { why: "no answer".to_owned() },
        Outcome::Confirmed(Proof::Alert(evidence(minute(3)))),
        Outcome::Confirmed(Proof::Person("bob: I looked".to_owned())),
        Outcome::Verified(evidence(minute(3))),
        Outcome::Unconfirmed { why: "no alert".to_owned() },
        Outcome::Ended { seen: None },
        Outcome::Ended { seen: alert() },
        Outcome::Reverted { by: undo(), seen: None },
        Outcome::Reverted { by: undo(), seen: alert() },
    ]
}

/// A settled request whose first endpoint has this outcome, and waits for something.
fn with(outcome: Outcome) -> Request {
    let mut request = settled(true);
    request.targets[0].outcome = Some(outcome);
    request.targets[0].watch_until = Some(minute(ENDS));
    request
}

/// Everything that can happen to an outcome.
fn happenings(request: &Request) -> Vec<Option<Request>> {
    let ids = [endpoint_id("001")];
    let resolve = |ruling| {
        let bob = Who::Analyst.person();
        let found = (&ids[..], ruling, "I looked");
        request.clone().resolve(&bob, found, &answer(true), minute(30)).ok()
    };
    let looked = |seen_there| {
        let sightings = [sighting(request, "001", seen_there, 4)];
        seen(request.clone(), &sightings, 5)
    };
    let mut started = request.clone();
    started.targets[0].started = true;
    vec![
        looked(Sign::Started),
        looked(Sign::Verified),
        looked(Sign::Ended),
        started.undo_failed(undo(), &ids, Some(WINDOW), minute(6)),
        request.clone().evidence_missed(Some(WINDOW), None, minute(ENDS)),
        request.clone().evidence_missed(None, None, minute(ENDS)),
        request.clone().reverted(undo(), &ids, Some(WINDOW), minute(6)),
        request.clone().undo_failed(undo(), &ids, Some(WINDOW), minute(6)),
        resolve(Finding::Done),
        resolve(Finding::NotDone),
    ]
    .into_iter()
    .map(|moved| moved.map(Transition::into_request))
    .collect()
}

/// Every move of an outcome to another one, by name.
pub(crate) fn outcome_moves() -> BTreeSet<(String, String)> {
    let mut moves = BTreeSet::new();
    for before in every_outcome() {
        for after in happenings(&with(before.clone())).into_iter().flatten() {
            let (from, to) = (before.name(), outcome(&after, "001").name());
            if from != to {
                moves.insert((from.to_owned(), to.to_owned()));
            }
        }
    }
    moves
}

#[test]
fn observation_changes_neither_state_nor_attempts() {
    for before in every_outcome() {
        let request = with(before);
        for after in happenings(&request).into_iter().flatten() {
            assert_eq!(after.state, request.state);
            assert_eq!(after.attempts, request.attempts);
            assert_eq!(after.digest, after.computed_digest());
        }
    }
}

#[test]
fn evidence_confirms_only_its_own_endpoint() {
    let request = settled(true);
    let sightings = [sighting(&request, "001", Sign::Started, 2)];
    let after = seen(request, &sightings, 3).unwrap().into_request();
    assert!(matches!(outcome(&after, "001"), Outcome::Confirmed(Proof::Alert(_))));
    assert_eq!(outcome(&after, "002"), Outcome::Sent);
}

#[test]
fn foreign_evidence_confirms_nothing() {
    let request = settled(true);
    let right = sighting(&request, "001", Sign::Started, 2);
    for wrong in [
        Sighting { request: undo(), ..right.clone() },
        Sighting { attempt: AttemptId::from(Uuid::from_u128(5)), ..right.clone() },
        Sighting { endpoint: endpoint_id("003"), ..right.clone() },
        Sighting { endpoint: endpoint_id("999"), ..right },
    ] {
        assert_eq!(seen(request.clone(), &[wrong], 3), None);
    }
}

#[test]
fn repeated_evidence_changes_nothing() {
    let request = settled(true);
    let sightings = [sighting(&request, "001", Sign::Started, 2)];
    let after = seen(request, &sightings, 3).unwrap().into_request();
    assert_eq!(seen(after, &sightings, 4), None);
}

#[test]
fn start_and_end_seen_together_count_as_ended() {
    let request = settled(true);
    let both = [Sign::Started, Sign::Ended].map(|what| sighting(&request, "001", what, 3));
    let after = seen(request, &both, 4).unwrap().into_request();
    assert!(matches!(outcome(&after, "001"), Outcome::Ended { seen: Some(_) }));
}

#[test]
fn missing_evidence_is_unconfirmed_only_after_the_window() {
    let request = settled(true);
    let early = minute(SENT) + WINDOW - TimeDelta::seconds(1);
    assert_eq!(request.clone().evidence_missed(Some(WINDOW), None, early), None);
    let after = request.evidence_missed(Some(WINDOW), None, minute(SENT) + WINDOW).unwrap();
    let Outcome::Unconfirmed { why } = outcome(after.request(), "001") else { panic!() };
    assert_eq!(why, "the endpoint's own alert did not come within 2 minutes");
}

#[test]
fn gap_means_that_nobody_could_look() {
    let (gap, over) = (Some("the newest document is 71 h old"), minute(SENT) + WINDOW);
    let missed = settled(true).evidence_missed(Some(WINDOW), gap, over).unwrap();
    assert_eq!(stored(missed.event())["gap"], "the newest document is 71 h old");
    let request = missed.into_request();
    let why = |request: &Request| outcome(request, "001").detail().to_owned();
    assert!(outcome(&request, "001").nobody_looked());
    assert_eq!(why(&request), "nobody could look: the newest document is 71 h old");
    assert_eq!(request.clone().evidence_missed(Some(WINDOW), gap, over), None, "it is known");
    let looked = request.evidence_missed(Some(WINDOW), None, over).unwrap();
    assert!(stored(looked.event())["gap"].is_null());
    let request = looked.into_request();
    assert_eq!(why(&request), "the endpoint's own alert did not come within 2 minutes");
    assert_eq!(request.evidence_missed(Some(WINDOW), None, over), None);
}

#[test]
fn time_that_is_over_ends_what_nobody_saw() {
    let gap = Some("it is behind");
    let missed = settled(true).evidence_missed(Some(WINDOW), gap, minute(SENT) + WINDOW).unwrap();
    let over = minute(ENDS) + WINDOW;
    for gap in [gap, None] {
        let ended = missed.request().clone().evidence_missed(Some(WINDOW), gap, over).unwrap();
        assert_eq!(outcome(ended.request(), "001"), Outcome::Ended { seen: None });
    }
}

#[test]
fn without_evidence_source_outcome_stays_sent_until_end() {
    let request = settled(false);
    assert_eq!(
        request.clone().evidence_missed(None, None, minute(ENDS) - TimeDelta::seconds(1)),
        None
    );
    let after = request.evidence_missed(None, None, minute(ENDS)).unwrap();
    assert_eq!(stored(after.event())["looked"], false);
    assert_eq!(outcome(after.request(), "001"), Outcome::Ended { seen: None });
}

#[test]
fn confirmed_block_is_assumed_ended_after_term_and_window() {
    let request = settled(true);
    let sightings = [sighting(&request, "001", Sign::Started, 2)];
    let after = seen(request, &sightings, 3).unwrap().into_request();
    let target = of(&after, "001");
    assert_eq!(after.ends(&target), Some(minute(ENDS)));
    assert_eq!(target.watch_until, Some(minute(ENDS) + WINDOW));
}

#[test]
fn late_start_means_late_end() {
    let missed = settled(true).evidence_missed(Some(WINDOW), None, minute(SENT) + WINDOW).unwrap();
    let request = missed.into_request();
    let sightings = [sighting(&request, "001", Sign::Started, 8)];
    let after = seen(request, &sightings, 9).unwrap().into_request();
    assert_eq!(after.ends(&of(&after, "001")), Some(minute(18)));
}

#[test]
fn permanent_response_never_ends_by_itself() {
    let mut request = settled(true);
    request.term = Term::Permanent;
    for target in &mut request.targets {
        target.ends = None;
    }
    let missed =
        request.evidence_missed(Some(WINDOW), None, minute(SENT) + WINDOW).unwrap().into_request();
    assert_eq!(missed.ends(&of(&missed, "001")), None);
    let after = missed.evidence_missed(Some(WINDOW), None, minute(60 * 24));
    assert!(after.is_none_or(|after| outcome(after.request(), "001").name() == "unconfirmed"));
}

#[test]
fn unknown_outcome_without_evidence_stops_being_watched() {
    let mut request = with(Outcome::Unknown { why: "no answer".to_owned() });
    request.targets.truncate(1);
    let after = request.evidence_missed(Some(WINDOW), None, minute(ENDS)).unwrap().into_request();
    assert_eq!(outcome(&after, "001").name(), "unknown");
    assert_eq!(of(&after, "001").watch_until, None);
    assert_eq!(after.evidence_missed(Some(WINDOW), None, minute(60 * 24)), None);
}

#[test]
fn doubt_is_kept_beside_outcome_and_audited() {
    let request = settled(true);
    let doubt = Some("the firewall is off".to_owned());
    let sure = sighting(&request, "001", Sign::Started, 2);
    let doubtful = Sighting { doubt: doubt.clone(), ..sure.clone() };
    let moved = seen(request.clone(), std::slice::from_ref(&doubtful), 3).unwrap();
    assert_eq!(of(moved.request(), "001").doubt, doubt);
    assert_eq!(stored(moved.event())["outcomes"][0]["doubt"], "the firewall is off");
    // A doubt that comes after the evidence counts, too.
    let first = seen(request, &[sure], 3).unwrap().into_request();
    let later = seen(first, &[doubtful], 4).unwrap();
    assert_eq!(of(later.request(), "001").doubt, doubt);
}

#[test]
fn undo_reverts_only_outcomes_that_may_be_active() {
    let request = settled(true);
    let all = ["001", "003"].map(endpoint_id);
    let after = request.reverted(undo(), &all, Some(WINDOW), minute(6)).unwrap().into_request();
    assert_eq!(outcome(&after, "001"), Outcome::Reverted { by: undo(), seen: None });
    assert_eq!(outcome(&after, "002"), Outcome::Sent);
    assert_eq!(outcome(&after, "003").name(), "not_sent");
    let only = [endpoint_id("001")];
    assert_eq!(after.reverted(undo(), &only, Some(WINDOW), minute(7)), None);
}

#[test]
fn failed_undo_brings_back_only_what_it_reverted() {
    let ids = [endpoint_id("001")];
    let back = |before: Outcome, by| with(before).undo_failed(by, &ids, Some(WINDOW), minute(6));
    let unseen = Outcome::Reverted { by: undo(), seen: None };
    let after = back(unseen.clone(), undo()).unwrap().into_request();
    assert_eq!(outcome(&after, "001").name(), "unknown", "nobody saw that it started");
    let mut started = with(unseen.clone());
    started.targets[0].started = true;
    let after = started.undo_failed(undo(), &ids, Some(WINDOW), minute(6)).unwrap().into_request();
    assert_eq!(outcome(&after, "001").name(), "unconfirmed");
    assert!(of(&after, "001").watch_until.is_some(), "its evidence is looked for again");
    assert_eq!(back(unseen, RequestId::from(Uuid::from_u128(78))), None);
    for other in every_outcome() {
        if other != (Outcome::Reverted { by: undo(), seen: None }) {
            assert_eq!(back(other, undo()), None);
        }
    }
}

#[test]
fn resolution_is_recorded_with_person_and_reason() {
    let request = with(Outcome::Unknown { why: "no answer".to_owned() });
    let bob = Who::Analyst.person();
    let ids = [endpoint_id("001")];
    let found = (&ids[..], Finding::NotDone, "iptables -S shows no rule");
    let moved = request.resolve(&bob, found, &answer(true), minute(30)).unwrap();
    let Outcome::Refused { code: None, message } = outcome(moved.request(), "001") else {
        panic!()
    };
    assert_eq!(message, format!("{}: iptables -S shows no rule", bob.name));
    assert_eq!(stored(moved.event())["role"], Role::Analyst.name());
}

fn resolved(before: Outcome, ids: &[EndpointId], reason: &str, may: bool) -> Option<Refusal> {
    let found = (ids, Finding::Done, reason);
    with(before).resolve(&Who::Analyst.person(), found, &answer(may), minute(30)).err()
}

#[test]
fn known_outcome_cannot_be_resolved() {
    let ids = [endpoint_id("001")];
    for before in every_outcome() {
        let open = matches!(before, Outcome::Unknown { .. } | Outcome::Unconfirmed { .. });
        let refusal = resolved(before, &ids, "I looked", true);
        let wanted = (!open).then(|| Refusal::NotOpen { endpoint: "001".to_owned() });
        assert_eq!(refusal, wanted);
    }
}

#[test]
fn resolution_requires_permission_reason_and_endpoint() {
    let unknown = || Outcome::Unknown { why: "no answer".to_owned() };
    let ids = [endpoint_id("001")];
    let not_allowed = resolved(unknown(), &ids, "I looked", false);
    assert_eq!(not_allowed, Some(Refusal::NotAllowed { why: answer(false).why() }));
    assert_eq!(resolved(unknown(), &ids, "  ", true), Some(Refusal::ReasonMissing));
    let none = Refusal::NotOpen { endpoint: "(none was named)".to_owned() };
    assert_eq!(resolved(unknown(), &[], "I looked", true), Some(none));
}

#[test]
fn silent_endpoints_are_called_one_by_one_last() {
    let mut request = asked(Verdict::Run);
    let silent = [endpoint_id("001"), endpoint_id("003")];
    let silent = silent.iter().collect();
    let mut calls = Vec::new();
    while let Some((_, ids)) = request.next_batch(50, &silent, &HashSet::new()) {
        for target in &mut request.targets {
            if ids.contains(&target.endpoint.id) {
                target.outcome = Some(Outcome::Sent);
            }
        }
        calls.push(ids.iter().map(EndpointId::as_str).collect::<Vec<_>>().join(","));
    }
    assert_eq!(calls, ["002", "001", "003"]);
}
