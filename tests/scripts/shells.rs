//! The scripts under the other shell and awk that a distribution may have: RHEL's `/bin/sh` is bash,
//! and its awk is gawk.

use std::process::Stdio;

use crate::{FIRST, SECOND, execd::Message, firewall::Firewall};

#[test]
fn every_script_works_with_bash_and_gawk() {
    let Some((endpoint, _peer)) = Firewall::IptablesNft.endpoint() else { return };
    endpoint.choose("awk", "/usr/bin/gawk");
    endpoint.sh("mount --bind /usr/bin/bash /usr/bin/dash
        echo 'alice:x:4711:4711::/tmp:/bin/sh' >>/etc/passwd
        echo 'alice:hash:19000:0:99999:7:::' >>/etc/shadow
        echo 'hosts: files' >/etc/nsswitch.conf");
    assert_eq!(
        endpoint.sh("echo ${BASH_VERSION:+bash}; awk --version | cut -d' ' -f1 | head -n 1"),
        "bash\nGNU\n"
    );
    let file = endpoint.home().join("evil").display().to_string();
    let outside = endpoint.home().with_file_name("evil").display().to_string();
    endpoint.sh(&format!("echo evil >{outside}"));
    for (script, undo, key, target) in [
        ("countersign-block", "countersign-block-undo", "srcip", "2001:db8::7"),
        ("countersign-account", "countersign-account-undo", "dstuser", "alice"),
        ("countersign-quarantine", "countersign-quarantine-undo", "path", &*outside),
        ("countersign-domain", "countersign-domain-undo", "domain", "evil.example"),
    ] {
        let message = Message::add(script, FIRST, (key, target));
        message.run(&endpoint).is("done");
        message.clone().pending().run(&endpoint).is("already");
        Message::add(undo, SECOND, (key, target)).run(&endpoint).is("undone");
        message.over().run(&endpoint).is("already");
    }
    let isolate =
        Message::without_data("countersign-isolate", FIRST).with("keep=[2001:db8::9]:443");
    isolate.run(&endpoint).is("done");
    Message::without_data("countersign-isolate-undo", SECOND).run(&endpoint).is("undone");
    Message::add("countersign-quarantine", FIRST, ("path", &file))
        .run(&endpoint)
        .failed("of the agent");
    let mut sleep = endpoint.command("sleep", &["1000"]).stdout(Stdio::null()).spawn().unwrap();
    let found = endpoint.sh("until grep -lx sleep /proc/[0-9]*/comm 2>/dev/null; do :; done");
    let pid = found.split('/').nth(2).unwrap().to_owned();
    Message::add("countersign-kill", FIRST, ("pid", &pid))
        .and("process", "sleep")
        .run(&endpoint)
        .is("done");
    sleep.wait().unwrap();
}
