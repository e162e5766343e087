//! What the command line prints: lines for people, JSON for programs.

use std::io::{self, Write as _};

use serde_json::Value;

/// Standard output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out {
    /// Whether programs read it.
    pub(super) json: bool,
}

impl Out {
    /// A line for people, or a value for programs.
    pub(super) fn say(self, line: &str, json: impl FnOnce() -> Value) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json { writeln!(out, "{}", json()) } else { writeln!(out, "{line}") }
    }

    /// A table for people, its columns as wide as needed; a list for programs.
    pub(super) fn table(
        self,
        head: &[&str],
        rows: &[Vec<String>],
        json: impl FnOnce() -> Value,
    ) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            return writeln!(out, "{}", json());
        }
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let title = head.get(column).map_or(0, |title| title.len());
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(title)
        };
        let line = |cells: Vec<&str>| {
            let padded = cells.iter().enumerate().map(|(column, cell)| {
                let missing = width(column).saturating_sub(cell.chars().count());
                format!("{cell}{}", " ".repeat(missing))
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        writeln!(out, "{}", line(head.to_vec()))?;
        for row in rows {
            writeln!(out, "{}", line(row.iter().map(String::as_str).collect()))?;
        }
        Ok(())
    }
}
