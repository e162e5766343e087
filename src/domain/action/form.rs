//! Entries of the catalogue as their files write them.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{
    bracketed,
    entry::{
        CatalogueEntry, PlatformCommand, RuleKeeping, Terms, UNDO_SUFFIX, UndoEntry, UndoWay,
        without_exe,
    },
    fields::{EntryFault, EntryFields, is_name, is_text},
    icon::Icon,
    parameter::{Parameter, ParameterType},
    parameter_form,
};
use crate::domain::{decision::Tier, digest::Canonical, endpoint::Platform};

const NAME: &str = "1 to 40 lower-case letters, digits and `_`, of which the first is a letter";
const SCRIPT: &str = "the name of a file in active-response/bin on the endpoint: 1 to 64 letters, \
                      digits, `_`, `.`, `-`, no `..`; no path, no arguments";
const TEXT: &str = "a text of 1 to 1000 printable characters";
const TIER: &str = "low, medium, high";
const ENTRY: &str = "name, title, description, words, state, tier, isolates, once, icon, terms, parameter, \
                     one_of, command, other_scripts, undo";
const COMMAND: &str = "script, keeps, companion, no_ipv6, by_hand, by_hand_ipv6";
const COMPANION: &str = "the name of a companion script on linux: `countersign-`, then lower-case letters and `-`, \
                         64 in all; its undo is called by the same name and `-undo`";
const UNDO: &str = "name, words, timed, permanent, script";
const PLATFORMS: &str = "linux, macos, windows";

/// The entries of a file.
pub(super) fn entries(
    file: &str,
    text: &str,
    built_in: bool,
) -> Result<Vec<CatalogueEntry>, EntryFault> {
    let whole = |problem: String| {
        EntryFields::new((file, "the file"), Table::new()).fault(
            "[[action]]",
            problem,
            "TOML with one [[action]] for each",
        )
    };
    let mut table: Table =
        text.parse().map_err(|error: toml::de::Error| whole(error.message().to_owned()))?;
    let Some(Value::Array(actions)) = table.remove("action") else {
        return Err(whole("there is none".to_owned()));
    };
    EntryFields::new((file, "the file"), table).only("[[action]]")?;
    let one = |(place, value): (usize, Value)| {
        let Value::Table(table) = value else { return Err(whole("it is no table".to_owned())) };
        let named = table.get("name").and_then(Value::as_str);
        let name =
            named.map_or_else(|| format!("action {place}"), |name| name.chars().take(40).collect());
        entry((file, &name), table, built_in)
    };
    (1..).zip(actions).map(one).collect()
}

fn entry(place: (&str, &str), table: Table, built_in: bool) -> Result<CatalogueEntry, EntryFault> {
    let hash = canonical(Canonical::new(1, "action"), &Value::Table(table.clone())).digest();
    let source = alone(&table);
    let mut fields = EntryFields::new(place, table);
    fields.only(ENTRY)?;
    let name = fields.read("name", NAME, is_name)?;
    let title = fields.read("title", TEXT, is_text)?;
    let description = fields.read("description", TEXT, is_text)?;
    let parameters = parameter_form::parameters(&mut fields)?;
    let one_of = parameter_form::one_of(&mut fields, &parameters)?;
    let words = words(&mut fields, &parameters)?;
    let state = fields.read("state", TEXT, is_text)?;
    let isolates = fields.flag("isolates")?;
    let once = fields.flag("once")?;
    let icons = || Icon::ALL.map(Icon::name).join(", ");
    let icon = fields.maybe_read("icon", &icons(), |word| word.parse().ok())?;
    let tier = tier(&mut fields, isolates, &parameters)?;
    let terms = terms(&mut fields)?;
    let commands = commands(&mut fields, &parameters)?;
    let other_scripts = fields.list("other_scripts", SCRIPT, is_script)?.unwrap_or_default();
    let undo = fields.table("undo")?;
    let of = (name.as_str(), terms, parameters.as_slice(), &commands);
    let undo = undo.map(|table| undo_entry(table, of)).transpose()?;
    if once && (terms.timed || undo.is_some()) {
        let allowed = "terms = [\"permanent\"] and no undo beside it: nothing of it stays that could \
                       end or be taken back";
        return Err(fields.refused("once", &once, allowed));
    }
    Ok(CatalogueEntry {
        name,
        title,
        description,
        words,
        state,
        tier,
        isolates,
        once,
        icon,
        terms,
        parameters,
        one_of,
        commands,
        other_scripts,
        undo,
        built_in,
        hash,
        source,
    })
}

