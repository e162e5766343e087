//! The `q` language of `GET /agents`: `;` means and, `,` means or and binds less tightly,
//! parentheses group.

use serde_json::Value;

use crate::api::answer::Problem;

/// Every field of an agent that can be selected and queried.
pub(crate) const FIELDS: [&str; 25] = [
    "configSum",
    "dateAdd",
    "disconnection_time",
    "group",
    "group_config_status",
    "id",
    "ip",
    "lastKeepAlive",
    "manager",
    "mergedSum",
    "name",
    "node_name",
    "os.arch",
    "os.build",
    "os.codename",
    "os.major",
    "os.minor",
    "os.name",
    "os.platform",
    "os.uname",
    "os.version",
    "registerIP",
    "status",
    "status_code",
    "version",
];

/// A condition on one agent.
#[derive(Debug)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Compare { field: String, operator: Operator, value: String },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    Greater,
    Like,
}

impl Condition {
    /// Parses a query. An error names `node`.
    pub(crate) fn read(text: &str, node: &str) -> Result<Self, Problem> {
        let mut rest = text;
        let condition = any(&mut rest, node)?;
        if rest.is_empty() { Ok(condition) } else { Err(unreadable(text)) }
    }

    /// Whether an agent, as the API lists it, meets the condition.
    pub(crate) fn holds(&self, agent: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(agent)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(agent)),
            Self::Compare { field, operator, value } => {
                let found = texts(agent, field);
                let any = |test: &dyn Fn(&str) -> bool| found.iter().any(|one| test(one));
                match operator {
                    Operator::Equal => any(&|one| one == value),
                    Operator::Unequal => !found.is_empty() && !any(&|one| one == value),
                    Operator::Less => any(&|one| one < value.as_str()),
                    Operator::Greater => any(&|one| one > value.as_str()),
                    Operator::Like => any(&|one| one.contains(value.as_str())),
                }
            }
        }
    }
}

/// The field of a JSON object with this dotted name.
pub(crate) fn dotted<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    field.split('.').try_fold(object, |inner, name| inner.get(name))
}

fn texts(agent: &Value, field: &str) -> Vec<String> {
    match dotted(agent, field) {
        None | Some(Value::Null | Value::Object(_)) => Vec::new(),
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(Value::String(text)) => vec![text.clone()],
        Some(other @ (Value::Bool(_) | Value::Number(_))) => vec![other.to_string()],
    }
}

fn any(rest: &mut &str, node: &str) -> Result<Condition, Problem> {
    let mut parts = vec![all(rest, node)?];
    while take(rest, ',') {
        parts.push(all(rest, node)?);
    }
    Ok(Condition::Any(parts))
}

fn all(rest: &mut &str, node: &str) -> Result<Condition, Problem> {
    let mut parts = vec![one(rest, node)?];
    while take(rest, ';') {
        parts.push(one(rest, node)?);
    }
    Ok(Condition::All(parts))
}

fn one(rest: &mut &str, node: &str) -> Result<Condition, Problem> {
    if take(rest, '(') {
        let inner = any(rest, node)?;
        return if take(rest, ')') { Ok(inner) } else { Err(unreadable(rest)) };
    }
    compare(rest, node)
}

fn compare(rest: &mut &str, node: &str) -> Result<Condition, Problem> {
    let text = *rest;
    let end = text.find([';', ',', ')']).unwrap_or(text.len());
    let (part, after) = text.split_at_checked(end).ok_or_else(|| unreadable(text))?;
    *rest = after;
    let place = part.find(['=', '!', '<', '>', '~']).ok_or_else(|| unreadable(text))?;
    let (field, tail) = part.split_at_checked(place).ok_or_else(|| unreadable(text))?;
    if !FIELDS.contains(&field) {
        return Err(no_such_field(field, node));
    }
    let operators = [
        ("!=", Operator::Unequal),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("~", Operator::Like),
    ];
    let found = operators
        .iter()
        .find_map(|(sign, operator)| tail.strip_prefix(sign).map(|value| (*operator, value)));
    let (operator, value) = found.ok_or_else(|| unreadable(text))?;
    Ok(Condition::Compare { field: field.to_owned(), operator, value: value.to_owned() })
}

fn take(rest: &mut &str, sign: char) -> bool {
    rest.strip_prefix(sign).map(|after| *rest = after).is_some()
}

/// The wording is not from a capture.
fn unreadable(text: &str) -> Problem {
    Problem::bad_request(format!("Query not valid: {text}")).code(1407)
}

fn no_such_field(field: &str, node: &str) -> Problem {
    let known = available();
    let detail = format!("Field does not exist: Available fields: {known}. Field: {field}");
    Problem::bad_request(detail.clone()).said_by_node(node, &detail).code(1408)
}

/// The fields in the order of the API's own messages.
pub(crate) fn available() -> String {
    FIELDS.join(", ")
}
