//! The body of `PUT /active-response`: what the API accepts, and how it words what it refuses.
//!
//! Sources: api/api/spec/spec.yaml (`ActiveResponseBody`), api/api/validator.py, captures 41-54.

use axum::body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use serde_json::{Map, Value};

use crate::api::answer::Problem;

/// `max_upload_size`.
const BODY_BYTES_MAX: usize = 10_485_760;
/// A client that is cut off while it writes sees a broken connection instead of a 413. So more is
/// read than is allowed.
const READ_BYTES_MAX: usize = 4 * BODY_BYTES_MAX;

/// A valid command, not yet addressed to an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) alert: Value,
}

impl Command {
    pub(crate) async fn read(request: Request) -> Result<Self, Problem> {
        check_content_type(&request)?;
        let body = body::to_bytes(request.into_body(), READ_BYTES_MAX)
            .await
            .ok()
            .filter(|body| body.len() <= BODY_BYTES_MAX)
            .ok_or_else(too_large)?;
        if body.is_empty() {
            return Err(Problem::bad_request("Request body must not be empty"));
        }
        match serde_json::from_slice(&body) {
            Ok(body) => Self::check(body),
            Err(error) => Err(Problem::bad_request(no_json(&body, &error))),
        }
    }

    fn check(body: Value) -> Result<Self, Problem> {
        let Value::Object(mut fields) = body else {
            return Err(wrong_type(&body, "object", None));
        };
        let command = match fields.remove("command") {
            None => return Err(Problem::bad_request("'command' is a required property")),
            Some(Value::String(name)) => checked_name(name)?,
            Some(other) => return Err(wrong_type(&other, "string", Some("command"))),
        };
        let arguments = checked_arguments(fields.remove("arguments"))?;
        let alert = match fields.remove("alert") {
            None => Value::Object(Map::new()),
            Some(alert @ Value::Object(_)) => alert,
            Some(other) => return Err(wrong_type(&other, "object", Some("alert"))),
        };
        if !fields.is_empty() {
            let names: Vec<String> = fields.keys().map(|name| format!("'{name}'")).collect();
            let detail = format!("Invalid field found {{{}}}", names.join(", "));
            return Err(Problem::bad_request(detail));
        }
        Ok(Self { name: command, arguments, alert })
    }

    /// Whether the manager would run it: `!` calls a script, any other name must be in ar.conf.
    pub(crate) fn is_known(&self, names: &[String]) -> bool {
        self.name.starts_with('!') || names.contains(&self.name)
    }

    /// The message for agents before 4.2: without the alert, with shell-escaped arguments.
    pub(crate) fn legacy_line(&self) -> String {
        if self.arguments.is_empty() {
            return format!("{} - -", self.name);
        }
        let escaped: Vec<String> = self.arguments.iter().map(|one| shell_escaped(one)).collect();
        format!("{} {}", self.name, escaped.join(" "))
    }
}

/// The wording is not from a capture.
fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Maximum content size exceeded")
}

fn check_content_type(request: &Request) -> Result<(), Problem> {
    let given = request.headers().get(header::CONTENT_TYPE);
    let Some(given) = given.and_then(|value| value.to_str().ok()) else {
        let detail = "The body type is not the one specified in the content-type";
        return Err(Problem::new(StatusCode::NOT_ACCEPTABLE, detail).code(6002));
    };
    let essence = given.split(';').next().unwrap_or(given).trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("Invalid Content-type ({essence}), expected ['application/json']");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

/// `^!?[\w\-.\\/:]+$` without `..`. Like Python's `$`, it accepts one trailing newline.
fn checked_name(name: String) -> Result<String, Problem> {
    let line = name.strip_suffix('\n').unwrap_or(&name);
    let script = line.strip_prefix('!').unwrap_or(line);
    let allowed = |one: char| one.is_alphanumeric() || r"_-.\/:".contains(one);
    if !script.is_empty() && script.chars().all(allowed) && !script.contains("..") {
        return Ok(name);
    }
    let detail = format!("'{name}' is not a 'active_response_command' - 'command'");
    Err(Problem::bad_request(detail))
}

fn checked_arguments(given: Option<Value>) -> Result<Vec<String>, Problem> {
    let items = match given {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(other) => return Err(wrong_type(&other, "array", Some("arguments"))),
    };
    let strings = items.into_iter().enumerate().map(|(place, item)| match item {
        Value::String(text) => Ok(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(wrong_type(&item, "string", Some(&format!("arguments.{place}"))))
        }
    });
    strings.collect()
}

fn wrong_type(value: &Value, wanted: &str, place: Option<&str>) -> Problem {
    let place = place.map(|place| format!(" - '{place}'")).unwrap_or_default();
    Problem::bad_request(format!("{} is not of type '{wanted}'{place}", as_python(value)))
}

/// The value as Python prints it, for simple values.
fn as_python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => format!("'{text}'"),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string().replace('"', "'")
        }
    }
}

/// The message of Python, which also counts the position from the start of the text.
fn no_json(body: &[u8], error: &serde_json::Error) -> String {
    let lines_before = error.line().saturating_sub(1);
    let before: usize =
        body.split(|byte| *byte == b'\n').take(lines_before).map(|line| line.len() + 1).sum();
    let (line, column) = (error.line(), error.column());
    format!("Expecting value: line {line} column {} (char {})", column + 1, before + column)
}

fn shell_escaped(argument: &str) -> String {
    let mut escaped = String::with_capacity(argument.len());
    for one in argument.chars() {
        if "\"'\t;`><|#*[]{}&$!:()".contains(one) {
            escaped.push('\\');
        }
        escaped.push(one);
    }
    escaped
}

/// Splits a name of ar.conf into the command and its timeout in seconds.
pub(crate) fn split_timeout(name: &str) -> (&str, u32) {
    let command = name.trim_end_matches(|one: char| one.is_ascii_digit());
    let timeout = name.strip_prefix(command).and_then(|digits| digits.parse().ok());
    (command, timeout.unwrap_or(0))
}