/// A file with one entry alone.
fn alone(entry: &Table) -> String {
    let actions = Value::Array(vec![Value::Table(entry.clone())]);
    Table::from_iter([("action".to_owned(), actions)]).to_string()
}

/// Words with every parameter in braces, and nothing else in braces. An optional one stands in
/// brackets with what goes with it.
fn words(fields: &mut EntryFields<'_>, parameters: &[Parameter]) -> Result<String, EntryFault> {
    let names: Vec<_> = parameters.iter().map(|one| format!("{{{}}}", one.name)).collect();
    let allowed = match names.as_slice() {
        [] => "the start of a sentence without braces, such as \"Isolate\"".to_owned(),
        _ => format!(
            "the start of a sentence with {}, each once; an optional one in brackets, such as \
             \"[ named {{process}}]\"",
            names.join(", ")
        ),
    };
    fields.read("words", &allowed, |text| {
        let braces = |c: char| text.matches(c).count();
        let each = names.iter().all(|name| text.matches(name.as_str()).count() == 1);
        let none_else = braces('{') == names.len() && braces('}') == names.len();
        let mut optional = parameters.iter().filter(|one| one.optional);
        let alone = |inside: &str| inside.matches(['{', '[']).count() == 1;
        let sound = each
            && none_else
            && optional
                .all(|one| bracketed(text, &one.name).is_some_and(|(_, inside, _)| alone(inside)));
        is_text(text).filter(|_| sound)
    })
}

/// A response that reaches far never counts as little.
fn tier(
    fields: &mut EntryFields<'_>,
    isolates: bool,
    parameters: &[Parameter],
) -> Result<Tier, EntryFault> {
    let tier = fields.read("tier", TIER, Tier::parse)?;
    let by_type = parameters.iter().map(|one| one.of.least_tier()).max().unwrap_or(Tier::Low);
    let least = if isolates { Tier::High } else { by_type };
    if tier < least {
        let allowed = format!("at least {least}, because of what it reaches");
        return Err(fields.refused("tier", &tier, allowed));
    }
    Ok(tier)
}

fn terms(fields: &mut EntryFields<'_>) -> Result<Terms, EntryFault> {
    const ALLOWED: &str = "timed, permanent";
    let known = |word: &str| ["timed", "permanent"].into_iter().find(|one| *one == word);
    let Some(words) = fields.list("terms", ALLOWED, known)? else {
        return Ok(Terms { timed: true, permanent: true });
    };
    if words.is_empty() {
        return Err(fields.refused("terms", &"[]", format!("one or both of {ALLOWED}")));
    }
    Ok(Terms { timed: words.contains(&"timed"), permanent: words.contains(&"permanent") })
}

fn commands(
    fields: &mut EntryFields<'_>,
    parameters: &[Parameter],
) -> Result<BTreeMap<Platform, PlatformCommand>, EntryFault> {
    let mut platforms = fields
        .table("command")?
        .ok_or_else(|| fields.fault("command", "it is missing", "a table for each platform"))?;
    let mut commands = BTreeMap::new();
    for name in platforms.names() {
        let platform = platform(&platforms, &name)?;
        if let Some(command) = platforms.table(&name)? {
            commands.insert(platform, command_form(command, parameters, platform)?);
        }
    }
    if commands.is_empty() {
        return Err(fields.fault("command", "it is empty", PLATFORMS));
    }
    Ok(commands)
}

fn platform(fields: &EntryFields<'_>, name: &str) -> Result<Platform, EntryFault> {
    match Platform::parse(name) {
        Platform::Other => Err(fields.fault(name, "there is no such platform", PLATFORMS)),
        known @ (Platform::Linux | Platform::MacOs | Platform::Windows) => Ok(known),
    }
}

fn command_form(
    mut fields: EntryFields<'_>,
    parameters: &[Parameter],
    platform: Platform,
) -> Result<PlatformCommand, EntryFault> {
    fields.only(COMMAND)?;
    let companion = fields.maybe_read("companion", COMPANION, |name| {
        is_companion(name).filter(|_| platform == Platform::Linux)
    })?;
    let script = match companion {
        None => Some(fields.read("script", SCRIPT, is_script)?),
        Some(_) => fields.maybe_read("script", SCRIPT, is_script)?,
    };
    let keeps = fields.maybe_read("keeps", "stacked, single", |word| word.parse().ok())?;
    let no_ipv6 = fields.maybe_read("no_ipv6", TEXT, is_text)?;
    let by_hand = fields.read("by_hand", TEXT, is_text)?;
    let by_hand_ipv6 = fields.maybe_read("by_hand_ipv6", TEXT, is_text)?;
    let of_address = parameters.iter().any(|one| one.of == ParameterType::Address);
    for (field, given) in [("no_ipv6", &no_ipv6), ("by_hand_ipv6", &by_hand_ipv6)] {
        if given.is_some() && !of_address {
            return Err(fields.fault(field, "no parameter is an address", "leave it out"));
        }
    }
    let keeps = keeps.unwrap_or(RuleKeeping::Single);
    Ok(PlatformCommand { script, companion, keeps, no_ipv6, by_hand, by_hand_ipv6 })
}

