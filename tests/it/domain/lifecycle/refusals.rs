//! One assertion per refusal: each guard really stops something.

use std::collections::{BTreeMap, BTreeSet};

use countersign::domain::{
    decision::{Authorization, Verdict},
    digest::Digest,
    endpoint::EndpointId,
    lifecycle::{Ballot, DispatchReport, Displayed, Next, Refusal, Transition},
    request::{Outcome, Request, StateName},
};

use super::{
    fixtures::{
        DEADLINE, TWO_PEOPLE, USE_BY, Who, all_sent, answer, asked, attempt_id, ballot, claimed,
        fresh, minute, order,
    },
    walk::walk,
};

/// Every function with every refusal it has.
const REFUSALS: [(&str, &str); 16] = [
    ("approve", "AlreadyVoted DigestChanged NotAllowed TooLate VersionChanged WrongState"),
    (
        "break_glass",
        "DigestChanged NotAllowed PrefixWrong ReasonMissing TooLate VersionChanged WrongState",
    ),
    ("reject", "DigestChanged NotAllowed ReasonMissing TooLate VersionChanged WrongState"),
    ("retract", "NotAllowed NotVoted TooLate WrongState"),
    ("cancel", "NotAllowed WrongState"),
    ("expire", "TooEarly WrongState"),
    ("redecide", "TooLate WrongState"),
    ("withdraw", "WrongState"),
    ("hold", ""),
    ("claim", "DigestChanged Frozen NoSuchAttempt PolicyWithdrawn TooLate WrongState"),
    ("lose_all", "WrongState"),
    ("answered", "NoSuchAttempt WrongState"),
    ("resume", "NoSuchAttempt TooEarly WrongState"),
    ("recover", "WrongState"),
    ("returned", "TooLate WrongState"),
    ("end_wait", "WrongState"),
];

const fn variant(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::WrongState { .. } => "WrongState",
        Refusal::VersionChanged => "VersionChanged",
        Refusal::DigestChanged => "DigestChanged",
        Refusal::NotAllowed { .. } => "NotAllowed",
        Refusal::AlreadyVoted => "AlreadyVoted",
        Refusal::NotVoted => "NotVoted",
        Refusal::ReasonMissing => "ReasonMissing",
        Refusal::TooLate { .. } => "TooLate",
        Refusal::TooEarly => "TooEarly",
        Refusal::Frozen => "Frozen",
        Refusal::SecondPersonMissing => "SecondPersonMissing",
        Refusal::PolicyChanged => "PolicyChanged",
        Refusal::PolicyWithdrawn { .. } => "PolicyWithdrawn",
        Refusal::NoSuchAttempt => "NoSuchAttempt",
        Refusal::NothingToUndo { .. } => "NothingToUndo",
        Refusal::NotOpen { .. } => "NotOpen",
        Refusal::PrefixWrong { .. } => "PrefixWrong",
        Refusal::NoReviewDue => "NoReviewDue",
        Refusal::OwnGlass => "OwnGlass",
        Refusal::NotTogether { .. } => "NotTogether",
    }
}

#[test]
fn each_function_refuses_for_exactly_these_reasons() {
    let mut met: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for step in &walk().steps {
        let refusals = met.entry(step.input.function()).or_default();
        refusals.extend(step.result.as_ref().err().map(variant));
    }
    for (function, refusals) in REFUSALS {
        let met: Vec<_> = met[function].iter().copied().collect();
        assert_eq!(met.join(" "), refusals, "{function}");
    }
}

fn approve(request: Request, ballot: Ballot, may: &Authorization, now: i64) -> Option<Refusal> {
    request.approve(ballot, may, fresh(TWO_PEOPLE, now)).err()
}

fn reject(request: Request, ballot: Ballot, may: &Authorization, now: i64) -> Option<Refusal> {
    request.reject(ballot, may, minute(now)).err()
}

/// Rejects with a reason, or approves: all is right but what the caller changes.
fn vote(change: impl Fn(&mut Request, &mut Ballot)) -> [Option<Refusal>; 2] {
    let mut request = asked(TWO_PEOPLE);
    let mut ballot = ballot(Who::Lead, &request, "a test of ours");
    change(&mut request, &mut ballot);
    [
        approve(request.clone(), ballot.clone(), &answer(true), 1),
        reject(request, ballot, &answer(true), 1),
    ]
}

fn both(refusal: &Refusal) -> [Option<Refusal>; 2] {
    [Some(refusal.clone()), Some(refusal.clone())]
}

fn claim(request: Request, run: Verdict, frozen: bool, now: i64) -> Option<Refusal> {
    let order = order(&request, &["001"]);
    request.claim(order, &[], fresh(run, now), frozen).err()
}

#[test]
fn valid_vote_is_not_refused() {
    assert_eq!(vote(|_, _| {}), [None, None]);
}

#[test]
fn wrong_state_is_refused_and_named() {
    let request = claimed().0.into_request();
    let ballot = ballot(Who::Lead, &request, "a test of ours");
    let refusal = reject(request, ballot, &answer(true), 2);
    let verb = "be rejected";
    assert_eq!(refusal, Some(Refusal::WrongState { state: StateName::Dispatching, verb }));
}

