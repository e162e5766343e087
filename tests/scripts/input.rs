//! What the scripts read, and what they refuse: the endpoint is the last line.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::Stdio,
};

use crate::{
    FIRST,
    endpoint::Endpoint,
    execd::{Message, Run, run},
};

const SCRIPT: &str = "countersign-block";

fn good() -> String {
    Message::add(SCRIPT, FIRST, ("srcip", "203.0.113.7")).line("add")
}

/// A message with one part exchanged.
fn bad(part: &str, other: &str) -> Vec<u8> {
    assert!(good().contains(part), "{part}");
    good().replacen(part, other, 1).into_bytes()
}

fn start(endpoint: &Endpoint, input: &[u8]) -> Run {
    run(endpoint, SCRIPT, input, Some(&good().replace("\"add\"", "\"continue\"")))
}

/// Refused for this reason, and nothing was done: nothing stands, nothing is remembered, execd is
/// told of no keys, and nothing of the input is in the log.
#[track_caller]
fn refused(endpoint: &Endpoint, input: &[u8], reason: &str) {
    let run = start(endpoint, input);
    run.failed(reason);
    assert!(run.keys.is_none() && run.printed.is_empty(), "{run:?}");
    assert_eq!(run.log.len(), 1, "{run:?}");
    assert!(!endpoint.state().exists(), "it must not get that far");
    assert_eq!(endpoint.sh("nft list ruleset"), "");
}

/// Each reader that a host may have.
fn every_reader(test: impl Fn(&Endpoint)) {
    for (awk, shell) in [("mawk", "dash"), ("gawk", "dash"), ("mawk", "bash")] {
        let Some(endpoint) = Endpoint::start() else { return };
        endpoint.choose("awk", &format!("/usr/bin/{awk}"));
        if shell != "dash" {
            endpoint.sh(&format!("mount --bind /usr/bin/{shell} /usr/bin/dash"));
        }
        test(&endpoint);
        let input = bad("203.0.113.7", "\\u0032\\u00303.0.113.7");
        start(&endpoint, &input).is("done");
    }
}

#[test]
fn text_that_is_no_strict_json_is_refused() {
    let cases = [
        ("\"version\":1", "\"version\":01", "neither a value nor a number"),
        ("\"version\":1", "\"version\":1.", "neither a value nor a number"),
        ("\"version\":1", "\"version\":+1", "neither a value nor a number"),
        ("\"version\":1", "\"version\":NaN", "neither a value nor a number"),
        ("\"version\":1", "\"version\":1,", "no text where one must stand"),
        ("null", "nul", "neither a value nor a number"),
        ("null", "nulll", "an object without an end"),
        ("null", "'x'", "neither a value nor a number"),
        ("{\"version\"", "{version", "no text where one must stand"),
        ("{\"version\"", "[\"version\"", "an array without an end"),
        (":\"add\"", "=\"add\"", "no colon after a key"),
        ("]", "", "an array without an end"),
        ("]", ",]", "neither a value nor a number"),
        ("}}\n", "}\n", "an object without an end"),
        ("}}\n", "}}}\n", "something after the JSON"),
        ("}}\n", "}} {}\n", "something after the JSON"),
        ("block\"}}\n", "block\n", "a text without an end"),
        ("block\"}}\n", "block\",}}\n", "no text where one must stand"),
        ("203.0", "203\\x2e0", "an escape that is none of JSON"),
        ("203.0", "203\\u00g0", "an escape that is none of JSON"),
        ("203.0.113.7\"", "203\\u00\"", "an escape that is none of JSON"),
        ("\"module\"", "\"\\ud800\"", "half of a surrogate pair"),
        ("\"module\"", "\"\\udc00\"", "half of a surrogate pair"),
        ("\"module\"", "\"\\udc00\\ud800\"", "half of a surrogate pair"),
        ("\"module\"", "\"\\ud800\\u0041\"", "half of a surrogate pair"),
    ];
    every_reader(|endpoint| {
        for (part, other, reason) in cases {
            refused(endpoint, &bad(part, other), reason);
        }
    });
}

#[test]
fn control_characters_and_bad_utf8_are_refused() {
    let controls: [&[u8]; 12] = [
        b"\x00",
        b"\x01",
        b"\x1f",
        b"\x7f",
        b"\t",
        b"\r",
        b"\\n",
        b"\\u0000",
        b"\\u000a",
        b"\\u007f",
        b"\\u2028",
        b"\xc2\x85",
    ];
    let no_utf8: [&[u8]; 11] = [
        b"\x80",
        b"\xff",
        b"\xfe",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xc3",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xe2\x82",
        b"\xf4\x90\x80\x80",
        b"\xf0\x80\x80\xaf",
    ];
    let with = |bytes: &[u8]| {
        // In a value that no script looks at: the whole line must be sound.
        let good = good();
        let (before, after) = good.split_once("wazuh-execd").unwrap();
        [before.as_bytes(), b"x", bytes, b"y", after.as_bytes()].concat()
    };
    every_reader(|endpoint| {
        for bytes in controls {
            refused(endpoint, &with(bytes), "a control character in a text");
        }
        for bytes in no_utf8 {
            refused(endpoint, &with(bytes), "bytes that are no UTF-8");
        }
    });
}

