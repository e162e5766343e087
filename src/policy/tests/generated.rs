//! Sets and questions made up by chance, always the same chance, held against the oracle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{super::cases, oracle, person, question};
use crate::{
    domain::{
        action::{Action, ActionKind, Term},
        actor::{Person, Role},
        decision::{Decision, Tally, Tier, Verdict},
        endpoint::{EndpointId, Platform},
        facts::{
            ActProof, Authentication, EndpointFacts, IndexerState, PolicyQuestion, Principal,
            RequestFacts, Resource, TargetFacts, Verb,
        },
    },
    policy::{Engine, PolicyFiles, STARTER},
};

/// A chain of numbers (xorshift): the same seed, the same chain.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        let place = self.below(u64::try_from(of.len()).unwrap());
        of[usize::try_from(place).unwrap()].clone()
    }
}

/// Every form that a policy can name a resource in; `N` stands for a number.
const RESOURCES: [&str; 7] = [
    "resource",
    "resource is Countersign::Endpoint",
    "resource == Countersign::Endpoint::\"00N\"",
    "resource in Countersign::Endpoint::\"00N\"",
    "resource in Countersign::Group::\"g-N\"",
    "resource is Countersign::Endpoint in Countersign::Group::\"g-N\"",
    "resource is Countersign::Endpoint in Countersign::Endpoint::\"00N\"",
];

/// Every form that a policy can name an action in; those of `run` alone may read votes.
const RUN: [&str; 4] = [
    "action in Countersign::Action::\"run\"",
    "action == Countersign::Action::\"run:block_ip\"",
    "action in [Countersign::Action::\"run:block_ip\", Countersign::Action::\"run:unblock_ip\"]",
    "action in [Countersign::Action::\"run\", Countersign::Action::\"run:disable_account\"]",
];
const OTHER: [&str; 4] = [
    "action in Countersign::Action::\"ask\"",
    "action == Countersign::Action::\"ask:block_ip\"",
    "action in [Countersign::Action::\"ask\", Countersign::Action::\"run\"]",
    "action in [Countersign::Action::\"block_ip\", Countersign::Action::\"ask:disable_account\"]",
];

/// Conditions on votes; alone, among others, and in ways that tie both together.
const VOTES: [&str; 18] = [
    "when { context.votes.people >= N }",
    "when { context.votes.people < N }",
    "when { context.votes.people == N }",
    "when { context.votes.lead >= 1 || context.votes.people >= N }",
    "unless { context.votes.senior >= 1 && context.votes.people >= N }",
    "unless { context.votes.lead >= 1 || resource.criticality < N }",
    "when { resource.criticality >= N && context.votes.analyst < 2 }",
    "when { resource.criticality >= N } unless { context.votes.people >= 2 }",
    "when { context.votes.people >= 1 } unless { context.votes.lead > N }",
    "when { context.votes.people >= N || resource.criticality < 3 }",
    "unless { context.votes.people >= 1 && resource.criticality < N }",
    "when { context.votes.people >= context.facts.scope }",
    "unless { context.votes.people >= 1 && resource == Countersign::Endpoint::\"00N\" }",
    "when { context.votes.people < 2 || resource in Countersign::Group::\"g-N\" }",
    "when { if resource.criticality > N then context.votes.lead > 0 else context.votes.people > 0 }",
    "when { context.votes == { people: N, analyst: N, senior: 1, lead: 0 } }",
    "when { [context.votes.people, context.votes.lead].contains(N) }",
    "when { context.votes.people >= N && context.votes.senior != context.votes.lead }",
];
const FACTS: [&str; 5] = [
    "when { resource.criticality >= N }",
    "when { context.facts.reach > N } unless { context.facts.alert_found }",
    "when { resource.platform == \"linux\" }",
    "when { context.facts.permanent || context.facts.undo }",
    "unless { resource.unknown_outcome || context.facts.scope < N }",
];

