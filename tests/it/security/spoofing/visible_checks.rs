//! What no text may do, written from Unicode's general categories and not from the renderer.

use std::collections::HashMap;

use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// So many characters of the input are looked for as markup.
const WINDOW: usize = 12;

/// Fails where what is shown hides something, or holds a piece of the input as markup.
#[track_caller]
pub(super) fn assert_clean_page(html: &str, input: &str, what: &str) {
    assert_clean(html, what);
    let letters: Vec<char> = input.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        let piece: String = letters.iter().skip(at).take(WINDOW).collect();
        let markup = matches!(letter, '<' | '"' | '\'' | '&') && piece.chars().count() == WINDOW;
        assert!(!markup || !html.contains(&piece), "{what}: {piece:?} is on the page as it came");
    }
}

/// Fails where a line of text holds what does not show.
#[track_caller]
pub(super) fn assert_clean(text: &str, what: &str) {
    let mut marks = 0;
    for (at, c) in text.char_indices() {
        if hides(c) {
            let before: String = text.get(..at).unwrap().chars().rev().take(60).collect();
            let before: String = before.chars().rev().collect();
            panic!("{what}: U+{:04X} shows nothing, after {before:?}", u32::from(c));
        }
        let mark = matches!(
            get_general_category(c),
            Category::NonspacingMark | Category::SpacingMark | Category::EnclosingMark
        );
        marks = if mark { marks + 1 } else { 0 };
        assert!(marks <= 2, "{what}: a flood of combining marks");
    }
}

/// The end of a line is the page's own.
fn hides(c: char) -> bool {
    let category = get_general_category(c);
    let space = category == Category::SpaceSeparator && c != ' ';
    let control = category == Category::Control && c != '\n';
    let other = matches!(
        category,
        Category::Format
            | Category::LineSeparator
            | Category::ParagraphSeparator
            | Category::PrivateUse
            | Category::Surrogate
            | Category::Unassigned
    );
    // Letters and marks by their category that show as nothing.
    let empty = ["\u{34F}", "\u{115F}\u{1160}", "\u{17B4}\u{17B5}", "\u{2800}\u{3164}\u{FFA0}"];
    let selector = matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}');
    space || control || other || selector || empty.iter().any(|some| some.contains(c))
}

/// A page without what differs from one to the next: times, ids, digests, names of these kinds.
/// Tags stay.
pub(super) fn normal(html: &str, names: &[&str]) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once("<time") {
        text.push_str(before);
        rest = after.split_once("</time>").map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    for attribute in ["data-until=\"", "data-seen=\""] {
        let parts: Vec<_> = text.split(attribute).map(str::to_owned).collect();
        let cut = |part: &String| part.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
        let first = parts.first().cloned().unwrap_or_default();
        text = parts.iter().skip(1).map(cut).fold(first, |all, part| all + attribute + &part);
    }
    for name in names {
        text = text.replace(name, "NAME");
    }
    without_hex(&text)
}

/// Eight hexadecimal digits and more in a row are an id or a digest.
fn without_hex(text: &str) -> String {
    let (mut all, mut run) = (String::new(), String::new());
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_digit() || ('a'..='f').contains(&c) {
            run.push(c);
            continue;
        }
        all.push_str(if run.len() >= 8 { "#" } else { &run });
        run.clear();
        all.push(c);
    }
    all
}

/// What a reader sees of a normal page: each tag is only a boundary.
pub(super) fn seen(normal: &str) -> String {
    let parts = normal.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    parts.collect::<Vec<_>>().join("\0")
}

/// Fails with the first two inputs that show the same.
#[derive(Default)]
pub(super) struct Distinct(HashMap<String, String>);

impl Distinct {
    #[track_caller]
    pub(super) fn add(&mut self, shown: String, input: &str) {
        if let Some(other) = self.0.insert(shown, input.to_owned()) {
            panic!("{other:?} and {input:?} show the same");
        }
    }
}

#[test]
fn check_finds_hidden_characters_and_passes_plain_text() {
    for hidden in ["\u{202E}", "\u{200B}", "\u{1B}", "\u{A0}", "\u{E0041}", "\u{E000}", "\u{378}"] {
        assert!(hidden.chars().any(hides), "{hidden:?}");
    }
    assert_clean("Gr\u{FC}\u{DF}e, \u{5C01}\u{9396}\n \u{2039}U+202E\u{203A}", "plain words");
}

#[test]
#[should_panic(expected = "as it came")]
fn check_finds_markup() {
    assert_clean_page("<p>a <img src=evil></p>", "a <img src=evil>", "a page");
}
