//! What cannot be seen from outside: a set that fails while it is evaluated, which loading refuses,
//! and how often Cedar is asked.

use std::sync::Arc;

use cedar_policy::{Context, PolicySet};

use super::{
    Engine, PolicyFiles, Set,
    entities::{PolicyEntities, Query},
    schema::SchemaVersion,
    verdict::Evaluation,
};
use crate::domain::{
    action::{Action, ActionKind, Catalogue, Term},
    actor::{Agent, Person, Role},
    decision::{Tally, Verdict},
    digest::Digest,
    endpoint::{EndpointId, Platform},
    facts::history::AgentHistory,
    facts::{
        ActProof, AlertFacts, Authentication, EndpointFacts, PolicyQuestion, Principal, Resource,
        TargetFacts, Verb,
    },
    proposal::Claim,
};

mod evaluations;
mod generated;
mod oracle;

const PERMIT: &str = "permit (principal, action, resource);";
const OVERFLOW: &str = "forbid (principal, action, resource) \
                        when { 9223372036854775807 + 1 > 0 };";
const MISSING: &str = "forbid (principal, action, resource) when { resource.owner.name == \"x\" };";
const ELSEWHERE: &str = "forbid (principal, action, resource) \
                         when { resource.criticality == 5 && 9223372036854775807 + 1 > 0 };";

/// A set that nobody checked.
fn unchecked(policies: &str) -> Engine {
    let policies: PolicySet = policies.parse().unwrap();
    let policies = (Vec::new(), policies.policies().cloned().collect());
    let entities = PolicyEntities::new(SchemaVersion::Current, Catalogue::built_in()).unwrap();
    let made_of = (Digest::ZERO, PolicyFiles::default());
    Engine(Arc::new(
        Set::new(policies, made_of, (entities, Catalogue::built_in().clone())).unwrap(),
    ))
}

fn person() -> Person {
    let id = "per_00000000000000000000000000000001".parse().unwrap();
    Person::new(id, "somebody".to_owned(), Role::Lead)
}

fn question() -> PolicyQuestion {
    let endpoint = |id: &str, criticality| EndpointFacts {
        id: EndpointId::parse(id).unwrap(),
        platform: Platform::Linux,
        groups: Vec::new(),
        criticality,
        unknown_outcome: false,
    };
    PolicyQuestion {
        agent: Agent {
            id: "agt_00000000000000000000000000000001".parse().unwrap(),
            name: "responder".to_owned(),
            owner: person().id,
            issuer: None,
            revoked: false,
            scopes: Catalogue::built_in().responses().to_vec(),
            issued_at: "2026-02-16T12:00:00Z".parse().unwrap(),
        },
        asked_by: None,
        action: Action::parse(ActionKind::parse("disable_account").unwrap(), "jdoe").unwrap(),
        term: Term::Permanent,
        claim: Claim { reason: "why".to_owned(), alert_id: None, confidence: None },
        target: TargetFacts::default(),
        alert: AlertFacts::default(),
        scope: 2,
        fleet_wide: true,
        when_back: false,
        endpoints: vec![endpoint("001", 1), endpoint("002", 5)],
        history: AgentHistory { ran_last_hour: u64::MAX, ..AgentHistory::default() },
        lifted_seconds_ago: None,
        reach: 2,
        automatic_last_day: 0,
        already_active: false,
        would_shorten: false,
        manager_changed: false,
        now: "2026-02-16T12:00:00Z".parse().unwrap(),
        business_hours: false,
        tally: Tally::NONE,
    }
}

#[test]
fn request_would_run_without_the_failing_policy() {
    assert_eq!(unchecked(PERMIT).decide(&question()).verdict, Verdict::Run);
}

#[test]
fn failing_forbid_denies_what_cedar_would_allow() {
    for forbid in [OVERFLOW, MISSING, ELSEWHERE] {
        let decision = unchecked(&format!("{PERMIT} {forbid}")).decide(&question());
        assert_eq!(decision.verdict, Verdict::Deny, "{forbid}");
        assert!(!decision.errors.is_empty(), "{forbid}");
        assert!(decision.kept_out.is_empty(), "{forbid}");
        assert!(decision.why().starts_with("policy could not be evaluated: "), "{forbid}");
    }
}

#[test]
fn failing_forbid_refuses_a_person_too() {
    let answer = unchecked(&format!("{PERMIT} {OVERFLOW}")).may(
        &Principal::Person(
            person(),
            Authentication { age_seconds: 0, proof_age_seconds: 0, proof: ActProof::None },
        ),
        Verb::Freeze,
        &Resource::System,
    );
    assert!(!answer.allowed);
    assert!(answer.errors[0].contains("overflow"), "{answer:?}");
}

#[test]
fn invalid_question_is_refused_as_an_error() {
    let answer = unchecked(PERMIT).may(
        &Principal::Agent(question().agent),
        Verb::Unfreeze,
        &Resource::System,
    );
    assert!(!answer.allowed);
    assert!(!answer.errors.is_empty());
}

#[test]
#[cfg(debug_assertions)]
fn unfit_context_is_an_error_in_debug_builds() {
    let set = unchecked(PERMIT).0;
    let query = Query {
        principal: set.entities.agent(&question().agent).unwrap().uid(),
        action: set.entities.action_uid("run:block_ip"),
        resource: set.entities.endpoint(&question().endpoints[0]).unwrap().uid(),
    };
    assert!(set.entities.cedar_request(&query, Context::empty()).is_err());
}

#[test]
fn time_that_cedar_cannot_represent_denies() {
    let far = "+12026-02-16T12:00:00Z".parse().unwrap();
    let decision = unchecked(PERMIT).decide(&PolicyQuestion { now: far, ..question() });
    assert_eq!(decision.verdict, Verdict::Deny);
    assert!(!decision.errors.is_empty());
}

#[test]
fn endpoints_alike_for_every_policy_are_evaluated_once() {
    let fleet = || (1..=200).map(|number| (format!("{number:03}"), format!("group-{number}")));
    let endpoints = fleet().map(|(id, group)| EndpointFacts {
        id: EndpointId::parse(&id).unwrap(),
        groups: vec![group],
        ..question().endpoints[0].clone()
    });
    let question = PolicyQuestion { endpoints: endpoints.collect(), ..question() };
    let sites = |named: &[&str]| {
        let set = unchecked(PERMIT).0;
        let mut set = Arc::into_inner(set).unwrap();
        set.named = set.entities.named(named.iter().map(|entity| entity.parse().unwrap()));
        Evaluation::new(&set, &question).unwrap().sites().unwrap().len()
    };
    assert_eq!(sites(&[]), 1);
    assert_eq!(sites(&["Countersign::Endpoint::\"007\""]), 2);
    assert_eq!(sites(&["Countersign::Group::\"group-7\"", "Countersign::Group::\"group-8\""]), 3);
}