fn policy(chance: &mut Chance, number: usize) -> String {
    let run = chance.below(5) > 0;
    let action = if run { chance.one(&RUN) } else { chance.one(&OTHER) };
    let condition =
        if run && chance.below(6) > 0 { chance.one(&VOTES) } else { chance.one(&FACTS) };
    // One permit for all lets most questions get as far as the votes.
    let effect = if chance.below(3) == 0 { "permit" } else { "forbid" };
    let resource = if chance.below(3) == 0 { RESOURCES[0] } else { chance.one(&RESOURCES) };
    let text = format!(
        "@id(\"p{number}\") @why(\"w\")\n{effect} (principal is Countersign::Agent, {action}, \
         {resource}) {condition};\n"
    );
    text.replace('N', &(chance.below(4) + 1).to_string())
}

fn engine(chance: &mut Chance, policies: usize, start: &str) -> Engine {
    let schema = STARTER.iter().find(|(name, _)| name.ends_with(".cedarschema")).unwrap();
    let mut text = start.to_owned();
    for number in 0..policies {
        let _written = write!(text, "{}", policy(chance, number));
    }
    let texts = [(schema.0.to_owned(), schema.1.to_owned()), ("p.cedar".to_owned(), text)];
    Engine::new(PolicyFiles::kept(BTreeMap::from(texts))).unwrap()
}

const ASK: &str = "@id(\"ask\") @why(\"w\") permit (principal is Countersign::Agent, \
                   action in Countersign::Action::\"ask\", resource);\n";
const RUNS: &str = "@id(\"run\") @why(\"w\") permit (principal is Countersign::Agent, \
                    action in Countersign::Action::\"run\", resource) \
                    when { context.votes.analyst >= 1 };\n";

fn asked(chance: &mut Chance) -> PolicyQuestion {
    let actions = [
        Action::parse(ActionKind::parse("block_ip").unwrap(), "203.0.113.7").unwrap(),
        // An address in an address: two contexts.
        Action::parse(ActionKind::parse("block_ip").unwrap(), "2002:cb00:7107::1").unwrap(),
        Action::parse(ActionKind::parse("disable_account").unwrap(), "jdoe").unwrap(),
        Action::parse(ActionKind::parse("unblock_ip").unwrap(), "203.0.113.7").unwrap(),
    ];
    let group = |chance: &mut Chance| format!("g-{}", chance.below(5) + 1);
    let endpoints = (0..=chance.below(3)).map(|number| EndpointFacts {
        id: EndpointId::parse(&format!("00{}", number * 2 + 1)).unwrap(),
        platform: chance.one(&[Platform::Linux, Platform::Windows]),
        groups: (0..chance.below(3)).map(|_| group(chance)).collect(),
        criticality: chance.one(&[1, 2, 3, 4, 5]),
        unknown_outcome: chance.below(5) == 0,
    });
    let endpoints: Vec<_> = endpoints.collect();
    let mut asked = question();
    let [people, senior, lead] =
        chance.one(&[[0, 0, 0], [0, 0, 0], [1, 0, 0], [2, 1, 0], [7, 3, 2]]);
    asked.tally = Tally { people, analyst: people, senior, lead };
    asked.alert.found = chance.below(2) == 0;
    asked.alert.indexer = IndexerState::Current;
    let action = chance.one(&actions);
    PolicyQuestion {
        when_back: !action.kind().is_undo() && chance.below(4) == 0,
        action,
        term: chance.one(&[Term::Permanent, Term::Seconds(600)]),
        target: TargetFacts { privileged: chance.below(4) == 0, ..TargetFacts::default() },
        fleet_wide: chance.below(2) == 0,
        scope: chance.below(4) + 1,
        reach: chance.below(60),
        endpoints,
        ..asked
    }
}

/// The engine's answer in the oracle's words.
fn said(decision: &Decision) -> oracle::Said {
    assert!(decision.errors.is_empty(), "{decision:?}");
    let ids = |reasons: &[crate::domain::decision::Reason]| {
        reasons.iter().map(|reason| reason.policy.clone()).collect::<Vec<_>>()
    };
    let kept_out = decision.kept_out.iter().map(|(id, reasons)| (id.to_string(), ids(reasons)));
    (decision.verdict, ids(&decision.reasons), kept_out.collect())
}

