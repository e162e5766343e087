//! How sure the agent is: said, not said, and in the words of an earlier schema.

use std::fs;

use countersign::{
    domain::{decision::Verdict, facts::PolicyQuestion, proposal::Claim},
    policy::{Engine, STARTER, cases},
};
use serde_json::json;

use super::{folder, load, question};
use crate::harness::{ALERT, World, program::Program};

/// The schema that 0.1.0 wrote into policy folders.
const EARLIER: &str = include_str!("schema_0_1_0.cedarschema");

/// What runs if this holds, and is denied otherwise.
fn runs_when(condition: &str) -> String {
    format!(
        r#"@id("ask") @why("a") permit (principal, action in Countersign::Action::"ask", resource);
        @id("see") @why("a") permit (principal, action == Countersign::Action::"view", resource);
        @id("run") @why("a") permit (principal, action in Countersign::Action::"run", resource)
        when {{ context.facts.alert_found && {condition} }};"#
    )
}

fn verdict(engine: &Engine, confidence: Option<u8>) -> Verdict {
    let claim = Claim { confidence, ..question().claim };
    engine.decide(&PolicyQuestion { claim, ..question() }).verdict
}

#[test]
fn unstated_confidence_is_absent_and_not_zero() {
    let stated = "context.claim has confidence";
    let unsure = runs_when(&format!("{stated} && context.claim.confidence < 10"));
    let engine = load(&[("x.cedar", &unsure)]).unwrap();
    let verdicts = [None, Some(0), Some(10)].map(|confidence| verdict(&engine, confidence));
    assert_eq!(verdicts, [Verdict::Deny, Verdict::Run, Verdict::Deny]);
    let silent = load(&[("x.cedar", &runs_when(&format!("!({stated})")))]).unwrap();
    let verdicts = [None, Some(0)].map(|confidence| verdict(&silent, confidence));
    assert_eq!(verdicts, [Verdict::Run, Verdict::Deny]);
    assert!(!engine.notes().concat().contains("counts as 0"));
}

