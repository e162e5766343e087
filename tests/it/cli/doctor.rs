//! What `countersign doctor` finds on an installation: whether its broker runs, whether the database
//! is whole, what keeps requests from being approved and sent.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
};

use countersign::domain::{audit::installation::CHALLENGE_HEADER, digest::Digest};

use crate::harness::{program::Program, stored::execute};

const NO_MANAGER: &str = "http://127.0.0.1:9";

fn set_up() -> Program {
    let program = Program::new();
    program.set_up(NO_MANAGER);
    program
}

/// The line about this.
#[track_caller]
fn line(program: &Program, check: &str) -> String {
    let said = String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
    let is_about = |line: &&str| line.split("  ").any(|word| word.trim() == check);
    said.lines().find(is_about).expect(&said).to_owned()
}

#[track_caller]
fn assert_line(program: &Program, check: &str, (sign, parts): (&str, &[&str])) {
    let line = line(program, check);
    assert!(line.starts_with(&format!("{sign} ")), "{line}");
    for part in parts {
        assert!(line.contains(part), "`{part}` is not in: {line}");
    }
}

const BROKER: &str = "running broker";
const MOVED: &str = "-> look at its log; if server.listen or the certificate is another";
const TAKEN: &str = "-> find out which program has the port";

/// Names another port in the configuration.
fn move_to(program: &Program, port: u16) {
    let configured = program.configuration(NO_MANAGER);
    let (old, new) = (format!(":{}\"", program.port), format!(":{port}\""));
    program.write("countersign.toml", &configured.replace(&old, &new));
}

/// Something that is no broker: it hangs up on whoever comes. It ends with the test program.
fn other_program() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    port
}

#[test]
fn doctor_tells_a_stopped_broker_from_a_ready_one() {
    let program = set_up();
    let none = format!("none answers at 127.0.0.1:{}, and none has the database", program.port);
    assert_line(&program, BROKER, ("ok", &[&none]));
    {
        let _serving = program.serve();
        let ready = format!("it is ready at 127.0.0.1:{}", program.port);
        assert_line(&program, BROKER, ("ok", &[&ready]));
    }
    assert_line(&program, BROKER, ("ok", &[&none]));
}

#[test]
fn doctor_fails_where_running_broker_does_not_answer() {
    let program = set_up();
    let _serving = program.serve();
    move_to(&program, Program::new().port);
    let nobody = "a broker has the database, and nobody listens at 127.0.0.1:";
    assert_line(&program, BROKER, ("LOOK", &[nobody, MOVED]));
    move_to(&program, other_program());
    let silent = "a broker has the database, but: the broker at http://127.0.0.1:";
    assert_line(&program, BROKER, ("LOOK", &[silent, MOVED]));
}

#[test]
fn doctor_fails_where_other_program_has_its_port() {
    let program = set_up();
    move_to(&program, other_program());
    let silent = "no broker has the database, but: the broker at http://127.0.0.1:";
    assert_line(&program, BROKER, ("LOOK", &[silent, TAKEN]));
}

#[test]
fn doctor_tells_its_broker_from_that_of_another_database() {
    let (program, other) = (set_up(), set_up());
    let _other = other.serve();
    move_to(&program, other.port);
    let none = "is no broker of this database, which none has";
    assert_line(&program, BROKER, ("LOOK", &["(with 200)", none, TAKEN]));
    program.write("countersign.toml", &program.configuration(NO_MANAGER));
    let _serving = program.serve();
    move_to(&program, other.port);
    let elsewhere = "a broker has the database, and it is not shown to be what answers at";
    assert_line(&program, BROKER, ("LOOK", &[elsewhere, "(with 200)", MOVED]));
}

#[test]
fn doctor_names_broker_that_serves_a_copy() {
    let (program, other) = (set_up(), set_up());
    program.copy_database("copy");
    for name in ["countersign.db", "countersign.db-wal", "countersign.db-shm"] {
        let _none = fs::remove_file(other.path(name)).is_err();
        let _none = fs::copy(program.path("copy").join(name), other.path(name)).is_err();
    }
    let serving = other.serve();
    move_to(&program, other.port);
    let copy =
        "serves another copy of this database: none has this file -> if the file was replaced";
    assert_line(&program, BROKER, ("LOOK", &[copy]));
    // A file that was replaced under a broker is not the one that it serves.
    drop(serving);
    program.write("countersign.toml", &program.configuration(NO_MANAGER));
    let _serving = program.serve();
    fs::copy(program.path("countersign.db"), program.path("new.db")).unwrap();
    fs::rename(program.path("new.db"), program.path("countersign.db")).unwrap();
    assert_line(&program, BROKER, ("LOOK", &[copy]));
}

