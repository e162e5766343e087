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

fn fields(texts: &[&str], absent: bool) -> Canonical {
    let last = texts.last().copied().filter(|_| !absent);
    Canonical::new(1, "fuzz").list(texts.iter(), |canonical, text| canonical.text(text)).maybe(last)
}

fuzz_target!(|input: (u8, u8, &str)| {
    let (one, other, text) = input;
    let (left, right) = text.split_once('\n').unwrap_or((text, text));
    if let (Some(left), Some(right)) = (proposal(one.into(), left), proposal(other.into(), right)) {
        let is_one = left.digest() == right.digest();
        let (left, right) = (plain(left), plain(right));
        assert_eq!(is_one, left == right, "{left:?} and {right:?}");
    }
    let (left, right): (Vec<_>, Vec<_>) = (left.split(' ').collect(), right.split(' ').collect());
    let (absent, absent_too) = (one % 2 == 0, other % 2 == 0);
    assert_eq!(
        fields(&left, absent).digest() == fields(&right, absent_too).digest(),
        left == right && absent == absent_too,
    );
});