#[test]
fn approved_request_cannot_be_approved_again() {
    let request = asked(Verdict::Run);
    let ballot = ballot(Who::Lead, &request, "");
    let refusal = approve(request, ballot, &answer(true), 1);
    let verb = "be approved";
    assert_eq!(refusal, Some(Refusal::WrongState { state: StateName::Approved, verb }));
}

#[test]
fn vote_on_another_version_is_refused() {
    let older = vote(|request, _| request.version += 1);
    assert_eq!(older, both(&Refusal::VersionChanged));
    let newer = vote(|_, ballot| ballot.shown.version += 1);
    assert_eq!(newer, both(&Refusal::VersionChanged));
}

#[test]
fn vote_on_another_digest_is_refused() {
    let refusals = vote(|request, ballot| {
        ballot.shown =
            Displayed { version: request.version, digest: Digest::of(b"another request") };
    });
    assert_eq!(refusals, both(&Refusal::DigestChanged));
}

#[test]
fn vote_on_changed_bytes_is_refused() {
    let refusals = vote(|request, _| "elsewhere".clone_into(&mut request.manager));
    assert_eq!(refusals, both(&Refusal::DigestChanged));
}

#[test]
fn policy_denial_is_refused_with_its_reasons() {
    let not_allowed = Some(Refusal::NotAllowed { why: "because of who".to_owned() });
    let request = || asked(TWO_PEOPLE);
    let ballot = || ballot(Who::Lead, &request(), "a test of ours");
    assert_eq!(approve(request(), ballot(), &answer(false), 1), not_allowed);
    assert_eq!(reject(request(), ballot(), &answer(false), 1), not_allowed);
    let lead = Who::Lead.person();
    let retracted = request().retract(&lead, &answer(false), fresh(TWO_PEOPLE, 1));
    assert_eq!(retracted.err(), not_allowed);
    let cancelled = request().cancel((&lead).into(), "", &answer(false), minute(1));
    assert_eq!(cancelled.err(), not_allowed);
}

#[test]
fn second_approval_by_same_person_is_refused() {
    let request = asked(TWO_PEOPLE);
    let again = ballot(Who::Lead, &request, "");
    let once = request.approve(again.clone(), &answer(true), fresh(TWO_PEOPLE, 1)).unwrap();
    let refusal = approve(once.into_request(), again, &answer(true), 2);
    assert_eq!(refusal, Some(Refusal::AlreadyVoted));
}

#[test]
fn missing_approval_cannot_be_retracted() {
    let request = asked(TWO_PEOPLE);
    let ballot = ballot(Who::Senior, &request, "");
    let once = request.approve(ballot, &answer(true), fresh(TWO_PEOPLE, 1)).unwrap();
    let lead = Who::Lead.person();
    let refusal = once.into_request().retract(&lead, &answer(true), fresh(TWO_PEOPLE, 2));
    assert_eq!(refusal.err(), Some(Refusal::NotVoted));
}

#[test]
fn rejection_without_reason_is_refused() {
    for blank in ["", "  ", "\n\t"] {
        let [_, refusal] = vote(|_, ballot| blank.clone_into(&mut ballot.comment));
        assert_eq!(refusal, Some(Refusal::ReasonMissing), "{blank:?}");
    }
}

#[test]
fn decision_is_refused_from_deadline_on() {
    let request = || asked(TWO_PEOPLE);
    let vote = || ballot(Who::Lead, &request(), "a test of ours");
    let too_late = Some(Refusal::TooLate { deadline: minute(DEADLINE) });
    let last = DEADLINE - 1;
    assert_eq!(approve(request(), vote(), &answer(true), last), None);
    assert_eq!(reject(request(), vote(), &answer(true), last), None);
    assert_eq!(request().redecide(fresh(Verdict::Run, last), "").err(), None);
    for late in [DEADLINE, DEADLINE + 100] {
        assert_eq!(approve(request(), vote(), &answer(true), late), too_late);
        assert_eq!(reject(request(), vote(), &answer(true), late), too_late);
        assert_eq!(request().redecide(fresh(Verdict::Run, late), "").err(), too_late);
        let approved = request().approve(vote(), &answer(true), fresh(TWO_PEOPLE, 1)).unwrap();
        let retracted = approved.into_request().retract(
            &Who::Lead.person(),
            &answer(true),
            fresh(Verdict::Run, late),
        );
        assert_eq!(retracted.err(), too_late);
    }
}

#[test]
fn approved_request_may_be_rejected_after_deadline() {
    let request = asked(Verdict::Run);
    let ballot = ballot(Who::Lead, &request, "a test of ours");
    assert_eq!(reject(request, ballot, &answer(true), DEADLINE), None);
}

#[test]
fn claim_is_refused_from_use_by_on() {
    let too_late = Some(Refusal::TooLate { deadline: minute(USE_BY) });
    assert_eq!(claim(asked(Verdict::Run), Verdict::Run, false, USE_BY - 1), None);
    for late in [USE_BY, USE_BY + 100] {
        assert_eq!(claim(asked(Verdict::Run), Verdict::Run, false, late), too_late);
    }
}

