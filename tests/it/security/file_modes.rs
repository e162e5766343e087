//! Files that decide: nobody else may write them, and they are files of a limited size.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    process::Command,
};

use crate::harness::{PASSWORD, World, program::Program};

fn set_up() -> Program {
    let program = Program::new();
    program.set_up("http://127.0.0.1:1");
    program
}

fn chmod(program: &Program, name: &str, mode: u32) {
    fs::set_permissions(program.path(name), Permissions::from_mode(mode)).unwrap();
}

/// What a command says that must not succeed.
fn refused(program: &Program, arguments: &[&str]) -> String {
    let output = program.run(arguments);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!output.status.success(), "{arguments:?}: {text}");
    text
}

#[test]
fn init_makes_modes_that_pass_with_any_umask() {
    let program = Program::new();
    program.write("password", PASSWORD);
    let folder = program.path("new");
    let binary = program.command().get_program().to_owned();
    let done = Command::new("sh")
        .args(["-c", "umask 0; exec \"$0\" init \"$1\" --password-file password"])
        .arg(binary)
        .arg(&folder)
        .current_dir(program.path(""))
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let config = folder.join("countersign.toml");
    let checked = program.run(&["--config", config.to_str().unwrap(), "policy", "check"]);
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(checked.status.success(), "{said}");
    for path in ["", "policies", "policies/tests", "policies/20_run.cedar", "countersign.toml"] {
        let mode = fs::metadata(folder.join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o022, 0, "{path}: {mode:o}");
    }
}

