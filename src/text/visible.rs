//! What a person gets to see of a text from outside, on the page and in a terminal: the one place
//! that decides it.
//!
//! A character that does not print, that moves others about, that looks like a space or like
//! nothing, shows as `‹U+202E›`. `‹` itself shows as an escape too, so what is shown can always be
//! read back: two different texts never look alike. (Letters of two scripts that look alike are
//! not told apart here.)

use std::fmt;

use crate::domain::printable::{is_mark, prints};

/// So many combining marks may follow one another.
const MARKS_MAX: u32 = 2;

/// A character, or the escape that stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisibleChar {
    /// It shows as itself.
    Plain(char),
    /// It shows as its number.
    Escape(char),
}

impl fmt::Display for VisibleChar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Plain(c) => write!(f, "{c}"),
            Self::Escape(c) => write!(f, "‹U+{:04X}›", u32::from(c)),
        }
    }
}

/// How each character of a text shows. What is decided from a character's neighbours sees only
/// this text: hand over whole strings.
pub fn characters(text: &str) -> impl Iterator<Item = VisibleChar> {
    let mut before: Option<char> = None;
    let mut marks: u32 = 0;
    let mut rest = text.chars();
    std::iter::from_fn(move || {
        let c = rest.next()?;
        marks = if is_mark(c) { marks + 1 } else { 0 };
        let plain = match c {
            // One space between two words; others would be lost where the page is laid out.
            ' ' => before.is_some_and(|b| b != ' ') && !rest.as_str().is_empty(),
            // A mark on a plain letter can make another letter, which has its own code.
            c if is_mark(c) => {
                marks <= MARKS_MAX && before.is_some_and(|b| !b.is_ascii()) && prints(c)
            }
            c => prints(c) && c != '‹',
        };
        // What an escape ends in is no letter that a mark could change.
        before = Some(if plain { c } else { '\0' });
        Some(if plain { VisibleChar::Plain(c) } else { VisibleChar::Escape(c) })
    })
}

/// A text as a terminal may show it.
pub fn visible(text: &str) -> String {
    characters(text).map(|shown| shown.to_string()).collect()
}

/// [`visible`] for a line that we laid out ourselves: its spaces stand as they are.
pub fn visible_line(line: &str) -> String {
    line.split(' ').map(visible).collect::<Vec<_>>().join(" ")
}

/// JSON that a terminal may show: what would not show as itself is written as `\u202e`. Programs
/// read the same from it.
pub fn visible_json(json: &serde_json::Value) -> String {
    let escape = |unit: &u16| format!("\\u{unit:04x}");
    let shown = |c: char| {
        if prints(c) {
            return c.to_string();
        }
        c.encode_utf16(&mut [0; 2]).iter().map(escape).collect()
    };
    json.to_string().chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_output_contains_no_control_character() {
        assert_eq!(visible("a\u{1B}[31mred\r\nb"), "a‹U+001B›[31mred‹U+000D›‹U+000A›b");
        assert_eq!(visible("Grüße, 封鎖した"), "Grüße, 封鎖した");
        assert_eq!(visible_line("  a\r  b\n "), "  a‹U+000D›  b‹U+000A› ");
    }

    #[test]
    fn visible_json_reads_as_the_same_value() {
        let value = serde_json::json!({ "a\u{9b}": "\u{1b}\u{7f}\u{202e}\u{e0041} ü ‹" });
        let shown = visible_json(&value);
        assert_eq!(shown, r#"{"a\u009b":"\u001b\u007f\u202e\udb40\udc41 ü ‹"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
