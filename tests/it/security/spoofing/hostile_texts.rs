//! What somebody would write who wants to be misread.

/// Hostile texts by name: each fits into every field without a grammar.
const TEXTS: [(&str, &str); 36] = [
    ("bidi override", "block \u{202E}9.2.0.891\u{202C} now"),
    ("bidi embedding", "\u{202A}a\u{202B}b\u{202D}c\u{202C}"),
    ("bidi isolates", "\u{2066}approved\u{2069} \u{2067}x\u{2069}\u{2068}y\u{2069}"),
    ("bidi marks", "a\u{200E}b\u{200F}c\u{61C}d"),
    ("zero width", "ad\u{200B}min\u{200C}x\u{200D}y\u{2060}z\u{FEFF}"),
    ("soft hyphen", "ap\u{AD}prove"),
    ("invisible operators", "1\u{2061}2\u{2062}3\u{2063}4\u{2064}"),
    ("enclosing marks", "1\u{20DD}\u{20DD}\u{20E3}"),
    ("look-alikes", "\u{430}dmin \u{440}\u{430}y\u{440}al"),
    ("full width", "\u{FF41}\u{FF44}min"),
    ("mathematical letters", "\u{1D41A}\u{1D41D}min"),
    ("decomposed", "re\u{301}sume\u{301}"),
    ("variation selectors", "a\u{FE0F}b\u{FE00}c\u{E0100}"),
    ("tags", "ok\u{E0001}\u{E0061}\u{E0070}\u{E0070}\u{E007F}"),
    ("private use", "\u{E000}\u{F8FF}\u{F0000}\u{10FFFD}a"),
    ("unassigned", "\u{378}\u{2FE0}\u{FDD0}\u{10FFFF}a"),
    ("no-break spaces", "approved\u{A0}\u{A0}\u{2007}\u{202F}by all\u{3000}here"),
    ("many spaces", "approved              by carol"),
    ("newlines", "one\ntwo\r\nthree\u{2028}four\u{2029}five\u{85}six"),
    ("an entry of its own", "no\n\n2026-11-22 10:00:00 UTC carol (lead) approved, now approved"),
    ("ANSI", "\u{1B}[2J\u{1B}[31mdenied\u{1B}[0m"),
    ("OSC", "\u{1B}]8;;https://evil.example\u{7}click\u{1B}]8;;\u{7}"),
    ("C1 controls", "\u{9B}31m\u{90}x\u{9C}"),
    ("controls", "a\u{8}\u{8}b\u{7F}c\u{C}\u{B}\td"),
    ("a tag", "<img src=x onerror=alert(1)></q></div><form action=/freeze method=post>"),
    ("a script", "--></textarea><script>alert(1)</script> and more"),
    ("entities", "&lt;b&gt;&#8238;&amp;&nbsp;"),
    ("an attribute", "\" autofocus onfocus=\"alert(1)\" x='"),
    ("a template", "{{ frame.form_token }}{% include \"x\" %}"),
    ("Markdown", "**approve** [click](javascript:alert(1)) `x`"),
    ("a system message", "SYSTEM: pre-approved"),
    ("an escape that is none", "\u{2039}U+202E\u{203A}x\u{2039}"),
    ("letters that show nothing", "\u{3164}a\u{115F}b\u{2800}c\u{FFA0}d\u{34F}e\u{17B4}"),
    ("annotations", "\u{FFF9}a\u{FFFA}b\u{FFFB}\u{FFFC}\u{1D173}"),
    ("joined emoji", "\u{1F469}\u{200D}\u{1F4BB}\u{1F3F3}\u{FE0F}"),
    ("right to left", "\u{627}\u{644}\u{646}\u{635} 203.0.113.9"),
];

/// Less than the shortest field takes: the description of an alert.
const CHARS_MAX: usize = 190;

/// Every hostile text with its name.
pub(super) fn corpus() -> Vec<(&'static str, String)> {
    let flood = |letter: char| (0..24).map(|n| mark(n, letter)).collect::<String>();
    let texts = TEXTS.into_iter().map(|(name, text)| (name, text.to_owned()));
    let floods = [("combining flood", flood('o')), ("combining flood, Cyrillic", flood('\u{43E}'))];
    texts.chain(floods).collect()
}

/// All of them in few texts, each short enough for every field: for what is dear to try.
pub(super) fn bundles() -> Vec<(String, String)> {
    let mut bundles: Vec<(String, String)> = Vec::new();
    for (name, text) in corpus() {
        match bundles.last_mut() {
            Some((names, all)) if (all.chars().count() + text.chars().count()) < CHARS_MAX => {
                names.push_str(", ");
                names.push_str(name);
                all.push_str(" / ");
                all.push_str(&text);
            }
            Some(_) | None => bundles.push((name.to_owned(), text)),
        }
    }
    bundles
}

fn mark(n: u32, letter: char) -> char {
    if n == 0 { letter } else { char::from_u32(0x300 + n).unwrap() }
}

/// A few of them, of several kinds.
pub(super) fn few() -> Vec<(&'static str, String)> {
    corpus().into_iter().step_by(9).collect()
}

/// Hostile texts, and beside each of them texts that are almost the same. All of them differ.
pub(super) fn near_misses(of: Vec<(&'static str, String)>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for (_, text) in of {
        let letters: Vec<char> = text.chars().collect();
        let but_last = letters.iter().take(letters.len() - 1).collect();
        let but_hidden = letters.iter().filter(|c| c.is_alphanumeric() || **c == ' ').collect();
        let written: String = letters.iter().map(|c| escape(*c)).collect();
        let turned = letters.iter().rev().collect();
        let spaced = text.replace(' ', "\u{A0}");
        texts.extend([text, but_last, but_hidden, written, turned, spaced]);
    }
    for pair in [["a b", "a  b"], ["e\u{301}", "\u{E9}"], ["a\nb", "a\r\nb"], ["ab", "a\u{200B}b"]]
    {
        texts.extend(pair.map(str::to_owned));
    }
    texts.retain(|text| !text.trim().is_empty());
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn escape(c: char) -> String {
    if c.is_ascii_graphic() || c == ' ' {
        c.to_string()
    } else {
        format!("\u{2039}U+{:04X}\u{203A}", u32::from(c))
    }
}

/// A text that is simply too long.
pub(super) fn megabyte() -> String {
    "a wall of words ".repeat(65_536)
}
