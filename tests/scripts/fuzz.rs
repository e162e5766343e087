//! The scripts' own reader of JSON against `serde_json`: two readers that differ are a way around a
//! check.

use std::fs;

use crate::{FIRST, endpoint::Endpoint, execd::Message, reader::agrees};

const CASES: u32 = 400;

/// Numbers that are the same each time (PCG's step, upper half).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// A message with some bytes exchanged, doubled, removed or put in.
fn mutated(dice: &mut Dice) -> Vec<u8> {
    const PIECES: [&[u8]; 42] = [
        b",}",
        b",]",
        b"01",
        b"1.",
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b",",
        b":",
        b"\\",
        b"\\u00e9",
        b"\\ud83d\\ude00",
        b"\\ud83d",
        b"\\n",
        b"\\/",
        b"0",
        b"1",
        b"-",
        b"+",
        b".",
        b"e",
        b"E5",
        b"-0",
        b"1.5e-3",
        b"true",
        b"null",
        b" ",
        b"\t",
        b"\x00",
        b"\x1f",
        b"\x7f",
        b"\xc3\xa9",
        b"\xc3",
        b"\xa9",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98\x80",
        b"\"a\":1,",
        b"[],",
        b"{}",
    ];
    let message = Message::add("countersign-block", FIRST, ("srcip", "203.0.113.7"));
    let mut text = message.with("a\u{e9}\"\\b").line("add").trim_end().as_bytes().to_vec();
    for _ in 0..=dice.roll(3) {
        let (at, piece) = (dice.roll(text.len()), PIECES[dice.roll(PIECES.len())]);
        let removed = dice.roll(3).min(text.len() - at);
        text.splice(at..at + removed, piece.iter().copied());
    }
    text
}

#[test]
fn reader_agrees_with_serde_json_on_mutations() {
    let Some(endpoint) = Endpoint::start() else { return };
    for awk in ["mawk", "gawk"] {
        let mut dice = Dice(14);
        let folder = endpoint.home().join(awk);
        fs::create_dir(&folder).unwrap();
        let inputs: Vec<_> = (0..CASES).map(|_| mutated(&mut dice)).collect();
        for (number, input) in inputs.iter().enumerate() {
            fs::write(folder.join(number.to_string()), input).unwrap();
        }
        endpoint.sh(&format!(
            "cd {} && LC_ALL=C && export LC_ALL && for file in *; do od -An -v -tu1 $file |
            {awk} -v MAX=16384 -f ../active-response/bin/countersign-message.awk >$file.said; done",
            folder.display()
        ));
        let mut read = 0;
        for (number, input) in inputs.iter().enumerate() {
            let said = fs::read_to_string(folder.join(format!("{number}.said"))).unwrap();
            agrees(input, &said);
            read += u32::from(!said.starts_with("error "));
        }
        assert!((CASES / 20..CASES / 2).contains(&read), "{read} of {CASES} were read");
    }
}
