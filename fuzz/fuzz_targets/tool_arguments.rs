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
use serde_json::{Map, Value, json};

/// What else a call may hold: what clients add, and what they wrap all in.
const ADDED: [&str; 6] = ["sessionId", "tool", "action", "wait_for_previous", "input", "kwargs"];

/// What a field takes; none where it is left out.
fn right(field: &str) -> Option<Value> {
    Some(match field {
        "srcip" => json!("203.0.113.9"),
        "dstuser" => json!("alice"),
        "agent_ids" => json!(["001", "main/002"]),
        "duration_seconds" => json!(600),
        "reason" => json!("why"),
        _ => return None,
    })
}

/// A value in one of the forms that clients send.
fn odd(choice: usize) -> Value {
    let values = [
        Value::Null,
        json!(""),
        json!("None"),
        json!(true),
        json!(false),
        json!("True"),
        json!("true"),
        json!("False"),
        json!(0),
        json!(1),
        json!("1"),
        json!(600.0),
        json!("6e2"),
        json!(-1),
        json!(1.5),
        json!([]),
        json!(["null"]),
        json!({}),
        json!([1.0, "2", "main/3"]),
        json!("001"),
        json!("[\"001\"]"),
        json!("[\"001\", 2]"),
        json!("all"),
        json!("sendMessage"),
        json!({"all_agents": true, "reason": "x"}),
    ];
    values[choice % values.len()].clone()
}

/// Arguments of a tool, field by field: half of the choices give the right value.
fn made(tool: ToolName, choices: &[u8]) -> Map<String, Value> {
    let own = tool.fields().into_iter().map(|(name, _)| name);
    let mut arguments = Map::new();
    for (field, choice) in own.chain(ADDED).zip(choices) {
        let value = match (choice.checked_sub(128), right(field)) {
            (None, right) => right,
            (Some(odd_one), _) => Some(odd(odd_one.into())),
        };
        arguments.extend(value.map(|value| (field.to_owned(), value)));
    }
    match choices.last() {
        Some(wrapped) if wrapped % 8 == 7 => {
            Map::from_iter([("input".to_owned(), arguments.into())])
        }
        _ => arguments,
    }
}

/// Whether something is true in there under this name.
fn says_true(given: &Map<String, Value>, name: &str) -> bool {
    let mut inner = given.values().filter_map(Value::as_object);
    given.get(name) == Some(&Value::Bool(true)) || inner.any(|map| says_true(map, name))
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

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, rest) = input;
    let catalogue = Catalogue::built_in();
    let tools: Vec<_> = ToolName::all(catalogue).collect();
    let tool = tools[usize::from(choice / 2) % tools.len()];
    let given = if choice % 2 == 0 {
        let Ok(Value::Object(given)) = serde_json::from_slice(rest) else { return };
        given
    } else {
        made(tool, rest)
    };
    let text = Value::Object(given.clone()).to_string();
    let (read, left_out) = reading::read(tool, catalogue, given.clone());
    if let ToolName::Action(kind) = tool {
        check_proposal(kind, &given, &read);
    }
    // One wrapper is taken off, not one inside it.
    if read.len() != 1 {
        let again = reading::read(tool, catalogue, read.clone());
        assert_eq!(again, (read, 0), "{text}, of which {left_out} were left out");
    }
});
