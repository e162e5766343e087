//! The parameters of an entry as its file writes them.

use regex::RegexBuilder;

use super::{
    fields::{EntryFault, EntryFields, is_name, is_text},
    parameter::{Parameter, ParameterType, Pattern, Place},
};
use crate::domain::proposal::PROPOSAL_FIELDS;

const NAME: &str = "1 to 40 lower-case letters, digits and `_`, of which the first is a letter; no \
                    argument that every tool has, no attribute that policies know";
const TEXT: &str = "a text of 1 to 1000 printable characters";
const FILLS: &str = "data.<key> with a key of 1 to 40 lower-case letters, digits and `_`, or \
                     argument 1 to argument 9";
const READS: &str = "names of fields under `data`, such as win.eventdata.ipAddress";
const CHOICES: &str =
    "1 to 32 different words of 1 to 64 lower-case letters, digits, `_`, `.`, `-`";
const FIELDS: &str = "name, type, fills, description, script_reads, pattern, choices, optional";
/// The attributes that an address and an account bring: policies see them in `context.input`.
const TAKEN: [&str; 8] = [
    "address",
    "account",
    "private",
    "special",
    "own_network",
    "protected",
    "of_endpoint",
    "privileged",
];
/// The most parameters of an action.
const PARAMETERS_MAX: usize = 8;
/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 200;

pub(super) fn parameters(fields: &mut EntryFields<'_>) -> Result<Vec<Parameter>, EntryFault> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for mut table in fields.tables("parameter")? {
        table.told_apart();
        table.only(FIELDS)?;
        let parameter = parameter(&mut table)?;
        if parameters.iter().any(|other| other.name == parameter.name) {
            return Err(table.refused("name", &parameter.name, "each name once"));
        }
        if parameters.iter().any(|other| other.fills == parameter.fills) {
            let fills = parameter.fills;
            return Err(table.refused("fills", &fills, "each place is filled by one parameter"));
        }
        let ruled = |one: &Parameter| one.of == parameter.of && one.of.has_rules();
        if parameters.iter().any(ruled) {
            let allowed = "one parameter of a type that has rules of what is never touched";
            return Err(table.refused("type", &parameter.of.name(), allowed));
        }
        parameters.push(parameter);
    }
    // What alerts, lists and the page name a response by.
    if let Some(first) = parameters.first().filter(|first| first.optional) {
        let allowed = "the first parameter is always given";
        return Err(fields.fault("parameter.optional", format!("{} has it", first.name), allowed));
    }
    if parameters.len() > PARAMETERS_MAX {
        let allowed = format!("at most {PARAMETERS_MAX}");
        return Err(fields.refused("parameter", &parameters.len(), allowed));
    }
    let arguments = parameters.iter().filter(|one| matches!(one.fills, Place::Argument(_))).count();
    let missing = (1..=arguments)
        .find(|place| !parameters.iter().any(|one| one.fills == Place::Argument(*place)));
    match missing {
        None => Ok(parameters),
        Some(place) => {
            let problem = format!("no parameter fills argument {place}");
            Err(fields.fault("parameter.fills", problem, "argument 1, then argument 2, and so on"))
        }
    }
}

fn parameter(fields: &mut EntryFields<'_>) -> Result<Parameter, EntryFault> {
    let own = |name: &String| !PROPOSAL_FIELDS.split(", ").chain(TAKEN).any(|field| field == name);
    let name = fields.read("name", NAME, |text| is_name(text).filter(own))?;
    let types = ParameterType::ALL.map(ParameterType::name).join(", ");
    let of = fields.read("type", &types, ParameterType::parse)?;
    let description = fields.read("description", TEXT, is_text)?;
    let fills = fields.read("fills", FILLS, place)?;
    let script_reads = fields.list("script_reads", READS, data_field)?.unwrap_or_default();
    let choices = fields.list("choices", CHOICES, choice)?.unwrap_or_default();
    let distinct =
        (1..).zip(&choices).all(|(next, one)| !choices.iter().skip(next).any(|c| c == one));
    let count = if of == ParameterType::Choice { 1..=32 } else { 0..=0 };
    if !count.contains(&choices.len()) || !distinct {
        let allowed = format!("{CHOICES}; only of a parameter of type choice");
        return Err(fields.fault("choices", format!("{} are given", choices.len()), allowed));
    }
    let pattern = pattern(fields, of)?;
    let grammar = match (&pattern, choices.as_slice()) {
        (None, []) => of.grammar().to_owned(),
        (None, choices) => format!("one of {}", choices.join(", ")),
        (Some(pattern), _) => {
            format!("{}; as a whole it matches {}", of.grammar(), pattern.source)
        }
    };
    let optional = optional(fields, (of, &fills))?;
    Ok(Parameter {
        name,
        of,
        description,
        fills,
        script_reads,
        pattern,
        choices,
        grammar,
        optional,
    })
}

