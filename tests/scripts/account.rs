//! `countersign-account` and `countersign-account-undo`: real accounts in an `/etc` of the test's own.

use std::fs;

use crate::{FIRST, SECOND, THIRD, endpoint::Endpoint, execd::Message};

const HASH: &str = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/";

fn lock(request: &str, account: &str) -> Message {
    Message::add("countersign-account", request, ("dstuser", account))
}

fn unlock(request: &str, account: &str) -> Message {
    Message::add("countersign-account-undo", request, ("dstuser", account))
}

/// An endpoint with the account alice, whose password and expiry stand so in `/etc/shadow`.
fn with_account(password: &str, expiry: &str) -> Option<Endpoint> {
    let endpoint = Endpoint::start()?;
    endpoint.sh(&format!(
        "echo 'alice:x:4711:4711::/tmp:/bin/sh' >>/etc/passwd
        echo 'alicia:x:4712:4712::/tmp:/bin/sh' >>/etc/passwd
        echo 'alice:x:4711:' >>/etc/group
        echo 'alice:{password}:19000:0:99999:7::{expiry}:' >>/etc/shadow
        echo 'alicia:{HASH}:19000:0:99999:7:::' >>/etc/shadow"
    ));
    Some(endpoint)
}

fn shadow(endpoint: &Endpoint) -> String {
    endpoint.sh("cat /etc/shadow /etc/passwd")
}

/// Whether a login that asks for no password gets in, as one with a key does.
fn gets_in(endpoint: &Endpoint) -> bool {
    endpoint.command("su", &["alice", "-c", "true"]).output().unwrap().status.success()
}

#[test]
fn lock_keeps_the_account_out_until_undone() {
    let Some(endpoint) = with_account(HASH, "") else { return };
    let before = shadow(&endpoint);
    assert!(gets_in(&endpoint));
    lock(FIRST, "alice").run(&endpoint).is("done");
    assert!(!gets_in(&endpoint));
    assert!(endpoint.sh("passwd -S alice").starts_with("alice L "));
    assert!(endpoint.sh("passwd -S alicia").starts_with("alicia P "), "a longer name is another");
    lock(FIRST, "alice").run(&endpoint).is("already");
    unlock(SECOND, "alice").run(&endpoint).is("undone");
    assert!(gets_in(&endpoint));
    assert_eq!(shadow(&endpoint), before);
    unlock(SECOND, "alice").run(&endpoint).is("already");
    assert!(!endpoint.state().join("lock/alice").exists());
}

#[test]
fn every_earlier_state_comes_back_exactly() {
    let Some(endpoint) = with_account(HASH, "") else { return };
    let (locked, twice) = (format!("!{HASH}"), format!("!!{HASH}"));
    for password in [HASH, &locked, &twice, "!", "!!", "*", "!*", ""] {
        for expiry in ["", "1", "19000", "29000"] {
            endpoint.sh(&format!(
                "sed -i '/^alice:/d' /etc/shadow
                echo 'alice:{password}:19000:0:99999:7::{expiry}:' >>/etc/shadow"
            ));
            let before = shadow(&endpoint);
            lock(FIRST, "alice").run(&endpoint).is("done");
            assert!(!gets_in(&endpoint), "{password} {expiry}");
            lock(FIRST, "alice").over().run(&endpoint).is("undone");
            assert_eq!(shadow(&endpoint), before, "{password} {expiry}");
        }
    }
}

#[test]
fn one_of_two_overlapping_locks_stays() {
    let Some(endpoint) = with_account(HASH, "29000") else { return };
    let before = shadow(&endpoint);
    lock(FIRST, "alice").run(&endpoint).is("done");
    lock(SECOND, "alice").run(&endpoint).is("done");
    lock(FIRST, "alice").over().run(&endpoint).is("kept");
    assert!(!gets_in(&endpoint));
    unlock(THIRD, "alice").with(&format!("undo={SECOND}")).run(&endpoint).is("undone");
    assert_eq!(shadow(&endpoint), before);
}

#[test]
fn what_somebody_else_locked_stays_locked() {
    let Some(endpoint) = with_account(&format!("!{HASH}"), "1") else { return };
    let before = shadow(&endpoint);
    let run = unlock(FIRST, "alice").run(&endpoint);
    run.is("already");
    assert!(run.said().2.contains("somebody else locked the account"));
    assert_eq!(shadow(&endpoint), before);
}

