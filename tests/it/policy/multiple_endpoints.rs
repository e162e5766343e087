//! Many endpoints, and the least tally.

use std::collections::HashSet;

use countersign::{
    domain::{
        actor::Role,
        decision::{Tally, Verdict},
        facts::{EndpointFacts, PolicyQuestion},
    },
    policy::Engine,
};

use super::{decision_matrix, endpoint, load, question, shipped};

fn tally(people: u8, senior: u8, lead: u8) -> Tally {
    Tally { people, analyst: people, senior, lead }
}

/// Every tally that votes can reach, the least burdensome first.
fn tallies(people_max: u8) -> Vec<Tally> {
    let mut all = Vec::new();
    for people in 0..=people_max {
        for lead in 0..=people {
            all.extend((lead..=people).map(|senior| tally(people, senior, lead)));
        }
    }
    all
}

fn on(endpoints: Vec<EndpointFacts>, fleet_wide: bool) -> PolicyQuestion {
    PolicyQuestion { endpoints, fleet_wide, ..question() }
}

/// Everybody may ask, and one vote lets it run; with these policies besides.
fn with(policies: &str) -> Engine {
    let base = r#"
        @id("ask") @why("anybody may ask")
        permit (principal, action in Countersign::Action::"ask", resource);
        @id("one") @why("one vote is enough")
        permit (principal, action in Countersign::Action::"run", resource)
        when { context.votes.people >= 1 };"#;
    load(&[("base.cedar", base), ("more.cedar", policies)]).unwrap()
}

fn forbid(id: &str, stage: &str, condition: &str) -> String {
    format!(
        r#"@id("{id}") @why("because {id}")
           forbid (principal, action in Countersign::Action::"{stage}", resource)
           when {{ {condition} }};"#
    )
}

#[test]
fn denied_named_endpoint_denies_whole_request() {
    let engine = with(&forbid("vault", "ask", "resource.criticality == 5"));
    let decision = engine.decide(&on(vec![endpoint("001", 1), endpoint("002", 5)], false));
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(decision.policies(), ["vault"]);
    assert!(decision.kept_out.is_empty());
}

#[test]
fn fleet_wide_request_skips_denied_endpoints() {
    let engine = with(&forbid("vault", "ask", "resource.criticality == 5"));
    let fleet = vec![endpoint("004", 5), endpoint("001", 1), endpoint("002", 5)];
    let decision = engine.decide(&on(fleet, true));
    assert_eq!(decision.verdict, Verdict::Approval(tally(1, 0, 0)));
    assert_eq!(decision.policies(), ["one"]);
    let kept_out: Vec<_> = decision
        .kept_out
        .iter()
        .map(|(id, reasons)| (id.as_str(), reasons[0].policy.as_str(), reasons[0].why.as_str()))
        .collect();
    assert_eq!(kept_out, [("002", "vault", "because vault"), ("004", "vault", "because vault")]);
}

#[test]
fn fleet_wide_request_denied_everywhere_is_denied() {
    let engine = with(&forbid("vault", "ask", "resource.criticality == 5"));
    let decision = engine.decide(&on(vec![endpoint("001", 5), endpoint("002", 5)], true));
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(decision.policies(), ["vault"]);
    assert_eq!(decision.kept_out.len(), 2);
}

#[test]
fn request_without_endpoints_is_denied() {
    for fleet_wide in [true, false] {
        let decision = shipped().decide(&on(Vec::new(), fleet_wide));
        assert_eq!(decision.verdict, Verdict::Deny);
        assert_eq!(decision.why(), "no policy allows it");
    }
}

#[test]
fn policy_for_one_endpoint_does_not_affect_similar_ones() {
    let engine = with(&forbid("vault", "run", "resource == Countersign::Endpoint::\"002\""));
    let fleet = vec![endpoint("001", 1), endpoint("002", 1), endpoint("003", 1)];
    let decision = engine.decide(&on(fleet, true));
    assert_eq!(decision.verdict, Verdict::Approval(tally(1, 0, 0)));
    let kept_out: Vec<_> = decision.kept_out.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(kept_out, ["002"]);
}