#[test]
fn expiry_is_refused_before_deadline() {
    let expire = |verdict, now| asked(verdict).expire(minute(now)).err();
    assert_eq!(expire(TWO_PEOPLE, DEADLINE - 1), Some(Refusal::TooEarly));
    assert_eq!(expire(TWO_PEOPLE, DEADLINE), None);
    assert_eq!(expire(TWO_PEOPLE, DEADLINE + 100), None);
    assert_eq!(expire(Verdict::Run, USE_BY - 1), Some(Refusal::TooEarly));
    assert_eq!(expire(Verdict::Run, USE_BY), None);
}

#[test]
fn claim_is_refused_while_kill_switch_is_on() {
    assert_eq!(claim(asked(Verdict::Run), Verdict::Run, true, 1), Some(Refusal::Frozen));
}

#[test]
fn claim_is_refused_when_policy_no_longer_allows() {
    let withdrawn = Some(Refusal::PolicyWithdrawn { why: "because of p".to_owned() });
    for verdict in [TWO_PEOPLE, Verdict::Deny] {
        assert_eq!(claim(asked(Verdict::Run), verdict, false, 1), withdrawn);
    }
}

#[test]
fn claim_is_refused_when_bytes_changed() {
    let mut request = asked(Verdict::Run);
    "elsewhere".clone_into(&mut request.manager);
    assert_eq!(claim(request, Verdict::Run, false, 1), Some(Refusal::DigestChanged));
}

#[test]
fn order_must_name_only_open_endpoints() {
    let refusal = |endpoints: &[&str], lost: &[(EndpointId, String)]| {
        let request = asked(Verdict::Run);
        let order = order(&request, endpoints);
        request.claim(order, lost, fresh(Verdict::Run, 1), false).err()
    };
    let lost = [(super::fixtures::endpoint_id("001"), "gone".to_owned())];
    assert_eq!(refusal(&["001"], &[]), None);
    assert_eq!(refusal(&["002"], &lost), None);
    assert_eq!(refusal(&["001", "002"], &lost), Some(Refusal::NoSuchAttempt));
    assert_eq!(refusal(&["001", "999"], &[]), Some(Refusal::NoSuchAttempt));
    assert_eq!(refusal(&[], &[]), Some(Refusal::NoSuchAttempt));
}

fn answered(
    request: Request,
    attempt: usize,
    report: &DispatchReport,
) -> Result<Transition, Refusal> {
    let next = Next::Stop { why: "nothing more to do".to_owned() };
    request.answered(attempt_id(attempt), report, next, minute(2)).map(|(moved, _)| moved)
}

#[test]
fn answer_must_match_open_attempt_and_its_endpoints() {
    let dispatching = || claimed().0.into_request();
    let refusal =
        |attempt, endpoints: &[&str]| answered(dispatching(), attempt, &all_sent(endpoints)).err();
    assert_eq!(refusal(0, &["001", "002"]), None);
    assert_eq!(refusal(1, &["001", "002"]), Some(Refusal::NoSuchAttempt));
    assert_eq!(refusal(0, &["001", "003"]), Some(Refusal::NoSuchAttempt));
    assert_eq!(refusal(0, &["001", "999"]), Some(Refusal::NoSuchAttempt));
    assert_eq!(refusal(0, &["001", "001"]), Some(Refusal::NoSuchAttempt));
}

#[test]
fn attempt_is_answered_once() {
    let request = claimed().0.into_request();
    let nothing = DispatchReport {
        outcomes: Vec::new(),
        summary: "connection refused".to_owned(),
        confirm_within: None,
    };
    let order = order(&request, &["001", "002"]);
    let run = super::fixtures::decision(Verdict::Run);
    let again = Next::Order { order, run, frozen: false };
    let (moved, _) = request.answered(attempt_id(0), &nothing, again, minute(2)).unwrap();
    let refusal = answered(moved.into_request(), 0, &all_sent(&["001", "002"])).err();
    assert_eq!(refusal, Some(Refusal::NoSuchAttempt));
}

#[test]
fn endpoint_missing_from_report_is_unknown() {
    let request = claimed().0.into_request();
    let moved = answered(request, 0, &all_sent(&["001"])).unwrap();
    let outcomes = moved.request().targets.iter().map(|target| target.outcome.as_ref());
    let names: Vec<_> = outcomes.map(|outcome| outcome.map(Outcome::name)).collect();
    assert_eq!(names, [Some("sent"), Some("unknown"), Some("not_sent")]);
}

#[test]
fn refusal_is_a_readable_sentence() {
    let mut sentences = BTreeSet::new();
    for step in &walk().steps {
        sentences.extend(step.result.as_ref().err().map(ToString::to_string));
    }
    for sentence in sentences {
        assert!(sentence.contains(' ') && !sentence.ends_with('.'), "{sentence}");
        assert!(!sentence.contains(['{', '_']), "{sentence}");
    }
    let too_late = Refusal::TooLate { deadline: minute(DEADLINE) };
    assert_eq!(too_late.to_string(), "its time ran out at 2027-01-15 09:00:00 UTC");
}
