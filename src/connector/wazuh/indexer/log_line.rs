//! The line in the log that an alert was made of, held against what its fields say.
//!
//! A decoder that ends a name too early leaves a part of another name in the field: `admin` of
//! `admin.lee@corp`. Only the log line shows it.

use super::fields::AlertForm;
use crate::domain::action::Action;

/// How much of a log line is kept.
const CHARS_MAX: usize = 2048;
/// How much of a name that goes on is shown.
const NAME_CHARS_MAX: usize = 80;

/// The start of a log line, and whether it goes on.
pub(super) fn start(log: &str) -> (String, bool) {
    let mut chars = log.chars();
    let kept = chars.by_ref().take(CHARS_MAX).collect();
    (kept, chars.next().is_some())
}

/// What stands in the log where the name in a field goes on: it is there, and nowhere does it end.
/// None where it ends somewhere, or is not there: then the log says nothing about it.
pub(super) fn goes_on(log: &str, value: &str, action: &Action, form: AlertForm) -> Option<String> {
    // As it stands in the field, as JSON in a log writes that, and as people write the target.
    let escaped = value.replace('\\', "\\\\");
    let single = value.replace("\\\\", "\\");
    let target = action.argument();
    for name in [value, &escaped, &single, &target] {
        let found = Occurrences::of(log, name, form);
        if found.ends {
            return None;
        }
        if let Some(longer) = found.longer {
            return Some(longer);
        }
    }
    None
}

/// Where a name stands in a text.
#[derive(Default)]
struct Occurrences {
    /// Somewhere it begins and ends there.
    ends: bool,
    /// What it is a part of, at the first place where it does not.
    longer: Option<String>,
}

impl Occurrences {
    fn of(text: &str, name: &str, form: AlertForm) -> Self {
        let mut found = Self::default();
        if name.is_empty() {
            return found;
        }
        // Lower case of ASCII alone keeps every place.
        let exact = form == AlertForm::Name;
        let (folded, wanted) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
        let (hay, needle) = if exact { (text, name) } else { (&*folded, &*wanted) };
        for (at, _) in hay.match_indices(needle) {
            let (Some(before), Some(after)) = (text.get(..at), text.get(at + needle.len()..))
            else {
                continue;
            };
            let v6 = form == AlertForm::Address && name.contains(':');
            let cut = v6 && (ends_in_group(before) || begins_with_group(after));
            if !cut && begins(before, form) && ends(after, form) {
                found.ends = true;
                return found;
            }
            found.longer.get_or_insert_with(|| around(before, name, after));
        }
        found
    }
}

/// Whether a name can begin after this text.
fn begins(before: &str, form: AlertForm) -> bool {
    let mut back = before.chars().rev();
    match back.next() {
        Some(c) if is_word(c) => false,
        // `user@203.0.113.7` is an address.
        Some('@') if form == AlertForm::Address => true,
        Some('.' | '-' | '@' | '\\') => !back.find(|c| *c != '\\').is_some_and(is_word),
        None | Some(_) => true,
    }
}

/// Whether a name can end before this text.
fn ends(after: &str, form: AlertForm) -> bool {
    let mut rest = after.chars();
    match rest.next() {
        Some(c) if is_word(c) => false,
        // A port in brackets, as Cisco writes it; the number of an account, as PAM does.
        Some('(') => form == AlertForm::Address || is_uid(rest.as_str()) || !next_is_word(rest),
        Some('.' | '-' | '@' | '\\') => !next_is_word(rest),
        None | Some(_) => true,
    }
}

/// Whether an IPv6 address that follows is the rest of a longer one.
fn ends_in_group(before: &str) -> bool {
    before.strip_suffix(':').is_some_and(|rest| rest.ends_with(|c: char| c.is_ascii_hexdigit()))
}

/// Whether an IPv6 address that stands before goes on: nobody can tell a group from a port.
fn begins_with_group(after: &str) -> bool {
    after.strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_hexdigit()))
}

fn next_is_word(mut rest: std::str::Chars<'_>) -> bool {
    rest.find(|c| *c != '\\').is_some_and(is_word)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_uid(text: &str) -> bool {
    let number = text.strip_prefix("uid=").and_then(|rest| rest.split_once(')'));
    number.is_some_and(|(digits, _)| digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The word that a name is a part of.
fn around(before: &str, name: &str, after: &str) -> String {
    let start = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let end = after.split(char::is_whitespace).next().unwrap_or_default();
    let skipped = start.chars().count().saturating_sub(NAME_CHARS_MAX / 4);
    let word = start.chars().skip(skipped).chain(name.chars()).chain(end.chars());
    word.take(NAME_CHARS_MAX).collect()
}
