//! As much of JSON Schema as our schemas use.

use serde_json::Value;

/// What does not conform, with its place; empty when all does.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(schema, value, "$", &mut found);
    found
}

fn walk(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let right = match schema["type"].as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("{place}: no type of ours: {other}"),
    };
    if !right {
        found.push(format!("{place}: {value} is no {}", schema["type"]));
        return;
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        found.push(format!("{place}: {value} is not allowed"));
    }
    for item in value.as_array().into_iter().flatten() {
        walk(&schema["items"], item, &format!("{place}[]"), found);
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.get(name.as_str().unwrap()).is_none() {
            found.push(format!("{place}: {name} is missing"));
        }
    }
    // An outline says nothing of what is inside.
    if schema.get("properties").is_none() {
        return;
    }
    for (name, part) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(schema) => walk(schema, part, &format!("{place}.{name}"), found),
            None if schema["additionalProperties"] == false => {
                found.push(format!("{place}: {name} is not declared"));
            }
            None => {}
        }
    }
}
