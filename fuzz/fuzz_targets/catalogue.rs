//! The files of a catalogue: whatever is read means the same when it is read again, and what is not
//! names the file.

#![no_main]

use countersign::domain::{
    action::{Action, Catalogue},
    decision::Tier,
};
use libfuzzer_sys::fuzz_target;

const FILE: &str = "fuzz.toml";
/// The types whose actions are never of the low tier.
const FAR: [&str; 6] = ["network", "host_name", "path", "process_id", "process_name", "domain"];

fuzz_target!(|text: &str| {
    let catalogue = match Catalogue::with([(FILE, text)].into_iter()) {
        Ok(catalogue) => catalogue,
        Err(fault) => return assert!(fault.to_string().contains(FILE), "{fault}"),
    };
    for kind in catalogue.all() {
        let entry = kind.entry();
        if !entry.built_in {
            Catalogue::recall(entry.hash, &entry.source).unwrap();
        }
        let called = catalogue.all().iter().filter(|other| other.name() == kind.name());
        assert_eq!(called.count(), 1, "{kind} stands twice");
        let far = kind.parameters().iter().any(|one| FAR.contains(&one.of.name()));
        assert!(!far || entry.tier > Tier::Low, "{kind} counts as little");
        assert!(!entry.isolates || entry.tier == Tier::High, "{kind} counts as little");
        if let Some(action) = Action::example(*kind) {
            assert_eq!(Action::parse(*kind, &action.argument()).as_ref(), Ok(&action));
            assert!(!action.phrase().contains('{'), "{}", action.phrase());
        }
    }
});