fn agrees(engine: &Engine, question: &PolicyQuestion) -> Verdict {
    let answer = said(&engine.decide(question));
    let expected = oracle::decide(&engine.0, question);
    let policies = || engine.policies().iter().map(|policy| &policy.text).collect::<Vec<_>>();
    assert_eq!(answer, expected, "{question:#?} {:#?}", policies());
    answer.0
}

#[test]
fn shipped_set_decides_as_the_whole_set_does() {
    let texts = STARTER.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let engine = Engine::new(PolicyFiles::kept(texts.collect())).unwrap();
    let cases = cases::questions(&engine);
    assert!(cases.len() > 50, "{}", cases.len());
    let mut chance = Chance::new(1);
    for question in cases.into_iter().chain((0..200).map(|_| asked(&mut chance))) {
        agrees(&engine, &question);
    }
}

#[test]
fn every_right_is_as_the_whole_set_says() {
    let texts = STARTER.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let engine = Engine::new(PolicyFiles::kept(texts.collect())).unwrap();
    let agent = question().agent;
    let request = RequestFacts {
        id: "req_00000000000000000000000000000001".parse().unwrap(),
        agent: agent.clone(),
        owner_then: person().id,
        issuer_then: None,
        asker: None,
        action: question().action,
        criticality: 1,
        tier: Tier::Low,
        sites: BTreeSet::new(),
    };
    let mut people: Vec<_> = Role::ALL
        .iter()
        .flat_map(|role| {
            [(10, 10, ActProof::None), (900, 10, ActProof::None), (0, 0, ActProof::Passkey)].map(
                |(age_seconds, proof_age_seconds, proof)| {
                    let given = Authentication { age_seconds, proof_age_seconds, proof };
                    Principal::Person(Person { role: *role, ..person() }, given)
                },
            )
        })
        .collect();
    people.push(Principal::Agent(agent));
    for who in &people {
        for verb in Verb::ALL {
            for on in [Resource::System, Resource::Request(request.clone())] {
                let answer = engine.may(who, verb, &on);
                let ids = answer.reasons.iter().map(|reason| reason.policy.clone()).collect();
                match oracle::may(&engine.0, who, verb, &on) {
                    Some(expected) => assert_eq!((answer.allowed, ids), expected, "{verb:?}"),
                    None => assert!(!answer.allowed && !answer.errors.is_empty(), "{verb:?}"),
                }
            }
        }
    }
}

#[test]
fn generated_sets_decide_as_the_whole_set_does() {
    let mut verdicts = BTreeMap::new();
    for seed in 1..=60 {
        let mut chance = Chance::new(seed);
        let policies = chance.one(&[1, 2, 3, 5, 8]);
        let start = chance.one(&[ASK.to_owned() + RUNS, ASK.to_owned() + RUNS, ASK.to_owned()]);
        let engine = engine(&mut chance, policies, &(start + PERMIT_ONE));
        for _ in 0..8 {
            let verdict = agrees(&engine, &asked(&mut chance));
            *verdicts.entry(format!("{verdict:?}")).or_insert(0) += 1;
        }
    }
    // Else it says little: all three verdicts, and tallies of many kinds.
    assert!(verdicts["Run"] > 20 && verdicts["Deny"] > 20 && verdicts.len() > 7, "{verdicts:#?}");
}

/// A set of forbids alone is refused.
const PERMIT_ONE: &str = "@id(\"one\") @why(\"w\") permit (principal is Countersign::Agent, \
                          action == Countersign::Action::\"run:block_ip\", resource) \
                          when { resource.criticality == 1 };\n";

#[test]
fn thousand_generated_policies_decide_as_the_whole_set_does() {
    let mut chance = Chance::new(99);
    let engine = engine(&mut chance, 997, &format!("{ASK}{RUNS}{PERMIT_ONE}"));
    assert_eq!(engine.policies().len(), 1000);
    for _ in 0..6 {
        agrees(&engine, &asked(&mut chance));
    }
}
