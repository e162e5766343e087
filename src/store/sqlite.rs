//! `SQLite`, statement by statement. A statement is prepared once for each connection.
//!
//! What is short runs where it is asked for: to hand it to another thread and back costs several
//! times as much as the statement itself. What may take long, or waits for the disk, runs on a thread
//! that may block.

use std::{borrow::Cow, io};

use rusqlite::{Statement, ffi};

pub use self::{
    pool::Connection,
    row::{FromValue, Row, Value},
};

pub(super) mod pool;
mod row;
pub(super) mod transaction;

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `SQLite` says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// All connections are in use, and none became free in time.
    #[error("no connection to the database became free")]
    TimedOut,
    /// The connections are closed.
    #[error("the database is closed")]
    Closed,
    /// A column holds something else than what is written there.
    #[error("column `{column}`: {why}")]
    Column {
        /// Its name.
        column: String,
        /// What it should be, and is not.
        why: &'static str,
    },
}

impl Error {
    /// The primary result code (<https://www.sqlite.org/rescode.html>).
    pub(super) fn code(&self) -> Option<i32> {
        let Self::Sqlite(error) = self else { return None };
        Some(error.sqlite_error()?.extended_code & 0xff)
    }

    pub(super) fn is_full(&self) -> bool {
        self.code() == Some(ffi::SQLITE_FULL)
    }

    pub(super) fn is_interrupt(&self) -> bool {
        self.code() == Some(ffi::SQLITE_INTERRUPT)
    }

    /// Whether the file is malformed, or no database.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self.code(), Some(ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB))
    }
}

/// A statement with its values.
#[derive(Debug)]
#[must_use]
pub struct Query {
    sql: Cow<'static, str>,
    values: Vec<Value>,
}

/// Begins a statement. Its parameters are `$1`, `$2` and so on.
pub fn query(sql: impl Into<Cow<'static, str>>) -> Query {
    Query { sql: sql.into(), values: Vec::new() }
}

/// The same statement without `INDEXED BY`, which names an index of a table.
fn without_hints(sql: &str) -> String {
    let mut parts = sql.split("INDEXED BY ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| {
        let name = part.find(|char: char| !char.is_ascii_alphanumeric() && char != '_');
        whole + part.get(name.unwrap_or(part.len())..).unwrap_or_default()
    })
}

/// What a statement did.
#[derive(Debug)]
struct Done {
    rows: Vec<Row>,
    changed: u64,
}

impl Query {
    /// Gives the next parameter its value.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it to its end. How many rows it changed.
    pub async fn execute(self, connection: &mut Connection) -> Result<u64, Error> {
        Ok(self.run(connection, usize::MAX).await?.changed)
    }

    /// All rows.
    pub async fn fetch_all(self, connection: &mut Connection) -> Result<Vec<Row>, Error> {
        Ok(self.run(connection, usize::MAX).await?.rows)
    }

    /// The first row, if there is one.
    pub async fn fetch_optional(self, connection: &mut Connection) -> Result<Option<Row>, Error> {
        Ok(self.run(connection, 1).await?.rows.pop())
    }

    /// The first row; an error where there is none.
    pub async fn fetch_one(self, connection: &mut Connection) -> Result<Row, Error> {
        let row = self.fetch_optional(connection).await?;
        row.ok_or(Error::Sqlite(rusqlite::Error::QueryReturnedNoRows))
    }

    async fn run(mut self, connection: &mut Connection, most: usize) -> Result<Done, Error> {
        if connection.has_views() {
            self.sql = Cow::Owned(without_hints(&self.sql));
        }
        connection.run(move |raw| self.step(raw, most)).await
    }

    fn step(&self, raw: &rusqlite::Connection, most: usize) -> rusqlite::Result<Done> {
        let mut statement = raw.prepare_cached(&self.sql)?;
        self.bind_to(&mut statement)?;
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        let mut columns = None;
        while found.len() < most
            && let Some(row) = rows.next()?
        {
            // Asked of the first row: before it, the statement may be the one of an older schema.
            let columns = columns.get_or_insert_with(|| row::columns(row.as_ref()));
            found.push(Row::read(row, columns)?);
        }
        drop(rows);
        Ok(Done { rows: found, changed: raw.changes() })
    }

    /// `SQLite` numbers `$2` by where it stands first: here it is the second value wherever it stands.
    fn bind_to(&self, statement: &mut Statement<'_>) -> rusqlite::Result<()> {
        for place in 1..=statement.parameter_count() {
            let number =
                statement.parameter_name(place).and_then(|name| name.get(1..)?.parse().ok());
            let value = self.values.get(number.unwrap_or(place).wrapping_sub(1));
            let value =
                value.ok_or(rusqlite::Error::InvalidParameterCount(self.values.len(), place))?;
            statement.raw_bind_parameter(place, value)?;
        }
        Ok(())
    }
}