#[test]
fn files_that_everybody_may_write_are_refused() {
    for (name, mode) in [
        ("countersign.toml", 0o606),
        ("policies", 0o757),
        ("policies/20_run.cedar", 0o646),
        ("policies/schema.cedarschema", 0o646),
        ("policies/tests", 0o757),
        ("", 0o707),
    ] {
        let program = set_up();
        chmod(&program, name, mode);
        for command in [&["serve"][..], &["doctor"]] {
            let said = refused(&program, command);
            assert!(said.contains("everybody may write "), "{name}: {said}");
            assert!(said.contains("; run: chmod o-w "), "{name}: {said}");
        }
        chmod(&program, name, 0o700);
        program.done(&["policy", "check"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writable_policies_at_start_leave_active_set() {
    let program = set_up();
    program.serve().terminate();
    chmod(&program, "policies/20_run.cedar", 0o646);
    let mut server = program.serve();
    let line = server.logged("the active policy set stays").await;
    assert!(line.contains("everybody may write it; run: chmod o-w"), "{line}");
}

#[test]
fn folder_that_everybody_may_write_is_not_set_up() {
    let program = Program::new();
    program.write("password", PASSWORD);
    chmod(&program, "", 0o777);
    let said = refused(&program, &["init", ".", "--password-file", "password"]);
    assert!(said.contains("everybody may write it"), "{said}");
    assert!(!program.path("countersign.db").exists());
}

#[test]
fn group_writes_only_where_it_is_the_own_one() {
    let program = set_up();
    chmod(&program, "policies/20_run.cedar", 0o664);
    program.done(&["policy", "check"]);
    // Only root may give a file to another group; it stays the own one for everybody else.
    let given = chown(program.path("policies/20_run.cedar"), None, Some(12345));
    if given.is_ok() {
        let said = refused(&program, &["policy", "check"]);
        assert!(said.contains("group 12345 may write it"), "{said}");
        assert!(said.contains("run: chmod g-w"), "{said}");
    }
}

/// Whether files can be given away here; only root may.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn roots_broker_refuses_files_of_others() {
    if !is_root() {
        return;
    }
    let (decide, secret) = ("policies/20_run.cedar", "manager.password");
    for name in ["countersign.toml", decide, secret, "policies", "policies/tests", ""] {
        let program = set_up();
        chown(program.path(name), Some(12345), None).unwrap();
        for command in [&["serve"][..], &["doctor"]] {
            let said = refused(&program, command);
            assert!(said.contains("user 12345 owns "), "{name}: {said}");
            assert!(said.contains("run: chown 0 "), "{name}: {said}");
        }
        chown(program.path(name), Some(0), None).unwrap();
        program.done(&["policy", "check"]);
    }
}

/// The names of configurations whose files lead through the folder `above`: by its own path, by a
/// link to there, and by a link on the way to another one.
const THROUGH: [&str; 3] =
    ["above/in/countersign.toml", "short/countersign.toml", "first/countersign.toml"];

fn with_folder_above(mode: u32) -> Program {
    let program = Program::new();
    program.write("password", PASSWORD);
    for folder in ["above/in", "safe"] {
        program.done(&["init", folder, "--password-file", "password"]);
    }
    symlink("above/in", program.path("short")).unwrap();
    symlink("above/second", program.path("first")).unwrap();
    symlink("../safe", program.path("above/second")).unwrap();
    chmod(&program, "above", mode);
    program
}

#[test]
fn folder_above_that_everybody_may_write_is_refused() {
    let program = with_folder_above(0o777);
    let above = program.path("above").canonicalize().unwrap();
    let advice = format!("everybody may write the folder {0}; run: chmod o-w {0}", above.display());
    for config in THROUGH {
        for command in [&["serve"][..], &["doctor"], &["policy", "check"]] {
            let said = refused(&program, &[&["--config", config], command].concat());
            assert!(said.contains(&advice), "{config}: {said}");
        }
    }
    for policies in ["above/in/policies", "short/policies", "first/policies"] {
        let said = refused(&program, &["policy", "check", policies]);
        assert!(said.contains(&advice), "{policies}: {said}");
    }
    let said = refused(&program, &["init", "above/new", "--password-file", "password"]);
    assert!(said.contains(&advice), "{said}");
    assert!(!program.path("above/new/countersign.db").exists());
    // What is above the data alone.
    let (old, new) = ("\"countersign.db\"", "\"../above/in/countersign.db\"");
    let configuration = fs::read_to_string(program.path("safe/countersign.toml")).unwrap();
    program.write("safe/countersign.toml", &configuration.replace(old, new));
    let said = refused(&program, &["--config", "safe/countersign.toml", "doctor"]);
    assert!(said.contains(&advice), "{said}");
    chmod(&program, "above", 0o755);
    for config in THROUGH {
        program.done(&["--config", config, "policy", "check"]);
    }
}

#[test]
fn folder_above_with_sticky_bit_keeps_own_entries() {
    let program = with_folder_above(0o1777);
    for config in THROUGH {
        program.done(&["--config", config, "policy", "check"]);
    }
    if !is_root() {
        return;
    }
    for (entry, config) in [("above/in", THROUGH[0]), ("above/second", THROUGH[2])] {
        std::os::unix::fs::lchown(program.path(entry), Some(12345), None).unwrap();
        let said = refused(&program, &["--config", config, "policy", "check"]);
        let owned = program.path(entry);
        assert!(said.contains(&format!("user 12345 owns {}", owned.display())), "{said}");
    }
    // Who owns the folder removes what it holds, whatever bit is set.
    chown(program.path("above"), Some(12345), None).unwrap();
    let said = refused(&program, &["--config", THROUGH[1], "policy", "check"]);
    assert!(said.contains("user 12345 owns the folder"), "{said}");
}

#[test]
fn policies_are_regular_files_of_limited_size() {
    let program = set_up();
    let path = program.path("policies/98.cedar");
    program.pipe("policies/98.cedar");
    let said = refused(&program, &["policy", "check"]);
    assert!(said.contains("98.cedar") && said.contains("no regular file"), "{said}");
    fs::remove_file(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    let said = refused(&program, &["policy", "check"]);
    assert!(said.contains("it leads to /dev/zero"), "{said}");
    fs::remove_file(&path).unwrap();
    fs::write(program.path("elsewhere.cedar"), "").unwrap();
    symlink(program.path("elsewhere.cedar"), &path).unwrap();
    let said = refused(&program, &["policy", "check"]);
    assert!(said.contains("put the file itself here"), "{said}");
    fs::remove_file(&path).unwrap();
    program.write("policies/98.cedar", &format!("//{}", "x".repeat(1 << 20)));
    let said = refused(&program, &["policy", "check"]);
    assert!(said.contains("larger than 1 MiB"), "{said}");
    fs::remove_file(&path).unwrap();
    program.pipe("pipe.toml");
    let said = refused(&program, &["--config", "pipe.toml", "serve"]);
    assert!(said.contains("no regular file"), "{said}");
}

/// Files that the configuration may name.
const SECRETS: [&str; 4] = ["manager.password", "indexer.password", "metrics.token", "ca.pem"];

/// A program whose configuration names such a file, and the others before which it is read.
fn with_secret(name: &str) -> Program {
    let program = set_up();
    for name in SECRETS {
        program.write(name, "a-word");
    }
    let (url, ca) = match name {
        "ca.pem" => ("https://127.0.0.1:1", "ca_file = \"ca.pem\"\n"),
        _ => ("http://127.0.0.1:1", ""),
    };
    let configuration = program
        .configuration(url)
        .replace("[server]\n", "[server]\nmetrics_token_file = \"metrics.token\"\n")
        .replace("[criticality]", &format!("{ca}[criticality]"));
    let indexer = "[manager.main.indexer]\nurl = \"http://127.0.0.1:1\"\nuser = \"admin\"\n\
                   password_file = \"indexer.password\"\n";
    program.write("countersign.toml", &format!("{configuration}{indexer}"));
    program
}

#[test]
fn pipe_as_secret_is_refused() {
    for name in SECRETS {
        let program = with_secret(name);
        program.pipe(name);
        for command in [&["serve"][..], &["doctor"]] {
            let said = refused(&program, command);
            assert!(said.contains(name) && said.contains("no regular file"), "{name}: {said}");
        }
    }
}

#[test]
fn secret_above_one_mebibyte_is_refused() {
    for name in SECRETS {
        let program = with_secret(name);
        program.write(name, &"x".repeat((1 << 20) + 1));
        let said = refused(&program, &["serve"]);
        assert!(said.contains(name) && said.contains("larger than 1 MiB"), "{name}: {said}");
    }
}

#[test]
fn pipe_as_database_is_refused() {
    let program = set_up();
    program.pipe("countersign.db");
    for command in [&["serve"][..], &["doctor"], &["audit", "verify"]] {
        let said = refused(&program, command);
        assert!(said.contains("countersign.db") && said.contains("no regular file"), "{said}");
    }
}

#[test]
fn link_within_the_folder_of_policies_is_followed() {
    let program = set_up();
    fs::create_dir(program.path("policies/data")).unwrap();
    let (here, there) = (program.path("policies/20_run.cedar"), "data/20_run.cedar");
    fs::rename(&here, program.path("policies").join(there)).unwrap();
    symlink(there, &here).unwrap();
    program.done(&["policy", "check"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pipe_among_policies_fails_the_activation_at_once() {
    let world = World::start().await;
    let made = Command::new("mkfifo").arg(world.policies.join("98.cedar")).status().unwrap();
    assert!(made.success());
    let dora = world.person("dora").await;
    let page = dora.get("/policy").await;
    page.shows("no regular file");
    assert!(page.form("/policy/activate").is_none(), "nothing is offered");
}
