//! What the scripts' reader must print of a message, by `serde_json`. A fuzz target asks it, too.

use std::fmt::Write as _;

use serde_json::Value;

/// What the reader says of texts that are JSON, and that no script takes.
const STRICTER: [&str; 5] = [
    "a key that stands twice",
    "a control character",
    " is no ",
    "a key of alert.data",
    "nested too deep",
];

/// What the reader prints for a message that `serde_json` reads so.
fn items(message: &Value) -> String {
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut items =
        format!("command {}\nprogram {}\n", text("/command"), text("/parameters/program"));
    let parameters = &message["parameters"];
    for argument in parameters["extra_args"].as_array().into_iter().flatten() {
        writeln!(items, "argument {}", argument.as_str().unwrap()).unwrap();
    }
    for (key, value) in parameters["alert"]["data"].as_object().into_iter().flatten() {
        writeln!(items, "data {key} {}", value.as_str().unwrap()).unwrap();
    }
    items
}

/// Fails where the reader printed something else than it must.
pub(crate) fn agrees(input: &[u8], said: &str) {
    let shown = String::from_utf8_lossy(input);
    match (serde_json::from_slice::<Value>(input), said.strip_prefix("error ")) {
        (Ok(message), None) => assert_eq!(items(&message), said, "{shown}"),
        (Err(_), Some(_)) => {}
        (Ok(_), Some(why)) => {
            assert!(STRICTER.iter().any(|known| why.contains(known)), "refused, {why}: {shown}");
        }
        (Err(error), None) => panic!("read, but {error}: {shown}"),
    }
}
