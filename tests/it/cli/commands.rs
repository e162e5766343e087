//! The built program, started as a user starts it.

use serde_json::Value;

use crate::harness::{
    PASSWORD, fixtures::own_policies, installation::Installation, program::Program,
};

#[test]
fn init_creates_a_folder_once() {
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
fn short_password_is_refused() {
    let program = Program::new();
    program.write("password", "short");
    let (code, said) = program.refused(&["init", ".", "--password-file", "password"]);
    assert_eq!(code, 2);
    assert!(said.contains("12 to 128 characters"), "{said}");
}

#[test]
fn invalid_configuration_names_key_value_and_fix() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let good = program.configuration("http://127.0.0.1:9");
    let listen = format!("listen = \"127.0.0.1:{}\"", program.port);
    for (wrong, right, parts) in wrong_lines(&listen) {
        program.write("countersign.toml", &good.replace(wrong, right));
        let (code, said) = program.refused(&["serve"]);
        assert_eq!(code, 2, "{right}: {said}");
        for part in parts {
            assert!(said.contains(part), "{right}: `{part}` is not in: {said}");
        }
    }
}

/// A line, what is wrong in its place, and what the error names.
fn wrong_lines(listen: &str) -> Vec<(&str, &'static str, Vec<&'static str>)> {
    vec![
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
        (
            "[criticality]",
            "[alert_fields.accounts]\n\"data.who\" = \"address\"\n[criticality]",
            vec!["alert_fields.accounts.\"data.who\"", "address", "name, windows, cloud, ignored"],
        ),
        (
            "[criticality]",
            "[alert_fields.addresses]\n\"data..ip\" = \"address\"\n[criticality]",
            vec!["alert_fields.addresses", "data..ip", "data.srcip"],
        ),
        (
            "[criticality]",
            "[protected]\nnetworks = [\"::ffff:198.51.100.0/120\"]\n[criticality]",
            vec!["protected.networks", "::ffff:198.51.100.0/120", " 198.51.100.0/24"],
        ),
        (
            "[criticality]",
            "[protected]\naddresses = [\"10.1\"]\n[criticality]",
            vec!["protected.addresses", "10.1", "a host name"],
        ),
        (
            "[criticality]",
            "[alert_fields]\npeer = [\"data.who\"]\n[criticality]",
            vec!["alert_fields.peer", "data.who", "docs/alert-fields.md"],
        ),
        ("[criticality]", "[alert_fields.hosts]\n[criticality]", vec!["hosts", "addresses"]),
        ("[manager.main]", "[manager]", vec!["manager.", "[manager.main]"]),
        ("manager.password\"", "nowhere\"", vec!["manager.main.password_file", "nowhere"]),
    ]
}

#[test]
fn files_readable_by_others_stop_the_server() {
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
fn odd_bytes_in_a_secret_are_named() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let write = |name: &str, bytes: &[u8]| {
        program.write(name, "");
        std::fs::write(program.path(name), bytes).unwrap();
    };
    for (bytes, what) in [
        (&b"\xEF\xBB\xBFmanager-pw\n"[..], "a UTF-8 byte order mark (EF BB BF)"),
        (b"\xFF\xFEm\0a\0", "a UTF-16 byte order mark (FF FE)"),
        (b"\xFE\xFF\0m\0a", "a UTF-16 byte order mark (FE FF)"),
        (b"m\xE4nager", "byte 2 of it is not UTF-8"),
        (b"m\0a\0", "byte 2 of it is the control character U+0000"),
        (b"manager-pw\nanother", "it has more than one line"),
        (b"\n", "it is empty"),
    ] {
        write("manager.password", bytes);
        let (code, said) = program.refused(&["serve"]);
        assert_eq!(code, 2, "{said}");
        for part in ["manager.main.password_file", "manager.password", what] {
            assert!(said.contains(part), "`{part}` is not in: {said}");
        }
        write("password", bytes);
        let add = ["person", "add", "eve", "--role", "lead", "--password-file", "password"];
        let (_, said) = program.refused(&add);
        assert!(said.contains("--password-file password") && said.contains(what), "{said}");
    }
    let chain = "tls_certificate_file = \"chain.pem\"\ntls_key_file = \"key.pem\"\n[manager.main]";
    let configuration = program.configuration("http://127.0.0.1:9");
    program.write("countersign.toml", &configuration.replace("[manager.main]", chain));
    program.write("manager.password", "manager-pw");
    write("chain.pem", b"\xEF\xBB\xBF-----BEGIN CERTIFICATE-----");
    write("key.pem", b"-----BEGIN PRIVATE KEY-----");
    let (_, said) = program.refused(&["serve"]);
    assert!(said.contains("server.tls_certificate_file") && said.contains("EF BB BF"), "{said}");
}