#[test]
fn policy_reading_confidence_unchecked_is_refused() {
    let unchecked = runs_when("context.claim.confidence < 10");
    let error = load(&[("x.cedar", &unchecked)]).unwrap_err().to_string();
    for part in ["policy `run`: it does not fit the schema", "confidence", "has"] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_that_states_no_confidence_is_not_unsure() {
    let unsure = "context.claim has confidence && context.claim.confidence < 10";
    let world = World::builder().with_only_policy(&runs_when(unsure)).start().await;
    let agent = world.agent().await;
    let bob = world.person("bob").await;
    for (confidence, state, said) in [
        (json!(null), "denied", "does not say how sure it is"),
        (json!(0), "approved", "is 0% sure"),
    ] {
        let more = json!({ "agent_ids": ["001"], "alert_id": ALERT, "confidence": confidence });
        let asked = agent.block("203.0.113.7", more).await;
        assert_eq!(asked.state(), state, "{confidence}");
        bob.get(&format!("/requests/{}", asked.id())).await.shows(said);
    }
}

/// A policy folder as 0.1.0 wrote it, with a policy that relies on what its schema said.
fn earlier(more: &str) -> Vec<(&'static str, String)> {
    let kept = STARTER.iter().filter(|(path, _)| *path != "schema.cedarschema");
    let mut files: Vec<_> = kept.map(|(path, text)| (*path, (*text).to_owned())).collect();
    files.push(("schema.cedarschema", EARLIER.to_owned()));
    files.push(("60_own.cedar", more.to_owned()));
    files
}

/// Forbids what the agent is not sure of, and takes silence for doubt.
const SURE: &str = r#"@id("own.sure") @why("the agent is not sure")
    forbid (principal, action in Countersign::Action::"run", resource)
    when { context.claim.confidence < 50 };"#;

#[test]
fn folder_of_an_earlier_version_decides_as_before() {
    let files = earlier(SURE);
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let folder = folder(&files);
    let engine = Engine::load(folder.path()).unwrap();
    let verdicts = [None, Some(0), Some(90)].map(|confidence| verdict(&engine, confidence));
    assert_eq!(verdicts, [Verdict::Deny, Verdict::Deny, Verdict::Run]);
    assert!(engine.notes().concat().contains("counts as 0"));
    fs::write(folder.path().join("schema.cedarschema"), format!("{EARLIER} ")).unwrap();
    Engine::load(folder.path()).unwrap_err();
}

#[test]
fn earlier_starter_folder_still_passes_its_cases() {
    let files = earlier("");
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let folder = folder(&files);
    let engine = Engine::load(folder.path()).unwrap();
    let results = cases::run(&engine).unwrap();
    assert!(results.len() > 20 && results.iter().all(|case| case.passed), "{results:?}");
}

#[test]
fn command_line_warns_where_no_policy_reads_would_shorten() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let note = "no policy reads `context.facts.would_shorten`";
    let advice = "add `run.would-shorten` from the 20_run.cedar that `countersign init` writes";
    let doctor = || String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
    assert!(!program.done(&["policy", "check", "policies"]).contains(note));
    assert!(!doctor().contains(note));
    let run = fs::read_to_string(program.path("policies/20_run.cedar")).unwrap();
    let (before, rest) = run.split_once("@id(\"run.would-shorten\")").unwrap();
    let (_, after) = rest.split_once("@id(\"run.critical-endpoint\")").unwrap();
    // As 0.1.0 wrote it; a comment that names it decides nothing.
    let run =
        format!("{before}// context.facts.would_shorten\n@id(\"run.critical-endpoint\"){after}");
    fs::write(program.path("policies/20_run.cedar"), run).unwrap();
    let cases = program.path("policies/tests/run.json");
    let kept: Vec<serde_json::Value> =
        serde_json::from_str(&fs::read_to_string(&cases).unwrap()).unwrap();
    let kept: Vec<_> =
        kept.iter().filter(|case| !case.to_string().contains("would_shorten")).collect();
    fs::write(&cases, json!(kept).to_string()).unwrap();
    for said in [program.done(&["policy", "check", "policies"]), doctor()] {
        assert!(said.contains(note) && said.contains(advice), "{said}");
    }
    let log = program.serve_with(&[("COUNTERSIGN_LOG", "warn")]).log();
    assert!(log.contains("the active policies lack something") && log.contains(advice), "{log}");
}

#[test]
fn command_line_names_facts_that_no_policy_reads() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let check = || program.done(&["policy", "check", "policies"]);
    let path = program.path("policies/20_run.cedar");
    let run = fs::read_to_string(&path).unwrap();
    assert!(!check().contains("no policy reads"));
    for (fact, other) in [
        ("alert_on_target_endpoint", "alert_found"),
        ("reach", "scope"),
        ("lifted_seconds_ago", "rejected_seconds_ago"),
    ] {
        let fact = format!("context.facts.{fact}");
        fs::write(&path, run.replace(&fact, &format!("context.facts.{other}"))).unwrap();
        let said = check();
        assert!(said.contains(&format!("no policy reads `{fact}`")), "{fact}: {said}");
    }
}

#[test]
fn command_line_says_that_a_schema_is_earlier() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let note = "schema.cedarschema is of an earlier version";
    assert!(!program.done(&["policy", "check", "policies"]).contains(note));
    fs::write(program.path("policies/schema.cedarschema"), EARLIER).unwrap();
    let said = program.done(&["policy", "check", "policies"]);
    assert!(said.contains(note), "{said}");
    let doctor = String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains(note), "{doctor}");
    let log = program.serve().log();
    // What to do stands at the end of a long sentence.
    assert!(log.contains("and ask `context.claim has confidence` first\""), "{log}");
}
