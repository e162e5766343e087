//! Policy, by its own door: a folder of policies, a question, an answer.

use crate::harness::kind;
use std::{collections::BTreeSet, fs, net::IpAddr};

use countersign::{
    domain::{
        action::{Action, Argument, Catalogue, Term},
        actor::{Agent, Person, Role},
        decision::Tally,
        endpoint::{EndpointId, Platform},
        facts::history::AgentHistory,
        facts::{
            AlertEndpoint, AlertFacts, EndpointFacts, IndexerState, PolicyQuestion, TargetFacts,
        },
        id::{AgentId, PersonId},
        proposal::Claim,
    },
    policy::{Engine, PolicyError, STARTER, cases},
};
use tempfile::TempDir;

use crate::harness::fixtures::own_policies;
use uuid::Uuid;

mod addresses;
mod catalogue;
mod confidence;
mod decision_matrix;
mod invalid_sets;
mod multiple_endpoints;
mod teams;

/// A folder with these files beside the schema.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tests")).unwrap();
    let schema = STARTER.iter().filter(|(path, _)| path.ends_with(".cedarschema"));
    for (path, text) in schema.chain(files) {
        fs::write(folder.path().join(path), text).unwrap();
    }
    folder
}

fn load(files: &[(&str, &str)]) -> Result<Engine, PolicyError> {
    Engine::load(folder(files).path())
}

/// The set that ships.
fn shipped() -> Engine {
    load(STARTER).unwrap()
}

fn person(number: u128, role: Role) -> Person {
    Person::new(PersonId::from(Uuid::from_u128(number)), "somebody".to_owned(), role)
}

const OWNER: u128 = 100;
const ISSUER: u128 = 101;
const ASKER: u128 = 102;

fn agent() -> Agent {
    Agent {
        id: AgentId::from(Uuid::from_u128(1)),
        name: "responder".to_owned(),
        owner: person(OWNER, Role::Analyst).id,
        issuer: Some(person(ISSUER, Role::Analyst).id),
        revoked: false,
        scopes: Catalogue::built_in().responses().to_vec(),
        issued_at: "2026-02-16T12:00:00Z".parse().unwrap(),
    }
}

fn endpoint(id: &str, criticality: u8) -> EndpointFacts {
    EndpointFacts {
        id: EndpointId::parse(id).unwrap(),
        platform: Platform::Linux,
        groups: vec!["default".to_owned()],
        criticality,
        unknown_outcome: false,
    }
}

/// A short block, on one unimportant endpoint, for a fresh alert that the broker found.
fn question() -> PolicyQuestion {
    PolicyQuestion {
        agent: agent(),
        asked_by: None,
        action: Action::parse(kind("block_ip"), "203.0.113.7").unwrap(),
        term: Term::Seconds(600),
        claim: Claim { reason: "brute force".to_owned(), alert_id: None, confidence: None },
        target: TargetFacts::default(),
        alert: AlertFacts {
            found: true,
            names_target: true,
            level: 10,
            age_seconds: Some(60),
            indexer: IndexerState::Current,
            from_peer: true,
            endpoint: Some(Box::new(AlertEndpoint {
                id: EndpointId::parse("001").unwrap(),
                name: "web-01".to_owned(),
                groups: vec!["default".to_owned()],
            })),
            ..AlertFacts::default()
        },
        scope: 1,
        fleet_wide: false,
        when_back: false,
        endpoints: vec![endpoint("001", 1)],
        history: AgentHistory::default(),
        lifted_seconds_ago: None,
        reach: 1,
        automatic_last_day: 0,
        already_active: false,
        would_shorten: false,
        manager_changed: false,
        now: "2026-02-16T12:00:00Z".parse().unwrap(),
        business_hours: true,
        tally: Tally::NONE,
    }
}

fn disable(account: &str) -> PolicyQuestion {
    let action = Action::parse(kind("disable_account"), account).unwrap();
    PolicyQuestion { action, ..question() }
}

fn block(address: IpAddr) -> PolicyQuestion {
    let action = Action::new(kind("block_ip"), vec![Some(Argument::Address(address))]).unwrap();
    PolicyQuestion { action, ..question() }
}