/// What takes a response back. The API of Wazuh can only say "add", so the script that does it
/// cannot take it back as well.
fn undo_entry(
    mut fields: EntryFields<'_>,
    (of, terms, parameters, commands): (
        &str,
        Terms,
        &[Parameter],
        &BTreeMap<Platform, PlatformCommand>,
    ),
) -> Result<UndoEntry, EntryFault> {
    fields.only(UNDO)?;
    let name = fields.read("name", NAME, is_name)?;
    if name == of {
        return Err(fields.refused("name", &name, "another name than that of the action"));
    }
    let words = words(&mut fields, parameters)?;
    let known = || UndoWay::ALL.map(UndoWay::name).join(", ");
    // A companion takes back what it did itself.
    let by_companion = commands.values().all(|command| command.script.is_none());
    let mut ways = |field: &str, needed: bool| {
        let read = fields.list(field, &known(), |word| word.parse().ok())?;
        let read: Vec<UndoWay> = read.unwrap_or_default();
        if read.is_empty() && needed {
            let allowed = format!("one or more of {}", known());
            return Err(fields.fault(field, "it is missing", allowed));
        }
        Ok(read)
    };
    let timed = ways("timed", terms.timed && !by_companion)?;
    let permanent = ways("permanent", terms.permanent && !by_companion)?;
    if permanent.contains(&UndoWay::Expiry) {
        let allowed = "configured, script: what does not end by itself has no timer";
        return Err(fields.refused("permanent", &UndoWay::Expiry.name(), allowed));
    }
    let scripts = undo_scripts(&mut fields, commands)?;
    let by_script = timed.contains(&UndoWay::Script) || permanent.contains(&UndoWay::Script);
    if by_script == scripts.is_empty() {
        let allowed = "a script for each platform where a way is \"script\", and none elsewhere";
        return Err(fields.fault("script", "it does not fit the ways", allowed));
    }
    Ok(UndoEntry { name, words, timed, permanent, scripts })
}

fn undo_scripts(
    fields: &mut EntryFields<'_>,
    commands: &BTreeMap<Platform, PlatformCommand>,
) -> Result<BTreeMap<Platform, String>, EntryFault> {
    let mut scripts = BTreeMap::new();
    let Some(mut platforms) = fields.table("script")? else { return Ok(scripts) };
    for name in platforms.names() {
        let platform = platform(&platforms, &name)?;
        let script = platforms.read(&name, SCRIPT, is_script)?;
        let same = |command: &PlatformCommand| {
            command.script.as_deref().map(without_exe) == Some(without_exe(&script))
        };
        if commands.values().any(same) {
            let allowed = "another script than those that do it: the manager can only say \"add\", \
                           so the same script would do it again";
            return Err(platforms.refused(&name, &script, allowed));
        }
        if !commands.contains_key(&platform) {
            let allowed = "the platforms of [action.command]";
            return Err(platforms.fault(&name, "nothing is done there", allowed));
        }
        scripts.insert(platform, script);
    }
    Ok(scripts)
}

fn is_script(text: &str) -> Option<String> {
    let sound = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(sound)
        && !text.contains("..")
        && !text.starts_with(['-', '.']);
    fits.then(|| text.to_owned())
}

/// What the decoder of the reports reads, and what no command for a time or of an undo looks like.
fn is_companion(text: &str) -> Option<String> {
    let name = text.strip_prefix("countersign-")?;
    let sound = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        && !text.ends_with(UNDO_SUFFIX)
        && !text.ends_with('-');
    is_script(text).filter(|_| sound)
}

/// The same for the same fields, in whatever order and layout.
fn canonical(canonical: Canonical, value: &Value) -> Canonical {
    match value {
        Value::Table(table) => {
            let mut fields: Vec<_> = table.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let one = |c: Canonical, (name, value): (&String, &Value)| {
                self::canonical(c.text(name), value)
            };
            canonical.text("table").list(fields.into_iter(), one)
        }
        Value::Array(values) => canonical.text("list").list(values.iter(), self::canonical),
        Value::String(text) => canonical.text("text").text(text),
        // No field is any of these but a flag; whatever they are, they are told apart.
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Datetime(_) => {
            canonical.text("other").text(&value.to_string())
        }
    }
}
