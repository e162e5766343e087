//! Values, and the rows that hold them.

use std::sync::Arc;

use rusqlite::{
    Statement, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use super::Error;

/// A value of `SQLite`. Text may be damaged, so it is bytes until it is read.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// Another number.
    Real(f64),
    /// Text, UTF-8 unless it is damaged.
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(text) => Self::Text(text.to_owned()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_owned()),
        }
    }
}

macro_rules! integers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                Self::Integer(number.into())
            }
        }
    )*};
}
integers!(i64, u32, u8, bool);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        Self::from(text.as_deref())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What a column can be read as. The error says what was expected.
pub trait FromValue: Sized {
    /// Reads it.
    fn from_value(value: &Value) -> Result<Self, &'static str>;
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Result<Self, &'static str> {
        if let Value::Integer(number) = value { Ok(*number) } else { Err("it is no whole number") }
    }
}

impl FromValue for u64 {
    fn from_value(value: &Value) -> Result<Self, &'static str> {
        Self::try_from(i64::from_value(value)?).map_err(|_negative| "it is below zero")
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Result<Self, &'static str> {
        let Value::Text(text) = value else { return Err("it is no text") };
        str::from_utf8(text).map(ToOwned::to_owned).map_err(|_damaged| "it is not UTF-8")
    }
}

/// The bytes, of a text too.
impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Result<Self, &'static str> {
        let (Value::Text(bytes) | Value::Blob(bytes)) = value else {
            return Err("it has no bytes");
        };
        Ok(bytes.clone())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Result<Self, &'static str> {
        if matches!(value, Value::Null) { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

/// The names of the columns of a statement: its rows share them.
pub(super) type Columns = Arc<[Box<str>]>;

pub(super) fn columns(statement: &Statement<'_>) -> Columns {
    statement.column_names().into_iter().map(Box::from).collect()
}

/// A row that was read.
#[derive(Debug)]
pub struct Row {
    columns: Columns,
    values: Vec<Value>,
}

impl Row {
    pub(super) fn read(row: &rusqlite::Row<'_>, columns: &Columns) -> rusqlite::Result<Self> {
        let values = (0..columns.len()).map(|place| row.get_ref(place).map(Value::from));
        Ok(Self { columns: Arc::clone(columns), values: values.collect::<Result<_, _>>()? })
    }

    /// Reads a column by its name. [`Error::Column`] where it is not there, or something else.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, Error> {
        let place = self.columns.iter().position(|name| **name == *column);
        let value = place.and_then(|place| self.values.get(place)).ok_or("it is not there");
        value
            .and_then(T::from_value)
            .map_err(|why| Error::Column { column: column.to_owned(), why })
    }
}
