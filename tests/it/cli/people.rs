//! What `countersign person` says of people.

use crate::harness::program::Program;

#[test]
fn on_call_says_when_it_takes_effect() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let said = program.done(&["person", "on-call", "bob"]);
    assert!(said.contains("bob is on call. It takes effect only while bob is a lead."), "{said}");
    program.done(&["person", "role", "bob", "lead"]);
    let said = program.done(&["person", "on-call", "bob"]);
    assert!(said.contains("bob is on call. bob may break the glass."), "{said}");
}

#[test]
fn teams_of_a_person_are_set_and_listed() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let said = program.done(&["person", "teams", "bob", "emea", "apac", "emea"]);
    let both = "bob is in apac, emea, and sees what policies show to these teams.";
    assert!(said.contains(both), "{said}");
    assert!(program.done(&["person", "teams", "bob"]).contains(both), "it changes nothing");
    let list = program.done(&["person", "list"]);
    let bob = list.lines().find(|line| line.contains("bob")).unwrap();
    assert!(bob.contains("apac, emea"), "{list}");
    let (code, said) = program.refused(&["person", "teams", "bob", "no team"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("teams: `no team` is not allowed"), "{said}");
    let said = program.done(&["person", "teams", "bob", "--none"]);
    assert!(said.contains("bob is in no team, and sees everything."), "{said}");
}