#[test]
fn built_in_policy_set_equals_policies_folder() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let names = |folder: &str, prefix: &str| -> Vec<String> {
        let entries = fs::read_dir(here.join(folder)).unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files.map(|entry| format!("{prefix}{}", entry.file_name().to_str().unwrap())).collect()
    };
    let there: BTreeSet<_> = names(".", "").into_iter().chain(names("tests", "tests/")).collect();
    let shipped: BTreeSet<_> = STARTER.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(shipped, there);
    let folder = TempDir::new().unwrap();
    let copy = own_policies(folder.path());
    assert_eq!(Engine::load(&copy).unwrap().hash(), self::shipped().hash());
}

#[test]
fn every_shipped_policy_case_passes() {
    let folder = folder(STARTER);
    let results = cases::run(&Engine::load(folder.path()).unwrap()).unwrap();
    let failed: Vec<_> = results.iter().filter(|case| !case.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_shipped_policy_decides_a_case() {
    let folder = folder(STARTER);
    let engine = Engine::load(folder.path()).unwrap();
    let results = cases::run(&engine).unwrap();
    let deciding = results.into_iter().flat_map(|case| case.decided_by);
    let deciding: BTreeSet<_> = deciding.filter(|id| !id.starts_with("broker.")).collect();
    let written: BTreeSet<_> = engine.policies().iter().map(|policy| policy.id.clone()).collect();
    assert_eq!(deciding, written);
}

#[test]
fn removing_any_shipped_policy_fails_a_case() {
    let whole = shipped();
    for removed in whole.policies() {
        let without =
            |(path, text): &(&'static str, &str)| (*path, text.replace(&removed.text, ""));
        let rest: Vec<_> = STARTER.iter().map(without).collect();
        let rest: Vec<_> = rest.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let folder = folder(&rest);
        let engine = Engine::load(folder.path()).unwrap();
        assert_eq!(engine.policies().len() + 1, whole.policies().len(), "{}", removed.id);
        let results = cases::run(&engine).unwrap();
        assert!(results.iter().any(|case| !case.passed), "nobody misses {}", removed.id);
    }
}

#[test]
fn failing_case_shows_expected_and_actual_answer() {
    let case = r#"[{
        "name": "wishful", "decide": { "permanent": true },
        "expect": { "answer": "run", "policies": ["run.at-once"] }
    }]"#;
    let mut files = STARTER.to_vec();
    files.retain(|(path, _)| !path.starts_with("tests/"));
    files.push(("tests/wishful.json", case));
    let folder = folder(&files);
    let results = cases::run(&Engine::load(folder.path()).unwrap()).unwrap();
    let [result] = results.as_slice() else { panic!("{results:?}") };
    assert_eq!(result.file, "tests/wishful.json");
    assert!(!result.passed);
    assert_eq!(result.expected, "run, by run.at-once");
    assert_eq!(result.got, "approval of 2 people, one of them a senior or lead, by run.permanent");
}

#[test]
fn malformed_case_is_refused_with_file_and_place() {
    for (case, said) in [
        (
            r#"{ "name": "x", "expect": { "answer": "run", "policies": [] } }"#,
            "does not hold a list of valid test cases, `[ { … }, … ]`",
        ),
        (r#"[{ "name": "x", "decide": { "skope": 1 }, "expect": {} }]"#, "unknown field `skope`"),
        (
            r#"[{ "name": "x", "expect": { "answer": "run", "policies": [] } }]"#,
            "case `x`: it needs exactly one of `ask`, `decide`, `may`",
        ),
        (
            r#"[{ "name": "x", "may": { "verb": "aprove" },
                  "expect": { "answer": "no", "policies": [] } }]"#,
            "case `x`: `aprove` is not a verb; allowed: approve, reject",
        ),
    ] {
        let mut files = STARTER.to_vec();
        files.push(("tests/slip.json", case));
        let error = cases::run(&load(&files).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("`tests/slip.json`"), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn each_policy_is_listed_with_reason_and_text() {
    let engine = shipped();
    let first = &engine.policies()[0];
    assert_eq!((first.id.as_str(), first.file.as_str()), ("ask.any-agent", "10_ask.cedar"));
    assert!(first.text.starts_with("@id(\"ask.any-agent\")"), "{}", first.text);
    assert!(first.text.ends_with(");"), "{}", first.text);
    assert!(engine.policies().iter().all(|policy| policy.why.len() > 20));
}
