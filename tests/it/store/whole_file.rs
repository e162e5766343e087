//! The files of the database: left whole, named where they are not, and never written by a question.

use std::{collections::BTreeMap, fs, time::SystemTime};

use crate::harness::program::Program;

fn set_up() -> Program {
    let program = Program::new();
    program.set_up("http://127.0.0.1:1");
    program
}

/// Every file of the folder with its bytes and the time of its last change.
fn files(program: &Program) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let entries = fs::read_dir(program.path("")).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files
        .map(|entry| {
            let changed = entry.metadata().unwrap().modified().unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, (fs::read(entry.path()).unwrap(), changed))
        })
        .collect()
}

#[test]
fn clean_stop_leaves_one_whole_file() {
    let program = set_up();
    program.serve().terminate();
    assert!(!program.path("countersign.db-wal").exists());
    // The database alone is enough.
    let other = set_up();
    for name in ["countersign.db", "countersign.db.mark"] {
        fs::copy(program.path(name), other.path(name)).unwrap();
    }
    for log in ["countersign.db-wal", "countersign.db-shm"] {
        let _none = fs::remove_file(other.path(log)).is_err();
    }
    assert!(other.done(&["person", "list"]).contains("alice"));
    let serving = other.serve();
    assert!(serving.said.get("set_up").is_none(), "{}", serving.said);
}

#[test]
fn command_line_leaves_one_whole_file() {
    let program = Program::new();
    program.write("password", "a good passphrase");
    program.done(&["init", ".", "--password-file", "password"]);
    assert!(!program.path("countersign.db-wal").exists());
    for command in [
        &["person", "add", "alice", "--role", "analyst", "--password-file", "password"][..],
        &["agent", "add", "triage-bot", "--owner", "alice"],
        &["freeze", "--reason", "a test"],
        &["person", "list"],
    ] {
        program.done(command);
        assert!(!program.path("countersign.db-wal").exists(), "{command:?}");
    }
}

#[test]
fn copy_without_its_log_is_named() {
    let program = set_up();
    let database = sqlite_header();
    for (bytes, command) in [
        (database.as_slice(), &["audit", "verify"][..]),
        (&database, &["person", "list"]),
        (&database, &["serve"]),
        (&[], &["audit", "verify"]),
    ] {
        fs::write(program.path("countersign.db"), bytes).unwrap();
        let refused = program.run(command);
        assert!(!refused.status.success(), "{command:?}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("it holds nothing") && said.contains("-wal"), "{command:?}: {said}");
        assert_eq!(fs::read(program.path("countersign.db")).unwrap(), bytes);
    }
}

/// The first page of a database whose tables are all in its log.
fn sqlite_header() -> Vec<u8> {
    let mut page = vec![0; 4096];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..18].copy_from_slice(&4096_u16.to_be_bytes());
    page[18..24].copy_from_slice(&[2, 2, 0, 64, 32, 32]);
    page[28..32].copy_from_slice(&1_u32.to_be_bytes());
    page[100] = 13;
    page[105..107].copy_from_slice(&4096_u16.to_be_bytes());
    page
}

#[test]
fn questions_write_and_create_nothing() {
    let program = set_up();
    program.serve().terminate();
    let before = files(&program);
    assert!(program.done(&["audit", "verify"]).contains("entries are sound"));
    assert!(program.done(&["audit", "query"]).contains("broker.started"));
    assert!(program.done(&["person", "list"]).contains("alice"));
    assert!(program.done(&["agent", "list"]).contains("triage-bot"));
    let _findings = program.run(&["doctor"]);
    assert_eq!(files(&program), before);
}

#[test]
fn missing_database_is_not_created_by_question() {
    let program = set_up();
    for name in ["countersign.db", "countersign.db-wal", "countersign.db-shm"] {
        let _none = fs::remove_file(program.path(name)).is_err();
    }
    let (code, why) = program.refused(&["audit", "verify"]);
    assert!(code == 2 && why.contains("there is no database"), "{why}");
    assert!(!program.path("countersign.db").exists());
}

#[test]
fn damaged_database_is_named_with_advice() {
    let program = set_up();
    program.serve().terminate();
    let whole = fs::read(program.path("countersign.db")).unwrap();
    let cut = &whole[..whole.len() / 2];
    let garbage = vec![7; 9000];
    for (bytes, said) in
        [(cut, "it is cut off: it has "), (&garbage[..], "no SQLite database"), (b"x", "no SQLite")]
    {
        fs::write(program.path("countersign.db"), bytes).unwrap();
        for command in ["serve", "doctor", "freeze"] {
            let mut arguments = vec![command];
            arguments.extend(if command == "freeze" { &["--reason", "a test"][..] } else { &[] });
            let output = program.run(&arguments);
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8(text).unwrap();
            assert!(!output.status.success(), "{command}: {text}");
            assert!(text.contains("countersign.db: ") && text.contains(said), "{command}: {text}");
            assert!(text.contains("put the newest copy back"), "{command}: {text}");
            assert!(!text.contains("countersign init"), "{command}: {text}");
        }
        assert_eq!(fs::read(program.path("countersign.db")).unwrap(), bytes);
    }
}
