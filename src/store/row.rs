//! Rows to domain values and back. A row that makes no sense is an error with its table and id.
//!
//! Columns of JSON hold what serde derives for the domain types. `tests` pins their exact text: rows
//! of earlier versions have it.

use std::str::FromStr;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Read as _, StoreError, Tx,
    sqlite::{Query, Row, Value, query},
};
use crate::domain::Time;

#[cfg(test)]
mod tests;

/// The place that an error about a row names.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) table: &'static str,
    pub(super) id: &'a str,
}

impl<'a> At<'a> {
    pub(super) fn wrong(self, why: impl Into<String>) -> StoreError {
        StoreError::Inconsistent { table: self.table, id: self.id.to_owned(), why: why.into() }
    }

    /// Parses text that a domain type wrote.
    pub(super) fn read<T>(
        self,
        text: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(text).ok_or_else(|| self.wrong(format!("`{text}` is not what was written")))
    }

    /// Parses text that a domain type wrote.
    pub(super) fn parse<T: FromStr>(self, text: &str) -> Result<T, StoreError> {
        self.read(text, |text| text.parse().ok())
    }

    pub(super) fn time(self, micros: i64) -> Result<Time, StoreError> {
        Time::from_timestamp_micros(micros).ok_or_else(|| self.wrong("a time is out of range"))
    }

    pub(super) fn maybe_time(self, micros: Option<i64>) -> Result<Option<Time>, StoreError> {
        micros.map(|micros| self.time(micros)).transpose()
    }

    pub(super) fn number<T: TryFrom<i64>>(self, number: i64) -> Result<T, StoreError> {
        T::try_from(number).map_err(|_range| self.wrong("a number is out of range"))
    }

    /// A number as `SQLite` holds it.
    pub(super) fn integer(self, number: u64) -> Result<i64, StoreError> {
        i64::try_from(number).map_err(|_range| self.wrong("a number is out of range"))
    }

    pub(super) fn json<T: DeserializeOwned>(self, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|error| self.wrong(error.to_string()))
    }

    pub(super) fn to_json(self, value: &impl Serialize) -> Result<String, StoreError> {
        serde_json::to_string(value).map_err(|error| self.wrong(error.to_string()))
    }

    /// The columns of this row.
    pub(super) fn columns(self, row: &'a Row) -> Columns<'a> {
        Columns { at: self, row }
    }
}

/// The columns of one row, read as domain values. `maybe_` reads a column that may be `NULL`.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    at: At<'a>,
    row: &'a Row,
}

impl Columns<'_> {
    pub(super) fn text(self, column: &str) -> Result<String, StoreError> {
        text(self.row, column)
    }

    pub(super) fn maybe_text(self, column: &str) -> Result<Option<String>, StoreError> {
        maybe_text(self.row, column)
    }

    pub(super) fn flag(self, column: &str) -> Result<bool, StoreError> {
        Ok(integer(self.row, column)? == 1)
    }

    pub(super) fn number<T: TryFrom<i64>>(self, column: &str) -> Result<T, StoreError> {
        self.at.number(integer(self.row, column)?)
    }

    pub(super) fn maybe_number<T: TryFrom<i64>>(
        self,
        column: &str,
    ) -> Result<Option<T>, StoreError> {
        maybe_integer(self.row, column)?.map(|number| self.at.number(number)).transpose()
    }

    pub(super) fn time(self, column: &str) -> Result<Time, StoreError> {
        self.at.time(integer(self.row, column)?)
    }

    pub(super) fn maybe_time(self, column: &str) -> Result<Option<Time>, StoreError> {
        self.at.maybe_time(maybe_integer(self.row, column)?)
    }

    /// Text that a domain type wrote.
    pub(super) fn parse<T: FromStr>(self, column: &str) -> Result<T, StoreError> {
        self.at.parse(&self.text(column)?)
    }

    pub(super) fn maybe_parse<T: FromStr>(self, column: &str) -> Result<Option<T>, StoreError> {
        self.maybe_text(column)?.map(|text| self.at.parse(&text)).transpose()
    }

    /// Text that a domain type wrote and this function reads.
    pub(super) fn read<T>(
        self,
        column: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        self.at.read(&self.text(column)?, parse)
    }

    pub(super) fn json<T: DeserializeOwned>(self, column: &str) -> Result<T, StoreError> {
        self.at.json(&self.text(column)?)
    }

    pub(super) fn maybe_json<T: DeserializeOwned>(
        self,
        column: &str,
    ) -> Result<Option<T>, StoreError> {
        self.maybe_text(column)?.map(|text| self.at.json(&text)).transpose()
    }
}

pub(super) fn text(row: &Row, column: &str) -> Result<String, StoreError> {
    Ok(row.get(column)?)
}

pub(super) fn maybe_text(row: &Row, column: &str) -> Result<Option<String>, StoreError> {
    Ok(row.get(column)?)
}

pub(super) fn integer(row: &Row, column: &str) -> Result<i64, StoreError> {
    Ok(row.get(column)?)
}

pub(super) fn maybe_integer(row: &Row, column: &str) -> Result<Option<i64>, StoreError> {
    Ok(row.get(column)?)
}

/// A count that a query returned.
pub(super) fn count(row: &Row, column: &str) -> Result<u64, StoreError> {
    Ok(row.get(column)?)
}

/// A row to be inserted: each value stands beside its column.
#[derive(Debug)]
pub(super) struct NewRow {
    table: &'static str,
    columns: Vec<&'static str>,
    values: Vec<Value>,
}

impl NewRow {
    pub(super) fn of(table: &'static str) -> Self {
        Self { table, columns: Vec::new(), values: Vec::new() }
    }

    pub(super) fn set(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.columns.push(column);
        self.values.push(value.into());
        self
    }

    pub(super) async fn insert(self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let numbers: Vec<_> = (1..=self.columns.len()).map(|number| format!("${number}")).collect();
        let (table, columns, numbers) = (self.table, self.columns.join(", "), numbers.join(", "));
        let insert = query(format!("INSERT INTO {table} ({columns}) VALUES ({numbers})"));
        self.values.into_iter().fold(insert, Query::bind).execute(tx.connection()).await?;
        Ok(())
    }
}
