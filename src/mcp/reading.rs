//! Reads arguments in the forms that clients of today send: what can mean only one thing becomes
//! the form that the tool's schema declares, before anything else reads it.
//!
//! So the proposal, its digest and its canonical form are those of the right form. What is left as it
//! came is refused further in, in a sentence. Nothing here makes `true` of another value: the
//! fields that can be true widen what is asked. `docs/mcp.md` lists every form.

use serde_json::{Map, Value};

use super::{distinct_keys::repeated_key, tools::ToolName};
use crate::domain::{action::Catalogue, endpoint::EndpointId};

/// Whole numbers up to here are exact in every JSON reader.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// What models and frameworks wrap all arguments into.
const WRAPPERS: [&str; 7] =
    ["input", "arguments", "args", "kwargs", "params", "parameters", "properties"];
/// Words for "no value" of languages that have one. As text they name nothing that is asked for.
const NOTHING: [&str; 4] = ["null", "None", "none", "undefined"];

/// The arguments as the tool declares them, and how many that the client added were left out.
pub fn read(
    tool: ToolName,
    catalogue: &Catalogue,
    mut given: Map<String, Value>,
) -> (Map<String, Value>, usize) {
    let mut left_out = leave_out_added((tool, catalogue), &mut given);
    if let Some(wrapped) = wrapped(tool, &given) {
        given = wrapped;
        left_out += leave_out_added((tool, catalogue), &mut given);
    }
    for (name, schema) in tool.fields() {
        let Some(value) = given.remove(name) else { continue };
        let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
        let value = match (tool, name) {
            (ToolName::ProposePlan, "steps") => steps(catalogue, value),
            _ => as_declared(kind, value),
        };
        let is_unused = is_nothing(&value) && !tool.required().contains(&name);
        if !is_unused {
            given.insert(name.to_owned(), value);
        }
    }
    // Who must fill every field says so that it does not end.
    let is_permanent = given.get("permanent") == Some(&Value::Bool(true));
    if is_permanent && given.get("duration_seconds").and_then(Value::as_u64) == Some(0) {
        given.remove("duration_seconds");
    }
    (given, left_out)
}

fn leave_out_added(of: (ToolName, &Catalogue), given: &mut Map<String, Value>) -> usize {
    let came = given.len();
    given.retain(|name, value| !is_added_by_client(of, name, value));
    came - given.len()
}

/// Whether it is one of the arguments that n8n and the Gemini CLI add to those of the model. `action`
/// and `tool` could mean something here: only what n8n itself says there is left out.
fn is_added_by_client(
    (tool, catalogue): (ToolName, &Catalogue),
    name: &str,
    value: &Value,
) -> bool {
    let text = value.as_str();
    match name {
        "toolCallId" | "sessionId" | "chatInput" => text.is_some(),
        "wait_for_previous" => value.is_boolean(),
        "action" => text == Some("sendMessage"),
        "tool" => {
            let said = text.or_else(|| value.get("name")?.as_str());
            said.is_some_and(|said| ToolName::parse(said, catalogue).is_none_or(|of| of == tool))
        }
        _ => false,
    }
}

/// All arguments, where they came as the one field of a wrapper that is no field of the tool.
fn wrapped(tool: ToolName, given: &Map<String, Value>) -> Option<Map<String, Value>> {
    let (name, value) = given.iter().next().filter(|_| given.len() == 1)?;
    let is_own = tool.fields().iter().any(|(own, _)| own == name);
    (!is_own && WRAPPERS.contains(&name.as_str())).then(|| value.as_object().cloned())?
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty() || NOTHING.contains(&text.as_str()),
        // Some clients make such a list of an absent one.
        Value::Array(list) => list.is_empty() || list.as_slice() == ["null"],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

fn as_declared(kind: &str, value: Value) -> Value {
    match kind {
        "integer" => {
            whole(&value).or_else(|| whole(&from_text(&value)?)).map_or(value, Value::from)
        }
        "boolean" if value == "false" || value == "False" => Value::Bool(false),
        "array" => ids(value),
        _ => value,
    }
}

/// A number without a fraction, however it is written.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        let is_whole = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
        is_whole.then(|| format!("{number:.0}").parse().ok()).flatten()
    })
}

/// None where it has a key twice: then it stays text, which is refused where it is no text that is
/// meant.
fn from_text(value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    let distinct = repeated_key(text.as_bytes()).ok()?.is_none();
    distinct.then(|| serde_json::from_str(text).ok())?
}

fn ids(value: Value) -> Value {
    let list = match (from_text(&value), value) {
        (Some(Value::Array(list)), _) | (None, Value::Array(list)) => list,
        // `"001"` is one endpoint; a bare number could be how many.
        (_, Value::String(one)) if is_id(&one) => vec![one.into()],
        (_, other) => return other,
    };
    list.into_iter().map(with_zeros).collect()
}

/// The steps of a plan, the arguments of each in the form that its own tool declares.
fn steps(catalogue: &Catalogue, value: Value) -> Value {
    let whole = from_text(&value).unwrap_or(value);
    let Value::Array(list) = whole else { return whole };
    list.into_iter().map(|item| step(catalogue, item)).collect()
}

fn step(catalogue: &Catalogue, item: Value) -> Value {
    let mut item = from_text(&item).unwrap_or(item);
    let Value::Object(fields) = &mut item else { return item };
    let action = fields.get("action").and_then(Value::as_str);
    let tool = action.and_then(|name| ToolName::parse(name, catalogue));
    let (Some(tool @ ToolName::Action(_)), Some(arguments)) = (tool, fields.get_mut("arguments"))
    else {
        return item;
    };
    let whole = from_text(arguments).unwrap_or_else(|| arguments.take());
    *arguments = if let Value::Object(given) = whole {
        let (mut given, _) = read(tool, catalogue, given);
        // The plan has one.
        if given.get("reason").is_some_and(is_nothing) {
            given.remove("reason");
        }
        given.into()
    } else {
        whole
    };
    item
}

fn is_id(text: &str) -> bool {
    EndpointId::parse(text.split_once('/').map_or(text, |(_, id)| id)).is_some()
}

/// Wazuh writes an id with three digits or more, so a shorter one is that of one endpoint only.
fn with_zeros(item: Value) -> Value {
    if let Some(number) = whole(&item).filter(|number| *number > 0) {
        return format!("{number:03}").into();
    }
    let Some(text) = item.as_str() else { return item };
    let (manager, id) = text.rsplit_once('/').map_or(("", text), |(name, id)| (name, id));
    if !matches!(id.len(), 1 | 2) || !id.bytes().all(|b| b.is_ascii_digit()) {
        return item;
    }
    let slash = if text.contains('/') { "/" } else { "" };
    format!("{manager}{slash}{id:0>3}").into()
}
