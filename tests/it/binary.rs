//! The built program, started as a user starts it.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::PASSWORD;

/// The program in a folder of its own.
pub(crate) struct Program {
    folder: TempDir,
    port: u16,
}

/// A server that is killed when the test ends, one way or the other.
pub(crate) struct Serving {
    child: Child,
    pub(crate) url: String,
    /// Its first line.
    pub(crate) said: Value,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended = self.child.kill().is_ok() && self.child.wait().is_ok();
    }
}

impl Serving {
    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the program says that it stands still at its checkpoint.
    pub(crate) async fn halted(&mut self) {
        let log = BufReader::new(self.child.stderr.take().unwrap());
        let halted = move || log.lines().any(|line| line.unwrap().contains("halted for a test"));
        let halted = tokio::task::spawn_blocking(halted);
        // A server that never comes there says nothing, and is killed when this fails.
        let halted = tokio::time::timeout(Duration::from_mins(1), halted).await;
        assert!(halted.expect("it does not come to its checkpoint").unwrap(), "it ended");
    }
}

impl Program {
    pub(crate) fn new() -> Self {
        // A port that was free a moment ago; the server gets it by name, as a user would give it.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self { folder: TempDir::new().unwrap(), port: free.local_addr().unwrap().port() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// The exit code and what was said on standard error.
    pub(crate) fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// `init`, three people whose passwords are their own, one agent; its token.
    pub(crate) fn set_up(&self, manager: &str) -> String {
        self.write("password", PASSWORD);
        self.done(&["init", ".", "--password-file", "password"]);
        self.write("manager.password", "manager-pw");
        self.write("countersign.toml", &self.configuration(manager));
        for (name, role) in [("alice", "analyst"), ("bob", "senior")] {
            let add = ["person", "add", name, "--role", role, "--password-file", "password"];
            self.done(&add);
        }
        let token = self.done(&["--json", "agent", "add", "triage-bot", "--owner", "alice"]);
        let token: Value = serde_json::from_str(&token).unwrap();
        token["token"].as_str().unwrap().to_owned()
    }

    /// Starts the server and waits until it says where it listens.
    pub(crate) fn serve(&self) -> Serving {
        Self::start(self.command())
    }

    /// A server that stands still at a checkpoint: see [`Serving::halted`].
    pub(crate) fn serve_until(&self, checkpoint: &str) -> Serving {
        let mut command = self.command();
        command.env("COUNTERSIGN_HALT_AT", checkpoint);
        Self::start(command)
    }

    fn start(mut command: Command) -> Serving {
        let mut child = command
            .args(["--json", "serve"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("it does not serve: {said}");
        }
        let said: Value = serde_json::from_str(&line).unwrap();
        Serving { child, url: format!("http://{}", said["listening"].as_str().unwrap()), said }
    }

    pub(crate) fn configuration(&self, manager: &str) -> String {
        let port = self.port;
        format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n\
         [manager.main]\nurl = \"{manager}\"\nuser = \"wazuh\"\npassword_file = \"manager.password\"\n\
         [criticality]\nweb = 2\nwindows = 2\n"
        )
    }
}

#[test]
fn the_story_of_the_demo_comes_out_as_expected() {
    let text = Program::new().done(&["demo", "--once"]);
    assert!(text.contains("11 of 11 outcomes came out as expected"), "{text}");
}

#[test]
fn init_sets_up_a_folder_once() {
    let program = Program::new();
    program.write("password", PASSWORD);
    program.done(&["init", "here", "--password-file", "password"]);
    assert!(program.path("here/policies/schema.cedarschema").exists());
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(program.path(name)).unwrap().permissions().mode() & 0o777
    };
    for file in ["here/countersign.db", "here/manager.password", "here/countersign.toml"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    let (code, said) = program.refused(&["init", "here", "--password-file", "password"]);
    assert_eq!(code, 1);
    assert!(said.contains("set up already"), "{said}");
}

#[test]
fn a_short_password_is_refused() {
    let program = Program::new();
    program.write("password", "short");
    let (code, said) = program.refused(&["init", ".", "--password-file", "password"]);
    assert_eq!(code, 2);
    assert!(said.contains("12 to 128 characters"), "{said}");
}

#[test]
fn a_wrong_configuration_names_the_key_the_value_and_what_is_right() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let good = program.configuration("http://127.0.0.1:9");
    let listen = format!("listen = \"127.0.0.1:{}\"", program.port);
    let listen = listen.as_str();
    for (wrong, right, parts) in [
        (listen, "listen = \"0.0.0.0:0\"", vec!["server.listen", "0.0.0.0:0", "tls"]),
        (listen, "listen = \"here\"", vec!["listen"]),
        ("user = \"wazuh\"", "user = \"\"", vec!["manager.main.user"]),
        ("user = \"wazuh\"", "user = \"wazuh\"\nspeed = 3", vec!["manager.main.speed", "3"]),
        (
            "http://127.0.0.1:9\"\nuser",
            "https://127.0.0.1:9\"\nuser",
            vec!["manager.main.", "pin_sha256"],
        ),
        (
            "http://127.0.0.1:9\"\nuser",
            "http://192.0.2.1:9\"\nuser",
            vec!["manager.main.url", "https"],
        ),
        ("web = 2", "web = 9", vec!["criticality.web", "9", "1 to 5"]),
        (
            "[criticality]",
            "[manager.main.undo_commands.block_ip]\nlinux = \"!a/b\"\n[criticality]",
            vec!["!a/b", "block_ip.linux"],
        ),
        ("[server]", "[sever]", vec!["sever"]),
        ("[manager.main]", "[manager]", vec!["manager.", "[manager.main]"]),
        ("manager.password\"", "nowhere\"", vec!["manager.main.password_file", "nowhere"]),
    ] {
        program.write("countersign.toml", &good.replace(wrong, right));
        let (code, said) = program.refused(&["serve"]);
        assert_eq!(code, 2, "{right}: {said}");
        for part in parts {
            assert!(said.contains(part), "{right}: `{part}` is not in: {said}");
        }
    }
}

