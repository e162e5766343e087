//! How often Cedar is asked: no more often than the verdict needs.

use super::{PERMIT, question, unchecked};
use crate::domain::{decision::Verdict, facts::PolicyQuestion};

const ONE_APPROVES: &str = "permit (principal, action, resource) \
                            when { action in Countersign::Action::\"ask\" };
                            permit (principal, action in Countersign::Action::\"run\", resource) \
                            when { context.votes.analyst >= 1 };";

/// The verdict of these policies over one endpoint, and how many evaluations it took.
fn evaluations(policies: &str, question: &PolicyQuestion) -> (Verdict, u64) {
    let engine = unchecked(policies);
    let decision = engine.decide(question);
    assert!(decision.errors.is_empty(), "{decision:?}");
    (decision.verdict, engine.evaluations())
}

fn one_endpoint() -> PolicyQuestion {
    let mut asked = question();
    asked.endpoints.truncate(1);
    asked
}

fn people(decision: Verdict) -> u8 {
    let Verdict::Approval(tally) = decision else { panic!("{decision:?}") };
    tally.people
}

#[test]
fn denied_ask_takes_one_evaluation() {
    let (verdict, took) =
        evaluations(&format!("{PERMIT} forbid (principal, action, resource);"), &one_endpoint());
    assert_eq!((verdict, took), (Verdict::Deny, 1));
}

#[test]
fn ask_that_runs_takes_two_evaluations() {
    assert_eq!(evaluations(PERMIT, &one_endpoint()), (Verdict::Run, 2));
}

#[test]
fn run_denied_whatever_the_votes_takes_two_evaluations() {
    let never = "forbid (principal, action in Countersign::Action::\"run\", resource);";
    assert_eq!(evaluations(&format!("{PERMIT} {never}"), &one_endpoint()), (Verdict::Deny, 2));
}

#[test]
fn ask_that_waits_takes_three_evaluations() {
    let (verdict, took) = evaluations(ONE_APPROVES, &one_endpoint());
    assert_eq!((people(verdict), took), (1, 3));
    let strict = "forbid (principal, action in Countersign::Action::\"run\", resource) \
                  unless { context.votes.people >= 4 && context.votes.lead >= 3 };";
    let (verdict, took) = evaluations(&format!("{ONE_APPROVES} {strict}"), &one_endpoint());
    assert_eq!((people(verdict), took), (4, 3));
}

#[test]
fn endpoints_that_run_are_not_asked_with_votes_again() {
    let critical = "forbid (principal, action in Countersign::Action::\"run\", resource) \
                    when { resource.criticality == 5 } unless { context.votes.people >= 1 };";
    let (verdict, took) = evaluations(&format!("{PERMIT} {critical}"), &question());
    assert_eq!((people(verdict), took), (1, 2 + 3));
}

#[test]
fn votes_tied_to_facts_are_asked_tally_by_tally() {
    let tied = "forbid (principal, action in Countersign::Action::\"run\", resource) \
                when { context.votes.people < context.facts.scope };";
    let (verdict, took) = evaluations(&format!("{PERMIT} {tied}"), &one_endpoint());
    // Nobody; one person in three roles; two people.
    assert_eq!((people(verdict), took), (2, 1 + 1 + 3 + 1));
}