#[test]
fn second_server_on_same_database_does_not_start() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let _first = program.serve();
    let (code, said) = program.refused(&["serve"]);
    assert_eq!(code, 1);
    assert!(said.contains("another countersign process is serving"), "{said}");
}

#[test]
fn command_line_works_beside_running_server() {
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
fn pipe_is_no_file_of_a_feed() {
    let program = Program::new();
    program.pipe("feed");
    let feed = program.path("feed");
    let (code, said) = program.refused(&["audit", "verify", "--feed", feed.to_str().unwrap()]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("no regular file"), "{said}");
}

#[test]
fn doctor_reports_what_works_and_what_to_fix() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let output = program.run(&["doctor"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["ok", "policies", "LOOK", "the manager main at http://127.0.0.1:9", "->"] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_lists_groups_that_nobody_rated() {
    let installed = Installation::new().await;
    let doctor = || {
        let output = installed.program.run(&["doctor"]);
        String::from_utf8(output.stdout).unwrap()
    };
    let said = doctor();
    let line = said.lines().find(|line| line.contains("criticality")).expect(&said);
    let expected = "endpoints are in no group of [criticality], so they count as 5; groups not named \
                    there: core, default, linux, office";
    assert!(line.starts_with("ok") && line.contains(expected), "{line}");
    let configuration =
        std::fs::read_to_string(installed.program.path("countersign.toml")).unwrap();
    let unrated = configuration.replace("web = 2\nwindows = 2\n", "");
    installed.program.write("countersign.toml", &unrated);
    let said = doctor();
    let line = said.lines().find(|line| line.contains("criticality")).expect(&said);
    assert!(line.starts_with("LOOK") && line.contains("rate your groups"), "{line}");
}

#[test]
fn doctor_names_shipped_policies_that_folder_lacks() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let left_out = || {
        let said = String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
        said.lines().find(|line| line.contains("not in the folder")).map(str::to_owned)
    };
    assert_eq!(left_out(), None);
    let shipped = std::fs::read_to_string(program.path("policies/20_run.cedar")).unwrap();
    let (before, rest) = shipped.split_once("@id(\"run.indexer-behind\")").unwrap();
    let (_, rest) = rest.split_once("@id(\"run.one-approval\")").unwrap();
    // A comment that names one is none.
    let earlier = format!("{before}// run.indexer-behind\n@id(\"run.one-approval\"){rest}")
        .replace("@id(\"run.would-shorten\")", "@id(\"own.would-shorten\")");
    program.write("policies/20_run.cedar", &earlier);
    std::fs::remove_file(program.path("policies/50_agents.cedar")).unwrap();
    for cases in ["run", "people"] {
        program.write(&format!("policies/tests/{cases}.json"), "[]");
    }
    let line = left_out().unwrap();
    let named = "run.indexer-behind, run.too-many-refusals, run.would-shorten (20_run.cedar); \
                 agents.own-requests (50_agents.cedar) -> copy them";
    assert!(line.starts_with("LOOK") && line.contains(named), "{line}");
}

#[test]
fn doctor_lists_configured_alert_fields() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    let fields = || {
        let said = String::from_utf8(program.run(&["doctor"]).stdout).unwrap();
        said.lines().find(|line| line.contains("alert fields")).map(str::to_owned)
    };
    assert_eq!(fields(), None);
    let configuration = program.configuration("http://127.0.0.1:9");
    let more = "[alert_fields]\npeer = [\"data.sensor.peer\"]\n\
                [alert_fields.addresses]\n\"data.sensor.peer\" = \"address\"\n\
                \"data.src_ip\" = \"ignored\"\n\
                [alert_fields.accounts]\n\"data.badge.owner\" = \"windows\"\n";
    program.write("countersign.toml", &format!("{configuration}{more}"));
    let line = fields().unwrap();
    let listed = "addresses: data.sensor.peer = address, data.src_ip = ignored; \
                  accounts: data.badge.owner = windows; peer: data.sensor.peer";
    assert!(line.starts_with("ok") && line.contains(listed), "{line}");
}

#[test]
fn lists_print_json_for_programs() {
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
fn shipped_policies_pass_their_cases() {
    let program = Program::new();
    let policies = own_policies(&program.path("."));
    program.done(&["policy", "check", policies.to_str().unwrap()]);
    let text = program.done(&["policy", "test", policies.to_str().unwrap()]);
    assert!(text.contains("passes") && !text.contains("FAILS"), "{text}");
}

#[test]
fn edited_audit_entry_is_detected_and_named() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    edit(&program, "UPDATE audit SET target = 'mallory' WHERE seq = 2");
    let output = program.run(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("entry 2 is bad") && said.contains("edited"), "{said}");
}

#[test]
fn bytes_behind_nul_in_audit_are_detected() {
    for column in ["kind", "actor_kind", "actor_name", "detail"] {
        let program = Program::new();
        program.set_up("http://127.0.0.1:9");
        let edited =
            format!("UPDATE audit SET {column} = {column} || char(0) || 'x' WHERE seq = 2");
        edit(&program, &edited);
        let output = program.run(&["audit", "verify"]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("entry 2 is bad") && said.contains("edited"), "{column}: {said}");
    }
}

#[test]
fn deleted_audit_entry_is_detected() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    edit(&program, "DELETE FROM audit WHERE seq = 2");
    let output = program.run(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("row 2 is missing"), "{said}");
}

