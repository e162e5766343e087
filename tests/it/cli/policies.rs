//! `countersign policy activate`, and what a start and `doctor` say of a folder that was changed.

use serde_json::Value;

use crate::harness::{installation::Installation, program::Program};

const NEW: &str = "@id(\"site.new\") @why(\"too many\")
forbid (principal, action in Countersign::Action::\"run\", resource)
when { context.facts.scope > 400 };
";

/// An installation that was started once.
async fn started() -> Installation {
    let installed = Installation::new().await;
    drop(installed.program.serve());
    installed
}

/// The digest of the difference that is shown; none where there is none.
fn shown(program: &Program) -> Option<String> {
    let said: Value =
        serde_json::from_str(&program.done(&["--json", "policy", "activate"])).unwrap();
    said["digest"].as_str().map(str::to_owned)
}

fn activated(program: &Program) -> Vec<Value> {
    let said = program.done(&["--json", "audit", "query", "--kind", "policy.activated"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    said.as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_activates_the_difference_it_showed() {
    let installed = started().await;
    let program = &installed.program;
    assert_eq!(shown(program), None);
    program.write("policies/90_new.cedar", NEW);
    let said = program.done(&["policy", "activate"]);
    assert!(said.contains("added site.new (90_new.cedar)"), "{said}");
    let digest = shown(program).unwrap();
    assert!(said.contains(&format!("countersign policy activate --digest {digest}")), "{said}");
    assert_eq!(activated(program).len(), 1);
    program.done(&["policy", "activate", "--digest", &digest]);
    assert!(!program.path("countersign.db-wal").exists());
    assert_eq!(shown(program), None);
    drop(program.serve());
    let events = activated(program);
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].to_string().contains("command line"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_refuses_another_difference_or_running_server() {
    let installed = started().await;
    let program = &installed.program;
    program.write("policies/90_new.cedar", NEW);
    let digest = shown(program).unwrap();
    let activate = ["policy", "activate", "--digest", &digest];
    {
        let _serving = program.serve();
        let (code, said) = program.refused(&activate);
        assert_eq!(code, 1);
        assert!(said.contains("another countersign process is serving"), "{said}");
    }
    program.write("policies/tests/empty.json", "[]");
    let (code, said) = program.refused(&activate);
    assert_eq!(code, 1);
    assert!(said.contains("the policies have changed since you were shown"), "{said}");
    let (code, said) = program.refused(&["policy", "activate", "--digest", "abc"]);
    assert_eq!(code, 2);
    assert!(said.contains("--digest: abc. Allowed:"), "{said}");
    assert_eq!(activated(program).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_when_folder_is_not_the_active_set() {
    let installed = started().await;
    let program = &installed.program;
    let said = || String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
    assert!(said().contains("the folder holds the active set"), "{}", said());
    program.write("policies/90_new.cedar", NEW);
    let said = said();
    let line = said.lines().find(|line| line.contains("holds another policy set")).expect(&said);
    assert!(line.starts_with("LOOK") && line.contains("countersign policy activate"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn start_says_what_to_do_about_unusable_kept_set() {
    let installed = started().await;
    let program = &installed.program;
    // As a version leaves it whose schema this one does not know.
    let database = program.path("countersign.db");
    let older = "UPDATE active_policy_file SET text = 'older' WHERE name = 'schema.cedarschema'";
    crate::harness::stored::execute(&database, older).await;
    let (code, said) = program.refused(&["serve"]);
    assert_eq!(code, 2);
    assert!(said.contains("the active policy set, which the database keeps"), "{said}");
    assert!(said.contains("run `countersign policy activate`"), "{said}");
    let digest = shown(program).unwrap();
    program.done(&["policy", "activate", "--digest", &digest]);
    drop(program.serve());
}
