//! The script of `docs/actions.md`, as its reader writes it down.

use std::fs;

use crate::{FIRST, endpoint::Endpoint, execd::Message};

const SCRIPT: &str = "countersign-end-sessions";

/// The page's block of shell that holds this, without the indentation of its list.
fn block(holds: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/actions.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("   ```sh\n").skip(1).map(|rest| rest.split("   ```").next().unwrap());
    let block = { blocks }.find(|block| block.contains(holds)).unwrap();
    block.lines().flat_map(|line| [line.strip_prefix("   ").unwrap_or(line), "\n"]).collect()
}

fn end_sessions(account: &str) -> Message {
    Message::add(SCRIPT, FIRST, ("dstuser", account))
}

#[test]
fn script_of_the_tutorial_ends_sessions() {
    let Some(endpoint) = Endpoint::start() else { return };
    let file = endpoint.home().join("active-response/bin").join(SCRIPT);
    fs::write(&file, block("processes()")).unwrap();
    endpoint.sh(&format!(
        "chmod 750 {}
        echo 'alice:x:4711:4711::/tmp:/bin/sh' >>/etc/passwd
        echo 'alice:x:4711:' >>/etc/group",
        file.display()
    ));
    end_sessions("alice").run(&endpoint).is("already");
    let alice = ["--reuid", "4711", "--regid", "4711", "--clear-groups", "sleep", "1000"];
    let mut session = endpoint.command("setpriv", &alice).spawn().unwrap();
    endpoint.sh("until grep -q '^Uid:.4711' /proc/[0-9]*/status; do :; done");
    end_sessions("alice").run(&endpoint).is("done");
    assert!(!session.wait().unwrap().success());
    end_sessions("alice").run(&endpoint).is("already");
}

#[test]
fn script_of_the_tutorial_refuses_accounts_of_the_system() {
    let Some(endpoint) = Endpoint::start() else { return };
    let file = endpoint.home().join("active-response/bin").join(SCRIPT);
    fs::write(&file, block("processes()")).unwrap();
    endpoint.sh(&format!("chmod 750 {}", file.display()));
    end_sessions("root").run(&endpoint).failed("it is an account of the system");
    end_sessions("nobody-here").run(&endpoint).failed("there is no such account");
    end_sessions("-1").run(&endpoint).failed("is no account");
}
