//! The fields of an answer, read one by one. What is odd about one names it and spoils nothing
//! beside it.

use std::fmt;

use serde_json::Value;

/// The longest text that is believed, in characters. Wazuh's own are far shorter: 128 for a name.
const TEXT_CHARS_MAX: usize = 1024;
/// The longest list of texts that is believed. Wazuh puts an endpoint into at most 128 groups.
const TEXTS_MAX: usize = 1024;
/// How many odd fields a sentence names.
const SHOWN_MAX: usize = 5;

/// A part of an answer that is being read, and what was odd about it so far.
#[derive(Debug)]
pub(in crate::connector::wazuh) struct Fields<'a> {
    of: &'a Value,
    odd: Vec<Odd>,
}

/// Why a field cannot be read: "`os.platform` is null".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connector::wazuh) struct Odd {
    /// Its dotted path; empty for the part itself.
    path: String,
    problem: String,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "it {}", self.problem),
            path => write!(f, "`{path}` {}", self.problem),
        }
    }
}

impl<'a> Fields<'a> {
    pub(in crate::connector::wazuh) fn of(part: &'a Value) -> Self {
        Self { of: part, odd: Vec::new() }
    }

    /// Something else is odd about a field.
    pub(in crate::connector::wazuh) fn note(&mut self, path: &str, problem: &str) {
        self.odd.push(odd(path, problem));
    }

    /// What was odd, in one sentence; none if nothing was.
    pub(in crate::connector::wazuh) fn odd(&self) -> Option<String> {
        (!self.odd.is_empty()).then(|| some_of(self.odd.iter().map(Odd::to_string)))
    }

    /// A text that is not empty; none where it is left out.
    pub(in crate::connector::wazuh) fn text(&mut self, path: &str) -> Option<&'a str> {
        let text = |value| text(path, value, TEXT_CHARS_MAX);
        let read = field(self.of, path).and_then(|found| found.map(text).transpose());
        self.noted(read).flatten()
    }

    /// A text that has to be there.
    pub(in crate::connector::wazuh) fn needed_text(&mut self, path: &str) -> Option<&'a str> {
        self.needed_text_of(path, TEXT_CHARS_MAX)
    }

    /// The same, of another greatest length in characters.
    pub(in crate::connector::wazuh) fn needed_text_of(
        &mut self,
        path: &str,
        chars_max: usize,
    ) -> Option<&'a str> {
        let read = needed(self.of, path).and_then(|value| text(path, value, chars_max));
        self.noted(read)
    }

    /// A whole number that is not negative; none where it is left out.
    pub(in crate::connector::wazuh) fn number(&mut self, path: &str) -> Option<u64> {
        let number = |value: &Value| {
            value.as_u64().ok_or_else(|| {
                if value.is_number() {
                    odd(path, "is not a whole number from 0")
                } else {
                    wrong_type(path, value, "a number")
                }
            })
        };
        let read = field(self.of, path).and_then(|found| found.map(number).transpose());
        self.noted(read).flatten()
    }

    /// A whole number that has to be there.
    pub(in crate::connector::wazuh) fn needed_number(&mut self, path: &str) -> Option<u64> {
        let there = self.noted(needed(self.of, path));
        there.and_then(|_| self.number(path))
    }

    /// A list; empty where it is left out.
    pub(in crate::connector::wazuh) fn list(&mut self, path: &str) -> &'a [Value] {
        let read = field(self.of, path).and_then(|found| found.map(|v| list(path, v)).transpose());
        self.noted(read).flatten().unwrap_or_default()
    }

    /// A list that has to be there.
    pub(in crate::connector::wazuh) fn needed_list(&mut self, path: &str) -> Option<&'a [Value]> {
        let read = needed(self.of, path).and_then(|value| list(path, value));
        self.noted(read)
    }

    /// A list of texts, without those that are odd; empty where it is left out.
    pub(in crate::connector::wazuh) fn texts(&mut self, path: &str) -> Vec<&'a str> {
        let items = self.list(path);
        if items.len() > TEXTS_MAX {
            self.odd.push(odd(path, &format!("has more than {TEXTS_MAX} items")));
            return Vec::new();
        }
        let item =
            |(place, value)| self.noted(text(&format!("{path}[{place}]"), value, TEXT_CHARS_MAX));
        items.iter().enumerate().filter_map(item).collect()
    }

    /// An object that has to be there.
    pub(in crate::connector::wazuh) fn needed_object(&mut self, path: &str) -> Option<&'a Value> {
        let object = |value: &'a Value| {
            if value.is_object() { Ok(value) } else { Err(wrong_type(path, value, "an object")) }
        };
        let read = needed(self.of, path).and_then(object);
        self.noted(read)
    }

    pub(in crate::connector::wazuh) fn is_sound(&self) -> bool {
        self.odd.is_empty()
    }

    /// What was odd, as the detail of an error.
    pub(in crate::connector::wazuh) fn complaint(&self) -> String {
        format!("the answer is not what it should be: {}", self.odd().unwrap_or_default())
    }

    fn noted<T>(&mut self, read: Result<T, Odd>) -> Option<T> {
        read.map_err(|odd| self.odd.push(odd)).ok()
    }
}

/// The first of these, and how many more there are: an answer may have thousands of odd fields.
pub(in crate::connector::wazuh) fn some_of(all: impl IntoIterator<Item = String>) -> String {
    let mut all: Vec<_> = all.into_iter().collect();
    all.dedup();
    let rest = all.split_off(all.len().min(SHOWN_MAX));
    let rest = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    format!("{}{rest}", all.join(", "))
}

fn odd(path: &str, problem: &str) -> Odd {
    Odd { path: path.to_owned(), problem: problem.to_owned() }
}

fn wrong_type(path: &str, value: &Value, wanted: &str) -> Odd {
    let found = match value {
        Value::Null => return odd(path, "is null"),
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    odd(path, &format!("is {found}, not {wanted}"))
}

/// A field by its dotted path; none where it is left out.
fn field<'a>(of: &'a Value, path: &str) -> Result<Option<&'a Value>, Odd> {
    let (mut value, mut outer) = (of, Vec::new());
    for name in path.split('.') {
        let Some(inner) = value.as_object() else {
            return Err(wrong_type(&outer.join("."), value, "an object"));
        };
        let Some(found) = inner.get(name) else { return Ok(None) };
        outer.push(name);
        value = found;
    }
    Ok(Some(value))
}

fn needed<'a>(of: &'a Value, path: &str) -> Result<&'a Value, Odd> {
    field(of, path)?.ok_or_else(|| odd(path, "is missing"))
}

fn text<'a>(path: &str, value: &'a Value, chars_max: usize) -> Result<&'a str, Odd> {
    let text = value.as_str().ok_or_else(|| wrong_type(path, value, "a text"))?;
    if text.is_empty() {
        return Err(odd(path, "is empty"));
    }
    if text.chars().nth(chars_max).is_some() {
        return Err(odd(path, &format!("is longer than {chars_max} characters")));
    }
    Ok(text)
}

fn list<'a>(path: &str, value: &'a Value) -> Result<&'a [Value], Odd> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| wrong_type(path, value, "a list"))
}