#[test]
fn files_that_others_can_read_stop_the_server() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(program.path("manager.password"), open).unwrap();
    let (code, said) = program.refused(&["serve"]);
    assert_eq!(code, 2);
    assert!(said.contains("manager.password") && said.contains("chmod 600"), "{said}");
}

#[test]
fn a_second_server_on_the_same_database_does_not_start() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let _first = program.serve();
    let (code, said) = program.refused(&["serve"]);
    assert_eq!(code, 1);
    assert!(said.contains("another countersign process is serving"), "{said}");
}

#[test]
fn the_command_line_works_beside_the_server() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let _server = program.serve();
    program.done(&["freeze", "--reason", "a test"]);
    let said = program.done(&["unfreeze", "--reason", "a test"]);
    assert!(said.contains("a second person must release it too"), "{said}");
    program.refused(&["unfreeze", "--reason", "a test"]);
    program.done(&["person", "disable", "bob"]);
    program.done(&["agent", "revoke", "triage-bot"]);
    let verified = program.done(&["audit", "verify"]);
    assert!(verified.contains("entries are sound"), "{verified}");
    let kinds = program.done(&["audit", "query", "--kind", "kill_switch"]);
    assert!(kinds.contains("kill_switch.frozen"), "{kinds}");
    assert!(kinds.contains("kill_switch.release_asked"), "{kinds}");
    assert!(!kinds.contains("kill_switch.unfrozen"), "{kinds}");
}

#[test]
fn the_doctor_says_what_works_and_what_to_do() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let output = program.run(&["doctor"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["ok", "policies", "LOOK", "the manager main at http://127.0.0.1:9", "->"] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

#[test]
fn lists_answer_in_json_for_programs() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    for arguments in [
        ["person", "list"],
        ["agent", "list"],
        ["audit", "query"],
        ["audit", "verify"],
        ["policy", "test"],
    ] {
        let text = program.done(&[&["--json"][..], &arguments[..]].concat());
        let lines: Vec<_> = text.lines().collect();
        let [line] = lines.as_slice() else { panic!("{arguments:?}: {text}") };
        serde_json::from_str::<Value>(line).unwrap();
    }
}

#[test]
fn the_policies_that_ship_pass_their_cases() {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let program = Program::new();
    program.done(&["policy", "check", policies.to_str().unwrap()]);
    let text = program.done(&["policy", "test", policies.to_str().unwrap()]);
    assert!(text.contains("passes") && !text.contains("FAILS"), "{text}");
}

#[test]
fn an_audit_that_was_edited_is_found_and_the_first_bad_entry_named() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    edit(&program, "UPDATE audit SET target = 'mallory' WHERE seq = 2");
    let output = program.run(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("entry 2 is bad") && said.contains("edited"), "{said}");
}

#[test]
fn an_audit_entry_that_was_deleted_is_found() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    edit(&program, "DELETE FROM audit WHERE seq = 2");
    let output = program.run(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("row 2 is missing"), "{said}");
}

/// Changes the file as somebody with another tool would, past the triggers.
fn edit(program: &Program, sql: &'static str) {
    use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(program.path("countersign.db"));
        let mut connection = options.connect().await.unwrap();
        for drop in ["DROP TRIGGER audit_is_not_changed", "DROP TRIGGER audit_is_not_deleted"] {
            sqlx::query(drop).execute(&mut connection).await.unwrap();
        }
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    });
}
