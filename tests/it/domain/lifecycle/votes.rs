//! Whose approval counts, and for what.

use std::collections::BTreeSet;

use countersign::domain::{
    actor::{Agent, Person, Role},
    decision::{Tally, Verdict},
    digest::Digest,
    id::PersonId,
    lifecycle::{Change, Reevaluation, Refusal},
    request::{Request, StateName, Vote},
};
use uuid::Uuid;

use super::{
    fixtures::{TWO_PEOPLE, Who, agent, answer, asked, ballot, fresh, minute},
    input::{Input, Screen},
    walk::walk,
};

/// A request that this person approved with this page on the screen.
fn approved_by(person: Person, digest: Digest) -> Request {
    let mut request = asked(TWO_PEOPLE);
    request.votes.push(Vote {
        person,
        digest,
        comment: String::new(),
        at: minute(1),
        break_glass: false,
    });
    request
}

fn approved_by_lead() -> Request {
    let digest = asked(TWO_PEOPLE).digest;
    approved_by(Who::Lead.person(), digest)
}

const ONE_LEAD: Tally = Tally { people: 1, analyst: 1, senior: 1, lead: 1 };

#[test]
fn owner_and_admin_votes_never_count() {
    for transition in walk().transitions() {
        let request = transition.request();
        for vote in &request.votes {
            let out = [Who::Owner.id(), Who::Admin.id()].contains(&vote.person.id);
            assert_eq!(request.counts(vote, &agent()), !out, "{vote:?}");
        }
    }
}

#[test]
fn tally_counts_each_voter_once() {
    for transition in walk().transitions() {
        let request = transition.request();
        let voted = |who: &Who| request.votes.iter().any(|vote| vote.person.id == who.id());
        let count =
            |people: &[Who]| u8::try_from(people.iter().filter(|who| voted(who)).count()).unwrap();
        let expected = Tally {
            people: count(&[Who::Analyst, Who::Senior, Who::Lead]),
            analyst: count(&[Who::Analyst, Who::Senior, Who::Lead]),
            senior: count(&[Who::Senior, Who::Lead]),
            lead: count(&[Who::Lead]),
        };
        assert_eq!(request.tally(&agent()), expected);
    }
}

#[test]
fn owner_and_issuer_never_count_then_or_now() {
    let request = approved_by_lead();
    let lead = Who::Lead.id();
    assert_eq!(request.tally(&agent()), ONE_LEAD);
    assert_eq!(request.tally(&Agent { owner: lead, ..agent() }), Tally::NONE);
    assert_eq!(request.tally(&Agent { issuer: Some(lead), ..agent() }), Tally::NONE);
    let owned_then = Request { owner: lead, ..request.clone() };
    assert_eq!(owned_then.tally(&agent()), Tally::NONE);
    let issued_then = Request { issuer: Some(lead), ..request };
    assert_eq!(issued_then.tally(&agent()), Tally::NONE);
}

#[test]
fn approval_of_another_digest_never_counts() {
    let request = approved_by(Who::Lead.person(), Digest::of(b"another request"));
    assert_eq!(request.tally(&agent()), Tally::NONE);
}

#[test]
fn disabled_persons_vote_does_not_count() {
    let mut request = approved_by_lead();
    request.votes[0].person.disabled = true;
    assert_eq!(request.tally(&agent()), Tally::NONE);
}

#[test]
fn vote_does_not_count_after_password_reset() {
    let mut request = approved_by_lead();
    request.votes[0].person.must_change_password = true;
    assert_eq!(request.tally(&agent()), Tally::NONE);
}

#[test]
fn auditor_and_admin_votes_do_not_count() {
    for role in [Role::Auditor, Role::Admin] {
        let mut request = approved_by_lead();
        request.votes[0].person.role = role;
        assert_eq!(request.tally(&agent()), Tally::NONE, "{role}");
    }
}

#[test]
fn two_voters_count_as_two() {
    let mut request = approved_by_lead();
    let other = Person { id: PersonId::from(Uuid::from_u128(6)), ..Who::Analyst.person() };
    let digest = request.digest;
    request.votes.push(Vote {
        person: other,
        digest,
        comment: String::new(),
        at: minute(2),
        break_glass: false,
    });
    let expected = Tally { people: 2, analyst: 2, senior: 1, lead: 1 };
    assert_eq!(request.tally(&agent()), expected);
}

#[test]
fn each_person_votes_once() {
    for (step, moved) in walk().moves() {
        let votes = &moved.transition.request().votes;
        let people: BTreeSet<_> = votes.iter().map(|vote| vote.person.id).collect();
        assert_eq!(people.len(), votes.len(), "{step:?}");
    }
}

#[test]
fn only_voting_and_retraction_change_votes() {
    for (step, moved) in walk().moves() {
        let mut expected = step.before.request.votes.clone();
        match step.input {
            Input::Approve { who, now, .. } => expected.push(Vote {
                person: who.person(),
                digest: step.before.request.digest,
                comment: "looks right".to_owned(),
                at: minute(now),
                break_glass: false,
            }),
            Input::BreakGlass { who, now, .. } => {
                expected.retain(|vote| vote.person.id != who.id());
                expected.push(Vote {
                    person: who.person(),
                    digest: step.before.request.digest,
                    comment: "nobody".to_owned(),
                    at: minute(now),
                    break_glass: true,
                });
            }
            Input::Retract { who, .. } => expected.retain(|vote| vote.person.id != who.id()),
            Input::LapseVotes { now, .. } => expected.retain(|vote| vote.at >= minute(now)),
            Input::Reject { .. }
            | Input::Cancel { .. }
            | Input::Expire { .. }
            | Input::Redecide { .. }
            | Input::Withdraw { .. }
            | Input::BeginTurn { .. }
            | Input::Hold
            | Input::Claim { .. }
            | Input::LoseAll { .. }
            | Input::Answer { .. }
            | Input::Resume { .. }
            | Input::Recover { .. }
            | Input::Return { .. }
            | Input::EndWait { .. }
            | Input::Find { .. } => {}
        }
        assert_eq!(moved.transition.request().votes, expected, "{step:?}");
    }
}

