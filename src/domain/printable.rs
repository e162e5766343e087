//! Which characters show, and whether a text says anything.

use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// Whether a text shows as nothing: it is empty, or holds nothing but spaces, marks without a letter and
/// what does not print.
pub fn is_blank(text: &str) -> bool {
    !text.chars().any(|c| prints(c) && !c.is_whitespace() && !is_mark(c))
}

/// Whether a character changes the one before it.
pub fn is_mark(c: char) -> bool {
    use Category::{EnclosingMark, NonspacingMark, SpacingMark};
    !c.is_ascii() && matches!(get_general_category(c), NonspacingMark | SpacingMark | EnclosingMark)
}

/// Whether a character shows as itself: not as nothing, as a space, or by what it does to others.
pub fn prints(c: char) -> bool {
    use Category::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator, Surrogate,
        Unassigned,
    };
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let hidden = matches!(
        get_general_category(c),
        Control
            | Format
            | LineSeparator
            | ParagraphSeparator
            | PrivateUse
            | SpaceSeparator
            | Surrogate
            | Unassigned
    );
    !hidden && !is_ignorable(c)
}

/// Letters, marks and symbols that show as nothing: what Unicode calls default-ignorable
/// (`DerivedCoreProperties.txt`) beyond the categories above, and the empty Braille pattern.
fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{34F}'
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
    fn text_that_shows_as_nothing_is_blank() {
        for blank in
            ["", " \n\t", "\u{200B}", "\u{2800}\u{3164}", "\u{202E} \u{AD}", "\u{301}", "\u{A0}"]
        {
            assert!(is_blank(blank), "{blank:?}");
        }
        for said in ["a", " . ", "\u{200B}ü", "封", "🚨", "1\u{301}"] {
            assert!(!is_blank(said), "{said:?}");
        }
    }
}
