//! What `init` and `recover` leave, and when they ask.

use crate::harness::{PASSWORD, program::Program};

#[test]
fn init_with_refused_password_leaves_nothing() {
    for password in ["short", "password1234", "admin-admin-26"] {
        let program = Program::new();
        program.write("password", password);
        for folder in ["new", "."] {
            let (code, _) = program.refused(&["init", folder, "--password-file", "password"]);
            assert_eq!(code, 2, "{password}");
            let left = std::fs::read_dir(program.path("")).unwrap();
            let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, ["password"], "{folder}");
        }
        program.write("password", PASSWORD);
        program.done(&["init", "new", "--password-file", "password"]);
    }
}

#[test]
fn init_again_changes_nothing() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let stored = || std::fs::read(program.path("countersign.db")).unwrap();
    let before = stored();
    let (code, said) = program.refused(&["init", ".", "--password-file", "password"]);
    assert_eq!(code, 1);
    assert!(said.contains("is set up already"), "{said}");
    assert_eq!(stored(), before);
}

#[test]
fn recover_names_running_server_before_it_asks() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let _server = program.serve();
    let people = ["--person", "alice", "--person", "bob"];
    let (code, said) = program.refused(&[&["recover"], &people[..], &["--reason", "x"]].concat());
    assert_eq!(code, 1);
    assert!(said.contains("another countersign process is serving"), "{said}");
}