#[test]
fn sound_text_of_every_length_is_read() {
    every_reader(|endpoint| {
        for text in ["\u{e9}\u{20ac}\u{1f600}", "\\u00e9\\ud83d\\ude00 \\\"\\\\\\/"] {
            let run = start(endpoint, &bad("wazuh-execd", text));
            assert_eq!(run.said().0, if text.starts_with('\\') { "already" } else { "done" });
        }
        fs::remove_dir_all(endpoint.state()).unwrap();
        endpoint.sh("nft flush ruleset");
    });
}

#[test]
fn keys_that_stand_twice_are_refused() {
    let Some(endpoint) = Endpoint::start() else { return };
    for (part, other) in [
        ("\"command\":\"add\"", "\"command\":\"delete\",\"command\":\"add\""),
        ("\"command\":\"add\"", "\"\\u0063ommand\":\"delete\",\"command\":\"add\""),
        ("\"srcip\":", "\"srcip\":\"203.0.113.8\",\"srcip\":"),
        ("\"alert\":", "\"alert\":{},\"alert\":"),
    ] {
        refused(&endpoint, &bad(part, other), "a key that stands twice");
    }
}

#[test]
fn key_with_separator_never_passes_for_a_path() {
    let Some(endpoint) = Endpoint::start() else { return };
    let none = bad("\"srcip\":\"203.0.113.7\"", "");
    refused(&endpoint, &none, "no address");
    for separator in [".", "/", ":", " ", "\\u0020"] {
        let key = format!("\"data{separator}srcip\":\"203.0.113.7\",\"data\":{{}}");
        let other = bad("\"data\":{\"srcip\":\"203.0.113.7\"}", &key);
        refused(&endpoint, &other, "no address");
    }
}

#[test]
fn values_of_the_wrong_kind_are_refused() {
    let Some(endpoint) = Endpoint::start() else { return };
    for (part, other, reason) in [
        ("\"203.0.113.7\"", "203", "parameters.alert.data.srcip is no text"),
        ("\"203.0.113.7\"", "null", "parameters.alert.data.srcip is no text"),
        ("\"203.0.113.7\"", "[\"203.0.113.7\"]", "parameters.alert.data.srcip is no text"),
        ("\"203.0.113.7\"", "{\"a\":\"203.0.113.7\"}", "parameters.alert.data.srcip is no text"),
        ("\"version\":1", "\"version\":\"1\"", "version is no number"),
        ("\"add\"", "true", "command is no text"),
        ("\"add\"", "\"continue\"", "command must be add"),
        ("\"add\"", "\"ADD\"", "command must be add"),
        ("{\"data\"", "[],\"x\":{\"data\"", "parameters.alert is no object"),
        ("[\"countersign=", "[7,\"countersign=", "parameters.extra_args[0] is no text"),
        ("\"extra_args\":[", "\"extra_args\":{},\"x\":[", "parameters.extra_args is no array"),
        (
            "bin/countersign-block",
            "bin/countersign-block-undo",
            "parameters.program is another script",
        ),
        (
            "{\"srcip\"",
            "{\"win\":\"x\",\"srcip\"",
            "a key of alert.data that this script does not know",
        ),
        ("{\"srcip\"", "{\"a b\":\"x\",\"srcip\"", "a key of alert.data that no script knows"),
    ] {
        refused(&endpoint, &bad(part, other), reason);
    }
    refused(&endpoint, b"[]\n", "the message is no object");
    refused(&endpoint, b"\n", "no line");
}

#[test]
fn arguments_are_one_tag_and_what_is_known() {
    let Some(endpoint) = Endpoint::start() else { return };
    let shape = "the tag is not <request>/<attempt>/<digest>";
    for (tag, reason) in [
        ("countersign=a/b", shape),
        ("countersign=a/b/c/d", shape),
        ("countersign=//", shape),
        ("countersign=../../c", shape),
        ("countersign=a/b/c d", shape),
        ("countersign=a/b/$(reboot)", shape),
        ("countersign=", shape),
        (&format!("countersign=a/b/{}", "c".repeat(200)), "longer than 160 bytes"),
        ("Countersign=a/b/c", "an argument that this script does not know"),
        ("countersign=a/b/c\",\"countersign=a/b/c", "two tags"),
        ("countersign=a/b/c\",\"--force", "an argument that this script does not know"),
        ("countersign=a/b/c\",\"undo=a", "undo= where none can stand"),
    ] {
        let good_tag = crate::execd::tag(FIRST);
        refused(&endpoint, &bad(&good_tag, tag), reason);
    }
    let none = bad(&format!("\"{}\"", crate::execd::tag(FIRST)), "");
    refused(&endpoint, &none, "the arguments hold no tag");
}

