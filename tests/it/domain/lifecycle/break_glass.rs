//! The broken glass: when it counts, what it owes, and who looks back at it.

use countersign::domain::{
    actor::{Agent, Person, Role},
    audit::EventKind,
    decision::{Tally, Tier, Verdict},
    digest::Digest,
    lifecycle::{Change, REVIEW_HOURS, Refusal, Transition},
    request::{Request, State, StateName},
};

use super::{
    fixtures::{TWO_PEOPLE, Who, agent, answer, asked, ballot, decision, fresh, minute, stored},
    input::Input,
    walk::walk,
};

const HOUR: i64 = 60;

/// A request on which the lead, who is on call, broke the glass; policy answered this.
fn broken(verdict: Verdict) -> Transition {
    let request = asked(TWO_PEOPLE);
    let mut ballot = ballot(Who::Lead, &request, "nobody can be reached");
    ballot.person.on_call = true;
    let prefix = request.digest.prefix();
    request.break_glass(ballot, &prefix, &answer(true), fresh(verdict, 1)).unwrap()
}

/// It was sent, and it is over.
fn over() -> Request {
    Request { state: State::Settled { at: minute(5) }, ..broken(Verdict::Run).into_request() }
}

fn review(request: Request, who: Who, now: i64) -> Result<Transition, Refusal> {
    request.review(&who.person(), "it was needed", &answer(true), minute(now))
}

#[test]
fn break_glass_is_audited_with_reason_and_review_deadline() {
    let moved = broken(Verdict::Run);
    let (request, event) = (moved.request(), moved.event());
    assert_eq!(request.state.name(), StateName::Approved);
    assert_eq!(event.kind(), EventKind::GlassBroken);
    assert_eq!(stored(event)["reason"], "nobody can be reached");
    assert_eq!(stored(event)["digest"], request.digest.to_string());
    let review = request.review.as_ref().unwrap();
    assert_eq!(review.due_at, minute(1 + REVIEW_HOURS * HOUR));
    assert_eq!(review.done, None);
    let Change::Approved(vote) = moved.change() else { panic!("{moved:?}") };
    assert!(vote.break_glass);
}

#[test]
fn review_is_due_while_a_break_glass_vote_remains() {
    for (step, moved) in walk().moves() {
        let (before, after) = (&step.before.request, moved.transition.request());
        let broken = after.votes.iter().any(|vote| vote.break_glass);
        assert_eq!(after.review.is_some(), broken, "{step:?}");
        let votes = matches!(
            step.input,
            Input::BreakGlass { .. } | Input::Retract { .. } | Input::LapseVotes { .. }
        );
        if !votes {
            assert_eq!(after.review, before.review, "{step:?}");
        }
    }
}

#[test]
fn break_glass_never_approves_without_run_verdict() {
    for verdict in [TWO_PEOPLE, Verdict::Deny] {
        let moved = broken(verdict);
        assert_ne!(moved.request().state.name(), StateName::Approved, "{verdict:?}");
    }
}

#[test]
fn break_glass_counts_only_for_current_lead_on_call() {
    let counts = |change: &dyn Fn(&mut Person)| {
        let mut request = broken(Verdict::Run).into_request();
        change(&mut request.votes[0].person);
        request.break_glass_counts(&agent())
    };
    assert!(counts(&|_| {}));
    assert!(!counts(&|person| person.on_call = false));
    for role in [Role::Analyst, Role::Senior, Role::Auditor, Role::Admin] {
        assert!(!counts(&|person| person.role = role), "{role}");
    }
    assert!(!counts(&|person| person.disabled = true));
    assert!(!counts(&|person| person.must_change_password = true));
    let request = broken(Verdict::Run).into_request();
    let lead = Who::Lead.id();
    assert!(!request.break_glass_counts(&Agent { owner: lead, ..agent() }));
    assert!(!request.break_glass_counts(&Agent { issuer: Some(lead), ..agent() }));
    let other = Request { digest: Digest::of(b"another request"), ..request.clone() };
    assert!(!other.break_glass_counts(&agent()));
    let mut plain = request;
    plain.votes[0].break_glass = false;
    assert!(!plain.break_glass_counts(&agent()));
}

