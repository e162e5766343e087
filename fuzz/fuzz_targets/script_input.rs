//! The scripts' own reader of JSON against `serde_json`, which it must never read otherwise.

#![no_main]

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
};

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/scripts/reader.rs"]
mod reader;

const READER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/active-response/countersign-message.awk");

/// What the reader prints of a message, which it gets as `od` writes bytes.
fn said(input: &[u8]) -> String {
    let mut bytes = String::new();
    for byte in input {
        writeln!(bytes, " {byte}").unwrap();
    }
    let mut awk = Command::new("mawk")
        .args(["-v", "MAX=16384", "-f", READER])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("mawk starts");
    // It reads no further than it must.
    let _read = awk.stdin.take().unwrap().write_all(bytes.as_bytes());
    String::from_utf8(awk.wait_with_output().unwrap().stdout).unwrap()
}

fuzz_target!(|input: &[u8]| reader::agrees(input, &said(input)));