#[test]
fn line_too_long_or_too_deep_is_refused() {
    let Some(endpoint) = Endpoint::start() else { return };
    let filled = |count: usize| bad("wazuh-execd", &"x".repeat(count));
    let room = 16384 - (filled(0).len() - 1); // Without the end of the line.
    refused(&endpoint, &filled(room + 1), "a line of more than 16384 bytes");
    refused(&endpoint, &filled(100_000), "a line of more than 16384 bytes");
    let deep = |count: usize| bad("null", &format!("{}{}", "[".repeat(count), "]".repeat(count)));
    refused(&endpoint, &deep(5000), "values nested too deep");
    refused(&endpoint, &deep(15), "values nested too deep");
    start(&endpoint, &filled(room)).is("done");
    start(&endpoint, &deep(14)).is("already");
}

#[test]
fn line_that_never_ends_or_comes_is_given_up() {
    let Some(endpoint) = Endpoint::start() else { return };
    refused(&endpoint, good().trim_end().as_bytes(), "no line");
    refused(&endpoint, b"", "no line");
}

#[test]
fn script_that_hangs_is_ended_and_says_so() {
    let Some(endpoint) = Endpoint::start() else { return };
    endpoint.hang("/usr/sbin/nft");
    start(&endpoint, good().as_bytes()).failed("cut off before its end");
}

#[test]
fn resolver_that_hangs_never_holds_up_execd() {
    let Some(endpoint) = Endpoint::start() else { return };
    endpoint.hang("/usr/bin/getent");
    // Each is asked for a second.
    endpoint.configure(&"<server><address>manager.example</address></server>".repeat(9));
    let run = start(&endpoint, good().as_bytes());
    run.failed("cut off before its end");
    assert_eq!(run.report()["tag"], crate::execd::tag(FIRST));
}

#[test]
fn two_scripts_never_work_at_once() {
    let Some(endpoint) = Endpoint::start() else { return };
    start(&endpoint, good().as_bytes()).is("done");
    let hold = format!("exec flock {}/.lock cat", endpoint.state().display());
    let mut holder = endpoint.command("sh", &["-c", &hold]).stdin(Stdio::piped()).spawn().unwrap();
    let taken = format!("while flock -n {}/.lock true; do :; done", endpoint.state().display());
    endpoint.sh(&taken);
    start(&endpoint, good().as_bytes()).failed("another response still runs");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    start(&endpoint, good().as_bytes()).is("already");
}

#[test]
fn state_that_others_may_write_is_refused() {
    let Some(endpoint) = Endpoint::start() else { return };
    let elsewhere = endpoint.home().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, endpoint.state()).unwrap();
    start(&endpoint, good().as_bytes()).failed("is no folder of root's alone");
    fs::remove_file(endpoint.state()).unwrap();
    fs::create_dir(endpoint.state()).unwrap();
    fs::set_permissions(endpoint.state(), fs::Permissions::from_mode(0o755)).unwrap();
    start(&endpoint, good().as_bytes()).failed("is no folder of root's alone");
    assert_eq!(endpoint.sh("nft list ruleset"), "");
}

#[test]
fn log_that_is_a_link_is_not_followed() {
    let Some(endpoint) = Endpoint::start() else { return };
    let log = endpoint.home().join("logs/active-responses.log");
    let secret = endpoint.home().join("secret");
    fs::write(&secret, "").unwrap();
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink(&secret, &log).unwrap();
    let _none = start(&endpoint, good().as_bytes());
    assert_eq!(fs::read_to_string(secret).unwrap(), "");
}

#[test]
fn started_line_is_of_wazuhs_own_form() {
    let Some(endpoint) = Endpoint::start() else { return };
    let run = start(&endpoint, good().as_bytes());
    let (date, json) = run.log[0].split_once(" active-response/bin/countersign-block: ").unwrap();
    assert_eq!(date.len(), "2026/11/22 07:36:11".len());
    let mut said: serde_json::Value = serde_json::from_str(json).unwrap();
    let sent: serde_json::Value = serde_json::from_str(&good()).unwrap();
    said["origin"]["name"] = serde_json::Value::Null;
    assert_eq!(said, sent);
}

#[test]
fn installed_files_are_plain_text_for_root() {
    let Some(endpoint) = Endpoint::start() else { return };
    let bin = endpoint.home().join("active-response/bin");
    let files: Vec<_> = fs::read_dir(bin).unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(files.len(), 13);
    for file in files {
        let at = file.metadata().unwrap();
        assert_eq!((at.uid(), at.gid(), at.mode() & 0o7777), (0, 990, 0o750), "{file:?}");
        // Wazuh takes nothing else into the folder of a group.
        assert!(fs::read(file.path()).unwrap().is_ascii(), "{file:?}");
    }
}
