//! The address of a list: what was typed into its filter, read back with a limit for each field, and
//! written again. A view can be sent, so an address may be forged, cut, or of another version.

use crate::{
    broker::queries::view::VALUE_CHARS_MAX,
    text::request::{non_empty, start},
};

/// So much of a value is repeated where it is refused, in characters.
const REPEATED_CHARS: usize = 40;

/// Reads a field that may be left out. `what` names it.
pub(in crate::web) fn read<T>(
    text: &str,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, String> {
    let Some(text) = non_empty(text) else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| no_such(what, &text))
}

/// [`read`] where there are few values, which are named.
pub(in crate::web) fn choice<T>(
    text: &str,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
    allowed: &[&str],
) -> Result<Option<T>, String> {
    read(text, what, parse).map_err(|problem| format!("{problem} Allowed: {}.", allowed.join(", ")))
}

/// A text of at most [`VALUE_CHARS_MAX`] characters.
pub(in crate::web) fn bounded(text: &str, what: &str) -> Result<Option<String>, String> {
    let text = non_empty(text);
    match text.as_ref().map_or(0, |text| text.chars().count()) {
        0..=VALUE_CHARS_MAX => Ok(text),
        chars => Err(format!(
            "The {what} has {chars} characters. Allowed: at most {VALUE_CHARS_MAX} characters."
        )),
    }
}

/// A box: `yes`, or nothing.
pub(in crate::web) fn ticked(text: &str, what: &str) -> Result<bool, String> {
    let yes = |text: &str| (text == "yes").then_some(());
    Ok(choice(text, what, yes, &["yes"])?.is_some())
}

fn no_such(what: &str, text: &str) -> String {
    let (shown, more) = start(text, REPEATED_CHARS);
    format!("There is no {what} “{shown}{}”.", if more { "…" } else { "" })
}

/// The fields of an address that are not empty, by name.
pub(in crate::web) type Fields = Vec<(&'static str, String)>;

/// The same fields with other values in some of them.
pub(in crate::web) fn changed(
    fields: &[(&'static str, String)],
    changes: &[(&'static str, &str)],
) -> Fields {
    let mut fields = fields.to_vec();
    for (name, value) in changes {
        fields.retain(|(other, _)| other != name);
        fields.push((name, (*value).to_owned()));
    }
    fields
}
