//! The kill switch on the command line.

use crate::harness::program::Program;

#[test]
fn unfreeze_names_what_is_still_stopped() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    for part in [&["--agent", "triage-bot"][..], &["--action", "block_ip"], &[]] {
        program.done(&[&["freeze", "--reason", "a test"], part].concat());
    }
    let said = program.done(&["unfreeze", "--reason", "looked"]);
    assert!(said.contains("Still stopped: the agent triage-bot, the action block_ip."), "{said}");
}