#[test]
fn transition_names_vote_to_store_or_remove() {
    for (step, moved) in walk().moves() {
        let change = moved.transition.change();
        match step.input {
            Input::Approve { .. } | Input::BreakGlass { .. } => {
                let vote = moved.transition.request().votes.last().unwrap().clone();
                assert_eq!(*change, Change::Approved(vote), "{step:?}");
            }
            Input::Retract { who, .. } => assert_eq!(*change, Change::Retracted(who.id())),
            Input::LapseVotes { now, .. } => {
                let before = step.before.request.votes.iter().filter(|vote| vote.at < minute(now));
                let lapsed: Vec<_> = before.map(|vote| vote.person.id).collect();
                assert!(!lapsed.is_empty(), "{step:?}");
                assert_eq!(*change, Change::Lapsed(lapsed), "{step:?}");
            }
            Input::Reject { .. }
            | Input::Cancel { .. }
            | Input::Expire { .. }
            | Input::Redecide { .. }
            | Input::Withdraw { .. }
            | Input::BeginTurn { .. }
            | Input::Hold
            | Input::Find { .. }
            | Input::Return { .. }
            | Input::EndWait { .. }
            | Input::LoseAll { .. } => assert_eq!(*change, Change::State, "{step:?}"),
            Input::Claim { .. }
            | Input::Answer { .. }
            | Input::Resume { .. }
            | Input::Recover { .. } => {
                let votes = matches!(change, Change::Approved(_) | Change::Retracted(_));
                assert!(!votes, "{step:?}");
            }
        }
    }
}

#[test]
fn every_move_requires_policy_permission() {
    for (step, _) in walk().moves() {
        let allowed = match step.input {
            Input::Approve { may, .. }
            | Input::BreakGlass { may, .. }
            | Input::Reject { may, .. }
            | Input::Retract { may, .. }
            | Input::Cancel { may, .. } => may,
            Input::Expire { .. }
            | Input::Redecide { .. }
            | Input::LapseVotes { .. }
            | Input::Withdraw { .. }
            | Input::BeginTurn { .. }
            | Input::Hold
            | Input::Claim { .. }
            | Input::LoseAll { .. }
            | Input::Answer { .. }
            | Input::Resume { .. }
            | Input::Recover { .. }
            | Input::Return { .. }
            | Input::EndWait { .. }
            | Input::Find { .. } => true,
        };
        assert!(allowed, "{step:?}");
    }
}

#[test]
fn decision_requires_current_page_and_unchanged_bytes() {
    for (step, _) in walk().moves() {
        if let Input::Approve { screen, .. }
        | Input::BreakGlass { screen, .. }
        | Input::Reject { screen, .. } = step.input
        {
            assert_eq!(screen, Screen::Current, "{step:?}");
            assert!(!step.before.tampered, "{step:?}");
        }
    }
}

#[test]
fn rejection_requires_a_reason() {
    for (step, _) in walk().moves() {
        if let Input::Reject { reason, .. } = step.input {
            assert!(!reason.trim().is_empty(), "{step:?}");
        }
    }
}

#[test]
fn one_rejection_ends_even_an_approved_request() {
    let request = asked(Verdict::Run);
    let ballot = ballot(Who::Analyst, &request, "a test of ours");
    let moved = request.reject(ballot, &answer(true), minute(1)).unwrap();
    assert_eq!(moved.request().state.name(), StateName::Rejected);
}

#[test]
fn person_may_approve_again_after_retraction() {
    let request = approved_by_lead();
    let lead = Who::Lead.person();
    let retracted = request.retract(&lead, &answer(true), fresh(TWO_PEOPLE, 2)).unwrap();
    let request = retracted.into_request();
    assert_eq!(request.tally(&agent()), Tally::NONE);
    let again = ballot(Who::Lead, &request, "");
    let moved = request.approve(again.clone(), &answer(true), fresh(TWO_PEOPLE, 3)).unwrap();
    assert_eq!(moved.request().tally(&agent()), ONE_LEAD);
    let twice = moved.into_request().approve(again, &answer(true), fresh(TWO_PEOPLE, 4));
    assert_eq!(twice, Err(Refusal::AlreadyVoted));
}

#[test]
fn stopped_request_goes_on_waiting_for_people() {
    for stopped in [true, false] {
        let state = if stopped { StateName::Pending } else { StateName::Approved };
        let lets_run = Reevaluation { stopped, ..fresh(Verdict::Run, 2) };
        let lead = Who::Lead.person();
        let request = approved_by_lead();
        let retracted = request.retract(&lead, &answer(true), lets_run.clone()).unwrap();
        assert_eq!(retracted.request().state.name(), state);
        let again = asked(TWO_PEOPLE).redecide(lets_run, "the policy set changed").unwrap();
        assert_eq!(again.unwrap().request().state.name(), state);
    }
}