#[test]
fn what_somebody_changed_meanwhile_stays() {
    let Some(endpoint) = with_account(HASH, "29000") else { return };
    lock(FIRST, "alice").run(&endpoint).is("done");
    endpoint.sh("usermod -p '!other' alice; chage -E 20000 alice");
    let changed = shadow(&endpoint);
    unlock(SECOND, "alice").run(&endpoint).is("undone");
    assert_eq!(shadow(&endpoint), changed);
}

#[test]
fn lock_that_somebody_opened_is_made_again() {
    let Some(endpoint) = with_account(HASH, "") else { return };
    lock(FIRST, "alice").run(&endpoint).is("done");
    endpoint.sh("usermod -p newhash alice; chage -E -1 alice");
    let opened = shadow(&endpoint);
    assert!(gets_in(&endpoint));
    lock(SECOND, "alice").run(&endpoint).is("done");
    assert!(!gets_in(&endpoint));
    unlock(THIRD, "alice").run(&endpoint).is("undone");
    assert_eq!(shadow(&endpoint), opened);
}

#[test]
fn accounts_that_are_needed_or_unknown_are_refused() {
    let Some(endpoint) = with_account(HASH, "") else { return };
    endpoint.sh(
        "echo 'toor:x:0:0::/root:/bin/sh' >>/etc/passwd; echo 'toor:x:1::::::' >>/etc/shadow
        echo 'zero:x:00:0::/root:/bin/sh' >>/etc/passwd; echo 'zero:x:1::::::' >>/etc/shadow
        echo 'wazuh:x:990:990::/:/bin/sh' >>/etc/passwd; echo 'wazuh:x:1::::::' >>/etc/shadow
        echo 'alicia:x:0:0::/:/bin/sh' >>/etc/passwd
        echo 'remote:x:4800:4800::/:/bin/sh' >>/etc/passwd",
    );
    let before = shadow(&endpoint);
    for (account, reason) in [
        ("root", "is root"),
        ("toor", "is root"),
        ("zero", "is root"),
        ("wazuh", "that the agent or sshd needs"),
        ("alicia", "stands twice"),
        ("remote", "is no account"),
        ("nobody-here", "is no account"),
        ("", "no account name"),
        ("-alice", "no account name"),
        ("..", "no account name"),
        ("a/b", "no account name"),
        ("alice root", "no account name"),
        ("alice;reboot", "no account name"),
        ("al*", "no account name"),
        ("4711", "is no account"),
        ("\u{e4}lice", "no account name"),
        (&"a".repeat(65), "longer than 64 bytes"),
    ] {
        lock(FIRST, account).run(&endpoint).failed(reason);
    }
    assert_eq!(shadow(&endpoint), before);
}

#[test]
fn lock_that_passwd_does_not_show_is_not_verified() {
    for tool in ["usermod", "chage"] {
        let Some(endpoint) = with_account(HASH, "") else { return };
        let before = shadow(&endpoint);
        endpoint.lie(&endpoint.path_of(tool));
        lock(FIRST, "alice").run(&endpoint).failed("it is not in effect");
        if tool == "chage" {
            assert_eq!(shadow(&endpoint), before, "half a lock does not stay");
        }
        assert!(!endpoint.state().join("lock/alice").join(FIRST).exists());
    }
}

#[test]
fn lock_survives_kill_anywhere() {
    let Some(endpoint) = with_account(HASH, "29000") else { return };
    let before = shadow(&endpoint);
    endpoint.make_interruptible(&["mkdir", "mv", "rm", "rmdir", "usermod", "chage"]);
    for point in 1.. {
        endpoint.interrupt(point);
        let locked = lock(FIRST, "alice").run(&endpoint);
        let in_lock = endpoint.was_interrupted();
        if in_lock {
            locked.failed("cut off");
            let again = lock(FIRST, "alice").run(&endpoint).said();
            assert!(
                ["done", "already"].contains(&again.0.as_str()) && again.1,
                "{point}: {again:?}"
            );
        }
        assert!(!gets_in(&endpoint));
        endpoint.interrupt(point);
        let unlocked = unlock(THIRD, "alice").run(&endpoint);
        let in_unlock = endpoint.was_interrupted();
        if in_unlock {
            unlocked.failed("cut off");
            let again = unlock(THIRD, "alice").run(&endpoint).said();
            assert!(
                ["undone", "already"].contains(&again.0.as_str()) && again.1,
                "{point}: {again:?}"
            );
        }
        assert_eq!(shadow(&endpoint), before, "{point}");
        assert_eq!(fs::read_dir(endpoint.state().join("lock")).unwrap().count(), 0);
        if !in_lock && !in_unlock {
            assert!(point > 8, "only {point} points were tried");
            break;
        }
    }
}