#[tokio::test(flavor = "multi_thread")]
async fn stranger_learns_nothing_from_proof_of_database() {
    let (program, other) = (set_up(), set_up());
    let (serving, another) = (program.serve(), other.serve());
    let ask = async |url: &str, challenge: Option<String>| {
        let client = crate::harness::page::http_client();
        let mut asked = client.get(format!("{url}/readyz"));
        if let Some(challenge) = challenge {
            asked = asked.header(CHALLENGE_HEADER, challenge);
        }
        asked.send().await.unwrap().text().await.unwrap()
    };
    let challenge = |text: &str| Some(Digest::of(text.as_bytes()).to_string());
    for nothing in [None, Some(String::new()), Some("abc".to_owned()), Some("Z".repeat(64))] {
        assert_eq!(ask(&serving.url, nothing).await, "ready\n");
    }
    let mut said = Vec::new();
    for (url, text) in [(&serving.url, "a"), (&serving.url, "b"), (&another.url, "a")] {
        said.push(ask(url, challenge(text)).await);
    }
    assert_eq!(ask(&serving.url, challenge("a")).await, said[0]);
    let digests: std::collections::BTreeSet<_> = said
        .iter()
        .map(|said| Digest::parse(said.strip_prefix("ready\ndatabase ").unwrap().trim()).unwrap())
        .collect();
    assert_eq!(digests.len(), 3, "{said:?}");
    // It is not what the mark and the audit name.
    let mark = fs::read_to_string(program.path("countersign.db.mark")).unwrap();
    assert!(digests.iter().all(|digest| !mark.contains(&digest.to_string())), "{mark}");
}

#[test]
fn doctor_wants_damaged_database_restored() {
    let program = set_up();
    program.serve().terminate();
    let mut bytes = fs::read(program.path("countersign.db")).unwrap();
    // Whole by its length, and without its tables.
    bytes[4096..].fill(7);
    fs::write(program.path("countersign.db"), &bytes).unwrap();
    let restore = "-> put the newest copy back (docs/operating.md, \"Back-up and restore\")";
    assert_line(&program, "database", ("LOOK", &["malformed", restore]));
    assert!(!line(&program, "database").contains("countersign init"));
    fs::remove_file(program.path("countersign.db")).unwrap();
    assert_line(&program, "database", ("LOOK", &["does not exist -> run `countersign init`"]));
}

#[test]
fn doctor_notes_kill_switch_and_how_it_is_released() {
    let program = set_up();
    let has_note = || {
        let said = String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
        said.contains("kill switch  it is on")
    };
    assert!(!has_note());
    program.done(&["freeze", "--agent", "triage-bot", "--reason", "odd requests"]);
    let thrown = "it is on for the agent triage-bot since 2";
    let who = " UTC: command line threw it (odd requests) -> nothing of it is sent";
    let how = "two people must release it, on the page under System (`countersign unfreeze --agent \
               triage-bot --reason …` is one person)";
    assert_line(&program, "kill switch", ("note", &[thrown, who, how]));
    program.done(&["unfreeze", "--agent", "triage-bot", "--reason", "looked"]);
    let first = "command line has said so; one more person must release it";
    assert_line(&program, "kill switch", ("note", &[first]));
    // A note is no failure.
    let said = program.run(&["--json", "doctor"]).stdout;
    let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
    let note = said.as_array().unwrap().iter().find(|one| one["check"] == "kill switch").unwrap();
    assert_eq!(note["ok"], true, "{note}");
    assert!(note["advice"].is_string(), "{note}");
}

#[test]
fn doctor_notes_approvals_that_nobody_can_give() {
    // Alice owns the agent, so bob, a senior, is alone.
    let program = set_up();
    let lead = "2 people, one of them a lead, for what triage-bot asks (as run.many-endpoints, \
                run.privileged-account can require)";
    let senior = "2 people, one of them a senior or lead, for what triage-bot asks (as \
                  run.critical-endpoint, run.endpoint-address, run.permanent can require)";
    assert_line(&program, "approvals", ("note", &["people are missing: ", lead, senior]));
    let add = |name: &str, role: &str| {
        program.done(&["person", "add", name, "--role", role, "--password-file", "password"]);
    };
    add("erin", "analyst");
    let line = line(&program, "approvals");
    assert!(line.contains(lead) && !line.contains(senior), "{line}");
    add("carol", "lead");
    let enough = "there are people enough for all that the policies can require";
    assert_line(&program, "approvals", ("ok", &[enough]));
    // An admin and who is disabled give none.
    add("gina", "admin");
    program.done(&["person", "disable", "carol"]);
    assert_line(&program, "approvals", ("note", &[lead]));
    // The agent of another is short of others.
    program.done(&["agent", "add", "second-bot", "--owner", "bob"]);
    let both = "2 people, one of them a lead, for what second-bot, triage-bot asks";
    let second = "1 person, a senior or lead, for what second-bot asks (as run.enable-account";
    assert_line(&program, "approvals", ("note", &[both, second]));
}

#[tokio::test]
async fn doctor_names_sites_that_too_few_see() {
    let program = set_up();
    for (name, role) in [("erin", "analyst"), ("carol", "lead")] {
        program.done(&["person", "add", name, "--role", role, "--password-file", "password"]);
    }
    let site = r#"INSERT INTO site VALUES ('main', '["default","office"]')"#;
    execute(&program.path("countersign.db"), site).await;
    let said = || String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
    assert!(!said().contains("approvals of teams"), "there is no team");
    program.done(&["person", "teams", "carol", "office"]);
    let lacking = "too few see what is at main (default, office)";
    assert_line(&program, "approvals of teams", ("note", &[lacking]));
    program.done(&["person", "teams", "carol", "--none"]);
    program.done(&["person", "teams", "erin", "office"]);
    assert!(!said().contains("approvals of teams"), "the others can give all that is needed");
}
