//! What the tools answer: one shape for everything that is about one request, one for the list. The
//! schemas are derived from the answers themselves.

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, Value, json};

use crate::{
    domain::action::ActionKind,
    mcp::answer::{
        RequestAnswer,
        list::ListAnswer,
        lookups::{AlertFound, EndpointsAnswer, LimitsAnswer, ResponsesAnswer},
        plan::PlanAnswer,
    },
};

/// One request, of one of these actions.
pub(super) fn request(actions: &[ActionKind]) -> Map<String, Value> {
    let mut schema = schema::<RequestAnswer<'_>>();
    name_actions(schema.get_mut("properties"), actions);
    schema
}

/// Requests in short form, of these actions.
pub(super) fn list(actions: &[ActionKind]) -> Map<String, Value> {
    let mut schema = schema::<ListAnswer>();
    let requests = schema.get_mut("properties").and_then(|fields| fields.get_mut("requests"));
    let one = requests.and_then(|list| list.get_mut("items"));
    name_actions(one.and_then(|item| item.get_mut("properties")), actions);
    schema
}

/// What can be asked for is known once the catalogue is.
fn name_actions(fields: Option<&mut Value>, actions: &[ActionKind]) {
    let action = fields.and_then(|fields| fields.get_mut("action")).and_then(Value::as_object_mut);
    if let Some(action) = action {
        let names: Vec<_> = actions.iter().map(|kind| kind.name()).collect();
        action.insert("enum".to_owned(), json!(names));
    }
}

/// A plan.
pub(super) fn plan() -> Map<String, Value> {
    schema::<PlanAnswer<'_>>()
}

/// Endpoints, and what can be asked for there.
pub(super) fn endpoints() -> Map<String, Value> {
    schema::<EndpointsAnswer>()
}

/// What is active for a target.
pub(super) fn responses() -> Map<String, Value> {
    schema::<ResponsesAnswer>()
}

/// An alert.
pub(super) fn alert() -> Map<String, Value> {
    schema::<AlertFound<'_>>()
}

/// What an agent may still ask.
pub(super) fn limits() -> Map<String, Value> {
    schema::<LimitsAnswer>()
}

/// The outline of a schema: the fields that every answer has, and their types. What conforms to the whole
/// one conforms to it.
pub(super) fn short(mut schema: Map<String, Value>) -> Map<String, Value> {
    let always = schema.remove("required").unwrap_or_default();
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        let is_always =
            |name: &String| always.as_array().is_some_and(|all| all.contains(&json!(name)));
        properties.retain(|name, _| is_always(name));
        for part in properties.values_mut() {
            let kind = |schema: &Value| json!({ "type": schema.get("type") });
            let mut kept = kind(part);
            if let (Some(items), Value::Object(kept)) = (part.get("items"), &mut kept) {
                kept.insert("items".to_owned(), kind(items));
            }
            *part = kept;
        }
    }
    // MCP's own dialect is the one of the generator.
    for word in ["$schema", "description", "additionalProperties"] {
        schema.remove(word);
    }
    schema
}

fn schema<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(RecursiveTransform(make_portable));
    let schema = settings.into_generator().into_root_schema_for::<T>();
    schema.as_object().cloned().unwrap_or_default()
}

/// Leaves only words that every client understands: no `$ref`, one type by its name, no title and no
/// format of our own. An absent value is left out of an answer, so `null` is not a type.
fn make_portable(schema: &mut Schema) {
    for word in ["$schema", "title", "format"] {
        schema.remove(word);
    }
    if let Some(Value::Array(types)) = schema.get("type") {
        let of_value = types.iter().find(|name| *name != "null").cloned();
        schema.insert("type".to_owned(), of_value.unwrap_or_default());
    }
    if let Some(Value::Array(allowed)) = schema.get_mut("enum") {
        allowed.retain(|value| !value.is_null());
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        // Lines of a comment are one sentence to a reader.
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    if schema.get("properties").is_some() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
}
