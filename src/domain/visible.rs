//! The one renderer of text from outside: whatever a person reads, on the page or in a terminal,
//! went through here. Two different texts never look alike because of characters that do not show.

use std::fmt;

use unicode_general_category::{GeneralCategory, get_general_category};

/// More combining marks than this on one letter show as escapes: they could cover other text.
const COMBINING_MARKS_MAX: usize = 2;

/// Text whose every character can be seen.
#[derive(Debug, Clone, Copy)]
pub struct Visible<'a>(&'a str);

/// Makes text visible: a character that does not show, or that changes how others show, becomes
/// its number, as in `‹U+202E›`. So does `‹` itself, so that nobody can write an escape by hand.
pub const fn visible(text: &str) -> Visible<'_> {
    Visible(text)
}

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut marks = 0;
        for character in self.0.chars() {
            marks = if is_mark(character) { marks + 1 } else { 0 };
            if hidden(character) || marks > COMBINING_MARKS_MAX {
                write!(f, "‹U+{:04X}›", u32::from(character))?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

fn is_mark(character: char) -> bool {
    matches!(
        get_general_category(character),
        GeneralCategory::NonspacingMark
            | GeneralCategory::EnclosingMark
            | GeneralCategory::SpacingMark
    )
}

fn hidden(character: char) -> bool {
    let by_category = matches!(
        get_general_category(character),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::Surrogate
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    );
    let odd_space =
        get_general_category(character) == GeneralCategory::SpaceSeparator && character != ' ';
    by_category || odd_space || ignorable(character) || character == '‹'
}

/// Characters that show as nothing although their category is that of a letter or a mark
/// (Unicode, `Default_Ignorable_Code_Point`), and the blank Braille pattern.
fn ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{034F}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FFA0}'
            | '\u{FFFC}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in ["ssh brute force", "Änderung, größer – 5 €", "日本語", "e\u{301}"] {
            assert_eq!(visible(text).to_string(), text);
        }
    }

    #[test]
    fn what_does_not_show_becomes_its_number() {
        for (text, shown) in [
            ("a\u{202E}b", "a‹U+202E›b"),
            ("a\u{200B}", "a‹U+200B›"),
            ("\u{1B}[31m", "‹U+001B›[31m"),
            ("a\nb", "a‹U+000A›b"),
            ("a\u{A0}b", "a‹U+00A0›b"),
            ("\u{FE0F}", "‹U+FE0F›"),
            ("\u{E0041}", "‹U+E0041›"),
            ("\u{3164}", "‹U+3164›"),
            ("\u{E000}", "‹U+E000›"),
            ("‹U+202E›", "‹U+2039›U+202E›"),
            ("a\u{301}\u{301}\u{301}", "a\u{301}\u{301}‹U+0301›"),
        ] {
            assert_eq!(visible(text).to_string(), shown);
        }
    }

    #[test]
    fn two_texts_never_look_alike() {
        let parts =
            ["a", "\u{200B}", "\u{202E}", "‹U+200B›", "‹", "›", "\u{301}", " ", "\u{A0}", ""];
        let mut seen = std::collections::HashMap::new();
        for one in parts {
            for two in parts {
                for three in parts {
                    let text = format!("{one}{two}{three}");
                    let shown = visible(&text).to_string();
                    let before = seen.insert(shown, text.clone());
                    assert!(before.is_none_or(|before| before == text));
                }
            }
        }
    }
}