#[test]
fn group_policy_applies_in_any_group_order() {
    let engine = with(
        r#"@id("vault") @why("because")
           forbid (principal, action, resource in Countersign::Group::"vault");"#,
    );
    let mut member = endpoint("002", 1);
    member.groups = vec!["web".to_owned(), "vault".to_owned()];
    let mut other = member.clone();
    other.id = endpoint("003", 1).id;
    other.groups.reverse();
    let decision = engine.decide(&on(vec![endpoint("001", 1), member, other], true));
    assert_eq!(decision.kept_out.len(), 2);
}

#[test]
fn unapprovable_request_is_denied_by_the_remaining_forbid() {
    let engine = with(&forbid("never", "run", "resource.criticality == 5"));
    let decision = engine.decide(&on(vec![endpoint("001", 5)], false));
    assert_eq!((decision.verdict, decision.policies()), (Verdict::Deny, vec!["never"]));
}

#[test]
fn combined_approvals_become_the_least_sufficient_tally() {
    let three = forbid("three", "run", "resource.criticality == 1 && context.votes.people < 3");
    let lead = forbid("lead", "run", "resource.criticality == 2 && context.votes.lead < 1");
    let engine = with(&format!("{three}{lead}"));
    let both = on(vec![endpoint("001", 1), endpoint("002", 2)], false);
    let decision = engine.decide(&both);
    assert_eq!(decision.verdict, Verdict::Approval(tally(3, 1, 1)));
    assert_eq!(decision.policies(), ["lead", "three"]);
    let voted = PolicyQuestion { tally: tally(3, 1, 1), ..both };
    assert_eq!(engine.decide(&voted).verdict, Verdict::Run);
}

#[test]
fn mutually_exclusive_approvals_are_denied() {
    let one = forbid("one-only", "run", "resource.criticality == 1 && context.votes.people > 1");
    let two = forbid("two", "run", "resource.criticality == 2 && context.votes.people < 2");
    let engine = with(&format!("{one}{two}"));
    let decision = engine.decide(&on(vec![endpoint("001", 1), endpoint("002", 2)], false));
    assert_eq!(decision.verdict, Verdict::Deny);
}

#[test]
fn least_tally_prefers_fewer_people_over_lower_roles() {
    let engine =
        with(&forbid("many-or-lead", "run", "context.votes.lead < 1 && context.votes.people < 3"));
    let decision = engine.decide(&question());
    assert_eq!(decision.verdict, Verdict::Approval(tally(1, 1, 1)));
}

#[test]
fn decision_records_tally_time_and_policy_hash() {
    let asked = PolicyQuestion { tally: tally(1, 0, 0), ..question() };
    let decision = shipped().decide(&asked);
    assert_eq!((decision.tally, decision.at), (asked.tally, asked.now));
    assert_eq!(decision.policy_hash, shipped().hash());
}

#[test]
fn least_tally_suffices_and_every_smaller_one_fails() {
    let engine = shipped();
    for asked in decision_matrix::open_questions() {
        let runs = |tally: Tally| {
            engine.decide(&PolicyQuestion { tally, ..asked.clone() }).verdict == Verdict::Run
        };
        let least = match engine.decide(&asked).verdict {
            Verdict::Run => Tally::NONE,
            Verdict::Approval(tally) => tally,
            Verdict::Deny => continue,
        };
        assert!(runs(least), "{asked:?}");
        for smaller in tallies(5).into_iter().take_while(|tally| *tally != least) {
            assert!(!runs(smaller), "{smaller:?} is enough for {asked:?}");
        }
    }
}

#[test]
fn additional_vote_never_prevents_execution() {
    let engine = shipped();
    for asked in decision_matrix::open_questions() {
        let runs = |tally: &Tally| {
            let voted = PolicyQuestion { tally: *tally, ..asked.clone() };
            engine.decide(&voted).verdict == Verdict::Run
        };
        let enough: HashSet<_> = tallies(4).into_iter().filter(runs).collect();
        for tally in enough.iter().filter(|tally| tally.people < 4) {
            for role in [Role::Analyst, Role::Senior, Role::Lead] {
                assert!(
                    enough.contains(&tally.and(role)),
                    "{role} after {tally:?} stops {asked:?}"
                );
            }
        }
    }
}
