//! What digests are taken over: two proposals have one digest exactly where they ask for the same, and
//! an argument is written as it is read.

#![no_main]

use std::sync::LazyLock;

use countersign::domain::{
    action::{Action, Catalogue},
    digest::Canonical,
    endpoint::Selection,
    proposal::Proposal,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let file = ("every_type.toml", include_str!("../every_type.toml"));
    Catalogue::with([file].into_iter()).unwrap()
});

fn proposal(kind: usize, text: &str) -> Option<Proposal> {
    let responses = CATALOGUE.responses();
    let kind = responses[kind % responses.len()];
    if let Ok(action) = Action::parse(kind, text) {
        let written = action.argument();
        assert_eq!(Action::parse(kind, &written).as_ref(), Ok(&action));
        // Of several, the form of the list may differ: only the store hands such a text in.
        assert!(kind.parameters().len() > 1 || written == text, "{kind}: {written} of {text}");
    }
    let Ok(Value::Object(arguments)) = serde_json::from_str(text) else { return None };
    let proposal = Proposal::parse(kind, &arguments).ok()?;
    let argument = proposal.action.argument();
    assert_eq!(Action::parse(kind, &argument).as_ref(), Ok(&proposal.action));
    Some(proposal)
}

/// The proposal without what its digest leaves out: the key and the order of endpoints.
fn plain(proposal: Proposal) -> Proposal {
    let selection = match proposal.selection {
        Selection::All => Selection::All,
        Selection::Ids(mut ids) => {
            ids.sort();
            Selection::Ids(ids)
        }
    };
    Proposal { selection, idempotency_key: None, ..proposal }
}

/// The text in pieces: cut after each character whose bit is set.
fn fields(text: &str, cuts: u8) -> Canonical {
    let mut pieces = vec![String::new()];
    for (at, character) in text.chars().enumerate() {
        pieces.last_mut().unwrap().push(character);
        if at < 8 && cuts & (1 << at) != 0 {
            pieces.push(String::new());
        }
    }
    let canonical = Canonical::new(1, "fuzz");
    let last = pieces.pop().filter(|_| cuts & 1 == 0);
    pieces.iter().fold(canonical, |canonical, piece| canonical.text(piece)).maybe(last.as_deref())
}

fuzz_target!(|input: (u8, u8, &str)| {
    let (one, other, text) = input;
    let (left, right) = text.split_once('\n').unwrap_or((text, text));
    if let (Some(left), Some(right)) = (proposal(one.into(), left), proposal(other.into(), right)) {
        let is_one = left.digest() == right.digest();
        let (left, right) = (plain(left), plain(right));
        assert_eq!(is_one, left == right, "{left:?} and {right:?}");
    }
    // The same text in other pieces.
    if text.chars().count() >= 8 {
        let is_one = fields(text, one).digest() == fields(text, other).digest();
        assert_eq!(is_one, one == other, "{text:?} cut by {one} and {other}");
    }
});
