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
        }
        assert_eq!(fs::read(program.path("countersign.db")).unwrap(), bytes);
    }
}