/// Arguments are told apart by their places alone, and policies see every address and account.
fn optional(
    fields: &mut EntryFields<'_>,
    (of, fills): (ParameterType, &Place),
) -> Result<bool, EntryFault> {
    let optional = fields.flag("optional")?;
    let always = matches!(of, ParameterType::Address | ParameterType::Account)
        || matches!(fills, Place::Argument(_));
    if optional && always {
        let allowed = "false: an address, an account and what fills an argument are always given";
        return Err(fields.refused("optional", &optional, allowed));
    }
    Ok(optional)
}

/// The optional parameters of which one must be given.
pub(super) fn one_of(
    fields: &mut EntryFields<'_>,
    parameters: &[Parameter],
) -> Result<Vec<String>, EntryFault> {
    let optional = || parameters.iter().filter(|one| one.optional).map(|one| one.name.as_str());
    let allowed = optional().collect::<Vec<_>>().join(", ");
    let known = |name: &str| optional().any(|one| one == name).then(|| name.to_owned());
    let listed = fields.list("one_of", &format!("optional parameters: {allowed}"), known)?;
    Ok(listed.unwrap_or_default())
}

fn place(text: &str) -> Option<Place> {
    if let Some(key) = text.strip_prefix("data.") {
        return is_name(key).map(Place::Data);
    }
    let number = text.strip_prefix("argument ")?.parse().ok()?;
    (1..=9).contains(&number).then_some(Place::Argument(number))
}

fn data_field(text: &str) -> Option<String> {
    let sound = |b: u8| b.is_ascii_alphanumeric() || b"_.".contains(&b);
    ((1..=64).contains(&text.len()) && text.bytes().all(sound)).then(|| text.to_owned())
}

fn choice(text: &str) -> Option<String> {
    let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(sound)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    fits.then(|| text.to_owned())
}

/// A pattern must narrow its type: one that takes whatever the type takes says nothing.
fn pattern(fields: &mut EntryFields<'_>, of: ParameterType) -> Result<Option<Pattern>, EntryFault> {
    const ALLOWED: &str = "a regular expression of 1 to 200 printable ASCII characters that the \
                           whole argument must match";
    let read = |text: &str| {
        let printable = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        ((1..=PATTERN_BYTES_MAX).contains(&text.len()) && printable).then(|| text.to_owned())
    };
    let Some(source) = fields.maybe_read("pattern", ALLOWED, read)? else {
        if of == ParameterType::Text {
            return Err(fields.fault("pattern", "it is missing", ALLOWED));
        }
        return Ok(None);
    };
    if !of.takes_pattern() {
        let allowed = "only of a parameter of type account, host_name, path, domain or text";
        return Err(fields.refused("pattern", &source, allowed));
    }
    // Alone as well, so that no bracket of it ends the one around it.
    let built = |source: &str| RegexBuilder::new(source).size_limit(1 << 20).build();
    let regex = built(&source).and_then(|_| built(&format!("^(?:{source})$")));
    let regex = regex.map_err(|_not_one| fields.refused("pattern", &source, ALLOWED))?;
    if of.samples().iter().all(|sample| regex.is_match(sample)) {
        let allowed = format!("a pattern that does not take every {}", of.name());
        return Err(fields.refused("pattern", &source, allowed));
    }
    Ok(Some(Pattern { source, regex }))
}