#[test]
fn empty_tally_never_approves() {
    let nobody = Verdict::Approval(Tally::NONE);
    let request = asked(TWO_PEOPLE);
    let vote = ballot(Who::Lead, &request, "");
    let moved = request.approve(vote, &answer(true), fresh(nobody, 1)).unwrap();
    assert_eq!(moved.request().state, State::Pending);
    assert_eq!(broken(nobody).request().state, State::Pending);
    assert_eq!(asked(nobody).state, State::Pending);
}

#[test]
fn another_person_reviews_break_glass_after_settlement() {
    let moved = review(over(), Who::Senior, HOUR).unwrap();
    let (request, event) = (moved.request(), moved.event());
    let done = request.review.as_ref().unwrap().done.as_ref().unwrap();
    assert_eq!((done.by.as_str(), done.finding.as_str()), ("sam", "it was needed"));
    assert_eq!((event.kind(), event.actor.name()), (EventKind::Reviewed, "sam"));
    assert_eq!(
        (&stored(event)["finding"], &stored(event)["overdue"]),
        (&"it was needed".into(), &false.into())
    );
    assert_eq!(request.state, State::Settled { at: minute(5) });
    let late = review(over(), Who::Senior, 2 + REVIEW_HOURS * HOUR).unwrap();
    assert_eq!(stored(late.event())["overdue"], true);
}

#[test]
fn review_is_refused_when_not_due_or_by_invoker() {
    assert_eq!(review(over(), Who::Lead, HOUR).err(), Some(Refusal::OwnGlass));
    let twice = review(over(), Who::Senior, HOUR).unwrap().into_request();
    assert_eq!(review(twice, Who::Analyst, HOUR).err(), Some(Refusal::NoReviewDue));
    assert_eq!(review(asked(TWO_PEOPLE), Who::Senior, 1).err(), Some(Refusal::NoReviewDue));
    let open = broken(Verdict::Run).into_request();
    assert_eq!(review(open, Who::Senior, 2).err(), Some(Refusal::NoReviewDue));
    let sam = Who::Senior.person();
    let blank = over().review(&sam, " ", &answer(true), minute(HOUR)).err();
    assert_eq!(blank, Some(Refusal::ReasonMissing));
    let not_allowed = over().review(&sam, "x", &answer(false), minute(HOUR)).err();
    assert!(matches!(not_allowed, Some(Refusal::NotAllowed { .. })));
}

#[test]
fn wrong_digest_prefix_is_refused_with_expected_one() {
    let request = asked(TWO_PEOPLE);
    let prefix = request.digest.prefix();
    let whole = request.digest.to_string();
    let short: String = prefix.chars().take(11).collect();
    for typed in ["", "000000000000", prefix.to_uppercase().as_str(), &whole, &short] {
        if typed == prefix {
            continue;
        }
        let ballot = ballot(Who::Lead, &request, "nobody can be reached");
        let refusal =
            request.clone().break_glass(ballot, typed, &answer(true), fresh(Verdict::Run, 1));
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal, Refusal::PrefixWrong { prefix: prefix.clone() }, "{typed}");
        assert!(
            refusal.to_string().contains(&format!("first 12 characters of the digest: {prefix}"))
        );
    }
}

#[test]
fn tier_depends_on_required_approvals_and_stakes() {
    let one = |senior, lead| Verdict::Approval(Tally { people: 1, analyst: 1, senior, lead });
    assert_eq!(asked(one(0, 0)).tier(), Tier::Low);
    assert_eq!(asked(one(1, 0)).tier(), Tier::Medium);
    assert_eq!(asked(TWO_PEOPLE).tier(), Tier::Medium);
    assert_eq!(asked(one(1, 1)).tier(), Tier::High);
    assert_eq!(asked(Verdict::Deny).tier(), Tier::High);
    assert_eq!(asked(Verdict::Run).tier(), Tier::Low);
    let low = || asked(one(0, 0));
    assert_eq!(
        Request { term: countersign::domain::action::Term::Permanent, ..low() }.tier(),
        Tier::Medium
    );
    assert_eq!(Request { fleet_wide: true, ..low() }.tier(), Tier::Medium);
    let with_criticality = |criticality| {
        let mut request = low();
        request.targets[1].criticality = criticality;
        request.tier()
    };
    assert_eq!([3, 4, 5].map(with_criticality), [Tier::Low, Tier::Medium, Tier::Medium]);
    let mut ran = asked(Verdict::Run);
    ran.decision = decision(Verdict::Run);
    ran.decision.tally = Tally { people: 2, analyst: 2, senior: 1, lead: 0 };
    assert_eq!(ran.tier(), Tier::Medium);
}
