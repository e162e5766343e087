//! The one renderer that everything on the page goes through: it writes HTML, and makes visible
//! what text can hide, as [`characters`] decides.
//!
//! `askama.toml` puts it behind every `{{ }}`. Values are handed over as one string each: what is
//! decided from a character's neighbours sees only the piece that it came in.

use std::fmt::{self, Write};

use askama::filters::Escaper;

use crate::text::visible::{VisibleChar, characters};

/// Writes text as HTML, with everything visible.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        characters(text).try_for_each(|shown| match shown {
            VisibleChar::Plain('&') => dest.write_str("&amp;"),
            VisibleChar::Plain('<') => dest.write_str("&lt;"),
            VisibleChar::Plain('>') => dest.write_str("&gt;"),
            VisibleChar::Plain('"') => dest.write_str("&quot;"),
            VisibleChar::Plain('\'') => dest.write_str("&#39;"),
            VisibleChar::Plain(_) | VisibleChar::Escape(_) => write!(dest, "{shown}"),
        })
    }
}

/// A word of a line, and the spaces before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) struct Piece<'a> {
    /// The number of spaces, which a fence keeps.
    pub(in crate::web) gap: usize,
    /// The word; at the end of a line perhaps spaces, which show as escapes.
    pub(in crate::web) text: &'a str,
}

/// Text for a fence: a box in which lines and spaces stay, and each line has its number.
pub(in crate::web) trait Fenced {
    /// The lines, each as its words.
    fn fenced(&self) -> Vec<Vec<Piece<'_>>>;
    /// Whether it is so long that it is shown folded.
    fn is_long(&self) -> bool;
}

impl Fenced for str {
    fn fenced(&self) -> Vec<Vec<Piece<'_>>> {
        self.split('\n').map(pieces).collect()
    }

    fn is_long(&self) -> bool {
        self.chars().count() > 800 || self.split('\n').count() > 15
    }
}

fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let words = rest.trim_start_matches(' ');
        let end = words.find(' ').unwrap_or(words.len());
        match words.split_at_checked(end) {
            Some((word, after)) if !word.is_empty() => {
                pieces.push(Piece { gap: rest.len() - words.len(), text: word });
                rest = after;
            }
            Some(_) | None => {
                pieces.push(Piece { gap: 0, text: rest });
                rest = "";
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn shown(text: &str) -> String {
        let mut html = String::new();
        Visible.write_escaped_str(&mut html, text).unwrap();
        html
    }

    /// What a reader can tell from the page.
    fn read_back(html: &str) -> String {
        let html = html
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&");
        let mut text = String::new();
        let mut rest = html.as_str();
        while let Some((before, after)) = rest.split_once("‹U+") {
            let (code, after) = after.split_once('›').unwrap();
            text.push_str(before);
            text.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
            rest = after;
        }
        text + rest
    }

    #[test]
    fn plain_words_of_any_script_stay_as_they_are() {
        for text in
            ["Block 203.0.113.9", "Grüße, Zoë", "выполнено", "封鎖した", "النص", "हिन्दी", "✓ 50 %"]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(
            shown("<b onclick=\"x('&')\">"),
            "&lt;b onclick=&quot;x(&#39;&amp;&#39;)&quot;&gt;"
        );
    }

    #[test]
    fn whatever_hides_shows() {
        for (hidden, escape) in [
            ("a\u{202E}b", "a‹U+202E›b"),
            ("a\u{200B}b", "a‹U+200B›b"),
            ("a\nb", "a‹U+000A›b"),
            ("a\r\tb", "a‹U+000D›‹U+0009›b"),
            ("\u{1B}[31m", "‹U+001B›[31m"),
            ("a\u{A0}b", "a‹U+00A0›b"),
            ("a\u{FE0F}", "a‹U+FE0F›"),
            ("a\u{E0101}\u{E0041}", "a‹U+E0101›‹U+E0041›"),
            ("\u{3164}\u{2800}\u{115F}", "‹U+3164›‹U+2800›‹U+115F›"),
            ("\u{E000}\u{F0000}", "‹U+E000›‹U+F0000›"),
            ("\u{378}", "‹U+0378›"),
            ("‹U+202E›", "‹U+2039›U+202E›"),
            (" a", "‹U+0020›a"),
            ("a ", "a‹U+0020›"),
            ("a  b", "a ‹U+0020›b"),
            ("\u{301}a", "‹U+0301›a"),
            ("e\u{301}", "e‹U+0301›"),
            ("я\u{301}\u{302}\u{303}\u{304}", "я\u{301}\u{302}‹U+0303›‹U+0304›"),
        ] {
            assert_eq!(shown(hidden), escape);
        }
    }

    #[test]
    fn every_character_reads_back_and_no_two_look_alike() {
        let mut seen = HashMap::new();
        let around =
            |c: char| [c.to_string(), format!("a{c}b"), format!("é{c}{c}"), format!("{c} {c}")];
        for text in ('\0'..=char::MAX).step_by(97).flat_map(around) {
            let html = shown(&text);
            assert_eq!(read_back(&html), text);
            if let Some(other) = seen.insert(html, text.clone()) {
                assert_eq!(other, text);
            }
        }
    }

    #[test]
    fn a_fence_keeps_lines_and_spaces_and_shows_those_at_the_end() {
        let lines = "a  b\n  c \n".fenced();
        let (a, b) = (Piece { gap: 0, text: "a" }, Piece { gap: 2, text: "b" });
        let (c, end) = (Piece { gap: 2, text: "c" }, Piece { gap: 0, text: " " });
        assert_eq!(lines, [vec![a, b], vec![c, end], vec![]]);
    }

    #[test]
    fn no_template_goes_round_the_renderer() {
        // What askama's own filters write is not escaped again; none of them is used.
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "html") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let filter = text.replace("||", "").contains('|');
                    assert!(!filter, "a filter in {}", path.display());
                }
            }
        }
    }
}
