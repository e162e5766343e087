//! The demo's story, played by the built program.

use crate::harness::program::Program;

#[test]
fn demo_produces_expected_outcomes() {
    let text = Program::new().done(&["demo", "--once"]);
    assert!(text.contains("33 of 33 outcomes came out as expected"), "{text}");
    // As root the network is a real one.
    let is_real = text.contains("015 does not answer its neighbour, the manager answers it");
    assert_ne!(is_real, text.contains("SKIPPED the real network"), "{text}");
}
