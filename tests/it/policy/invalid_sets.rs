//! Sets that are refused, and why.

use super::{folder, load, question, shipped};
use countersign::{
    domain::{
        decision::{Tally, Verdict},
        facts::PolicyQuestion,
    },
    policy::{Engine, PolicyError, STARTER},
};

const PERMIT: &str = r#"@id("a") @why("b") permit (principal, action, resource);"#;

/// What loading a set of this one file says.
fn refused(policies: &str) -> String {
    load(&[("x.cedar", policies)]).unwrap_err().to_string()
}

fn run_when(condition: &str) -> String {
    format!(
        r#"@id("a") @why("b")
           permit (principal, action in Countersign::Action::"run", resource) {condition};"#
    )
}

#[track_caller]
fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn policy_without_valid_id_is_refused() {
    let missing = refused(r#"@why("b") permit (principal, action, resource);"#);
    says(
        &missing,
        &["`x.cedar`, policy `number 1`", "`@id` is missing or not valid", "1 to 64 of"],
    );
    let unfit = refused(r#"@id("A b") @why("b") permit (principal, action, resource);"#);
    says(&unfit, &["policy `A b`", "`@id` is missing or not valid"]);
}

#[test]
fn duplicate_policy_id_is_refused() {
    let error = load(&[("x.cedar", PERMIT), ("y.cedar", PERMIT)]).unwrap_err().to_string();
    says(&error, &["`y.cedar`, policy `a`", "taken by another policy in `x.cedar`"]);
}

#[test]
fn policy_without_reason_is_refused() {
    for why in ["", r#"@why("  ")"#] {
        let error = refused(&format!(r#"@id("a") {why} permit (principal, action, resource);"#));
        says(&error, &["policy `a`", "`@why` is missing or empty"]);
    }
}

#[test]
fn unknown_annotation_is_refused() {
    let error = refused(r#"@id("a") @why("b") @wy("c") permit (principal, action, resource);"#);
    says(&error, &["`@wy` has no meaning here", "only `@id` and `@why`"]);
}

#[test]
fn template_is_refused() {
    let error =
        refused(r#"@id("a") @why("b") permit (principal == ?principal, action, resource);"#);
    says(&error, &["`x.cedar`, policy `a`", "it is a template"]);
}

#[test]
fn invalid_cedar_syntax_is_refused_with_its_line() {
    let error = refused("@id(\"a\")\n@why(\"b\")\npermit (principal, action resource);");
    says(&error, &["`x.cedar` is not valid Cedar, line 3: unexpected token"]);
}

#[test]
fn policy_violating_schema_is_refused_with_its_line() {
    let error = refused(&run_when("\nwhen { context.facts.skope > 3 }"));
    says(&error, &["policy `a`: it does not fit the schema, line 3: ", "skope"]);
    let error = refused(&run_when("when { resource.criticality == \"high\" }"));
    says(&error, &["it does not fit the schema"]);
}

#[test]
fn policy_that_can_never_apply_is_refused() {
    let error = refused(&run_when("when { resource is Countersign::Request }"));
    says(&error, &["policy `a`: it does not fit the schema", "false"]);
}

#[test]
fn unknown_role_is_refused() {
    let error = refused(
        r#"@id("a") @why("b") permit (principal in Countersign::Role::"senoir", action, resource);"#,
    );
    says(&error, &["policy `a`: there is no role `senoir`", "analyst, senior, lead"]);
}

#[test]
fn policy_reading_optional_attribute_unchecked_is_refused() {
    for condition in [
        "when { principal.owner.disabled }",
        "when { Countersign::Agent::\"agt_1\".revoked }",
        "when { context.facts.confidence > 3 }",
    ] {
        says(&refused(&run_when(condition)), &["policy `a`: it does not fit the schema"]);
    }
}

#[test]
fn policy_with_arithmetic_is_refused() {
    for (condition, operator) in [
        ("when { context.facts.scope + 1 > 3 }", "`+`"),
        ("when { context.facts.scope > 3 - 1 }", "`-`"),
        ("when { true && [context.facts.scope * 2].contains(4) }", "`*`"),
        ("unless { -context.facts.scope > 3 }", "`-`"),
        ("when { context.facts.now.offset(duration(\"1d\")) > context.facts.now }", "`offset`"),
    ] {
        let error = refused(&run_when(condition));
        says(&error, &["policy `a`: it calculates with", operator]);
    }
}

#[test]
fn dates_may_be_compared_without_arithmetic() {
    let night = run_when("when { context.facts.now.toTime() >= duration(\"22h\") }");
    assert!(load(&[("x.cedar", &night)]).is_ok());
}

#[test]
fn permit_based_only_on_agents_claim_is_refused() {
    for condition in [
        "when { context.claim.alert_id != \"\" }",
        "when { context.claim.alert_id != \"\" || context.facts.alert_found }",
        "when { context.claim.alert_id != \"\" && context.facts.scope <= 1 }",
        "when { context.claim.alert_id != \"\" && (context has facts) }",
        "when { if context.claim.alert_id != \"\" then true else context.votes.people > 0 }",
        "when { context.claim.alert_id != \"\" && context.facts.business_hours }",
        "unless { context.claim.alert_id == \"\" || context.facts.scope > 1 }",
        "unless { context.claim.alert_id == \"\" && context.votes.people < 1 }",
        "when { context.claim has confidence }",
        "when { context.claim has confidence && context.claim.confidence > 90 }",
    ] {
        says(&refused(&run_when(condition)), &["what the agent claims", "`context.votes`"]);
    }
}

#[test]
fn claim_may_narrow_permit_based_on_facts() {
    for condition in [
        "when { context.claim.alert_id != \"\" && context.facts.alert_found }",
        "when { context.claim.alert_id != \"\" } when { context.votes.people >= 1 }",
        "when { context.claim.alert_id != \"\" && resource.criticality <= 1 }",
        "when { context.facts.alert_found } unless { context.claim.alert_id == \"\" }",
        "unless { context.claim.alert_id == \"\" || context.votes.people < 1 }",
        "when { context.claim has confidence && context.facts.alert_found }",
    ] {
        let loaded = load(&[("x.cedar", &run_when(condition))]);
        assert!(loaded.is_ok(), "{condition}: {loaded:?}");
    }
}

#[test]
fn forbid_and_ask_may_rest_on_claim() {
    let policies = r#"
        @id("a") @why("b") permit (principal, action in Countersign::Action::"ask", resource)
        when { context.claim has confidence && context.claim.confidence > 50 };
        @id("b") @why("b") forbid (principal, action in Countersign::Action::"run", resource)
        when { context.claim.alert_id == "" };"#;
    assert!(load(&[("x.cedar", policies)]).is_ok());
}

#[test]
fn changed_or_missing_schema_is_refused() {
    let folder = folder(&[("x.cedar", PERMIT)]);
    let schema = folder.path().join("schema.cedarschema");
    let changed = std::fs::read_to_string(&schema).unwrap() + "\n";
    std::fs::write(&schema, changed).unwrap();
    let error = Engine::load(folder.path()).unwrap_err().to_string();
    says(&error, &["schema.cedarschema` is not the schema of this version", "restore it"]);
    std::fs::remove_file(&schema).unwrap();
    assert!(matches!(Engine::load(folder.path()), Err(PolicyError::Schema { .. })));
}

#[test]
fn missing_or_empty_policy_folder_is_refused() {
    says(&load(&[]).unwrap_err().to_string(), &["holds no policy", "countersign init"]);
    says(&refused("// nothing\n"), &["holds no policy"]);
    let error = Engine::load(folder(&[]).path().join("elsewhere").as_path()).unwrap_err();
    says(&error.to_string(), &["elsewhere` holds no policy"]);
}

#[test]
fn set_without_any_permit_is_refused() {
    says(
        &refused(r#"@id("a") @why("b") forbid (principal, action, resource);"#),
        &["holds no `permit`"],
    );
}

#[test]
fn policy_hash_depends_on_every_letter_and_name() {
    let hash = |file: &str, text: &str| load(&[(file, text)]).unwrap().hash();
    let one = hash("x.cedar", PERMIT);
    assert_eq!(one, hash("x.cedar", PERMIT));
    assert_ne!(one, hash("y.cedar", PERMIT));
    assert_ne!(one, hash("x.cedar", &format!("{PERMIT} ")));
}

#[test]
fn loaded_set_does_not_change_with_its_folder() {
    let folder = folder(STARTER);
    let engine = Engine::load(folder.path()).unwrap();
    let hash = engine.hash();
    drop(folder);
    assert_eq!(engine.hash(), hash);
    assert_eq!(engine.decide(&question()).verdict, Verdict::Run);
    assert_eq!(hash, shipped().hash());
}

#[test]
fn action_without_run_permit_is_denied_whatever_the_tally() {
    let ask = r#"@id("a") @why("b")
        permit (principal, action in Countersign::Action::"ask", resource);"#;
    let other = r#"@id("c") @why("d")
        permit (principal, action == Countersign::Action::"run:disable_account", resource);"#;
    let engine = load(&[("x.cedar", &format!("{ask}\n{other}"))]).unwrap();
    let everybody = Tally { people: 5, analyst: 5, senior: 5, lead: 5 };
    for tally in [Tally::NONE, everybody] {
        let decision = engine.decide(&PolicyQuestion { tally, ..question() });
        assert_eq!(decision.verdict, Verdict::Deny, "{tally}");
    }
}
