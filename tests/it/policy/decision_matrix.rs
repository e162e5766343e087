//! The shipped policies as a table: a permission that changes is a line that changes.

use std::{collections::BTreeSet, fmt::Write as _};

use countersign::{
    broker::admin::policies::load_and_test,
    domain::{
        action::Term,
        actor::{Agent, Person, Role},
        decision::{Decision, Tier, Verdict},
        facts::{
            ActProof, AlertFacts, Authentication, IndexerState, PolicyQuestion, Principal,
            RequestFacts, Resource, TargetFacts, Verb,
        },
        id::{AgentId, RequestId},
    },
    policy::Engine,
};
use expect_test::expect_file;
use tempfile::TempDir;
use uuid::Uuid;

use super::{ASKER, ISSUER, OWNER, agent, block, disable, endpoint, person, question, shipped};
use crate::harness::fixtures::own_policies;

type Target = (&'static str, fn() -> PolicyQuestion);

fn privileged(question: PolicyQuestion) -> PolicyQuestion {
    PolicyQuestion { target: TargetFacts { privileged: true, ..question.target }, ..question }
}

fn protected(question: PolicyQuestion) -> PolicyQuestion {
    PolicyQuestion { target: TargetFacts { protected: true, ..question.target }, ..question }
}

const OPEN: [Target; 7] = [
    ("block 203.0.113.7", question),
    ("block an endpoint", || PolicyQuestion {
        target: TargetFacts { of_endpoint: true, ..TargetFacts::default() },
        ..question()
    }),
    ("disable jdoe", || disable("jdoe")),
    ("disable privileged", || privileged(disable("jdoe"))),
    ("unblock, agent asks", || undo(question(), None)),
    ("unblock, senior asks", || undo(question(), Some(Role::Senior))),
    ("enable, lead asks", || undo(disable("jdoe"), Some(Role::Lead))),
];

/// What takes it back.
fn undo(question: PolicyQuestion, asked_by: Option<Role>) -> PolicyQuestion {
    PolicyQuestion { action: question.action.undo().unwrap(), asked_by, ..question }
}

const NEVER: [Target; 7] = [
    ("block 10.1.2.3", || block([10, 1, 2, 3].into())),
    ("block 127.0.0.1", || block([127, 0, 0, 1].into())),
    ("block own network", || PolicyQuestion {
        target: TargetFacts { own_network: true, ..TargetFacts::default() },
        ..question()
    }),
    ("block manager", || protected(question())),
    ("disable root", || disable("root")),
    ("disable service", || protected(disable("postgres"))),
    ("block again, unknown", || {
        let mut asked = question();
        asked.endpoints[0].unknown_outcome = true;
        asked
    }),
];

fn vary(
    asked: &PolicyQuestion,
    scopes: &[u64],
    criticalities: &[u8],
) -> Vec<(String, PolicyQuestion)> {
    let mut all = Vec::new();
    for (term, seconds) in [("10 min", Term::Seconds(600)), ("permanent", Term::Permanent)] {
        let none = AlertFacts { indexer: IndexerState::Current, ..AlertFacts::default() };
        for (found, alert) in [("alert", asked.alert.clone()), ("no alert", none)] {
            for &scope in scopes {
                for &criticality in criticalities {
                    let varied = PolicyQuestion {
                        term: seconds,
                        alert: alert.clone(),
                        scope,
                        reach: scope,
                        endpoints: vec![endpoint("001", criticality)],
                        ..asked.clone()
                    };
                    let name = format!("{term:9} | {found:8} | {scope:5} | {criticality:11}");
                    all.push((name, varied));
                }
            }
        }
    }
    all
}

/// Combinations of target, term, alert, scope and criticality that are not denied outright.
pub(super) fn open_questions() -> Vec<PolicyQuestion> {
    let varied = OPEN.iter().flat_map(|(_, asked)| vary(&asked(), &[1, 51], &[2, 4]));
    varied.map(|(_, question)| question).collect()
}

/// A request for one endpoint, with which the target is active on so many.
fn reaching(reach: u64, criticality: u8) -> PolicyQuestion {
    PolicyQuestion { reach, endpoints: vec![endpoint("001", criticality)], ..question() }
}

fn said(decision: &Decision) -> String {
    let outcome = match decision.verdict {
        Verdict::Approval(tally) => format!("needs {tally}"),
        Verdict::Run | Verdict::Deny => decision.verdict.name().to_owned(),
    };
    assert!(decision.errors.is_empty(), "{decision:?}");
    format!("{outcome:45} | {}", decision.policies().join(" "))
}

fn line(table: &mut String, line: &str) {
    writeln!(table, "{}", line.trim_end()).unwrap();
}

fn responses(table: &mut String, engine: &Engine) {
    line(table, "What agents ask for: outcome with no votes, and the policies that decide it\n");
    line(
        table,
        &format!(
            "{:20} | {:9} | {:8} | {:5} | {:11} | {:45} | {}",
            "response", "term", "evidence", "scope", "criticality", "outcome", "decided by"
        ),
    );
    for (name, asked) in OPEN {
        for (variation, varied) in vary(&asked(), &[1, 4, 51], &[2, 3, 4]) {
            line(table, &format!("{name:20} | {variation} | {}", said(&engine.decide(&varied))));
        }
    }
    line(table, "\nSplit and unsplit: the same target on the last endpoints of so many\n");
    for reach in [3, 4, 50, 51] {
        for criticality in [2, 4] {
            let split = reaching(reach, criticality);
            let unsplit = PolicyQuestion { scope: reach, ..split.clone() };
            let answers = [engine.decide(&unsplit), engine.decide(&split)];
            assert_eq!(answers[0].verdict, answers[1].verdict, "{reach} endpoints in pieces");
            for (form, answer) in ["unsplit", "split"].iter().zip(&answers) {
                let case = format!("{form:7} | {reach:5} | {criticality:11}");
                line(table, &format!("{case} | {}", said(answer)));
            }
        }
    }
    line(table, "\nThe same in a plain situation, without votes and with those of two leads\n");
    for (name, asked) in NEVER {
        let two = asked().tally.and(Role::Lead).and(Role::Lead);
        line(table, &format!("{name:20} | nobody    | {}", said(&engine.decide(&asked()))));
        let voted = PolicyQuestion { tally: two, ..asked() };
        line(table, &format!("{name:20} | two leads | {}", said(&engine.decide(&voted))));
    }
}

fn stored() -> RequestFacts {
    RequestFacts {
        id: RequestId::from(Uuid::from_u128(1)),
        agent: agent(),
        owner_then: person(OWNER + 10, Role::Analyst).id,
        issuer_then: Some(person(ISSUER + 10, Role::Analyst).id),
        asker: Some(person(ASKER, Role::Analyst).id),
        action: question().action,
        criticality: 1,
        tier: Tier::Low,
        sites: BTreeSet::new(),
    }
}

fn on(verb: Verb) -> Resource {
    match verb {
        Verb::Approve
        | Verb::Reject
        | Verb::Retract
        | Verb::Cancel
        | Verb::Undo
        | Verb::Resolve
        | Verb::Comment
        | Verb::BreakGlass
        | Verb::Review
        | Verb::View => Resource::Request(stored()),
        Verb::ViewAudit
        | Verb::ActivatePolicy
        | Verb::Freeze
        | Verb::Unfreeze
        | Verb::ManagePeople
        | Verb::ManageAgents => Resource::System,
    }
}

fn given(age_seconds: u64) -> Authentication {
    Authentication { age_seconds, proof_age_seconds: age_seconds, proof: ActProof::None }
}

fn people() -> Vec<(String, Principal)> {
    let mut all = Vec::new();
    for role in Role::ALL {
        for (state, number, age) in [
            ("", 1, 300),
            ("stale password", 1, 301),
            ("owner", OWNER, 300),
            ("owner then", OWNER + 10, 300),
            ("issuer", ISSUER, 300),
            ("issuer then", ISSUER + 10, 300),
            ("asker", ASKER, 300),
        ] {
            all.push((role, state, Principal::Person(person(number, role), given(age))));
        }
        let reset = Person { must_change_password: true, ..person(1, role) };
        all.push((role, "must change password", Principal::Person(reset, given(0))));
        let on_call = Person { on_call: true, ..person(1, role) };
        all.push((role, "on call", Principal::Person(on_call, given(300))));
        let gone = Person { disabled: true, ..person(1, role) };
        all.push((role, "disabled", Principal::Person(gone, given(0))));
    }
    let named =
        |(role, state, who): (Role, &str, _)| (format!("{:7} | {state:20}", role.name()), who);
    all.into_iter().map(named).collect()
}

fn deeds(table: &mut String, engine: &Engine) {
    line(table, "\nWhat people may do: + allowed, - refused\n");
    let verbs = Verb::ALL.map(Verb::name).join(" | ");
    line(table, &format!("{:7} | {:20} | {verbs}", "role", "who"));
    for (name, who) in people() {
        let row = Verb::ALL.map(|verb| {
            let answer = engine.may(&who, verb, &on(verb));
            assert!(answer.errors.is_empty(), "{answer:?}");
            let width = verb.name().len();
            format!("{:width$}", if answer.allowed { "+" } else { "-" })
        });
        line(table, &format!("{name} | {}", row.join(" | ")));
    }
}

#[test]
fn shipped_policies_match_the_recorded_table() {
    let engine = shipped();
    let mut table = String::new();
    responses(&mut table, &engine);
    deeds(&mut table, &engine);
    expect_file!["../../golden/policy_matrix.txt"].assert_eq(&table);
}

#[test]
fn agent_may_only_view_cancel_and_undo_own_requests() {
    let engine = shipped();
    let own = Principal::Agent(agent());
    let other = Principal::Agent(Agent { id: AgentId::from(Uuid::from_u128(2)), ..agent() });
    for verb in Verb::ALL {
        let expected = matches!(verb, Verb::Cancel | Verb::Undo | Verb::View);
        assert_eq!(engine.may(&own, verb, &on(verb)).allowed, expected, "{verb:?}");
        assert!(!engine.may(&other, verb, &on(verb)).allowed, "{verb:?}");
    }
}

#[test]
fn refusal_names_policy_and_reason() {
    let owner = Principal::Person(person(OWNER, Role::Lead), given(0));
    let answer = shipped().may(&owner, Verb::Approve, &on(Verb::Approve));
    assert!(!answer.allowed);
    assert_eq!(
        answer.why(),
        "a person who owns the agent or issued its token, now or when it asked, may not approve \
         its requests"
    );
}

/// What docs/sign-in.md says for those who want passkeys alone.
#[test]
fn set_that_takes_passkeys_alone_passes_its_cases() {
    let folder = TempDir::new().unwrap();
    let own = own_policies(folder.path());
    let change = |file: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(own.join(file)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{file}: {from}");
        std::fs::write(own.join(file), text.replace(from, to)).unwrap();
    };
    let (rule, stricter) = (r#"context.proof == "none""#, r#"context.proof != "passkey""#);
    change("40_people.cedar", rule, stricter);
    let case = r#""proof": "password" } },
    "expect": { "answer": "yes", "policies": ["people.vote"] }"#;
    let refused = r#""proof": "password" } },
    "expect": { "answer": "no", "policies": ["people.proof-for-high-tier"] }"#;
    assert!(load_and_test(&own).is_err(), "a case must notice");
    change("tests/people.json", case, refused);
    load_and_test(&own).unwrap();
}
