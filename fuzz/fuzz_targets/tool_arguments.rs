//! The arguments of a call: what the lenient reader makes of them is read the same way again, widens
//! nothing, and names no endpoint that was not named.

#![no_main]

use countersign::{
    domain::{
        action::{ActionKind, Catalogue},
        endpoint::Selection,
        proposal::Proposal,
    },
    mcp::{reading, tools::ToolName},
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

/// Whether the given value is true somewhere, under this name.
fn says_true(given: &Map<String, Value>, name: &str) -> bool {
    let inner = given.values().filter_map(Value::as_object);
    given.get(name) == Some(&Value::Bool(true)) || inner.into_iter().any(|map| says_true(map, name))
}

fn check_proposal(kind: ActionKind, given: &Map<String, Value>, read: &Map<String, Value>) {
    let Ok(proposal) = Proposal::parse(kind, read) else { return };
    if let Ok(strict) = Proposal::parse(kind, given) {
        assert_eq!(strict, proposal, "the right form was changed");
    }
    let text = Value::Object(given.clone()).to_string();
    match &proposal.selection {
        Selection::All => assert!(says_true(given, "all_agents"), "{text}"),
        Selection::Ids(ids) => {
            for id in ids {
                let short = id.as_str().trim_start_matches('0');
                assert!(text.contains(short), "{id} was not named: {text}");
            }
        }
    }
    if proposal.term.seconds().is_none() {
        assert!(says_true(given, "permanent"), "{text}");
    }
}

fuzz_target!(|input: (u8, &str)| {
    let (tool, text) = input;
    let Ok(Value::Object(given)) = serde_json::from_str(text) else { return };
    let catalogue = Catalogue::built_in();
    let tools: Vec<_> = ToolName::all(catalogue).collect();
    let tool = tools[usize::from(tool) % tools.len()];
    let (read, left_out) = reading::read(tool, catalogue, given.clone());
    if let ToolName::Action(kind) = tool {
        check_proposal(kind, &given, &read);
    }
    // One wrapper is taken off, not one inside it.
    if read.len() != 1 {
        let (again, left_out_again) = reading::read(tool, catalogue, read.clone());
        assert_eq!((again, left_out_again), (read, 0), "{text} leaves {left_out} out");
    }
});