/// It would wipe the line before it from a terminal and write another.
const WIPING: &str =
    "char(10)||'9 entries are sound'||char(13)||char(27)||'[2K'||char(155)||char(8238)";

#[test]
fn tampered_audit_text_cannot_hide_the_verdict() {
    for column in ["hash", "previous", "kind", "request_id", "actor_name", "target", "detail"] {
        let program = Program::new();
        program.set_up("http://127.0.0.1:9");
        edit(&program, &format!("UPDATE audit SET {column} = {WIPING} WHERE seq = 2"));
        for arguments in
            [&["audit", "verify"][..], &["audit", "query"], &["--json", "audit", "query"]]
        {
            let output = program.run(arguments);
            let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
            let hidden = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            let whole = said.concat();
            assert!(!whole.contains(hidden), "{column}, {arguments:?}: {whole:?}");
            assert!(!whole.contains("\n9 entries"), "{column}, {arguments:?}: {whole}");
            if arguments.contains(&"verify") {
                assert!(whole.ends_with("\nentry 2 is bad\n"), "{column}: {whole}");
                assert_eq!(output.status.code(), Some(1));
            }
        }
    }
}

#[test]
fn failure_shows_hidden_characters_of_stored_text() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:9");
    edit(&program, &format!("UPDATE person SET role = {WIPING} WHERE name = 'bob'"));
    let (code, said) = program.refused(&["person", "list"]);
    assert_eq!(code, 1);
    assert!(said.contains("‹U+001B›[2K") && !said.contains("\n9 entries"), "{said:?}");
    assert!(!said.contains(['\u{1b}', '\r', '\u{9b}', '\u{202e}']), "{said:?}");
}

/// Changes the file as somebody with another tool would, past the triggers.
fn edit(program: &Program, sql: &str) {
    use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(program.path("countersign.db"));
        let mut connection = options.connect().await.unwrap();
        for fence in [
            "DROP TRIGGER audit_is_not_changed",
            "DROP TRIGGER audit_is_not_deleted",
            "PRAGMA ignore_check_constraints = ON",
        ] {
            sqlx::query(fence).execute(&mut connection).await.unwrap();
        }
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    });
}
