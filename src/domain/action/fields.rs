//! Reads the fields of an entry, and says what is wrong with one.

use toml::{Table, Value};

/// The longest text for people or models, in characters.
const TEXT_CHARS_MAX: usize = 1000;

/// An entry of the catalogue that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, {entry}: {field}: {problem}. Allowed: {allowed}.")]
pub struct EntryFault {
    /// The name of the file.
    pub file: String,
    /// Which entry: its name, or its place where it has none.
    pub entry: String,
    /// The field, with the tables that it is in.
    pub field: String,
    /// What is wrong, with the value as it stands there (cut to 80 characters).
    pub problem: String,
    /// What would be right.
    pub allowed: String,
}

/// A table of an entry whose fields are taken out one by one.
pub(super) struct EntryFields<'a> {
    /// The file and the entry.
    place: (&'a str, &'a str),
    /// The tables that it is in, each with a dot.
    path: String,
    /// Which of several tables of one path it is.
    of: Option<String>,
    rest: Table,
}

impl<'a> EntryFields<'a> {
    pub(super) const fn new(place: (&'a str, &'a str), table: Table) -> Self {
        Self { place, path: String::new(), of: None, rest: table }
    }

    pub(super) fn fault(
        &self,
        field: &str,
        problem: impl Into<String>,
        allowed: impl Into<String>,
    ) -> EntryFault {
        let (file, entry) = self.place;
        let of = self.of.as_ref().map_or_else(String::new, |of| format!(" of {of}"));
        EntryFault {
            file: file.to_owned(),
            entry: entry.to_owned(),
            field: format!("{}{field}{of}", self.path),
            problem: problem.into(),
            allowed: allowed.into(),
        }
    }

    /// A value that is not allowed.
    pub(super) fn refused(
        &self,
        field: &str,
        value: &dyn ToString,
        allowed: impl Into<String>,
    ) -> EntryFault {
        let value: String = value.to_string().chars().take(80).collect();
        self.fault(field, format!("{value} is not allowed"), allowed)
    }

    /// A text that must be there, and that a function reads.
    pub(super) fn read<T>(
        &mut self,
        field: &str,
        allowed: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, EntryFault> {
        let found = self.maybe_read(field, allowed, read)?;
        found.ok_or_else(|| self.fault(field, "it is missing", allowed))
    }

    /// The same for one that may be left out.
    pub(super) fn maybe_read<T>(
        &mut self,
        field: &str,
        allowed: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, EntryFault> {
        let Some(value) = self.rest.remove(field) else { return Ok(None) };
        let found = value.as_str().and_then(read);
        found.map(Some).ok_or_else(|| self.refused(field, &value, allowed))
    }

    /// Texts that a function reads; none where the field is left out.
    pub(super) fn list<T>(
        &mut self,
        field: &str,
        allowed: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Vec<T>>, EntryFault> {
        let Some(value) = self.rest.remove(field) else { return Ok(None) };
        let Value::Array(values) = value else {
            return Err(self.refused(field, &value, format!("a list: {allowed}")));
        };
        let one = |value: &Value| {
            value.as_str().and_then(&read).ok_or_else(|| self.refused(field, &value, allowed))
        };
        values.iter().map(one).collect::<Result<_, _>>().map(Some)
    }

    /// `true` or `false`; the latter where it is left out.
    pub(super) fn flag(&mut self, field: &str) -> Result<bool, EntryFault> {
        match self.rest.remove(field) {
            None => Ok(false),
            Some(Value::Boolean(flag)) => Ok(flag),
            Some(other) => Err(self.refused(field, &other, "true or false")),
        }
    }

    /// A table within this one.
    pub(super) fn table(&mut self, field: &str) -> Result<Option<Self>, EntryFault> {
        match self.rest.remove(field) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(self.below(field, table))),
            Some(other) => Err(self.refused(field, &other, "a table")),
        }
    }

    /// Tables within this one, each under the same name.
    pub(super) fn tables(&mut self, field: &str) -> Result<Vec<Self>, EntryFault> {
        let Some(value) = self.rest.remove(field) else { return Ok(Vec::new()) };
        let Value::Array(values) = value else {
            return Err(self.refused(field, &value, "tables"));
        };
        let one = |value: Value| match value {
            Value::Table(table) => Ok(self.below(field, table)),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => Err(self.refused(field, &value, "tables")),
        };
        values.into_iter().map(one).collect()
    }

    /// What the fields are called that nobody has taken.
    pub(super) fn names(&self) -> Vec<String> {
        self.rest.keys().cloned().collect()
    }

    /// Fails where there is a field that nobody knows. It comes before all fields are read: a misspelt
    /// one is named, not what is missing for it.
    pub(super) fn only(&self, known: &str) -> Result<(), EntryFault> {
        match self.rest.keys().find(|field| known.split(", ").all(|one| one != *field)) {
            None => Ok(()),
            Some(field) => Err(self.fault(field, "there is no such field", known)),
        }
    }

    /// Faults say from here on which of several tables it is, where it has a name.
    pub(super) fn told_apart(&mut self) {
        self.of = self.rest.get("name").and_then(Value::as_str).and_then(is_name);
    }

    fn below(&self, field: &str, table: Table) -> Self {
        let path = format!("{}{field}.", self.path);
        Self { place: self.place, path, of: None, rest: table }
    }
}

pub(super) fn is_name(text: &str) -> Option<String> {
    let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let fits = (1..=40).contains(&text.len())
        && text.bytes().all(sound)
        && text.starts_with(|c: char| c.is_ascii_lowercase());
    fits.then(|| text.to_owned())
}

pub(super) fn is_text(text: &str) -> Option<String> {
    let fits = (1..=TEXT_CHARS_MAX).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && text.trim() == text;
    fits.then(|| text.to_owned())
}
