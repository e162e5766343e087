//! What the command line prints: lines for people, JSON for programs. Everything becomes visible
//! here, once: no command can forget it, and none does it itself.

use std::io::{self, Write as _};

use serde_json::Value;

use crate::text::visible::{visible, visible_json, visible_line};

/// Standard output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out {
    /// Whether programs read it.
    pub(super) json: bool,
}

impl Out {
    /// One line for people, whatever is in it, or a value for programs.
    pub(super) fn say(self, line: &str, json: impl FnOnce() -> Value) -> io::Result<()> {
        self.lines([line], json)
    }

    /// Lines for people, or a value for programs.
    pub(super) fn lines<'l>(
        self,
        lines: impl IntoIterator<Item = &'l str>,
        json: impl FnOnce() -> Value,
    ) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            return writeln!(out, "{}", visible_json(&json()));
        }
        lines.into_iter().try_for_each(|line| writeln!(out, "{}", visible_line(line)))
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
            return writeln!(out, "{}", visible_json(&json()));
        }
        let shown = |row: &Vec<String>| row.iter().map(|cell| visible(cell)).collect();
        let rows: Vec<Vec<String>> = rows.iter().map(shown).collect();
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
        for row in &rows {
            writeln!(out, "{}", line(row.iter().map(String::as_str).collect()))?;
        }
        Ok(())
    }
}

/// Says on standard error why a command failed. Only the first line starts like one of ours: an
/// error may quote several lines of a file.
pub(super) fn tell_failure(why: &str) {
    let mut lines = why.lines().map(visible_line);
    let first = lines.next().unwrap_or_default();
    let text =
        lines.fold(format!("countersign: {first}"), |text, line| format!("{text}\n  {line}"));
    // With standard error closed there is nobody left to tell.
    let _told = writeln!(io::stderr(), "{text}").is_ok();
}
